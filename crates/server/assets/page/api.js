// The API: calls, refusals in words, the token, pictures, downloads and events.
//
// Addresses are relative to the page, so that a proxy may have it below any path.

const TOKEN = "rtmp-server-token";
const base = new URL("api/v1/", document.baseURI);

/** What the server said instead of doing what it was asked. */
export class Problem extends Error {
  constructor(problem, status) {
    const { title = `The server answered ${status}`, detail = "" } = problem;
    // Some details begin with what the title says.
    const isRepeated = detail.toLowerCase().startsWith(title.toLowerCase());
    super(isRepeated ? `${title}${detail.slice(title.length)}.` : detail ? `${title}: ${detail}.` : `${title}.`);
    this.code = problem.code ?? "";
    this.changesAt = problem.changes_at;
    this.status = status;
  }
}

export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

const headers = () => {
  const token = sessionStorage.getItem(TOKEN);
  return token === null ? {} : { Authorization: `Bearer ${token}` };
};

/** The address of a call. */
export const url = (path) => new URL(path, base).href;

/** The address of a view of a stream. */
export const view = (key, kind) =>
  new URL(`live/${key.split("/").map(encodeURIComponent).join("/")}.${kind}`, document.baseURI).href;

/** A stream's place among the calls. */
export const streamPath = (key) => `streams/${encodeURIComponent(key)}`;

/** Asks, whatever it takes: where a token is needed, once people gave one. */
export async function ask(address, options = {}) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(address, { ...options, headers: { ...options.headers, ...headers() } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ title: "The server cannot be reached" }, 0);
    }
    if (answer.ok) return answer;
    const problem = new Problem(await answer.json().catch(() => ({})), answer.status);
    if (problem.code !== "unauthorized") throw problem;
    await needToken();
  }
}

/** Calls the API; the answer is what its JSON says. */
export async function call(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const answer = await ask(url(path), options);
  return answer.status === 204 ? null : answer.json();
}

let asked = null;

/** Has people give the token; all that wait for it share one question. */
function needToken() {
  asked ??= new Promise((resolve) => {
    const dialog = document.getElementById("token");
    const problem = dialog.querySelector(".problem");
    problem.hidden = !hasToken();
    problem.textContent = "The server does not accept that token.";
    dialog.onclose = () => {
      const given = new FormData(dialog.querySelector("form")).get("token");
      dialog.querySelector("form").reset();
      if (dialog.returnValue !== "ok" || !given) return dialog.showModal();
      sessionStorage.setItem(TOKEN, given);
      asked = null;
      resolve();
    };
    dialog.returnValue = "";
    dialog.showModal();
  });
  return asked;
}

/** Puts a picture of the API into an `img`. Without one it keeps what it has, and says why. */
export async function picture(img, path) {
  try {
    const answer = await ask(url(path));
    const old = img.src;
    img.src = URL.createObjectURL(await answer.blob());
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
    img.classList.remove("none");
  } catch (problem) {
    img.title = problem.message;
  }
}

/** Frees what an `img` has of `picture`. */
export function drop(img) {
  if (img.src.startsWith("blob:")) URL.revokeObjectURL(img.src);
}

/** What the server calls a file. */
const nameOf = (answer) => {
  const disposition = answer.headers.get("Content-Disposition") ?? "";
  const encoded = /filename\*=UTF-8''([^;]+)/.exec(disposition);
  return encoded ? decodeURIComponent(encoded[1]) : /filename="([^"]+)"/.exec(disposition)?.[1];
};

/** Follows a link to a file with the token that it needs; without one browsers do it alone. */
export async function download(event, name) {
  if (!hasToken()) return;
  event.preventDefault();
  const answer = await ask(event.currentTarget.href);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = nameOf(answer) ?? name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * Reads events for ever, over interruptions too: `EventSource` has no place for a token.
 * `on` gets each event, `state` is told `true` when the connection stands.
 */
export async function events(on, state) {
  let after = null;
  for (;;) {
    try {
      const options = after === null ? {} : { headers: { "Last-Event-ID": after } };
      const answer = await ask(url("events"), options);
      state(true);
      for await (const { id, data } of read(answer.body)) {
        after = id ?? after;
        if (data) on(JSON.parse(data));
      }
    } catch (problem) {
      if (!(problem instanceof Problem) && !(problem instanceof TypeError)) console.error(problem);
    }
    state(false);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
  }
}

/** The events of a body. */
async function* read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const pieces = (text + value).split("\n\n");
    text = pieces.pop();
    for (const piece of pieces) {
      const fields = piece.split("\n").map((line) => line.split(/: ?(.*)/s));
      yield Object.fromEntries(fields.map(([name, value]) => [name, value]));
    }
  }
}
