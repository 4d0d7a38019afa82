// Players that choose among the tracks of live/tracks: two pictures, 640x360 and 320x180, and two sounds, tones of 400 and of
// 1600 Hz. What is shown and what is heard is looked at, not what the player says of it.

import assert from "node:assert/strict";
import { plays, played, SITE, until } from "./browser.mjs";
import { SCRIPTS, onPages } from "./site.mjs";

/** So much is played of each choice: two seconds. */
const FRAMES = 50;
const TONES = [400, 1600];

/** What makes each play and choose, with `video`, `url` and `fail`. */
const PLAYERS = {
  "hls.js": `const hls = new Hls({ lowLatencyMode: true });
    hls.on(Hls.Events.ERROR, (_, data) => data.fatal && fail(data.details));
    hls.loadSource(url);
    hls.attachMedia(video);
    video.play();
    window.choices = () => ({ heights: hls.levels.map((level) => level.height), sounds: hls.audioTracks.map((track) => track.name) });
    window.choose = (height, sound) => {
      hls.nextLevel = hls.levels.findIndex((level) => level.height === height);
      const at = hls.audioTracks.findIndex((track) => track.name === sound);
      if (hls.audioTrack !== at) hls.audioTrack = at;
    };`,
  shaka: `shaka.polyfill.installAll();
    const player = new shaka.Player();
    // With parts it resets its buffer now and then for a thousandth of a second, and shows nothing up to the next key frame.
    player.configure({ abr: { enabled: false }, streaming: { lowLatencyMode: false } });
    player.addEventListener("error", ({ detail }) => fail("shaka " + detail.code));
    player.attach(video).then(() => player.load(url)).then(() => video.play(), (error) => fail("shaka " + error.code));
    const all = (what) => [...new Set(player.getVariantTracks().map(what))];
    window.choices = () => ({ heights: all((track) => track.height), sounds: all((track) => track.label) });
    window.choose = (height, sound) => {
      const track = player.getVariantTracks().find((track) => track.height === height && track.label === sound);
      player.selectVariantTrack(track, true);
    };`,
};

const html = (name) => `<!doctype html><link rel="icon" href="data:,"><video></video>
  <script src="${SCRIPTS[name]}"></script>
  <script>
    const url = ${JSON.stringify(SITE + "/live/live/tracks.m3u8")};
    const video = document.querySelector("video");
    const fail = (what) => console.error("failed: " + what);
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    context.createMediaElementSource(video).connect(analyser).connect(context.destination);
    window.tone = () => {
      const levels = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(levels);
      return Math.round(levels.indexOf(Math.max(...levels)) * context.sampleRate / analyser.fftSize);
    };
    ${PLAYERS[name]}
  </script>`;

await onPages(Object.keys(PLAYERS), html, async (page, name) => {
  await until("the first pictures", async () => (await played(page)).frames > FRAMES);
  const { heights, sounds } = await page.evaluate(() => window.choices());
  assert.deepEqual(heights.sort(), [180, 360]);
  assert.deepEqual(sounds.sort(), ["Sound 1", "Sound 2"]);
  for (const [height, sound] of [[180, 0], [360, 0], [360, 1], [180, 1], [360, 0]]) {
    await page.evaluate((chosen) => window.choose(...chosen), [height, sounds[sound]]);
    await until(`${height} lines`, () => page.evaluate((height) => document.querySelector("video").videoHeight === height, height));
    let heard;
    await until(`${TONES[sound]} Hz`, async () => {
      heard = await page.evaluate(() => window.tone());
      return Math.abs(heard - TONES[sound]) < 30;
    });
    const now = await plays(page, FRAMES, height * 16 / 9);
    console.log(`${name}: ${height} lines, ${heard} Hz: ${JSON.stringify(now)}`);
  }
});
