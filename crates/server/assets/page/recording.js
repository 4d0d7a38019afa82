// One recording: played, cut into clips, downloaded.

import { Problem, ask, call, download, hasToken, url } from "./api.js";
import { clock, count, el, fromClock, say } from "./dom.js";
import { about, actions, isActive } from "./recordings.js";
import { ofRecording } from "./timeline.js";

/** How often one that grows is looked at (ms). */
const LOOK = 5_000;
/** What was written so long ago (ms) does not change any more: `-record-flush` and some room. */
const SETTLED = 3_000;
/** Longest recording that is loaded whole, where a token keeps the browser from loading parts. */
const WHOLE_BYTES = 1 << 30;

/** Moments of a recording's clock (ms), for the API. */
function moments(start, from, to) {
  const moment = (ms) => new Date(new Date(start).getTime() + ms).toISOString();
  return { ...(from !== null && { from: moment(from) }), ...(to !== null && { to: moment(to) }) };
}

/** The address of a stretch of a recording, from one ms of its clock to another. */
function stretch({ id, start }, kind, from, to) {
  const query = new URLSearchParams({ cut: "exact", ...moments(start, from, to) });
  return url(from === null && to === null ? `recordings/${id}/media.${kind}` : `recordings/${id}/media.${kind}?${query}`);
}

/** The video, at the clock of its recording. */
class Screen {
  constructor(status) {
    this.status = status;
    this.video = el("video", { controls: true, playsInline: true, preload: "metadata", ariaLabel: "Recording" });
    this.video.addEventListener("error", () => this.explain());
    // What grows goes on where it ended, with what has come since.
    this.video.addEventListener("ended", () => this.recording && isActive(this.recording) && this.load(this.recording, true));
    this.element = el("div", { className: "screen" }, this.video);
  }

  get at() {
    return Math.round(this.video.currentTime * 1000);
  }

  set at(ms) {
    this.video.currentTime = ms / 1000;
  }

  /** Loads what there is of a recording, and stays at its place. */
  async load(recording, plays = false) {
    const at = this.at;
    this.recording = recording;
    this.end = isActive(recording) ? recording.length_ms - SETTLED : null;
    if (this.end !== null && this.end <= 0) return;
    this.address = stretch(recording, "mp4", null, this.end);
    say(this.status, "");
    this.video.src = hasToken() ? await this.whole(recording) : this.address;
    if (at > 0) this.at = at;
    if (plays) this.video.play().catch(() => {});
  }

  async whole({ size_bytes }) {
    if (size_bytes > WHOLE_BYTES) throw new Problem({ title: "This recording is too long to be played behind a token: download a clip of it" });
    return URL.createObjectURL(await (await ask(this.address)).blob());
  }

  /** Says what the server said: browsers only know that it did not work. */
  async explain() {
    if (!this.address) return;
    try {
      await ask(this.address, { headers: { Range: "bytes=0-0" } });
      say(this.status, "This browser does not play this recording. It can be downloaded.");
    } catch (problem) {
      say(this.status, problem.message);
    }
  }
}

/** A link to a file. */
function file(told, text, href, name) {
  return el("a", { href, download: name, textContent: text, onclick: told((event) => download(event, name)) });
}

/** In and out of a clip, and its downloads. */
class Clip {
  constructor(screen, draw, told, note) {
    this.told = told;
    this.screen = screen;
    this.draw = draw;
    this.span = null;
    const field = (name) => el("input", { name, inputMode: "decimal", size: 12, placeholder: "0:00.000", oninput: () => this.update() });
    this.from = field("in");
    this.to = field("out");
    this.length = el("output");
    this.links = el("span", { className: "links" });
    this.name = el("input", { name: "name", maxLength: 256, size: 16 });
    this.keep = el("p", { className: "links", hidden: true }, el("label", {}, "Name ", this.name),
      el("button", { type: "button", textContent: "Keep as a recording", onclick: told(() => this.save(note)) }));
    const button = (text, on) => el("button", { type: "button", textContent: text, onclick: on });
    this.element = el("fieldset", { className: "clip" }, el("legend", { textContent: "Clip" }),
      el("label", {}, "In ", this.from), button("In here (I)", () => this.set(this.from)),
      el("label", {}, "Out ", this.to), button("Out here (O)", () => this.set(this.to)),
      this.length, this.links, this.keep);
  }

  set(field) {
    field.value = clock(this.screen.at, true);
    this.update();
  }

  /** Keeps what is between as a recording of its own. */
  async save(note) {
    const { id, start, format } = this.screen.recording;
    const name = this.name.value.trim() || undefined;
    const cut = format === "mp4" ? "exact" : "keyframe";
    const kept = await call("POST", `recordings/${id}/clips`, { ...moments(start, ...this.span), cut, name });
    const ends = format === "mp4" ? "to the ms" : "from the key frame before to the one after";
    note(`The clip is kept, ${ends}.`, "", ["Show it", () => (location.hash = `#/recording/${kept.id}`)]);
  }

