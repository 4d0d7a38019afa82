// What happens, as it happens: the newest on top.

import { el, time } from "./dom.js";

/** Kept at most. */
const KEPT = 200;
const seen = [];
const lists = new Set();

/** Who it is; all browsers call themselves the same at length. */
function who(peer) {
  const name = /^Mozilla\//.test(peer.client) ? "a browser" : peer.client || peer.peer;
  return ` by ${name} (${peer.via ?? "rtmp"})`;
}

const SAID = {
  "stream.published": (e) => `is published${who(e.publisher)}`,
  "stream.unpublished": (e) => `is not published any more: ${e.reason}`,
  "player.joined": (e) => `is watched${who(e.player)}`,
  "player.left": (e) => `is watched no more${who(e.player)}: ${e.reason}`,
  "recording.started": (e) => `recording started (${e.recorder})`,
  "recording.trouble": (e) => `recording in trouble: ${e.error}`,
  "recording.resumed": () => "recording goes on",
  "recording.completed": (e) => `recording is over: ${e.reason}`,
  "recording.changed": () => "recording was held, released or labelled",
  "recording.restored": () => "recording came out of the bin",
  "segment.opened": (e) => `writes ${e.file}`,
  "segment.finished": (e) => `${e.file} is whole`,
  "segment.recovered": (e) => `${e.file} was left unfinished and is whole now`,
  "segment.deleted": (e) => `${e.file} ${e.binned ? "is in the bin" : "was deleted"}: ${e.cause}`,
  "file.set_aside": (e) => `${e.from} is ${e.to} now: ${e.reason}`,
  "disk.changed": (e) => `the disk of ${e.dir} is ${e.state}`,
  reset: (e) => `some events are missing here: ${e.reason}`,
};

function line(event) {
  const text = SAID[event.type]?.(event) ?? event.type;
  const about = event.recording
    ? el("a", { href: `#/recording/${event.recording}`, textContent: event.stream })
    : el("b", { textContent: event.stream ?? "server" });
  const kind = /trouble|deleted|set_aside|reset/.test(event.type) ? "bad" : "";
  return el("li", { className: kind }, el("time", { dateTime: event.time ?? "", textContent: event.time ? time(event.time) : "" }), about, ` ${text}`);
}

/** Takes an event. */
export function take(event) {
  seen.unshift(event);
  seen.length = Math.min(seen.length, KEPT);
  for (const list of lists) {
    list.querySelector(".empty")?.remove();
    list.prepend(line(event));
    if (list.children.length > KEPT) list.lastElementChild.remove();
  }
}

/** The view of all. */
export function show(main) {
  const empty = el("li", { className: "empty", textContent: "Nothing has happened since this page was opened." });
  const list = el("ol", { className: "events" }, seen.length ? seen.map(line) : empty);
  lists.add(list);
  main.append(el("h2", { textContent: "Events" }), list);
  return () => lists.delete(list);
}
