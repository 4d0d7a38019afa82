// A recording of live/test whose encoder came back twice with another picture: 8 s of 640x360, 6 s of 320x180, 8 s of
// 640x360. It waits for its stream. TOKEN is the server's, if it has one.

import assert from "node:assert/strict";
import { assertQuiet, open, played, plays, run, seek, shot, SITE, until } from "./browser.mjs";

const TOKEN = process.env.TOKEN;
const headers = TOKEN ? { Authorization: `Bearer ${TOKEN}` } : {};

/** What the API says. */
const told = async (path) => (await fetch(`${SITE}/api/v1/${path}`, { headers })).json();

const { recordings: [{ id }] } = await told("recordings");
const { files } = await told(`recordings/${id}`);
/** Where the second and the third configuration begin (s). */
const [second, third] = files.slice(1).map((file) => file.start_ms / 1000);

let page;

const wide = (width) => until(`a picture of ${width}`, async () => (await played(page)).width === width);
const press = (key) => page.keyboard.press(key);

/** Marks where it is as the end of a clip, and tells that (s). */
async function place() {
  await press("o");
  const [minutes, seconds] = (await page.getByLabel("Out", { exact: true }).inputValue()).split(":");
  return Number(minutes) * 60 + Number(seconds);
}

async function click(seconds) {
  const { length_ms } = await told(`recordings/${id}`);
  const { width, height } = await page.locator(".line.whole").boundingBox();
  await page.locator(".line.whole").click({ position: { x: (width * seconds * 1000) / length_ms, y: height / 2 } });
}

/** Pauses at a place of the configuration that is shown. */
async function pauseAt(seconds) {
  await page.locator("video").evaluate((video) => video.pause());
  await seek(page, seconds);
}

await run({
  async "it is played over a change while it waits for its stream"(browser) {
    assert.equal(files.length, 3);
    page = await open(browser);
    if (TOKEN) await page.addInitScript((token) => sessionStorage.setItem("rtmp-server-token", token), TOKEN);
    await page.goto(`${SITE}/#/recording/${id}`);
    await wide(640);
    await press("k");
    await plays(page, 10);
    await seek(page, 7);
    await wide(320);
    await plays(page, 10, 320);
    await pauseAt(3);
    assert.ok(Math.abs((await place()) - second - 3) < 0.1, `${await place()}, 3 s after ${second}`);
  },

  async "the keys and the line of time lead over changes in both directions"() {
    await press("j");
    await wide(640);
    assert.ok(Math.abs((await place()) - second + 7) < 0.1, `${await place()}, 7 s before ${second}`);
    await plays(page, 10, 640, () => press("k"));
    await press("k");
    await click(third + 3.5);
    await until("the picture there", async () => Math.abs((await played(page)).at - 3.5) < 0.1);
    await plays(page, 10, 640, () => press("k"));
    assert.ok((await place()) > third + 3.5, `${await place()}, 3.5 s after ${third}`);
    await shot(page, "changes");
  },

  async "what is over is played to its end, which has come meanwhile"() {
    await page.getByRole("button", { name: /^Stop/ }).click();
    await page.getByRole("button", { name: /^Delete/ }).waitFor();
    await click(third + 7);
    await until("it goes on", async () => (await place()) > third + 7);
    await page.locator("video").evaluate((video) => video.paused && video.play());
    await until("the end", () => page.locator("video").evaluate((video) => video.ended));
    assert.ok(Math.abs((await place()) - third - 8) < 0.1, `${await place()}, 8 s after ${third}`);
  },

  async "what is offered as MP4 is of one configuration"() {
    const links = (name) => page.getByRole("link", { name }).count();
    await page.getByText(/Not as one MP4: the configuration changes at 0:\d\d\.\d{3}, 0:\d\d\.\d{3}\./).waitFor();
    assert.deepEqual([await links("All as MP4"), await links("All as FLV")], [0, 1]);
    for (const [from, to, count] of [[1, second, 1], [second - 1, second + 1, 0], [second, third, 1], [third, third + 3, 1]]) {
      await page.getByLabel("In", { exact: true }).fill(from.toFixed(3));
      await page.getByLabel("Out", { exact: true }).fill(to.toFixed(3));
      assert.deepEqual([await links("Clip as MP4"), await links("Clip as FLV")], [count, 1], `${from} to ${to}`);
      if (!count) continue;
      const clip = await page.getByRole("link", { name: "Clip as MP4" }).getAttribute("href");
      assert.equal((await fetch(clip, { headers })).status, 200);
    }
    // Browsers have a word for each change that is found.
    const found = page.complaints.filter((text) => /status of 422 .*media\.mp4/.test(text));
    page.complaints = page.complaints.filter((text) => !found.includes(text));
    assert.equal(found.length, 2, found.join("\n"));
    assertQuiet(page);
  },
});
