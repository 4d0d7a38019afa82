// Elements, and figures as people read them.

/** An element: properties (`on…` are listeners), then what is in it. No HTML is ever parsed. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A row of facts: pairs of a word and what it is. Those without a value are left out. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value);
  return el("dl", { className: "facts" }, shown.map(([name, value]) =>
    el("div", {}, el("dt", { textContent: name }), el("dd", {}, value))));
}

/** Replaces a list of elements by key, keeping those that stay, so that focus and pictures do too. */
export function keep(parent, items, key, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const name = key(item);
    const child = known.get(name) ?? make(item);
    child.dataset.key = name;
    known.delete(name);
    update(child, item);
    return child;
  });
  for (const child of known.values()) {
    child.gone?.();
    child.remove();
  }
  wanted.forEach((child, n) => {
    if (parent.children[n] !== child) parent.insertBefore(child, parent.children[n] ?? null);
  });
}

/** Sets a text only where it changes, so that nothing is read out or drawn twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** How many there are of something. */
export function count(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

/** `1:02:03`, or with ms `1:02:03.004`. */
export function clock(ms, exact = false) {
  const whole = Math.max(0, Math.round(ms));
  const two = (number) => String(number).padStart(2, "0");
  const [seconds, minutes, hours] = [1e3, 6e4, 36e5].map((size) => Math.floor(whole / size));
  const head = hours ? `${hours}:${two(minutes % 60)}` : `${minutes}`;
  const tail = exact ? `.${String(whole % 1000).padStart(3, "0")}` : "";
  return `${head}:${two(seconds % 60)}${tail}`;
}

/** The time that `clock` writes, in ms; NaN for what is none. */
export function fromClock(text) {
  const match = /^(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d{1,3})?)$/.exec(text.trim());
  if (!match) return NaN;
  const [hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return Math.round((hours * 3600 + minutes * 60 + seconds) * 1000);
}

export function time(text) {
  return new Date(text).toLocaleTimeString();
}

/** The day of a moment here, as `2026-11-29`. */
export function dayOf(text) {
  const date = new Date(text);
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Midnight of a day and of the next, in ms; a day may have 23 or 25 hours. */
export function spanOf(day) {
  const [year, month, date] = day.split("-").map(Number);
  return [new Date(year, month - 1, date).getTime(), new Date(year, month - 1, date + 1).getTime()];
}

export function dayText(day) {
  const options = { weekday: "long", year: "numeric", month: "long", day: "numeric" };
  return new Date(spanOf(day)[0]).toLocaleDateString(undefined, options);
}
