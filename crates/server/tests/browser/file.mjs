// A file that is recorded as MP4, as it stands on disk: eight seconds of live/test, which does not end by itself.

import assert from "node:assert/strict";
import { assertQuiet, open, played, plays, run, seek, SITE } from "./browser.mjs";

const { recordings: [{ id }] } = await (await fetch(`${SITE}/api/v1/recordings`)).json();
const RECORDING = `${SITE}/api/v1/recordings/${id}`;
const FILE = `${RECORDING}/segments/1/file`;
const html = `<!doctype html><link rel="icon" href="data:,"><video muted autoplay></video>`;

/** From where it is. */
const asItIs = (video, url) => { video.src = url; };
/** What there is of it by now. The server tells no length of what grows, and in such a file Chromium seeks only if it had all of it at once. */
const asFarAsItIs = async (video, url) => { video.src = URL.createObjectURL(await (await fetch(url)).blob()); };

/** Plays from the beginning, from a place far ahead, and from one far back. */
async function playsAndSeeks(browser, load) {
  const page = await open(browser);
  await page.route(`${SITE}/file.html`, (route) => route.fulfill({ contentType: "text/html", body: html }));
  await page.goto(`${SITE}/file.html`);
  await page.locator("video").evaluate(load, FILE);
  await plays(page, 15);
  for (const place of [5, 1]) {
    const video = page.locator("video");
    await video.evaluate((video) => video.pause());
    const at = await seek(page, place);
    assert.ok(Math.abs(at - place) < 0.1, `${at}, not ${place}`);
    const now = await plays(page, 10, 640, () => video.evaluate((video) => video.play()));
    assert.ok(now.at > place + 0.2, `it goes on from ${place}: ${now.at}`);
  }
  const now = await played(page);
  console.log(JSON.stringify(now));
  assertQuiet(page);
  await page.context().close();
  return now;
}

await run({
  async "while it grows"(browser) {
    assert.equal((await (await fetch(RECORDING)).json()).state, "recording");
    await playsAndSeeks(browser, asFarAsItIs);
  },

  async "when it is finished"(browser) {
    const body = JSON.stringify({ wait: "20s" });
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${RECORDING}/stop`, { method: "POST", headers, body });
    assert.equal(answer.status, 200);
    const { duration } = await playsAndSeeks(browser, asItIs);
    assert.ok(Math.abs(duration - 8.04) < 0.1, `${duration} s`);
  },
});
