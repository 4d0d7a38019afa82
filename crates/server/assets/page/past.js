// What a live stream was: the playlist that reaches back over its recording (`?dvr=2h`), of which what people
// want to see is fetched, segment by segment.
//
// Times are in seconds on a clock of the list: its segments lie side by side from the oldest one on, whatever
// clocks they have themselves. Numbers of segments keep their meaning, so that does not change.

import { ask, view } from "./api.js";
import { append, attach, ranges, remove } from "./buffer.js";

/** So far back (s). */
export const REACH = 7_200;
/** So much is fetched beyond what is shown (s), and kept before it. */
const AHEAD = 20;
const KEPT = 30;
/** How often it is looked whether there is something to do (ms). */
const LOOK = 100;

/** The playlist. */
class List {
  constructor(address) {
    Object.assign(this, { address, segments: new Map(), first: 0, newest: null, open: 0, target: 1, loaded: 0, isOver: false });
  }

  static async of(key, signal) {
    // One list, of the first picture with the first sound.
    const address = `${view(key, "m3u8")}?dvr=${REACH}s&tracks=first`;
    const text = await (await ask(address, { signal })).text();
    const name = text.split("\n").find((line) => line && !line.startsWith("#")) ?? "";
    if (!name.endsWith(`dvr=${REACH}s`)) throw new Error("Nothing of this stream is found in recordings yet.");
    const list = new List(new URL(name, address));
    await list.load(signal);
    return list;
  }

  /** Reads what is new; the first time, all. */
  async load(signal) {
    const address = new URL(this.address);
    if (this.newest) address.searchParams.set("_HLS_skip", "YES");
    this.read(await (await ask(address, { signal })).text());
    this.loaded = performance.now();
  }

  read(text) {
    let [number, duration, map, isApart, isGap] = [0, 0, null, false, false];
    this.open = 0;
    for (const line of text.split("\n")) {
      const at = line.indexOf(":");
      const [tag, value] = at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
      if (tag === "#EXT-X-TARGETDURATION") this.target = Number(value);
      else if (tag === "#EXT-X-MEDIA-SEQUENCE") number = this.first = Number(value);
      else if (tag === "#EXT-X-SKIP") number += Number(/SKIPPED-SEGMENTS=(\d+)/.exec(value)[1]);
      else if (tag === "#EXT-X-DISCONTINUITY") isApart = true;
      else if (tag === "#EXT-X-GAP") isGap = true;
      else if (tag === "#EXT-X-MAP") map = /URI="([^"]*)"/.exec(value)[1];
      else if (tag === "#EXT-X-PART") this.open += Number(/DURATION=([\d.]+)/.exec(value)[1]);
      else if (tag === "#EXT-X-ENDLIST") this.isOver = true;
      else if (tag === "#EXTINF") duration = parseFloat(value);
      else if (line && !line.startsWith("#")) {
        const before = this.segments.get(number - 1);
        map ??= before?.map;
        this.take({ number, name: line, duration, map, isGap }, before, isApart);
        [number, isApart, isGap, this.open] = [number + 1, false, false, 0];
      }
    }
    for (const gone of this.segments.keys()) {
      if (gone >= this.first) break;
      this.segments.delete(gone);
    }
  }

  take(segment, before, isApart) {
    const known = this.segments.get(segment.number);
    if (known) {
      known.isGap ||= segment.isGap;
      return;
    }
    if (!before && this.newest) throw new Error("The stream has begun anew.");
    // What goes on is as much later here as what it goes on from.
    const stretch = before && !isApart ? before.stretch : { later: null };
    this.newest = { ...segment, stretch, at: before ? before.at + before.duration : 0 };
    this.segments.set(segment.number, this.newest);
  }

  get isOld() {
    return performance.now() - this.loaded > this.target * 1000;
  }

  /** Where the list begins, and where live is. */
  get span() {
    const since = this.isOver ? 0 : Math.min((performance.now() - this.loaded) / 1000, this.target);
    return [this.segments.get(this.first).at, this.newest.at + this.newest.duration + this.open + since];
  }

  /** The number of the segment of a time. */
  numberAt(time) {
    let found = this.first;
    for (const { number, at } of this.segments.values()) {
      if (at <= time) found = number;
    }
    return found;
  }

  /** The first one from a number on that is there. */
  from(number) {
    for (let n = Math.max(number, this.first); n <= this.newest.number; n += 1) {
      const segment = this.segments.get(n);
      if (!segment.isGap) return segment;
    }
    return null;
  }

  async fetch(name, signal) {
    return (await ask(new URL(name, this.address), { signal })).arrayBuffer();
  }
}

/** The boxes between two places of MP4. */
function* boxes(bytes, from = 0, end = bytes.byteLength) {
  for (let size; from + 8 <= end; from += size) {
    size = bytes.getUint32(from);
    if (size < 8) return;
    const name = String.fromCharCode(...[4, 5, 6, 7].map((at) => bytes.getUint8(from + at)));
    yield { name, from: from + 8, end: Math.min(from + size, end) };
  }
}

