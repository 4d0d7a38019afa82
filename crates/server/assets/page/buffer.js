// A buffer of the browser's decoder: filled, cleared, and what is in it.

export const Source = window.MediaSource ?? window.ManagedMediaSource;

/** Waits for what a buffer was told to do. */
function done(buffer) {
  return new Promise((resolve, reject) => {
    buffer.onupdateend = resolve;
    buffer.onerror = () => reject(new Error("The browser cannot decode this stream."));
  });
}

export async function remove(buffer, from, to) {
  if (to <= from) return;
  buffer.remove(from, to);
  await done(buffer);
}

/** Appends, keeps so many seconds before the newest, and makes room where the browser has none. */
export async function append(buffer, bytes, kept = Infinity) {
  const { buffered } = buffer;
  const start = buffered.length ? buffered.start(0) : 0;
  const end = buffered.length ? buffered.end(buffered.length - 1) : 0;
  // A little at a time would be work for each part.
  if (end - kept - 10 > start) await remove(buffer, start, end - kept);
  try {
    buffer.appendBuffer(bytes);
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error;
    await remove(buffer, start, start + (end - start) / 2);
    buffer.appendBuffer(bytes);
  }
  await done(buffer);
}

/** Has a video play what `fill` puts into a buffer, until that is done. */
export async function attach(video, type, fill) {
  const source = new Source();
  const opened = new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
  const blob = URL.createObjectURL(source);
  // Managed sources want it: nothing else could play what is put together here.
  video.disableRemotePlayback = true;
  video.src = blob;
  try {
    await opened;
    await fill(source.addSourceBuffer(type), source);
  } finally {
    URL.revokeObjectURL(blob);
  }
}

/** What is in a buffer, as pairs of seconds. */
export const ranges = ({ buffered }) =>
  Array.from({ length: buffered.length }, (_, n) => [buffered.start(n), buffered.end(n)]);
