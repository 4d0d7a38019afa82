// Another site: pages of a script, with the players that `package.json` pins.

import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { assertQuiet, open, run, SITE } from "./browser.mjs";

const modules = dirname(dirname(process.env.PLAYWRIGHT));

/** Where the players are. */
export const SCRIPTS = {
  "hls.js": "/modules/hls.js/dist/hls.min.js",
  "mpegts.js": "/modules/mpegts.js/dist/mpegts.js",
  shaka: "/modules/shaka-player/dist/shaka-player.compiled.js",
};

/** Serves `html(NAME)` as `/NAME`, and the API where it is on the server. */
async function serve(html) {
  const server = createServer(async (request, answer) => {
    const [, place, ...rest] = decodeURIComponent(request.url).split("/");
    if (place === "modules") {
      answer.setHeader("Content-Type", "text/javascript");
      createReadStream(join(modules, ...rest)).pipe(answer);
    } else if (place === "api") {
      const found = await fetch(SITE + request.url);
      answer.writeHead(found.status, { "Content-Type": found.headers.get("Content-Type") });
      answer.end(Buffer.from(await found.arrayBuffer()));
    } else {
      answer.setHeader("Content-Type", "text/html");
      answer.end(html(place));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Opens `html(NAME)` for each name, does `step` with the page and the name, and sees that nothing was complained of. */
export async function onPages(names, html, step) {
  const server = await serve(html);
  const steps = names.map((name) => [name, async (browser) => {
    const page = await open(browser);
    await page.goto(`http://127.0.0.1:${server.address().port}/${encodeURIComponent(name)}`);
    try {
      await step(page, name);
    } finally {
      // What it complains of says why it does not play.
      if (page.complaints.length) console.error(`${name}: ${page.complaints.join("; ")}`);
    }
    assertQuiet(page);
    await page.context().close();
  }]);
  await run(Object.fromEntries(steps));
  server.close();
}
