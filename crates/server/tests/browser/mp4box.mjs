// What mp4box reads of a file, as one JSON object: `node mp4box.mjs MODULE FILE`.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [module, path] = process.argv.slice(2);
const { createFile, MP4BoxBuffer, Log } = await import(pathToFileURL(module));
const said = [];
for (const level of ["warn", "error"]) Log[level] = (who, text) => said.push(`${who}: ${text}`);

const bytes = readFileSync(path);
const file = createFile();
let movie = null;
file.onReady = (info) => (movie = info);
file.onError = (who, text) => said.push(`${who}: ${text}`);
const all = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(all, 0));
file.flush();

const tracks = (movie?.tracks ?? []).map(({ id, type, codec, timescale }) => {
  const samples = file.getTrackSamplesInfo(id).map(({ offset, size, dts }) => ({
    ms: Math.round((dts * 1000) / timescale),
    bytes: bytes.subarray(offset, offset + size).toString("hex"),
  }));
  return { type, codec, samples };
});
process.stdout.write(JSON.stringify({ is_fragmented: movie?.isFragmented, tracks, said }));
