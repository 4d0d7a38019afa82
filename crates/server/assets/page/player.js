// A stream watched live: fragmented MP4 in one answer, fed to the browser's decoder bit by bit. What
// is in its buffer can be rewound, and what is recorded beyond that (`past.js`). Where there is no Media Source the
// browser's own HLS is used.

import { ask, call, streamPath, view } from "./api.js";
import { Source, append, attach, ranges } from "./buffer.js";
import { clock, el, say } from "./dom.js";
import { Past, REACH } from "./past.js";
import { Record, now } from "./streams.js";

/** So much is kept for rewinding (s). */
const KEPT = 600;
/** So far behind the newest picture is live (s): further, it plays a little faster; beyond, it jumps. */
const NEAR = 1.5;
const FAR = 5;
/** What is nearer to live (s) is never fetched from the recording. */
const PAST = 8;
/** How long (ms) the place has to rest before it is looked for in the recording. */
const REST = 200;
/** How often the place is looked at, and the stream (ms). */
const TICK = 250;
const LOOK = 2_500;
/** Until a stream that could not be played is tried again (ms). */
const AGAIN = 2_000;

const HLS = "application/vnd.apple.mpegurl";

/** The type of what `/live/KEY.mp4` sends; nothing before codecs are known. */
function typeOf({ video, audio }) {
  const codecs = [video?.codec_string, audio?.codec_string].filter(Boolean);
  const kind = video?.codec_string ? "video" : "audio";
  return codecs.length ? `${kind}/mp4; codecs="${codecs.join(", ")}"` : null;
}

/** Feeds a view to a video until the stream is over. */
function feed(video, address, type, signal) {
  return attach(video, type, async (buffer, source) => {
    const reader = (await ask(address, { signal })).body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || source.readyState !== "open") break;
      await append(buffer, value, KEPT);
    }
    if (source.readyState === "open") source.endOfStream();
  });
}

/** Where a video can be played, as `[from, to]`; nothing while there is nothing. */
function span({ buffered, seekable }) {
  const ranges = buffered.length ? buffered : seekable;
  return ranges.length ? [ranges.start(0), ranges.end(ranges.length - 1)] : null;
}

/** A video with what moves it. */
class Screen {
  constructor() {
    this.video = el("video", { muted: true, autoplay: true, playsInline: true });
    const button = (text, label, on) => el("button", { textContent: text, ariaLabel: label, title: label, onclick: on });
    this.play = button("Pause", "Pause or play (space)", () => this.toggle());
    this.place = el("input", { type: "range", step: "any", ariaLabel: "Place", oninput: () => this.aim(-this.place.value) });
    this.behind = el("output");
    this.live = button("Live", "To the newest picture (L)", () => this.toLive());
    this.sound = button("Sound", "Sound on or off (M)", () => this.mute());
    this.full = button("Full", "Full screen (F)", () => this.fill());
    const bar = el("div", { className: "bar" }, this.play, button("−10 s", "10 seconds back (←)", () => this.step(-10)),
      el("div", { className: "place" }, this.place, this.behind), this.live, this.sound, this.full);
    this.element = el("div", { className: "screen", tabIndex: 0, ariaLabel: "Player", onkeydown: (event) => this.key(event) }, this.video, bar);
    this.video.addEventListener("click", () => this.toggle());
    this.isLive = true;
    // What of it is shown, if it is not live; how far the recording reaches back (s); who is told to change that.
    Object.assign(this, { past: null, reach: 0, turn: () => {}, aimed: null });
  }

  /** Where it can be played, as `[from, to]`. */
  get span() {
    return this.past ? this.past.span : span(this.video);
  }

  /** Shows the recording from so many seconds before live on. */
  rewind(behind) {
    this.isLive = false;
    this.past = new Past(this.video, behind);
    this.turn();
  }

