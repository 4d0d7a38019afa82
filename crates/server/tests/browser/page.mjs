// The page to watch, used as people use it: live/test is published, and nothing was recorded yet.

import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { assertFits, assertQuiet, open, played, plays, run, seek, shot, SITE, tabTo, until } from "./browser.mjs";

const go = (page, place) => page.goto(`${SITE}/#/${place}`);

let page;

/** Where the recording is that the steps work on. */
const recording = { id: null };

await run({
  async "the stream is listed with its picture"(browser) {
    page = await open(browser);
    await go(page, "");
    const card = page.locator(".card");
    await card.locator("h3", { hasText: "live/test" }).waitFor();
    await until("its picture", () => card.locator("img").evaluate((img) => img.naturalWidth > 0));
    const text = await until("its rates", async () => {
      const text = await card.innerText();
      return /[1-9]\d* kbit\/s/.test(text) && /, \d+ fps/.test(text) && text;
    });
    for (const part of ["H.264 640×360", "AAC stereo", "Viewers"]) assert.ok(text.includes(part), `${part}: ${text}`);
    await page.locator("#link.good").waitFor();
    await shot(page, "live");
  },

  async "it is watched, rewound and left by keyboard alone"() {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await tabTo(page, "Watch live/test");
    await page.keyboard.press("Enter");
    const first = await plays(page, 60);
    await until("four seconds to rewind", async () => {
      const { start, end } = await played(page);
      return end - start > 4;
    });
    await tabTo(page, "Player");
    const place = () => page.getByLabel("Place").getAttribute("aria-valuetext");
    await page.keyboard.press("ArrowLeft");
    const behind = await until("a place behind", async () => {
      const now = await played(page);
      return now.end - now.at > 3 && /^−0:\d\d$/.test(await place()) && now;
    });
    assert.ok(behind.at >= first.start, JSON.stringify(behind));
    await plays(page, 20);
    await page.keyboard.press("l");
    await until("the newest picture", async () => {
      const now = await played(page);
      return now.end - now.at < 2 && (await place()) === "live";
    });
    await page.keyboard.press(" ");
    await until("a pause", () => page.locator("video").evaluate((video) => video.paused));
    await page.keyboard.press(" ");
    await plays(page, 20);
    await shot(page, "watch");
    await page.locator(".facts", { hasText: "Viewers" }).getByText("1", { exact: true }).waitFor();
  },

  async "a recording is started by keyboard and listed while it grows"() {
    await tabTo(page, "Record live/test");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Stop recording live/test" }).waitFor();
    await tabTo(page, "Its recordings");
    await page.keyboard.press("Enter");
    const card = page.locator(".card");
    await card.getByText("recording", { exact: true }).waitFor();
    assert.equal(await card.count(), 1);
    await page.locator(".line .kept").waitFor();
    recording.id = (await card.locator("h4 a").getAttribute("href")).split("/").pop();
  },

  async "what grows is played and sought in"() {
    const length = () => page.evaluate(async (id) => (await (await fetch(`api/v1/recordings/${id}`)).json()).length_ms, recording.id);
    await until("ten seconds of it", async () => (await length()) > 10_000);
    await go(page, `recording/${recording.id}`);
    const grown = () => page.locator("video").evaluate((video) => video.duration);
    const first = await until("its video", async () => (await grown()) > 6 && grown());
    const video = page.locator("video");
    await video.evaluate((video) => video.play());
    await plays(page, 25);
    for (const place of [4, 1]) {
      const at = await seek(page, place);
      assert.ok(Math.abs(at - place) < 1.5, `${at}, not ${place}`);
      await plays(page, 20);
    }
    await shot(page, "growing");
    await video.evaluate((video) => (video.currentTime = video.duration - 0.2));
    await until("what has come since", async () => (await grown()) > first + 1);
    await plays(page, 10);
  },

  async "it is stopped with the button"() {
    await go(page, "");
    await page.getByRole("button", { name: "Stop recording live/test" }).click();
    await page.getByRole("button", { name: "Record live/test" }).waitFor();
    await go(page, "recordings");
    const card = page.locator(".card");
    await card.getByRole("button", { name: /^Delete/ }).waitFor();
    await until("its poster", () => card.locator("img").evaluate((img) => img.naturalWidth > 0));
    await shot(page, "recordings");
  },

  async "a clip is cut to the ms and downloaded"() {
    await go(page, `recording/${recording.id}`);
    await page.getByLabel("In", { exact: true }).fill("0:01.234");
    await page.getByLabel("Out", { exact: true }).fill("0:00.5");
    await page.getByText("In has to be before out").waitFor();
    assert.equal(await page.locator(".clip .links a").count(), 0);
    await page.getByLabel("Out", { exact: true }).fill("0:03.5");
    await page.getByText("0:02.266 long").waitFor();
    for (const kind of ["mp4", "flv"]) {
      const link = page.getByRole("link", { name: `Clip as ${kind.toUpperCase()}` });
      const [file] = await Promise.all([page.waitForEvent("download"), link.click()]);
      assert.match(file.suggestedFilename(), new RegExp(`^live_test_\\d{8}_\\d{6}_2\\.266s\\.${kind}$`));
      const { size } = await stat(await file.path());
      assert.ok(size > 10_000, `${kind}: ${size} bytes`);
    }
    await shot(page, "recording");
    const clip = await page.getByRole("link", { name: "Clip as MP4" }).getAttribute("href");
    const length = await page.evaluate((clip) => new Promise((resolve, reject) => {
      const video = document.createElement("video");
      video.onloadedmetadata = () => resolve(video.duration);
      video.onerror = () => reject(new Error(video.error.message));
      video.src = clip;
    }), clip);
    // The sound of a frame of AAC, 21 ms, may reach beyond the end.
    assert.ok(Math.abs(length - 2.266) < 0.05, `${length} s`);
  },

  async "the keys of the player mark a clip"() {
    const at = (seconds) => page.locator("video").evaluate((video, seconds) => new Promise((resolve) => {
      video.onseeked = resolve;
      video.currentTime = seconds;
    }), seconds);
    await page.locator("main h2").click();
    await at(2);
    await page.keyboard.press(".");
    await page.keyboard.press("i");
    await at(5);
    await page.keyboard.press("o");
    assert.equal(await page.getByLabel("In", { exact: true }).inputValue(), "0:02.040");
    assert.equal(await page.getByLabel("Out", { exact: true }).inputValue(), "0:05.000");
    await page.getByText("0:02.960 long").waitFor();
    await page.keyboard.press("k");
    await plays(page, 20);
  },

  async "HLS of the browser plays it too"() {
    await page.locator("video").evaluate((video, id) => {
      video.src = `api/v1/recordings/${id}/media.m3u8`;
      video.play();
    }, recording.id);
    await plays(page, 40);
  },

  async "it is deleted, brought back at once, deleted, and restored from the bin"() {
    await go(page, "recordings");
    const card = page.locator(".card");
    await card.getByRole("button", { name: /^Delete/ }).click();
    await page.getByText("No recording is found").waitFor();
    await shot(page, "deleted");
    await page.getByRole("button", { name: "Undo" }).click();
    await card.waitFor();
    await card.getByRole("button", { name: /^Delete/ }).click();
    await page.getByText("No recording is found").waitFor();
    await page.getByLabel("In the bin").check();
    await card.getByRole("button", { name: /^Restore/ }).click();
    await page.getByText("The bin is empty.").waitFor();
    await page.getByLabel("In the bin").uncheck();
    await card.getByRole("button", { name: /^Hold/ }).click();
    await card.getByRole("button", { name: /^Release/ }).waitFor();
    assert.equal(await card.getByRole("button", { name: /^Delete/ }).count(), 0);
    await card.getByRole("button", { name: /^Release/ }).click();
    await card.getByRole("button", { name: /^Delete/ }).waitFor();
  },

  async "a clip is kept as a recording of its own"() {
    await go(page, `recording/${recording.id}`);
    await page.getByLabel("In", { exact: true }).fill("2.5");
    await page.getByLabel("Out", { exact: true }).fill("3");
    await page.getByLabel("Name").fill("the two");
    await page.getByRole("button", { name: "Keep as a recording" }).click();
    await page.getByRole("button", { name: "Show it" }).click();
    await page.locator(".facts").getByText("the two", { exact: true }).waitFor();
    await page.locator("video").evaluate((video) => video.play());
    await plays(page, 20);
    assert.notEqual(page.url(), `${SITE}/#/recording/${recording.id}`);
    await go(page, "recordings");
    await until("both", async () => (await page.locator(".card").count()) === 2);
    await page.locator(".card", { hasText: "the two" }).getByRole("button", { name: /^Delete/ }).click();
    await until("one", async () => (await page.locator(".card").count()) === 1);
  },

  async "what people call things is text and nothing else"() {
    const name = "<img src=x onerror=alert(1)>";
    await page.evaluate((name) => fetch("api/v1/recordings", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ stream: `live/${name}`, name, labels: { said: name } }),
    }), name);
    const group = page.locator(".group", { hasText: `live/${name}` });
    await group.getByText(`said: ${name}`).waitFor();
    assert.equal(await page.locator("img[src=x]").count(), 0);
    await group.getByRole("button", { name: /^Stop/ }).click();
    await group.waitFor({ state: "detached" });
  },

  async "events and disks are told"() {
    await go(page, "events");
    for (const text of ["recording started (api)", "recording is over", "is watched by", "came out of the bin"]) {
      await page.getByText(text).first().waitFor();
    }
    await shot(page, "events");
    await go(page, "disks");
    await page.locator("meter").waitFor();
    await page.getByText(/^\d+ files, /).first().waitFor();
    await shot(page, "disks");
  },

  async "what the server refuses is told in its words"() {
    await go(page, "recording/0000000000000000");
    await page.locator(".note.bad", { hasText: "No such recording: no recording 0000000000000000." }).waitFor();
    // Browsers have a word for it as well.
    const all = page.complaints.splice(0);
    page.complaints = all.filter((text) => !text.includes("recordings/0000000000000000"));
    assert.equal(all.length - page.complaints.length, 1, all.join("\n"));
  },

  async "a phone in the dark shows all of it"(browser) {
    const phone = await open(browser, {
      viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme: "dark",
    });
    await go(phone, "");
    await phone.locator(".card h3").waitFor();
    await until("the picture", () => phone.locator(".card img").evaluate((img) => img.naturalWidth > 0));
    const back = await phone.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(back, "rgb(18, 21, 27)");
    const light = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(light, "rgb(245, 246, 248)");
    await assertFits(phone, "live");
    await shot(phone, "phone-live");
    await phone.getByRole("link", { name: "Watch live/test" }).tap();
    await plays(phone, 20);
    await assertFits(phone, "watch");
    await shot(phone, "phone-watch");
    for (const place of ["recordings", `recording/${recording.id}`, "disks", "events"]) {
      await go(phone, place);
      await phone.locator(".card, .clip .facts, .clip, meter, .events").first().waitFor();
      await until("its pictures", () => phone.locator(".card img.none").count().then((count) => count === 0));
      await assertFits(phone, place);
      await shot(phone, `phone-${place.split("/")[0]}`);
    }
    assertQuiet(phone);
    assertQuiet(page);
  },
});
