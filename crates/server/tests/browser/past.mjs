// The player of the page goes back over the recording, to before the page was opened, and returns to live.
// live/test is published and recorded by a server that has a token: TOKEN. Its publisher was away for a moment, some
// seconds after it began.

import assert from "node:assert/strict";
import { assertFits, assertQuiet, open, played, plays, run, shot, SITE, tabTo, until } from "./browser.mjs";

/** How much (ms) is recorded before the page is opened. */
const RECORDED = 30_000;
/** The beginning is so far (s) behind live at least: the list does not have the time that the publisher was away. */
const BACK = 20;
const TOKEN = process.env.TOKEN;

/** How far (s) behind live the player says that it is. */
async function behind(page) {
  const text = await page.getByLabel("Place").getAttribute("aria-valuetext");
  if (text === "live") return 0;
  const [, minutes, seconds] = /^−(\d+):(\d\d)$/.exec(text);
  return Number(minutes) * 60 + Number(seconds);
}

/** A page that watches, and what it has fetched of the recording. */
async function watch(browser, options) {
  const page = await open(browser, options);
  page.fetched = [];
  page.on("response", (answer) => /\/rewind-\d+\.m4s$/.test(answer.url()) && page.fetched.push(answer.status()));
  await page.addInitScript((token) => sessionStorage.setItem("rtmp-server-token", token), TOKEN);
  await page.goto(`${SITE}/#/watch/live%2Ftest`);
  return page;
}

let page;

await run({
  async "it begins live, after the stream has run for a while"(browser) {
    const length = async () => {
      const answer = await fetch(`${SITE}/api/v1/recordings`, { headers: { Authorization: `Bearer ${TOKEN}` } });
      return (await answer.json()).recordings[0]?.length_ms ?? 0;
    };
    for (const ms of [RECORDED / 2, RECORDED]) await until(`${ms} ms of it`, async () => (await length()) >= ms);
    page = await watch(browser);
    await plays(page, 50);
    await until("a bar over all that is recorded", async () => Number(await page.getByLabel("Place").getAttribute("min")) <= -RECORDED / 1000);
    assert.equal(await behind(page), 0);
    assert.deepEqual(page.fetched, []);
  },

  async "by keyboard it goes back to before it was opened, and on from there"() {
    await tabTo(page, "Place");
    await page.keyboard.press("Home");
    await until("the place", async () => (await behind(page)) >= BACK);
    const begun = await until("the beginning", async () => {
      const now = await played(page);
      return page.fetched.length > 0 && now.at < 5 && now;
    });
    await plays(page, 75);
    assert.ok((await behind(page)) >= BACK, `${await behind(page)} s`);
    await shot(page, "past");
    // 14 s on, which is over the end of the first publish.
    await plays(page, 275);
    const over = await played(page);
    assert.ok(over.at - begun.at > 10 && (await behind(page)) >= BACK, JSON.stringify({ begun, over }));
    await tabTo(page, "Live");
    await page.locator(".screen").focus();
    const near = await behind(page);
    await page.keyboard.press("ArrowRight");
    await until("10 s further", async () => (await behind(page)) <= near - 7);
    await plays(page, 50);
    const far = await behind(page);
    await page.keyboard.press("ArrowLeft");
    await until("10 s back", async () => (await behind(page)) >= far + 7);
    const again = await plays(page, 50);
    assert.ok(again.end - again.start < 70, JSON.stringify(again));
    assert.ok(page.fetched.every((status) => status === 200), page.fetched.join());
  },

  async "a pause stays one where it goes"() {
    const isPaused = () => page.locator("video").evaluate((video) => video.paused);
    await page.keyboard.press("l");
    await plays(page, 25);
    await page.keyboard.press("k");
    await until("a pause", isPaused);
    const fetched = page.fetched.length;
    await page.getByLabel("Place").press("Home");
    await until("the picture of then", async () => page.fetched.length > fetched && (await played(page)).width === 640);
    assert.ok(await isPaused());
    await page.locator(".screen").focus();
    await page.keyboard.press("k");
    await plays(page, 25);
    assert.ok((await behind(page)) >= BACK);
  },

  async "live is the newest picture again, as near as it was"() {
    await page.getByRole("button", { name: "To the newest picture (L)" }).click();
    await until("live", async () => (await behind(page)) === 0);
    await plays(page, 50);
    await until("the newest picture", async () => {
      const now = await played(page);
      return now.end - now.at < 2;
    });
    assert.equal(await behind(page), 0);
    const fetched = page.fetched.length;
    await plays(page, 50);
    assert.equal(page.fetched.length, fetched, "nothing of the recording is fetched for what is live");
    await shot(page, "live-again");
  },

  async "a phone goes back with a finger"(browser) {
    const phone = await watch(browser, {
      viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme: "dark",
    });
    await plays(phone, 25);
    const place = phone.getByLabel("Place");
    await until("a bar over all that is recorded", async () => Number(await place.getAttribute("min")) <= -RECORDED / 1000);
    const { x, y, width, height } = await place.boundingBox();
    await phone.touchscreen.tap(x + width / 4, y + height / 2);
    await until("what was recorded", async () => phone.fetched.length > 0 && (await behind(phone)) >= BACK);
    await plays(phone, 50);
    await assertFits(phone, "past");
    await shot(phone, "phone-past");
    assertQuiet(phone);
    await phone.close();
  },

  async "what is refused is told in the server's words, and it goes on live"() {
    await page.route(/\/rewind-\d+\.m4s$/, (route) => route.fulfill({
      status: 503, contentType: "application/problem+json",
      body: JSON.stringify({ title: "The disk does not answer in time", code: "disk-timeout", detail: "nothing came" }),
    }));
    await page.getByLabel("Place").press("Home");
    const words = "The recording cannot be shown: The disk does not answer in time: nothing came.";
    await page.locator(".note.bad", { hasText: words }).waitFor();
    await until("live", async () => (await behind(page)) === 0);
    await plays(page, 50);
    await shot(page, "past-refused");
    await page.unrouteAll();
    page.complaints = page.complaints.filter((text) => !/status of 503 .*rewind-\d+\.m4s$/.test(text));
    assertQuiet(page);
  },
});
