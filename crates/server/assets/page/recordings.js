// What was recorded, by day and stream, and what can be done with it.

import { call, drop, picture } from "./api.js";
import { bytes, clock, dayOf, dayText, el, facts, keep, say, spanOf, time } from "./dom.js";
import { ofDay } from "./timeline.js";

/** Recordings of a page, and how many of them are asked what they are missing. */
const PAGE = 60;
const DETAILED = 20;
/** How often is looked (ms): recordings grow, and the catalog is behind events. */
const LOOK = 2_500;

export const isActive = ({ state }) => ["waiting", "recording", "trouble", "paused", "away"].includes(state);

/** A page that comes has one poster made after the other: nobody is to wait for all of them. */
let posters = Promise.resolve();

function poster(img, { id }) {
  posters = posters.then(() => img.isConnected && picture(img, `recordings/${id}/poster.jpg`));
}

/** What can be done with a recording. Each is a word, and the call. */
export function actions(recording, told, { note }, changed) {
  const path = `recordings/${recording.id}`;
  const button = (text, run, kind = "") => el("button", {
    textContent: text, className: kind, ariaLabel: `${text}: ${recording.stream} of ${new Date(recording.start ?? Date.now()).toLocaleString()}`,
    onclick: told(async () => { await run(); await changed(); }),
  });
  const post = (what) => call("POST", `${path}/${what}`, {});
  if (recording.state === "binned") {
    const purge = async () => {
      if (confirm("Delete this recording for good? It cannot be brought back.")) await call("DELETE", `${path}?at_once=true`);
    };
    return [button("Restore", () => post("restore")), button("Delete for good", purge, "danger")];
  }
  if (isActive(recording)) return [button("Stop", () => post("stop"), "record")];
  const bin = async () => {
    await call("DELETE", path);
    const undo = told(async () => { await post("restore"); await changed(); });
    note(`The recording of ${recording.stream} is in the bin.`, "", ["Undo", undo]);
  };
  const hold = recording.held ? button("Release", () => post("release")) : button("Hold", () => post("hold"));
  return [hold, recording.held ? null : button("Delete", bin, "danger")].filter(Boolean);
}

/** Facts of a recording. */
export const about = (recording) => facts([
  ["Length", clock(recording.length_ms)],
  ["Size", bytes(recording.size_bytes)],
  ["Gaps", recording.gaps ? String(recording.gaps) : ""],
  ["State", recording.state === "complete" ? "" : [recording.state, recording.error].filter(Boolean).join(": ")],
  ["Clip", recording.clip ? "yes" : ""],
  ["Held", recording.held ? "yes" : ""],
  ["Name", recording.name],
  ["By", recording.recorder],
  ["Labels", Object.entries(recording.labels).map(([name, value]) => `${name}: ${value}`).join(", ")],
  ["Leaves the bin", recording.purge && new Date(recording.purge).toLocaleString()],
]);

function card(recording, told, tools, look) {
  const address = `#/recording/${recording.id}`;
  const img = el("img", { alt: "", className: "none" });
  const shown = el("div");
  const buttons = el("p", { className: "actions" });
  const element = el("article", { className: "card" },
    el("a", { className: "picture", href: address, ariaLabel: `Play ${recording.stream}` }, img),
    el("div", { className: "text" }, el("h4", {}, el("a", { href: address, textContent: recording.start ? time(recording.start) : "waits" })), shown, buttons));
  let state = "";
  element.gone = () => drop(img);
  element.update = (recording) => {
    shown.replaceChildren(about(recording));
    const key = `${recording.state} ${recording.held}`;
    if (key === state) return;
    state = key;
    const had = buttons.contains(document.activeElement);
    buttons.replaceChildren(...actions(recording, told, tools, look));
    if (had) buttons.querySelector("button")?.focus();
    if (!["waiting", "binned"].includes(recording.state)) poster(img, recording);
  };
  return element;
}

/** Recordings of one stream and one day together, in the order in which they come. */
function groups(recordings) {
  const found = new Map();
  for (const recording of recordings) {
    const day = dayOf(recording.start ?? Date.now());
    const key = `${day} ${recording.stream}`;
    if (!found.has(key)) found.set(key, { key, day, stream: recording.stream, recordings: [] });
    found.get(key).recordings.push(recording);
  }
  return [...found.values()];
}