/** Boxes by their path. */
function* find(bytes, [name, ...rest], within = {}) {
  for (const box of boxes(bytes, within.from, within.end)) {
    if (box.name !== name) continue;
    if (rest.length) yield* find(bytes, rest, box);
    else yield box;
  }
}

/** The time scale of each track of an initialization, by its id (ISO 14496-12 8.3.2, 8.4.2). */
function scales(init) {
  const bytes = new DataView(init);
  const value = ({ from }) => bytes.getUint32(from + (bytes.getUint8(from) === 1 ? 20 : 12));
  const one = (path, track) => value(find(bytes, path, track).next().value);
  return new Map([...find(bytes, ["moov", "trak"])].map((track) => [one(["tkhd"], track), one(["mdia", "mdhd"], track)]));
}

/** When a segment begins on its own clock (s): its first fragment's earliest track (8.8.7, 8.8.12). */
function beginOf(segment, scales) {
  const bytes = new DataView(segment);
  const moof = find(bytes, ["moof"]).next().value;
  const times = [...find(bytes, ["traf"], moof)].map((track) => {
    const id = bytes.getUint32(find(bytes, ["tfhd"], track).next().value.from + 4);
    const { from } = find(bytes, ["tfdt"], track).next().value;
    const time = bytes.getUint8(from) === 1 ? Number(bytes.getBigUint64(from + 4)) : bytes.getUint32(from + 4);
    return time / scales.get(id);
  });
  return Math.min(...times);
}

const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK));

/** Whether a moment is in the buffer of a video. */
const has = (video, time) => ranges(video).some(([from, end]) => from <= time && time < end - 0.1);

/** How much the buffer has from the place on that is shown. */
const ahead = (video) =>
  ranges(video).reduce((sum, [from, end]) => sum + Math.max(0, end - Math.max(from, video.currentTime)), 0);

/** Plays it, from `behind` seconds before live on, until there is no more. */
export class Past {
  constructor(video, behind) {
    // The place that is wanted and not there yet, and the one that is being fetched.
    Object.assign(this, { video, behind, list: null, wanted: null, sought: null });
  }

  /** Where it can be played, as `[from, to]`; nothing before that is known. */
  get span() {
    return this.list?.span;
  }

  seek(time) {
    const isThere = this.wanted === null && has(this.video, time);
    if (isThere) this.video.currentTime = time;
    [this.wanted, this.sought] = [isThere ? null : time, null];
  }

  async play(key, type, signal) {
    this.list = await List.of(key, signal);
    this.wanted = this.span[1] - this.behind;
    await attach(this.video, type, (buffer, source) => this.fill(buffer, source, signal));
  }

  async fill(buffer, source, signal) {
    const { list, video } = this;
    let [next, map, times] = [0, null, null];
    for (;;) {
      if (list.isOld) await list.load(signal);
      if (this.wanted !== this.sought) {
        this.sought = this.wanted;
        next = list.numberAt(this.sought);
        if (buffer.buffered.length) await remove(buffer, 0, Infinity);
      }
      const segment = list.from(next);
      if (!segment && this.wanted !== null) this.wanted = list.newest.at;
      if (!segment && list.isOver && source.readyState === "open") source.endOfStream();
      if (video.ended && this.wanted === null) return;
      if (!segment || ahead(video) > AHEAD) {
        await pause();
        signal.throwIfAborted();
        continue;
      }
      next = segment.number + 1;
      if (segment.map !== map) {
        const init = await list.fetch(segment.map, signal);
        [map, times] = [segment.map, scales(init)];
        await append(buffer, init);
      }
      const bytes = await this.bytes(segment, signal);
      if (!bytes) continue;
      segment.stretch.later ??= segment.at - beginOf(bytes, times);
      buffer.timestampOffset = segment.stretch.later;
      if (video.currentTime - KEPT - 10 > (ranges(video)[0]?.[0] ?? Infinity)) await remove(buffer, 0, video.currentTime - KEPT);
      await append(buffer, bytes);
      // Unless somebody wants to be elsewhere by now.
      if (this.wanted !== null && this.wanted === this.sought) this.show(segment);
    }
  }

  /** What is in a segment; nothing where it is not there any more, which the list does not say yet. */
  async bytes(segment, signal) {
    try {
      return await this.list.fetch(segment.name, signal);
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      segment.isGap = true;
      return null;
    }
  }

  /** The place that was wanted is in the buffer, or what comes after it. */
  show({ at }) {
    const [from] = ranges(this.video).at(-1) ?? [at];
    this.video.currentTime = Math.max(this.wanted, from);
    [this.wanted, this.sought] = [null, null];
  }
}
