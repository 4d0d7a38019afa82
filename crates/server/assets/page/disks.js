// The disks that are recorded to, and when they will be full.

import { call } from "./api.js";
import { bytes, count, el, facts } from "./dom.js";

/** How often is looked (ms). */
const LOOK = 5_000;

const date = (text) => (text ? new Date(text).toLocaleString() : "");

function disk(disk) {
  const used = disk.total_bytes - disk.free_bytes;
  const share = disk.total_bytes ? used / disk.total_bytes : 0;
  return el("article", { className: `disk ${disk.state}` },
    el("h3", { textContent: disk.dir }),
    el("meter", { min: 0, max: 1, high: 0.9, value: share, title: `${Math.round(share * 100)} % used` }),
    facts([
      ["State", disk.error ? `${disk.state}: ${disk.error}` : disk.state],
      ["Free", `${bytes(disk.free_bytes)} of ${bytes(disk.total_bytes)}`],
      ["Left free", bytes(disk.min_free_bytes)],
      ["Written", `${bytes(disk.write_bytes_per_second)}/s`],
      ["Full at this pace", date(disk.full_at) || "not in sight"],
      ["Same disk as", disk.same_disk_as],
    ]));
}

function kept(retention) {
  return facts([
    ["Recordings", `${count(retention.files, "file")}, ${bytes(retention.size_bytes)}`],
    ["Bin", `${count(retention.bin_files, "file")}, ${bytes(retention.bin_bytes)}`],
    ["To be deleted by the rules now", `${count(retention.doomed_files, "file")}, ${bytes(retention.doomed_bytes)}`],
    ["Full without rules", date(retention.full_at)],
    ["Full with the rules", date(retention.full_at_with_rules)],
  ]);
}

/** The view. */
export function show(main, told) {
  const disks = el("section");
  const rules = el("section");
  main.append(el("h2", { textContent: "Disks" }), disks, el("h2", { textContent: "What is kept" }), rules);
  const look = told(async () => {
    const [{ disks: all }, retention] = await Promise.all([call("GET", "server/disks"), call("GET", "retention?limit=1")]);
    const none = el("p", { textContent: "Nothing was recorded since the server started." });
    disks.replaceChildren(...(all.length ? all.map(disk) : [none]));
    rules.replaceChildren(kept(retention));
  });
  look();
  const clock = setInterval(look, LOOK);
  return () => clearInterval(clock);
}
