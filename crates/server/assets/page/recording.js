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
/** Tells whether there will be an answer. */
const FIRST_BYTE = { headers: { Range: "bytes=0-0" } };

/** When a recording's clock is 0, by the clock on the wall: as its files say. */
const zeroOf = ({ files: [first] }) => new Date(first.start) - first.start_ms;

/** Moments of a recording's clock (ms), for the API. */
function moments(recording, from, to) {
  const moment = (ms) => new Date(zeroOf(recording) + ms).toISOString();
  return { ...(from !== null && { from: moment(from) }), ...(to !== null && { to: moment(to) }) };
}

/** The address of a stretch of a recording, from one ms of its clock to another. */
function stretch(recording, kind, from, to) {
  const path = `recordings/${recording.id}/media.${kind}`;
  const query = new URLSearchParams({ cut: "exact", ...moments(recording, from, to) });
  return url(from === null && to === null ? path : `${path}?${query}`);
}

/**
 * The video, at the clock of its recording. One video has one configuration: where that changes another one follows,
 * which the server tells when it is asked for both as one.
 */
class Screen {
  constructor(status, changed) {
    // The moments (ms) at which a configuration begins; the one that is shown; and the place that is being loaded.
    Object.assign(this, { status, changed, starts: [0], start: 0, wanted: null });
    this.video = el("video", { controls: true, playsInline: true, preload: "metadata", ariaLabel: "Recording" });
    this.video.addEventListener("error", () => this.explain());
    this.video.addEventListener("ended", () => this.goOn());
    this.element = el("div", { className: "screen" }, this.video);
  }

  get at() {
    return this.wanted?.at ?? this.start + Math.round(this.video.currentTime * 1000);
  }

  set at(ms) {
    const at = Math.max(0, ms);
    if (this.wanted) this.wanted.at = at;
    else if (this.startOf(at) === this.start) this.video.currentTime = (at - this.start) / 1000;
    else this.load(at, this.plays);
  }

  get plays() {
    return this.wanted?.plays ?? !this.video.paused;
  }

