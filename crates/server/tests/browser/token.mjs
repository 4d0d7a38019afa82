// The page of a server that has a token: TOKEN. live/test is published and recorded.

import assert from "node:assert/strict";
import { open, plays, run, shot, SITE, until } from "./browser.mjs";

let page;

await run({
  async "the token is asked for, until it is right"(browser) {
    page = await open(browser);
    await page.goto(SITE);
    const field = page.getByRole("textbox", { name: "Token" });
    await field.fill("another");
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText("The server does not accept that token.").waitFor();
    await shot(page, "token");
    await field.fill(process.env.TOKEN);
    await page.keyboard.press("Enter");
    await page.locator(".card h3", { hasText: "live/test" }).waitFor();
    await until("its picture", () => page.locator(".card img").evaluate((img) => img.naturalWidth > 0));
    await page.locator("#link.good").waitFor();
  },

  async "it lasts for the tab, and videos and downloads have it"() {
    await page.reload();
    await page.locator(".card h3", { hasText: "live/test" }).waitFor();
    assert.equal(await page.locator("dialog[open]").count(), 0);
    await page.goto(`${SITE}/#/watch/live%2Ftest`);
    await plays(page, 20);
    await page.goto(`${SITE}/#/recordings`);
    await page.locator(".card h4 a").first().click();
    await page.locator("video[src^=blob]").waitFor({ state: "attached" });
    await page.locator("video").evaluate((video) => video.play());
    await plays(page, 20);
    const link = page.getByRole("link", { name: "All as FLV" });
    const [file] = await Promise.all([page.waitForEvent("download"), link.click()]);
    assert.match(file.suggestedFilename(), /^live_test_\d{8}_\d{6}_\d+\.\d{3}s\.flv$/);
  },

  async "what is too long to be loaded whole is not loaded"() {
    let asked = 0;
    await page.route("**/api/v1/recordings/*/media.mp4*", (route) => (asked += 1, route.continue()));
    await page.route(/\/api\/v1\/recordings\/[0-9a-f]{16}$/, async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), size_bytes: 2 ** 30 + 1 } });
    });
    await page.reload();
    await page.getByText("This recording is too long to be played behind a token").first().waitFor();
    assert.equal(asked, 0);
    await page.unrouteAll();
  },

  async "nothing but refusals for want of the token was complained about"() {
    const others = page.complaints.filter((text) => !text.includes("status of 401"));
    assert.deepEqual(others, []);
  },
});
