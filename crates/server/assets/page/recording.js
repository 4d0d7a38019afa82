// One recording: looked at, cut into clips, downloaded.

import { call, download, drop, picture, url } from "./api.js";
import { clock, el, fromClock, say } from "./dom.js";
import { about, actions, isActive } from "./recordings.js";
import { ofRecording } from "./timeline.js";

/** How often one that grows is looked at (ms). */
const LOOK = 5_000;

/** The address of a stretch of a recording, from one ms of its clock to another. */
function stretch({ id, start }, kind, from, to) {
  const begin = new Date(start).getTime();
  const query = new URLSearchParams({ cut: "exact" });
  if (from !== null) query.set("from", new Date(begin + from).toISOString());
  if (to !== null) query.set("to", new Date(begin + to).toISOString());
  return url(from === null && to === null ? `recordings/${id}/media.${kind}` : `recordings/${id}/media.${kind}?${query}`);
}

/** What recordings are downloaded as. */
const KINDS = ["flv"];

/** A link to a file. */
function file(told, text, href, name) {
  return el("a", { href, download: name, textContent: text, onclick: told((event) => download(event, name)) });
}

/** In and out of a clip, and its downloads. */
class Clip {
  constructor(draw, told) {
    this.told = told;
    this.recording = null;
    this.draw = draw;
    this.span = null;
    const field = (name) => el("input", { name, inputMode: "decimal", size: 12, placeholder: "0:00.000", oninput: () => this.update() });
    this.from = field("in");
    this.to = field("out");
    this.length = el("output");
    this.links = el("span", { className: "links" });
    this.element = el("fieldset", { className: "clip" }, el("legend", { textContent: "Clip" }),
      el("label", {}, "In ", this.from), el("label", {}, "Out ", this.to), this.length, this.links);
  }

  update() {
    const { recording } = this;
    const [from, to] = [this.from, this.to].map((field) => (field.value.trim() ? fromClock(field.value) : null));
    const isGiven = from !== null || to !== null;
    const end = to ?? recording?.length_ms ?? 0;
    const isGood = !Number.isNaN(from) && !Number.isNaN(to) && (from ?? 0) < end;
    this.links.replaceChildren();
    this.span = isGiven && isGood ? [from ?? 0, end] : null;
    this.draw();
    if (isGiven && !isGood) say(this.length, "In has to be before out; times are as 1:02:03.004.");
    else say(this.length, isGiven ? `${clock(end - (from ?? 0), true)} long` : "");
    if (!this.span || !recording) return;
    this.links.append(...KINDS.map((kind) =>
      file(this.told, `Clip as ${kind.toUpperCase()}`, stretch(recording, kind, from, to), `${recording.id}-${from ?? 0}-${end}.${kind}`)));
  }
}

function downloads(recording, told) {
  const whole = KINDS.map((kind) =>
    file(told, `All as ${kind.toUpperCase()}`, stretch(recording, kind, null, null), `${recording.id}.${kind}`));
  const files = recording.files.filter(({ state }) => ["open", "finished"].includes(state)).map((segment) => {
    const name = segment.file.split("/").pop();
    return el("li", {}, file(told, name, url(`recordings/${recording.id}/segments/${segment.number}/file`), name));
  });
  return [el("p", { className: "links" }, whole), el("details", {}, el("summary", { textContent: files.length === 1 ? "1 file" : `${files.length} files` }), el("ul", {}, files))];
}

/** The view. */
export function show(main, told, id, tools) {
  const title = el("h2", { textContent: "Recording" });
  const status = el("p", { className: "status", role: "status" });
  const img = el("img", { alt: "A picture of it", className: "none" });
  const screen = el("div", { className: "screen" }, img);
  const line = el("div");
  const draw = () => clip.recording && line.replaceChildren(ofRecording(clip.recording, clip.span));
  const clip = new Clip(draw, told);
  const shown = el("div");
  const files = el("div");
  const buttons = el("p", { className: "actions" });
  main.append(title, screen, line, status, clip.element, shown, buttons, files);
  let state = "";
  const look = async () => {
    const recording = await call("GET", `recordings/${id}`);
    say(title, `${recording.stream}${recording.start ? `, ${new Date(recording.start).toLocaleString()}` : ""}`);
    shown.replaceChildren(about(recording));
    const isThere = recording.files.some(({ state }) => ["open", "finished"].includes(state));
    for (const element of [screen, clip.element, line, files]) element.hidden = !isThere;
    say(status, recording.state === "binned" ? "It is in the bin: restore it to download it." : "");
    clip.recording = recording;
    clip.update();
    const key = `${recording.state} ${recording.held} ${recording.files.length}`;
    if (key === state) return;
    state = key;
    if (isThere) picture(img, `recordings/${id}/poster.jpg`);
    buttons.replaceChildren(...actions(recording, told, tools, look));
    files.replaceChildren(...downloads(recording, told));
  };
  const tick = told(look);
  const deaf = tools.listen(({ recording }) => recording === id && tick());
  const timer = setInterval(() => !document.hidden && clip.recording && isActive(clip.recording) && tick(), LOOK);
  tick();
  return () => {
    clearInterval(timer);
    deaf();
    drop(img);
  };
}
