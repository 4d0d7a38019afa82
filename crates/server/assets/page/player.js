// A stream watched live: fragmented MP4 in one answer, fed to the browser's decoder bit by bit. What
// is in its buffer can be rewound. Where there is no Media Source the browser's own HLS is used.

import { ask, call, streamPath, view } from "./api.js";
import { clock, el, say } from "./dom.js";
import { Record, now } from "./streams.js";

/** So much is kept for rewinding (s). */
const KEPT = 600;
/** So far behind the newest picture is live (s): further, it plays a little faster; beyond, it jumps. */
const NEAR = 1.5;
const FAR = 5;
/** How often the place is looked at, and the stream (ms). */
const TICK = 250;
const LOOK = 2_500;
/** Until a stream that could not be played is tried again (ms). */
const AGAIN = 2_000;

const Source = window.MediaSource ?? window.ManagedMediaSource;
const HLS = "application/vnd.apple.mpegurl";

/** The type of what `/live/KEY.mp4` sends; nothing before codecs are known. */
function typeOf({ video, audio }) {
  const codecs = [video?.codec_string, audio?.codec_string].filter(Boolean);
  const kind = video?.codec_string ? "video" : "audio";
  return codecs.length ? `${kind}/mp4; codecs="${codecs.join(", ")}"` : null;
}

/** Waits for what a buffer was told to do. */
function done(buffer) {
  return new Promise((resolve, reject) => {
    buffer.onupdateend = resolve;
    buffer.onerror = () => reject(new Error("The browser cannot decode this stream."));
  });
}

async function remove(buffer, from, to) {
  if (to <= from) return;
  buffer.remove(from, to);
  await done(buffer);
}

/** Appends, and makes room where the browser has none. */
async function append(buffer, bytes) {
  const { buffered } = buffer;
  const start = buffered.length ? buffered.start(0) : 0;
  const end = buffered.length ? buffered.end(buffered.length - 1) : 0;
  // A little at a time would be work for each part.
  if (end - KEPT - 10 > start) await remove(buffer, start, end - KEPT);
  try {
    buffer.appendBuffer(bytes);
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error;
    await remove(buffer, start, start + (end - start) / 2);
    buffer.appendBuffer(bytes);
  }
  await done(buffer);
}

/** Feeds a view to a video until the stream is over. */
async function feed(video, address, type, signal) {
  const source = new Source();
  const opened = new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
  const blob = URL.createObjectURL(source);
  // Managed sources want it: nothing else could play what is put together here.
  video.disableRemotePlayback = true;
  video.src = blob;
  try {
    await opened;
    const buffer = source.addSourceBuffer(type);
    const reader = (await ask(address, { signal })).body.getReader();
    for (;;) {
      const { done: isOver, value } = await reader.read();
      if (isOver || source.readyState !== "open") break;
      await append(buffer, value);
    }
    if (source.readyState === "open") source.endOfStream();
  } finally {
    URL.revokeObjectURL(blob);
  }
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
    this.place = el("input", { type: "range", step: "any", ariaLabel: "Place", oninput: () => this.seek(Number(this.place.value)) });
    this.behind = el("output");
    this.live = button("Live", "To the newest picture (L)", () => this.toLive());
    this.sound = button("Sound", "Sound on or off (M)", () => this.mute());
    this.full = button("Full", "Full screen (F)", () => this.fill());
    const bar = el("div", { className: "bar" }, this.play, button("−10 s", "10 seconds back (←)", () => this.step(-10)),
      this.place, this.behind, this.live, this.sound, this.full);
    this.element = el("div", { className: "screen", tabIndex: 0, ariaLabel: "Player", onkeydown: (event) => this.key(event) }, this.video, bar);
    this.video.addEventListener("click", () => this.toggle());
    this.isLive = true;
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else {
      this.isLive = false;
      this.video.pause();
    }
  }

  seek(to) {
    const [from, end] = span(this.video) ?? [0, 0];
    this.video.currentTime = Math.min(Math.max(to, from), end);
    this.isLive = end - to < NEAR;
  }

  step(seconds) {
    this.seek(this.video.currentTime + seconds);
  }

  toLive() {
    const [from, end] = span(this.video) ?? [0, 0];
    this.video.currentTime = Math.max(from, end - NEAR / 2);
    this.isLive = true;
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
    const range = span(video);
    if (!range) return;
    const [from, end] = range;
    const at = video.currentTime;
    if (at < from) video.currentTime = Math.max(from, end - NEAR);
    else if (this.isLive && end - at > FAR) video.currentTime = end - NEAR;
    else if (video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) this.jump(at);
    video.playbackRate = this.isLive && end - at > NEAR ? 1.05 : 1;
    Object.assign(this.place, { min: from, max: end, value: at });
    say(this.behind, this.isLive ? "" : `−${clock((end - at) * 1000)}`);
    this.place.setAttribute("aria-valuetext", this.behind.textContent || "live");
    this.live.disabled = this.isLive;
  }

  jump(at) {
    const { buffered } = this.video;
    for (let n = 0; n < buffered.length; n += 1) {
      const start = buffered.start(n);
      if (start > at && start - at > 0.05) {
        this.video.currentTime = start + 0.01;
        return;
      }
      if (buffered.end(n) > at + 0.3) return;
    }
  }
}

/** Plays a stream, and again when it comes again, until it is left. */
async function run(key, screen, status, current, published, signal) {
  while (!signal.aborted) {
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
        screen.isLive = true;
        await feed(screen.video, view(key, "mp4"), type, signal);
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
      say(status, problem.message);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}

/** The view. */
export function show(main, told, key, { listen }) {
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
  };
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
  told(() => run(key, screen, status, current, published, stop.signal))();
  return () => {
    stop.abort();
    wake();
    timers.forEach(clearInterval);
    deaf();
    screen.video.removeAttribute("src");
    screen.video.load();
  };
}
