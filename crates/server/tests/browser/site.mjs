// Another site: pages of a script, with the players that `package.json` pins.

import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";

const modules = dirname(dirname(process.env.PLAYWRIGHT));

/** Where the players are. */
export const SCRIPTS = {
  "hls.js": "/modules/hls.js/dist/hls.min.js",
  "mpegts.js": "/modules/mpegts.js/dist/mpegts.js",
  shaka: "/modules/shaka-player/dist/shaka-player.compiled.js",
};

/** Serves `html(NAME)` as `/NAME`. Returns its address, and what ends it. */
export async function serve(html) {
  const server = createServer((request, answer) => {
    const [, place, ...rest] = decodeURIComponent(request.url).split("/");
    if (place === "modules") {
      answer.setHeader("Content-Type", "text/javascript");
      createReadStream(join(modules, ...rest)).pipe(answer);
    } else {
      answer.setHeader("Content-Type", "text/html");
      answer.end(html(place));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
