// hls.js plays live/test from the server's own origin, goes back over the recording, and returns to live.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { assertQuiet, open, played, plays, run, SITE, until } from "./browser.mjs";

const modules = dirname(dirname(process.env.PLAYWRIGHT));
/** How far (s) it goes back. */
const BACK = 30;

const html = `<!doctype html><link rel="icon" href="data:,"><video muted></video>
  <script src="/page/hls.js"></script>
  <script>
    const video = document.querySelector("video");
    window.errors = [];
    window.hls = new Hls({ lowLatencyMode: false, backBufferLength: 5 });
    // What it aborts itself, when it is told to seek, is no error.
    const isOwn = (data) => data.details === Hls.ErrorDetails.INTERNAL_ABORTED && !data.fatal;
    hls.on(Hls.Events.ERROR, (_, data) => isOwn(data) || errors.push(data.details + " " + data.fatal + " at " + video.currentTime + " " + data.error?.message + " " +
      JSON.stringify([...Array(video.buffered.length).keys()].map((n) => [video.buffered.start(n), video.buffered.end(n)]))));
    hls.loadSource("/live/live/test.m3u8?dvr=1h");
    hls.attachMedia(video);
    video.play();
  </script>`;

/** A page that plays it. */
async function player(browser) {
  const page = await open(browser);
  await page.route(`${SITE}/page/rewind.html`, (route) => route.fulfill({ contentType: "text/html", body: html }));
  const body = await readFile(join(modules, "hls.js/dist/hls.min.js"), "utf8");
  await page.route(`${SITE}/page/hls.js`, (route) => route.fulfill({ contentType: "text/javascript", body }));
  await page.goto(`${SITE}/page/rewind.html`);
  return page;
}

await run({
  "back and to live again": async (browser) => {
    const page = await player(browser);
    const live = await plays(page, 50);
    const window = () => page.evaluate(() => {
      const { fragments, totalduration } = hls.levels[0].details;
      return { start: fragments[0].start, length: totalduration, live: hls.liveSyncPosition };
    });
    const before = await until("enough to go back", async () => {
      const now = await window();
      return now.length >= BACK + 10 && now;
    });
    const back = before.live - BACK;
    await page.evaluate((back) => (document.querySelector("video").currentTime = back), back);
    const past = await plays(page, 50);
    assert.ok(past.at >= back && past.at < back + 15, `${past.at} after ${back}`);
    await page.evaluate(() => (document.querySelector("video").currentTime = hls.liveSyncPosition));
    const again = await plays(page, 50);
    assert.ok(again.at >= before.live, `${again.at} before ${before.live}`);
    console.log(JSON.stringify({ live, before, past, again, now: await played(page) }));
    assert.deepEqual(await page.evaluate(() => errors), []);
    assertQuiet(page);
  },

  "over what was not recorded": async (browser) => {
    const page = await player(browser);
    await plays(page, 50);
    await page.evaluate(async () => {
      const { recordings } = await (await fetch("/api/v1/recordings?state=recording")).json();
      for (const { id } of recordings) await fetch(`/api/v1/recordings/${id}/stop`, { method: "POST" });
    });
    // What is live now leaves memory when 24 s have come after it.
    const edge = () => page.evaluate(() => hls.levels[0].details.edge);
    const then = await edge();
    await until("the stream goes on", async () => (await edge()) > then + 26);
    const gap = await until("what has left memory is a gap", () => page.evaluate(() => {
      const gaps = hls.levels[0].details.fragments.filter(({ gap }) => gap);
      return gaps.length > 1 && { from: gaps[0].start, to: gaps.at(-1).start + gaps.at(-1).duration };
    }));
    await page.evaluate((at) => (document.querySelector("video").currentTime = at), gap.from - 4);
    const before = await plays(page, 25);
    const behind = await until("what is behind the gap plays", async () => {
      const now = await played(page);
      return now.at > gap.to && now;
    });
    const after = await plays(page, 50);
    console.log(JSON.stringify({ gap, before, behind, after }));
    const errors = await page.evaluate(() => errors);
    assert.ok(errors.every((error) => error.includes(" false ")), `${errors}`);
    assertQuiet(page);
  },
});
