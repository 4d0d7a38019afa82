// What the scripts here share: a browser, the server's address, and ways to wait and to complain.
//
// CHROMIUM and PLAYWRIGHT say where the programs are, SITE where the server is, SHOTS where pictures of
// the screen go.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { chromium } = await import(pathToFileURL(process.env.PLAYWRIGHT));

export const SITE = process.env.SITE;
/** Longest that anything may take (ms): the machine may have much else to do. */
const PATIENCE = 60_000;

/** Nothing but the page's own requests leaves the browser. */
const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--autoplay-policy=no-user-gesture-required"];

/** Pictures of a stream that has just begun may not be there yet, which browsers call an error. */
const USUAL = /^Failed to load resource.*\/(picture|poster)\.jpg$/;

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM, args: QUIET });
}

/** A page whose complaints are kept. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    const text = `${message.text()} ${message.location().url}`;
    if (message.type() === "error" && !USUAL.test(text)) page.complaints.push(text);
  });
  return page;
}

/** Waits for a condition in the page; tells what was there instead. */
export async function until(what, ask) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await ask();
    if (found) return found;
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What a video did. */
export const played = (page) => page.evaluate(() => {
  const video = document.querySelector("video");
  const { totalVideoFrames, droppedVideoFrames, corruptedVideoFrames } = video.getVideoPlaybackQuality();
  const end = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
  const start = video.buffered.length ? video.buffered.start(0) : 0;
  return { frames: totalVideoFrames, dropped: droppedVideoFrames, corrupted: corruptedVideoFrames, at: video.currentTime,
    start, end, duration: video.duration, width: video.videoWidth, error: video.error?.message ?? null };
});

/** Has the video go to a place (s), and returns where it has come to: in the page, for a slow machine would look too late. */
export const seek = (page, place) => page.locator("video").evaluate((video, place) => new Promise((resolve) => {
  video.addEventListener("seeked", () => resolve(video.currentTime), { once: true });
  video.currentTime = place;
}), place);

/** Waits until so many more frames were decoded than before `start`, none of them broken, the last of them so wide. */
export async function plays(page, frames, width = 640, start = () => {}) {
  await page.locator("video").waitFor({ state: "attached" });
  const before = await played(page);
  await start();
  const after = await until(`${frames} frames more than ${JSON.stringify(before)}`, async () => {
    const now = await played(page);
    assert.equal(now.error, null);
    return now.frames >= before.frames + frames && now;
  });
  assert.equal(after.corrupted, 0);
  assert.equal(after.width, width);
  return after;
}

export const shot = (page, name) =>
  page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });

export function assertQuiet(page) {
  assert.deepEqual(page.complaints, []);
}

/** What is true of every view: nothing is wider than the screen, and what is touched is large enough. */
export async function assertFits(page, what) {
  const { width, inner, small } = await page.evaluate(() => ({
    width: document.documentElement.scrollWidth,
    inner: window.innerWidth,
    small: [...document.querySelectorAll("button, nav a, input:not([type=checkbox])")]
      .filter((element) => element.offsetParent && element.getBoundingClientRect().height < 32)
      .map((element) => element.outerHTML),
  }));
  assert.ok(width <= inner, `${what}: ${width} px on a screen of ${inner}`);
  assert.deepEqual(small, [], what);
}

/** Presses Tab until a control has the focus; every one on the way is named. */
export async function tabTo(page, name) {
  for (let n = 0; n < 60; n += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const element = document.activeElement;
      return element.getAttribute("aria-label") || (element.labels?.[0] ?? element).textContent.trim();
    });
    if (found === name) return;
    assert.ok(found, `what has the focus on the way to ${name} has no name`);
  }
  assert.fail(`${name} cannot be reached by Tab`);
}

/** Runs a script's steps, each named on its standard output with its time, and ends the browser. */
export async function run(steps) {
  const browser = await launch();
  try {
    for (const [name, step] of Object.entries(steps)) {
      const begun = Date.now();
      await step(browser);
      console.log(`${name}: ${Date.now() - begun} ms`);
    }
  } finally {
    await browser.close();
  }
}