  /** Plays, or does not any more. */
  toggle() {
    if (this.wanted) this.wanted.plays = !this.wanted.plays;
    else if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  startOf(at) {
    return this.starts.filter((start) => start <= at).at(-1);
  }

  /** Where what begins at `start` ends: at the next one, or with what is settled; `null` for the end of it all. */
  endOf(start) {
    const settled = isActive(this.recording) ? this.recording.length_ms - SETTLED : null;
    return this.starts.find((next) => next > start) ?? settled;
  }

  /** Whether a moment is inside of a span, at which the configuration changes. */
  changesIn(from, to) {
    return this.starts.some((start) => from < start && start < to);
  }

  /** Loads what there is at a moment, and shows that. */
  async load(at = this.at, plays = this.plays || this.video.ended) {
    const wanted = (this.wanted = { at, plays });
    say(this.status, "");
    try {
      while (this.wanted === wanted) {
        const start = this.startOf(wanted.at);
        const end = this.endOf(start);
        if (end !== null && end <= start) break;
        this.address = stretch(this.recording, "mp4", start || null, end);
        const source = await this.source(start);
        if (this.wanted !== wanted || !source || this.startOf(wanted.at) !== start) continue;
        Object.assign(this, { start, end, wanted: null });
        URL.revokeObjectURL(this.video.src);
        this.video.src = source;
        this.video.currentTime = (wanted.at - start) / 1000;
        if (wanted.plays) this.video.play().catch(() => {});
      }
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (this.wanted === wanted) say(this.status, problem.message);
    } finally {
      if (this.wanted === wanted) this.wanted = null;
    }
  }

  /** What the video plays; none where the configuration changes in it, which is known from then on. */
  async source(start) {
    if (hasToken() && this.recording.size_bytes > WHOLE_BYTES) throw new Problem({ title: "This recording is too long to be played behind a token: download a clip of it" });
    try {
      const answer = await ask(this.address, hasToken() ? {} : FIRST_BYTE);
      return hasToken() ? URL.createObjectURL(await answer.blob()) : this.address;
    } catch (problem) {
      const change = new Date(problem.changesAt) - zeroOf(this.recording);
      if (!(change > start) || this.starts.includes(change)) throw problem;
      this.starts = [...this.starts, change].sort((a, b) => a - b);
      this.changed();
      return null;
    }
  }

  /** Goes on where it has ended: with the next configuration, or with what has come since. */
  goOn() {
    if (!this.recording || this.wanted) return;
    const end = this.endOf(this.start);
    if (this.starts.includes(end)) this.load(end, true);
    else if (end > this.end) this.load(this.at, true);
  }

  /** Says what the server said: browsers only know that it did not work. */
  async explain() {
    if (!this.address) return;
    try {
      await ask(this.address, FIRST_BYTE);
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
    const { recording } = this.screen;
    const { id, format } = recording;
    const name = this.name.value.trim() || undefined;
    const cut = format === "mp4" ? "exact" : "keyframe";
    const kept = await call("POST", `recordings/${id}/clips`, { ...moments(recording, ...this.span), cut, name });
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
    const kinds = this.screen.changesIn(from ?? 0, end) ? ["flv"] : ["mp4", "flv"];
    this.links.append(...kinds.map((kind) =>
      file(this.told, `Clip as ${kind.toUpperCase()}`, stretch(recording, kind, from, to), `${recording.id}-${from ?? 0}-${end}.${kind}`)));
  }
}

function downloads({ recording, starts }, told) {
  const changes = starts.slice(1).map((at) => clock(at, true)).join(", ");
  const whole = (changes ? ["flv"] : ["mp4", "flv"]).map((kind) =>
    file(told, `All as ${kind.toUpperCase()}`, stretch(recording, kind, null, null), `${recording.id}.${kind}`));
  const files = recording.files.filter(({ state }) => ["open", "finished"].includes(state)).map((segment) => {
    const name = segment.file.split("/").pop();
    return el("li", {}, file(told, name, url(`recordings/${recording.id}/segments/${segment.number}/file`), name));
  });
  const note = changes && `Not as one MP4: the configuration changes at ${changes}.`;
  return [el("p", { className: "links" }, whole, note), el("details", {}, el("summary", { textContent: count(files.length, "file") }), el("ul", {}, files))];
}

function keys(event, screen, clip) {
  if (/^(INPUT|BUTTON|A|SUMMARY)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
  const run = {
    i: () => clip.set(clip.from), o: () => clip.set(clip.to),
    j: () => (screen.at -= 10_000), l: () => (screen.at += 10_000),
    ",": () => (screen.at -= 40), ".": () => (screen.at += 40),
    k: () => screen.toggle(),
  }[event.key.toLowerCase()];
  if (!run) return;
  event.preventDefault();
  run();
}

/** The view. */
export function show(main, told, id, tools) {
  const title = el("h2", { textContent: "Recording" });
  const status = el("p", { className: "status", role: "status" });
  const screen = new Screen(status, () => offer());
  const line = el("div");
  const draw = () => screen.recording && line.replaceChildren(ofRecording(screen.recording, clip.span));
  const clip = new Clip(screen, draw, told, tools.note);
  const shown = el("div");
  const files = el("div");
  const buttons = el("p", { className: "actions" });
  const help = el("p", { className: "help", textContent: "Keys: K plays, J and L move by 10 s, comma and full stop by a frame, I and O mark a clip." });
  const reveal = (isThere) => [screen.element, clip.element, line, files, help].forEach((element) => (element.hidden = !isThere));
  reveal(false);
  main.append(title, screen.element, line, status, clip.element, shown, buttons, files, help);
  let state = "";
  let open = false;
  const offer = () => {
    clip.update();
    files.replaceChildren(...downloads(screen, told));
  };
  const find = async () => {
    try {
      return await call("GET", `recordings/${id}`);
    } catch (problem) {
      if (![400, 404].includes(problem.status)) throw problem;
      reveal(false);
      for (const element of [shown, buttons]) element.replaceChildren();
      say(status, problem.message);
      return null;
    }
  };
  const look = async () => {
    const recording = await find();
    if (!recording) return;
    say(title, `${recording.stream}${recording.start ? `, ${new Date(recording.start).toLocaleString()}` : ""}`);
    shown.replaceChildren(about(recording));
    const isThere = recording.files.some(({ state }) => ["open", "finished"].includes(state));
    reveal(isThere);
    if (recording.state === "binned") say(status, "It is in the bin: restore it to play it.");
    else if (state.startsWith("binned")) say(status, "");
    screen.recording = recording;
    clip.update();
    const key = `${recording.state} ${recording.held} ${recording.files.length}`;
    const isSettled = screen.end !== undefined || !isActive(recording) || recording.length_ms > SETTLED;
    if (isThere && isSettled && (!open || key !== state)) {
      open = true;
      await screen.load();
    } else if (screen.video.ended) screen.goOn();
    if (key === state) return;
    state = key;
    buttons.replaceChildren(...actions(recording, told, tools, look));
    offer();
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
    Object.assign(screen, { address: null, recording: null, wanted: null });
    URL.revokeObjectURL(screen.video.src);
    screen.video.removeAttribute("src");
    screen.video.load();
  };
}
