// Which view is shown, what went wrong, and what happens: the parts put together.

import { events, Problem } from "./api.js";
import { el, say } from "./dom.js";
import * as disks from "./disks.js";
import * as happened from "./events.js";
import * as player from "./player.js";
import * as recording from "./recording.js";
import * as recordings from "./recordings.js";
import * as streams from "./streams.js";

/** How long a note stays (ms), unless somebody closes it. */
const NOTE = 10_000;

const main = document.getElementById("main");
const listeners = new Set();
let leave = () => {};

/** Tells people something; `undo` is a word and what it does. */
function note(text, kind = "", undo = null) {
  const close = () => item.remove();
  const item = el("div", { className: `note ${kind}` }, el("p", { textContent: text }),
    undo && el("button", { textContent: undo[0], onclick: () => { close(); undo[1](); } }),
    el("button", { textContent: "×", ariaLabel: "Close", onclick: close }));
  const notes = document.getElementById("notes");
  // The same again, as of a server that is away, is no second note.
  for (const old of notes.children) {
    if (old.firstChild.textContent === text) old.remove();
  }
  notes.append(item);
  setTimeout(close, NOTE);
}

/** Makes of work what tells its problems, and is not begun while it runs. */
function told(work) {
  let running = false;
  return async (...given) => {
    if (running) return;
    running = true;
    try {
      await work(...given);
    } catch (problem) {
      if (problem.name !== "AbortError") note(problem.message, "bad");
      if (!(problem instanceof Problem) && problem.name !== "AbortError") console.error(problem);
    } finally {
      running = false;
    }
  };
}

/** Has events until the view is left. */
function listen(on) {
  listeners.add(on);
  return () => listeners.delete(on);
}

/** The view of an address that leads nowhere. */
function nowhere(main) {
  main.append(el("h2", { textContent: "No such place" }), el("p", { className: "empty" },
    "This address leads to nothing here. ", el("a", { href: "#/", textContent: "Live streams" })));
}

const VIEWS = {
  __proto__: null,
  "": streams.show,
  watch: player.show,
  recordings: recordings.show,
  recording: recording.show,
  disks: disks.show,
  events: happened.show,
};

function show() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  let view = VIEWS[name] ?? nowhere;
  let about = "";
  try {
    about = rest.map(decodeURIComponent).join("/");
  } catch {
    view = nowhere;
  }
  leave();
  document.querySelectorAll(".note:not(.bad)").forEach((note) => note.remove());
  main.replaceChildren();
  const tools = { note, listen, query: new URLSearchParams(query) };
  leave = view(main, told, about, tools) ?? (() => {});
  const places = { watch: "", recording: "recordings" };
  const place = `#/${places[name] ?? name}`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === place) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${main.querySelector("h2")?.textContent ?? ""} · rtmp-server`;
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => {
  show();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
show();

const link = document.getElementById("link");
events((event) => {
  happened.take(event);
  for (const on of listeners) on(event);
}, (is) => {
  say(link, is ? "connected" : "not connected");
  link.className = is ? "good" : "bad";
});
