// What was recorded and what is missing, drawn along a line of time.

import { el } from "./dom.js";

/** A bar over `[from, to)` ms. Lengths are set from script: the policy allows no style in HTML. */
function bar(kind, [from, to], [start, end], title) {
  const all = end - start;
  const left = Math.max(0, (from - start) / all);
  const right = Math.min(1, (to - start) / all);
  const element = el(kind === "kept" ? "a" : "span", { className: kind, title });
  element.style.left = `${left * 100}%`;
  element.style.width = `${Math.max(0, right - left) * 100}%`;
  return element;
}

/** The gaps of a recording as `[from, to, reason]` in ms of its own clock. */
export function gaps(recording) {
  const starts = new Map(recording.files.map((file) => [file.number, file.start_ms]));
  return recording.missing.map(({ segment, inside, at_ms, length_ms, reason }) => {
    const from = at_ms + (inside ? starts.get(segment) ?? 0 : 0);
    return [from, from + length_ms, reason];
  });
}

/** One recording: what it has, over that what it lacks, and what is cut out of it. */
export function ofRecording(recording, cut) {
  const span = [0, Math.max(1, recording.length_ms)];
  const bars = gaps(recording).map(([from, to, reason]) => bar("gap", [from, to], span, `missing: ${reason}`));
  return el("div", { className: "line whole" }, bars, cut && bar("cut", cut, span, "clip"));
}

/** The recordings of a day: each leads to its own place. */
export function ofDay(recordings, [start, end], now) {
  const bars = recordings.flatMap((recording) => {
    const from = new Date(recording.start).getTime();
    const to = recording.end ? new Date(recording.end).getTime() : now;
    const link = bar("kept", [from, to], [start, end], `from ${new Date(from).toLocaleTimeString()}`);
    link.href = `#/recording/${recording.id}`;
    link.setAttribute("aria-label", link.title);
    const missing = recording.missing ? gaps(recording) : [];
    return [link, ...missing.map(([gapFrom, gapTo, reason]) =>
      bar("gap", [from + gapFrom, from + gapTo], [start, end], `missing: ${reason}`))];
  });
  const hours = [0, 6, 12, 18, 24].map((hour) => el("span", { textContent: `${hour}:00` }));
  return el("div", { className: "day" },
    el("div", { className: "line" }, bars), el("div", { className: "hours", ariaHidden: "true" }, hours));
}