  /** The place is being moved, to so many seconds before live. */
  aim(behind) {
    clearTimeout(this.aimed);
    this.aimed = null;
    if (!this.span) return;
    const to = this.span[1] - behind;
    const go = () => {
      this.aimed = null;
      if (this.span) this.seek(this.span[1] - behind);
    };
    if (ranges(this.video).some(([from, end]) => from <= to && to <= end)) go();
    else this.aimed = setTimeout(go, REST);
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else {
      this.isLive = false;
      this.video.pause();
    }
  }

  seek(to) {
    const [from, end] = this.span ?? [0, 0];
    const behind = end - to;
    if (this.past && behind < PAST) this.toLive();
    else if (this.past) this.past.seek(Math.max(to, from));
    else if (to < from && behind >= PAST && this.reach > end - from) this.rewind(Math.min(behind, this.reach));
    else {
      this.video.currentTime = Math.min(Math.max(to, from), end);
      this.isLive = behind < NEAR;
    }
  }

  step(seconds) {
    this.seek((this.past?.wanted ?? this.video.currentTime) + seconds);
  }

  toLive() {
    this.isLive = true;
    if (this.past) {
      this.past = null;
      this.turn();
      return;
    }
    const [from, end] = this.span ?? [0, 0];
    this.video.currentTime = Math.max(from, end - NEAR / 2);
    this.video.play().catch(() => {});
  }

  mute() {
    this.video.muted = !this.video.muted;
  }

  fill() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.element.requestFullscreen) this.element.requestFullscreen();
    else this.video.webkitEnterFullscreen?.();
  }

  key(event) {
    const keys = {
      " ": () => this.toggle(), k: () => this.toggle(), ArrowLeft: () => this.step(-10), ArrowRight: () => this.step(10),
      l: () => this.toLive(), m: () => this.mute(), f: () => this.fill(),
    };
    const isOnControl = event.target !== this.element;
    const run = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!run || event.ctrlKey || event.metaKey || event.altKey || (isOnControl && !/^[a-z]$/i.test(event.key))) return;
    event.preventDefault();
    run();
  }

  /** Keeps to the newest picture, jumps over what is missing, and shows where it is. */
  tick() {
    const { video } = this;
    say(this.play, video.paused ? "Play" : "Pause");
    say(this.sound, video.muted ? "Sound" : "Mute");
    this.live.disabled = this.isLive;
    if (!this.span) return;
    const [from, end] = this.span;
    const at = this.past?.wanted ?? video.currentTime;
    if (this.past) {
      if (this.past.wanted === null && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) this.jump(at);
    } else if (at < from && !this.isLive && this.reach > end - at) this.rewind(end - at);
    else if (at < from) video.currentTime = Math.max(from, end - NEAR);
    else if (this.isLive && end - at > FAR) video.currentTime = end - NEAR;
    else if (video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) this.jump(at);
    video.playbackRate = this.isLive && end - at > NEAR ? 1.05 : 1;
    say(this.behind, this.isLive ? "" : `−${clock((end - at) * 1000)}`);
    this.place.setAttribute("aria-valuetext", this.behind.textContent || "live");
    if (this.aimed !== null) return;
    this.place.min = -Math.max(end - from, this.past ? 0 : this.reach);
    this.place.max = 0;
    this.place.value = Math.min(at - end, 0);
  }

  jump(at) {
    for (const [start, end] of ranges(this.video)) {
      if (start > at && start - at > 0.05) {
        this.video.currentTime = start + 0.01;
        return;
      }
      if (end > at + 0.3) return;
    }
  }
}

async function live(key, type, screen, signal) {
  screen.isLive = true;
  screen.video.autoplay = true;
  await feed(screen.video, view(key, "mp4"), type, signal);
}

/** Plays what was, to its end; a pause stays one. */
async function replay(key, type, screen, signal) {
  screen.video.autoplay = !screen.video.paused;
  await screen.past.play(key, type, signal);
  screen.past = null;
}

