// Players that pages of other sites use, each on a page of another site. Every one plays the views of live/test; PLAYERS
// says which of them, if not all.

import assert from "node:assert/strict";
import { plays, SITE, until } from "./browser.mjs";
import { SCRIPTS, onPages } from "./site.mjs";

/** So much is played: two seconds. */
const FRAMES = 50;

/** What the API says. */
const told = async (path) => (await fetch(`${SITE}/api/v1/${path}`)).json();

const { video, audio } = await until("the codecs", async () => {
  const stream = await told("streams/live%2Ftest");
  return stream.video?.codec_string && stream.audio?.codec_string && stream;
});
const type = `video/mp4; codecs="${video.codec_string}, ${audio.codec_string}"`;
console.log(type);

/**
 * Those that give up a list of few segments, which is what the first viewer gets. Chromium 156 does where it reads one of one segment
 * again; shaka 5.2 looks for captions in the segment that is not whole yet, where it has no others to look at.
 */
const LATER = ["shaka", "HLS of the browser"];
/** So many are enough for them. */
const SEGMENTS = 5;

/** What makes each play, with `video` and `fail`. */
const PLAYERS = {
  "hls.js": `const hls = new Hls({ lowLatencyMode: true });
    hls.on(Hls.Events.ERROR, (_, data) => data.fatal && fail(data.details));
    hls.loadSource(site + "/live/live/test.m3u8");
    hls.attachMedia(video);
    video.play();`,
  "mpegts.js": `const player = mpegts.createPlayer({ type: "flv", isLive: true, url: site + "/live/live/test.flv" });
    player.on(mpegts.Events.ERROR, (kind, detail) => fail(kind + " " + detail));
    player.attachMediaElement(video);
    player.load();
    player.play();`,
  "mpegts.js over a WebSocket": `const url = site.replace("http", "ws") + "/live/live/test.flv";
    const player = mpegts.createPlayer({ type: "flv", isLive: true, url });
    player.on(mpegts.Events.ERROR, (kind, detail) => fail(kind + " " + detail));
    player.attachMediaElement(video);
    player.load();
    player.play();`,
  shaka: `shaka.polyfill.installAll();
    const player = new shaka.Player();
    player.addEventListener("error", ({ detail }) => fail("shaka " + detail.code));
    player.attach(video).then(() => player.load(site + "/live/live/test.m3u8")).then(() => video.play(), (error) => fail("shaka " + (error.code ?? error.stack)));`,
  "Media Source alone": `const type = ${JSON.stringify(type)};
    if (!MediaSource.isTypeSupported(type)) fail("no " + type);
    const source = new MediaSource();
    video.src = URL.createObjectURL(source);
    source.addEventListener("sourceopen", async () => {
      const buffer = source.addSourceBuffer(type);
      const reader = (await fetch(site + "/live/live/test.mp4")).body.getReader();
      for (;;) {
        const { value } = await reader.read();
        const done = new Promise((resolve) => (buffer.onupdateend = resolve));
        buffer.appendBuffer(value);
        await done;
        if (video.paused && video.buffered.length) {
          video.currentTime = video.buffered.start(0);
          video.play();
        }
      }
    });`,
  "HLS of the browser": `video.src = site + "/live/live/test.m3u8";
    video.onerror = () => fail(video.error.message);
    video.play();`,
};

const html = (name) => {
  const script = SCRIPTS[name.split(" ")[0]];
  return `<!doctype html><link rel="icon" href="data:,"><video muted></video>
    ${script ? `<script src="${script}"></script>` : ""}
    <script>
      const site = ${JSON.stringify(SITE)};
      const video = document.querySelector("video");
      const fail = (what) => console.error("failed: " + what);
      ${PLAYERS[name]}
    </script>`;
};

const names = process.env.PLAYERS?.split(",") ?? Object.keys(PLAYERS);
const step = async (page, name) => {
  if (name === "HLS of the browser") {
    const can = await page.evaluate(() => document.createElement("video").canPlayType("application/vnd.apple.mpegurl"));
    assert.notEqual(can, "", "this Chromium has no HLS");
  }
  const now = await plays(page, FRAMES, video.width);
  console.log(`${name}: ${JSON.stringify(now)}`);
  // The machine may have much else to do; yet most of it is to be seen.
  assert.ok(now.dropped < now.frames / 2, `${name}: ${now.dropped} of ${now.frames} frames were dropped`);
};

await onPages(names.filter((name) => !LATER.includes(name)), html, step);
await until("some segments", async () => {
  const list = `${SITE}/live/live/test.m3u8`;
  const variants = await (await fetch(list)).text();
  const media = variants.split("\n").find((line) => line && !line.startsWith("#"));
  return (await (await fetch(new URL(media, list))).text()).split("#EXTINF").length > SEGMENTS;
});
await onPages(names.filter((name) => LATER.includes(name)), html, step);
