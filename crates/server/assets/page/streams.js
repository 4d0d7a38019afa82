// What is live now: a card a stream.

import { call, drop, picture, streamPath } from "./api.js";
import { clock, el, facts, keep, say } from "./dom.js";

/** How often rates and viewers are looked at (ms), and pictures. */
const LOOK = 2_500;
const PICTURE = 10_000;
/** So often a picture that is not there is asked for with each look. */
const EARLY = 3;
/** Streams that are shown at most. */
const SHOWN = 200;

/** What API recordings of a stream are called in its list: those that were asked for. */
const ASKED = "api";

/** One of several tracks. */
const inWords = ({ kind, id, codec, width, height }) => `${kind} ${id}: ${codec}${width ? ` ${width}×${height}` : ""}`;

/** A stream's tracks in words. */
export function tracks({ video, audio, tracks: all = [] }) {
  const size = video?.width ? ` ${video.width}×${video.height}` : "";
  const rate = video?.frame_rate ? `, ${Math.round(video.frame_rate)} fps` : "";
  const channels = { 1: " mono", 2: " stereo" }[audio?.channels] ?? "";
  return [
    ["Video", video && `${video.codec ?? "unknown"}${size}${rate}`],
    ["Audio", audio && `${audio.codec ?? "unknown"}${channels}`],
    ["Tracks", new Set(all.map(({ kind }) => kind)).size < all.length && all.map(inWords).join(", ")],
    ["Bitrate", `${Math.round((video?.kbps ?? 0) + (audio?.kbps ?? 0))} kbit/s`],
  ];
}

/** Facts of a stream that are of now. */
export const now = (stream) => facts([
  ...tracks(stream),
  ["Viewers", String(stream.players.count)],
  ["Live for", clock(Date.now() - new Date(stream.started).getTime())],
]);

/** A button that starts and stops a recording by hand, and what else records the stream. */
export class Record {
  constructor(key, told, look) {
    const toggle = told(async () => {
      if (this.asked) await call("POST", `recordings/${this.asked.id}/stop`, {});
      else await call("POST", "recordings", { stream: key });
      await look();
    });
    this.button = el("button", { className: "record", onclick: toggle });
    this.others = el("span", { className: "others" });
    this.element = el("div", { className: "recorders" }, this.button, this.others);
  }

  update({ key, recordings }) {
    this.asked = recordings.find(({ recorder }) => recorder === ASKED);
    const others = recordings.filter((recording) => recording !== this.asked);
    say(this.button, this.asked ? "Stop recording" : "Record");
    this.button.setAttribute("aria-label", `${this.button.textContent} ${key}`);
    this.button.setAttribute("aria-pressed", String(Boolean(this.asked)));
    say(this.others, others.map(({ recorder, state }) => `${recorder}: ${state}`).join(", "));
  }
}

function card(stream, told, look) {
  const { key } = stream;
  const img = el("img", { alt: "", className: "none" });
  const load = () => document.hidden || picture(img, `${streamPath(key)}/picture.jpg`);
  const record = new Record(key, told, look);
  const shown = el("div");
  const element = el("article", { className: "card" },
    el("a", { className: "picture", href: `#/watch/${encodeURIComponent(key)}`, ariaLabel: `Watch ${key}` }, img),
    el("div", { className: "text" },
      el("h3", {}, el("a", { href: `#/watch/${encodeURIComponent(key)}`, textContent: key })), shown, record.element));
  let early = EARLY;
  const timer = setInterval(load, PICTURE);
  load();
  element.gone = () => {
    clearInterval(timer);
    drop(img);
  };
  element.update = (stream) => {
    // A stream that has just begun may have no key frame yet.
    if (img.classList.contains("none") && stream.video && early > 0) {
      early -= 1;
      load();
    }
    shown.replaceChildren(now(stream));
    record.update(stream);
  };
  return element;
}

/** The view. */
export function show(main, told, _, { listen }) {
  const list = el("section", { className: "cards" });
  const empty = el("p", { className: "empty" });
  main.append(el("h2", { textContent: "Live" }), empty, list);
  const look = async () => {
    const { streams, next } = await call("GET", `streams?state=live&limit=${SHOWN}`);
    keep(list, streams, ({ key }) => key, (stream) => card(stream, told, look),
      (element, stream) => element.update(stream));
    const none = `Nobody publishes now. Send a stream to rtmp://${location.hostname}/live/test, for example.`;
    say(empty, streams.length ? (next ? `There are more; these are the first ${SHOWN}.` : "") : none);
  };
  const tick = told(look);
  const clock = setInterval(() => document.hidden || tick(), LOOK);
  const deaf = listen(({ type }) => /^(stream|recording)\./.test(type) && tick());
  tick();
  return () => {
    clearInterval(clock);
    deaf();
    for (const element of list.children) element.gone();
  };
}
