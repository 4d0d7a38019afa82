// live/test is watched; once it is recorded its publisher goes, and another one comes.

import assert from "node:assert/strict";
import { assertQuiet, open, plays, run, shot, SITE, until } from "./browser.mjs";

await run({
  async "the player goes on with the next publish"(browser) {
    const page = await open(browser);
    await page.goto(`${SITE}/#/watch/live%2Ftest`);
    await plays(page, 30);
    const source = () => page.locator("video").evaluate((video) => video.src);
    const first = await source();
    await page.getByRole("button", { name: "Record live/test" }).click();
    await until("the next publish", async () => (await source()) !== first);
    await plays(page, 30);
    assert.equal(await page.locator(".status").innerText(), "");
    // What the recording has not is drawn, in its day and along its own length.
    await page.getByRole("link", { name: "Its recordings" }).click();
    await page.locator(".day .line .gap").waitFor();
    await page.locator(".card", { hasText: "Gaps" }).locator("h4 a").click();
    const gap = page.locator(".line.whole .gap");
    await gap.waitFor();
    assert.match(await gap.getAttribute("title"), /^missing: [a-z_ ]+$/);
    await shot(page, "gap");
    // It may ask once more for what has just ended.
    const ended = /status of (404|503).*\/(live\/live\/test\.mp4|api\/v1\/streams\/live%2Ftest)$/;
    page.complaints = page.complaints.filter((text) => !ended.test(text));
    assertQuiet(page);
  },
});