function group({ day, stream }) {
  const line = el("div");
  const cards = el("div", { className: "cards" });
  const element = el("section", { className: "group", ariaLabel: `${stream}, ${day}` },
    el("h3", {}, el("span", { textContent: stream }), el("small", { textContent: dayText(day) })), line, cards);
  return Object.assign(element, { line, cards, gone: () => [...cards.children].forEach((child) => child.gone()) });
}

/** The list, with the gaps of those that have some. */
async function list(query, after) {
  const page = await call("GET", `recordings?${query}${after ? `&after=${encodeURIComponent(after)}` : ""}`);
  const torn = page.recordings.filter(({ gaps }) => gaps > 0).slice(0, DETAILED);
  const whole = await Promise.all(torn.map(({ id }) => call("GET", `recordings/${id}`).catch(() => null)));
  const known = new Map(whole.filter(Boolean).map((recording) => [recording.id, recording]));
  page.recordings = page.recordings.map((recording) => ({ ...recording, missing: known.get(recording.id)?.missing, files: known.get(recording.id)?.files }));
  return page;
}

function form(query) {
  const go = (event) => {
    event?.preventDefault();
    const given = [...new FormData(element)].filter(([, value]) => value);
    location.hash = `#/recordings?${new URLSearchParams(given)}`;
  };
  const element = el("form", { className: "find", onsubmit: go, onchange: go },
    el("label", {}, "Stream, name or label ", el("input", { type: "search", name: "text", value: query.get("text") ?? "", maxLength: 256 })),
    el("label", {}, "Day ", el("input", { type: "date", name: "day", value: query.get("day") ?? "" })),
    el("label", {}, el("input", { type: "checkbox", name: "bin", value: "1", checked: query.has("bin") }), " In the bin"));
  return element;
}

function asked(query) {
  const wanted = new URLSearchParams({ limit: PAGE });
  if (query.get("text")) wanted.set("text", query.get("text"));
  if (/^\d{4}-\d\d-\d\d$/.test(query.get("day") ?? "")) {
    const [from, to] = spanOf(query.get("day"));
    wanted.set("from", new Date(from).toISOString());
    wanted.set("to", new Date(to).toISOString());
  }
  if (query.has("bin")) wanted.set("state", "binned");
  return wanted;
}

/** The view. */
export function show(main, told, _, tools) {
  const query = asked(tools.query);
  const all = el("div");
  const empty = el("p", { className: "empty" });
  const more = el("button", { textContent: "Older ones", hidden: true });
  main.append(el("h2", { textContent: "Recordings" }), form(tools.query), empty, all, more);
  let older = [];
  let next = null;
  const draw = (recordings) => {
    keep(all, groups(recordings), ({ key }) => key, group, (element, { day, recordings }) => {
      element.line.replaceChildren(ofDay(recordings.filter(({ start }) => start), spanOf(day), Date.now()));
      keep(element.cards, recordings, ({ id }) => id, (recording) => card(recording, told, tools, look),
        (element, recording) => element.update(recording));
    });
    more.hidden = !next;
    say(empty, recordings.length ? "" : query.has("state") ? "The bin is empty." : "No recording is found. Live streams have a button that starts one.");
  };
  const look = async () => {
    const page = await list(query);
    if (!older.length) next = page.next ?? null;
    const known = new Set(page.recordings.map(({ id }) => id));
    draw([...page.recordings, ...older.filter(({ id }) => !known.has(id))]);
  };
  const tick = told(look);
  more.onclick = told(async () => {
    const page = await list(query, next);
    next = page.next ?? null;
    older = [...older, ...page.recordings];
    await look();
  });
  let soon = 0;
  const deaf = tools.listen(({ type }) => {
    if (!/^(recording|segment|reset)/.test(type)) return;
    clearTimeout(soon);
    soon = setTimeout(tick, 300);
  });
  const timer = setInterval(() => document.hidden || tick(), LOOK);
  tick();
  return () => {
    clearInterval(timer);
    clearTimeout(soon);
    deaf();
    for (const element of all.children) element.gone();
  };
}