  update() {
    const { recording } = this.screen;
    const [from, to] = [this.from, this.to].map((field) => (field.value.trim() ? fromClock(field.value) : null));
    const isGiven = from !== null || to !== null;
    const end = to ?? recording?.length_ms ?? 0;
    const isGood = !Number.isNaN(from) && !Number.isNaN(to) && (from ?? 0) < end;
    this.links.replaceChildren();
    this.span = isGiven && isGood ? [from ?? 0, end] : null;
    this.keep.hidden = !this.span;
    this.draw();
    if (isGiven && !isGood) say(this.length, "In has to be before out; times are as 1:02:03.004.");
    else say(this.length, isGiven ? `${clock(end - (from ?? 0), true)} long` : "");
    if (!this.span || !recording) return;
    this.links.append(...["mp4", "flv"].map((kind) =>
      file(this.told, `Clip as ${kind.toUpperCase()}`, stretch(recording, kind, from, to), `${recording.id}-${from ?? 0}-${end}.${kind}`)));
  }
}

function downloads(recording, told) {
  const whole = ["mp4", "flv"].map((kind) =>
    file(told, `All as ${kind.toUpperCase()}`, stretch(recording, kind, null, null), `${recording.id}.${kind}`));
  const files = recording.files.filter(({ state }) => ["open", "finished"].includes(state)).map((segment) => {
    const name = segment.file.split("/").pop();
    return el("li", {}, file(told, name, url(`recordings/${recording.id}/segments/${segment.number}/file`), name));
  });
  return [el("p", { className: "links" }, whole), el("details", {}, el("summary", { textContent: count(files.length, "file") }), el("ul", {}, files))];
}

function keys(event, screen, clip) {
  if (/^(INPUT|BUTTON|A|SUMMARY)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
  const run = {
    i: () => clip.set(clip.from), o: () => clip.set(clip.to),
    j: () => (screen.at -= 10_000), l: () => (screen.at += 10_000),
    ",": () => (screen.at -= 40), ".": () => (screen.at += 40),
    k: () => (screen.video.paused ? screen.video.play() : screen.video.pause()),
  }[event.key.toLowerCase()];
  if (!run) return;
  event.preventDefault();
  run();
}

/** The view. */
export function show(main, told, id, tools) {
  const title = el("h2", { textContent: "Recording" });
  const status = el("p", { className: "status", role: "status" });
  const screen = new Screen(status);
  const line = el("div");
  const draw = () => screen.recording && line.replaceChildren(ofRecording(screen.recording, clip.span));
  const clip = new Clip(screen, draw, told, tools.note);
  const shown = el("div");
  const files = el("div");
  const buttons = el("p", { className: "actions" });
  const help = "Keys: K plays, J and L move by 10 s, comma and full stop by a frame, I and O mark a clip.";
  main.append(title, screen.element, line, status, clip.element, shown, buttons, files, el("p", { className: "help", textContent: help }));
  let state = "";
  let open = false;
  const look = async () => {
    const recording = await call("GET", `recordings/${id}`);
    say(title, `${recording.stream}${recording.start ? `, ${new Date(recording.start).toLocaleString()}` : ""}`);
    shown.replaceChildren(about(recording));
    const isThere = recording.files.some(({ state }) => ["open", "finished"].includes(state));
    for (const element of [screen.element, clip.element, line, files]) element.hidden = !isThere;
    if (recording.state === "binned") say(status, "It is in the bin: restore it to play it.");
    else if (state.startsWith("binned")) say(status, "");
    screen.recording = recording;
    clip.update();
    const key = `${recording.state} ${recording.held} ${recording.files.length}`;
    const isSettled = screen.end !== undefined || !isActive(recording) || recording.length_ms > SETTLED;
    if (isThere && isSettled && (!open || key !== state)) {
      open = true;
      await screen.load(recording, screen.video.currentTime > 0 && !screen.video.paused);
    }
    if (key === state) return;
    state = key;
    buttons.replaceChildren(...actions(recording, told, tools, look));
    files.replaceChildren(...downloads(recording, told));
  };
  const tick = told(look);
  line.addEventListener("click", (event) => {
    const { left, width } = line.getBoundingClientRect();
    screen.at = ((event.clientX - left) / width) * (screen.recording?.length_ms ?? 0);
  });
  const onKey = (event) => keys(event, screen, clip);
  document.addEventListener("keydown", onKey);
  const deaf = tools.listen(({ recording }) => recording === id && tick());
  const timer = setInterval(() => !document.hidden && screen.recording && isActive(screen.recording) && tick(), LOOK);
  tick();
  return () => {
    clearInterval(timer);
    deaf();
    document.removeEventListener("keydown", onKey);
    screen.address = null;
    screen.video.removeAttribute("src");
    screen.video.load();
  };
}
