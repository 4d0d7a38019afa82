// Pictures of a recording where one seeks to, on a page that has the API behind the host that it comes from: shaka reads
// `sprite.vtt` and says where on which sheet each picture is.

import assert from "node:assert/strict";
import { plays, SITE } from "./browser.mjs";
import { SCRIPTS, onPages } from "./site.mjs";

const { recordings: [{ id, length_ms }] } = await (await fetch(`${SITE}/api/v1/recordings`)).json();

const html = (name) => `<!doctype html><link rel="icon" href="data:,"><video muted></video>
  <script src="${SCRIPTS[name]}"></script>
  <script>
    const at = location.origin + "/api/v1/recordings/${id}/";
    const video = document.querySelector("video");
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    player.addEventListener("error", ({ detail }) => console.error("shaka " + detail.code));
    window.track = (async () => {
      await player.attach(video);
      await player.load(at + "media.m3u8");
      video.play();
      return player.addThumbnailsTrack(at + "sprite.vtt", "text/vtt");
    })();
    window.pictureAt = async (seconds) => {
      const picture = await player.getThumbnails((await window.track).id, seconds);
      const { startTime, duration, positionX, positionY, width, height, uris } = picture;
      const sheet = Object.assign(new Image(), { src: uris[0].split("#")[0] });
      await sheet.decode();
      return { startTime, duration, positionX, positionY, width, height, sheet: [sheet.naturalWidth, sheet.naturalHeight] };
    };
  </script>`;

await onPages(["shaka"], html, async (page) => {
  await plays(page, 50);
  const places = [0, length_ms / 2000, length_ms / 1000 - 0.1];
  const pictures = [];
  for (const place of places) {
    const picture = await page.evaluate((place) => window.pictureAt(place), place);
    console.log(JSON.stringify(picture));
    const { startTime, duration, positionX, positionY, width, height, sheet } = picture;
    assert.ok(startTime <= place && place < startTime + duration, `${place} s`);
    assert.ok(width > 0 && positionX + width <= sheet[0] && positionY + height <= sheet[1], "it is on its sheet");
    pictures.push(`${positionX},${positionY}`);
  }
  assert.equal(pictures[0], "0,0");
  assert.equal(new Set(pictures).size, places.length, "each is another picture");
});
