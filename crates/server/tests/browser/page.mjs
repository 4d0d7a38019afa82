// The page to watch, used as people use it: live/test is published, and nothing was recorded yet.

import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { assertFits, assertQuiet, open, played, plays, run, seek, shot, SITE, tabTo, until } from "./browser.mjs";

const go = (page, place) => page.goto(`${SITE}/#/${place}`);

let page;

/** Where the recording is that the steps work on. */
const recording = { id: null };

/** What the API says. */
const told = (path) => page.evaluate(async (path) => (await fetch(`api/v1/${path}`)).json(), path);

/** The facts of a card, by their words. */
const factsOf = (card) => card.locator(".facts > div").evaluateAll((all) =>
  Object.fromEntries(all.map((fact) => [...fact.children].map((part) => part.textContent))));

/** Bytes as people read them: here of some KiB or MiB. */
function inUnits(bytes) {
  const [count, unit] = bytes < 2 ** 20 ? [bytes / 2 ** 10, "KiB"] : [bytes / 2 ** 20, "MiB"];
  return `${count < 100 ? count.toFixed(1) : Math.round(count)} ${unit}`;
}

/** Goes to a button of a card by Tab, and presses it. */
async function press(card, word) {
  await tabTo(page, await card.getByRole("button", { name: new RegExp(`^${word}:`) }).getAttribute("aria-label"));
  await page.keyboard.press("Enter");
}

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
    for (const isMuted of [false, true]) {
      await page.keyboard.press("m");
      assert.equal(await page.locator("video").evaluate((video) => video.muted), isMuted);
    }
    for (const full of ["screen", undefined]) {
      await page.keyboard.press("f");
      await until(`full: ${full}`, () => page.evaluate((full) => document.fullscreenElement?.className === full, full));
    }
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
    await until("ten seconds of it", async () => (await told(`recordings/${recording.id}`)).length_ms > 10_000);
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

  async "it is stopped by keyboard"() {
    await go(page, "");
    await tabTo(page, "Stop recording live/test");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Record live/test" }).waitFor();
    await go(page, "recordings");
    const card = page.locator(".card");
    await card.getByRole("button", { name: /^Delete/ }).waitFor();
    await until("its poster", () => card.locator("img").evaluate((img) => img.naturalWidth > 0));
    const { length_ms, size_bytes } = await told(`recordings/${recording.id}`);
    const seconds = Math.floor(length_ms / 1000);
    const { Length, Size, By } = await factsOf(card);
    assert.equal(Length, `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
    assert.deepEqual([Size, By], [inUnits(size_bytes), "api"]);
    await shot(page, "recordings");
  },

  async "a clip is cut to the ms and downloaded by keyboard"() {
    await go(page, `recording/${recording.id}`);
    await page.getByLabel("In", { exact: true }).waitFor();
    await tabTo(page, "In");
    await page.keyboard.type("0:01.234");
    await tabTo(page, "Out");
    await page.keyboard.type("0:00.5");
    await page.getByText("In has to be before out").waitFor();
    assert.equal(await page.locator(".clip .links a").count(), 0);
    await page.getByLabel("Out", { exact: true }).fill("0:03.5");
    await page.getByText("0:02.266 long").waitFor();
    for (const kind of ["mp4", "flv"]) {
      await tabTo(page, `Clip as ${kind.toUpperCase()}`);
      const [file] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
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

  async "the keys of the player move and mark a clip"() {
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
    await at(1);
    for (const [key, place] of [[",", 0.96], ["L", 10.96], ["J", 0.96]]) {
      await page.keyboard.press(key);
      const now = await page.locator("video").evaluate((video) => video.currentTime);
      assert.ok(Math.abs(now - place) < 0.01, `${key}: ${now}, not ${place}`);
    }
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

  async "it is deleted, brought back at once, deleted, and restored from the bin by keyboard"() {
    await go(page, "recordings");
    const card = page.locator(".card");
    await press(card, "Delete");
    await page.getByText("No recording is found").waitFor();
    await shot(page, "deleted");
    await tabTo(page, "Undo");
    await page.keyboard.press("Enter");
    await card.waitFor();
    await press(card, "Delete");
    await page.getByText("No recording is found").waitFor();
    await tabTo(page, "In the bin");
    await page.keyboard.press(" ");
    await press(card, "Restore");
    await page.getByText("The bin is empty.").waitFor();
    await tabTo(page, "In the bin");
    await page.keyboard.press(" ");
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
    await tabTo(page, "Keep as a recording");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Show it" }).waitFor();
    await tabTo(page, "Show it");
    await page.keyboard.press("Enter");
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
    const changed = page.getByText("recording was held, released or labelled");
    const before = await changed.count();
    for (const [n, what] of ["hold", "release"].entries()) {
      const headers = { "Content-Type": "application/json" };
      const { status } = await fetch(`${SITE}/api/v1/recordings/${recording.id}/${what}`, { method: "POST", headers, body: "{}" });
      assert.equal(status, 200);
      await until(`the line of ${what}`, async () => (await changed.count()) === before + n + 1);
    }
    await shot(page, "events");
    await go(page, "disks");
    await page.locator("meter").waitFor();
    await page.getByText(/^\d+ files, /).first().waitFor();
    await shot(page, "disks");
  },

  async "disks have their room and when it ends, as the server says"() {
    const full = new Date("2026-12-24T18:30:00Z");
    const disk = { dir: "/a", state: "good", total_bytes: 4 * 2 ** 40, free_bytes: 1.5 * 2 ** 40, min_free_bytes: 2 ** 30,
      write_bytes_per_second: 1536, full_at: full.toISOString() };
    const disks = [disk, { ...disk, dir: "/b", full_at: null, same_disk_as: "/a" },
      { ...disk, dir: "/c", state: "unwritable", error: "permission denied: /c" }];
    const retention = { files: 3, size_bytes: 5 * 2 ** 20, bin_files: 1, bin_bytes: 100 * 2 ** 10, doomed_files: 0, doomed_bytes: 0,
      full_at: full.toISOString(), full_at_with_rules: null };
    const answers = { "**/api/v1/server/disks": { disks }, "**/api/v1/retention?*": retention };
    for (const [url, json] of Object.entries(answers)) await page.route(url, (route) => route.fulfill({ json }));
    await go(page, "events");
    await go(page, "disks");
    const cards = page.locator("article.disk");
    await until("the disks", async () => (await cards.count()) === 3);
    const shown = await Promise.all([0, 1, 2].map((n) => factsOf(cards.nth(n))));
    const when = await page.evaluate((at) => new Date(at).toLocaleString(), full.toISOString());
    const room = { State: "good", Free: "1.5 TiB of 4.0 TiB", "Left free": "1.0 GiB", Written: "1.5 KiB/s", "Full at this pace": when };
    assert.deepEqual(shown, [room, { ...room, "Full at this pace": "not in sight", "Same disk as": "/a" },
      { ...room, State: "unwritable: permission denied: /c" }]);
    assert.deepEqual(await factsOf(page.locator("main > section").last()), { Recordings: "3 files, 5.0 MiB",
      Bin: "1 file, 100 KiB", "To be deleted by the rules now": "0 files, 0 B", "Full without rules": when });
    for (const url of Object.keys(answers)) await page.unroute(url);
  },

  async "what the server refuses is told in its words"() {
    await go(page, "recording/0000000000000000");
    await page.locator(".status", { hasText: "No such recording: no recording 0000000000000000." }).waitFor();
    for (const part of [".screen", ".clip", ".help", ".actions > *"]) assert.equal(await page.locator(`${part}:visible`).count(), 0, part);
    // With nothing said twice.
    const problem = { title: "The disk could not do it", code: "disk-failed", detail: "the disk could not do it: no space is left" };
    await page.route("**/api/v1/recordings?*", (route) => route.fulfill({ status: 503, json: problem }));
    await go(page, "recordings");
    await page.locator(".note.bad").getByText("The disk could not do it: no space is left.", { exact: true }).waitFor();
    await go(page, "events");
    await page.unrouteAll();
    // Browsers have a word for it as well.
    const all = page.complaints.splice(0);
    page.complaints = all.filter((text) => !/recordings(\/0000000000000000|\?.*)$/.test(text));
    assert.ok(all.length - page.complaints.length >= 2, all.join("\n"));
  },

  async "an address that leads nowhere says so"() {
    for (const place of ["watch/%E0%A4%A", "nowhere", "constructor"]) {
      await go(page, "events");
      await page.locator(".events").waitFor();
      await go(page, place);
      await page.getByRole("heading", { name: "No such place" }).waitFor();
      assert.equal(await page.locator(".events").count(), 0);
    }
    await page.getByRole("link", { name: "Live streams" }).click();
    await page.locator(".card h3").waitFor();
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
    const button = (name) => phone.getByRole("button", { name });
    await button("Record live/test").tap();
    await button("Stop recording live/test").waitFor();
    const isRunning = ({ state, length_ms }) => state === "recording" && length_ms > 0;
    await until("something recorded", async () => (await told("recordings")).recordings.some(isRunning));
    await button("Stop recording live/test").tap();
    await button("Record live/test").waitFor();
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
    await go(phone, "recordings");
    const count = (n) => until(`${n} recordings`, async () => (await phone.locator(".card").count()) === n);
    await count(2);
    await button(/^Delete:/).first().tap();
    await count(1);
    await button("Undo").tap();
    await count(2);
    assertQuiet(phone);
    assertQuiet(page);
  },
});