/** Plays a stream, and again when it comes again, until it is left. */
async function run(key, screen, status, { current, published, note }, signal) {
  while (!signal.aborted) {
    const turn = new AbortController();
    screen.turn = () => turn.abort();
    signal.addEventListener("abort", screen.turn, { signal: turn.signal });
    try {
      const stream = await current();
      const type = stream && typeOf(stream);
      if (!stream) {
        say(status, `Nobody publishes ${key} now. It plays as soon as somebody does.`);
        await published();
        continue;
      }
      if (type && Source?.isTypeSupported(type)) {
        say(status, "");
        await (screen.past ? replay(key, type, screen, turn.signal) : live(key, type, screen, turn.signal));
        continue;
      }
      if (type && !Source && screen.video.canPlayType(HLS)) {
        say(status, "");
        screen.video.src = view(key, "m3u8");
        await new Promise((resolve) => ["ended", "error"].forEach((name) => screen.video.addEventListener(name, resolve, { once: true })));
      }
      if (type) say(status, `This browser does not play ${type}. The addresses below are for other players.`);
    } catch (problem) {
      if (signal.aborted) return;
      if (turn.signal.aborted) continue;
      if (screen.past) {
        screen.past = null;
        note(`The recording cannot be shown: ${problem.message}`, "bad");
        continue;
      }
      say(status, problem.message);
    } finally {
      turn.abort();
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}

/** Tells how far (s) what is recorded of a stream reaches back, as long as it is being recorded. */
function reachOf() {
  let [known, oldest] = ["", Infinity];
  return async ({ key, recordings }) => {
    const ids = recordings.map(({ id }) => id).join();
    if (ids && ids !== known) {
      const from = new Date(Date.now() - REACH * 1000).toISOString();
      const query = `stream=${encodeURIComponent(key)}&from=${encodeURIComponent(from)}&limit=1000`;
      const found = (await call("GET", `recordings?${query}`)).recordings.filter(({ stream, start }) => stream === key && start);
      oldest = Math.min(...found.map(({ start }) => new Date(start).getTime()));
      if (found.length) known = ids;
    }
    return ids ? Math.min(Math.max((Date.now() - oldest) / 1000, 0), REACH) : 0;
  };
}

/** The view. */
export function show(main, told, key, { listen, note }) {
  const screen = new Screen();
  const status = el("p", { className: "status", role: "status" });
  const shown = el("div");
  const stop = new AbortController();
  let wake = () => {};
  const current = async () => {
    // Asked for among all, since asking for one that is not there is an error to browsers.
    const { streams } = await call("GET", "streams?state=live&limit=1000");
    const isThere = streams.some((stream) => stream.key === key);
    return isThere ? call("GET", streamPath(key)) : null;
  };
  const look = async () => {
    const stream = await current();
    shown.replaceChildren(...(stream ? [now(stream)] : []));
    record.element.hidden = !stream;
    if (stream) record.update(stream);
    screen.reach = stream ? await reach(stream) : 0;
  };
  const reach = reachOf();
  const tick = told(look);
  const record = new Record(key, told, look);
  const addresses = ["m3u8", "flv", "mp4"].map((kind) => el("li", {}, el("a", { href: view(key, kind), textContent: view(key, kind) })));
  main.append(el("h2", { textContent: key }), screen.element, status, shown, record.element,
    el("p", {}, el("a", { href: `#/recordings?text=${encodeURIComponent(key)}`, textContent: "Its recordings" })),
    el("details", {}, el("summary", { textContent: "Addresses for players" }), el("ul", {}, addresses)));
  const deaf = listen(({ type, stream }) => {
    if (stream !== key) return;
    if (type === "stream.published") wake();
    if (/^(stream|recording)\./.test(type)) tick();
  });
  const timers = [setInterval(() => screen.tick(), TICK), setInterval(() => document.hidden || tick(), LOOK)];
  // An event may be lost, and comes before or after the list says the same.
  const published = () => new Promise((resolve) => {
    wake = resolve;
    setTimeout(resolve, 2 * LOOK);
  });
  tick();
  told(() => run(key, screen, status, { current, published, note }, stop.signal))();
  return () => {
    stop.abort();
    wake();
    timers.forEach(clearInterval);
    deaf();
    screen.video.removeAttribute("src");
    screen.video.load();
  };
}
