// SPDX-License-Identifier: MIT
// The doors: what GET /metrics says of the daemon itself.
import { getText } from "./api.js";
import { bytes, count, duration } from "./format.js";
import { h } from "./render.js";
import { errorNote, note, page, section, table } from "./ui.js";

const EVERY_MS = 2000;
/** @typedef {{name: string, labels: Record<string, string>, value: number}} Sample */
/** @typedef {{help: string, samples: Sample[]}} Family */

/** @type {Map<string, Family> | null} */
let families = null;
/** @type {Error | null} */
let error = null;
/** @type {AbortController | null} */
let reading = null;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/**
 * The text that Prometheus reads; histograms are left out.
 * @param {string} text @returns {Map<string, Family>}
 */
export function parseMetrics(text) {
  /** @type {Map<string, Family>} */
  const found = new Map();
  const helps = new Map();
  for (const line of text.split("\n")) {
    const help = /^# HELP (\S+) (.*)$/.exec(line);
    if (help !== null) {
      helps.set(help[1], help[2]);
    }
    const [, name, inside = "", value] = LINE.exec(line) ?? [];
    if (name === undefined || /_(bucket|sum|count)$/.test(name)) {
      continue;
    }
    const labels = Object.fromEntries([...inside.matchAll(LABEL)].map((one) => [one[1], one[2].replace(/\\(.)/g, "$1")]));
    if (!found.has(name)) {
      found.set(name, { help: helps.get(name) ?? helps.get(name.replace(/_total$/, "")) ?? "", samples: [] });
    }
    found.get(name)?.samples.push({ name, labels, value: Number(value) });
  }
  return found;
}

/** @param {string} name @param {number} value */
function show(name, value) {
  return name.includes("bytes") ? bytes(value) : name.includes("seconds") ? duration(value) : count(value);
}

async function read(/** @type {AbortSignal} */ signal) {
  while (!signal.aborted) {
    try {
      families = parseMetrics(await getText("metrics", signal));
      error = null;
    } catch (problem) {
      error = signal.aborted ? null : /** @type {Error} */ (problem);
    }
    page.redraw();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

/** @type {import("./main.js").Page} */
export const doors = {
  title: () => "Doors",
  enter: () => {
    if (reading === null) {
      reading = new AbortController();
      void read(reading.signal);
    }
  },
  leave: () => {
    reading?.abort();
    reading = null;
  },
  view: () => {
    const rows = [...(families ?? [])].flatMap(([, family]) => family.samples
      .filter((sample) => !("pool" in sample.labels))
      .map((sample) => ({ ...sample, help: family.help })));
    const words = (/** @type {Sample} */ row) => Object.entries(row.labels).map(([key, value]) => `${key} ${value}`).join(", ");
    return [
      h("h1", null, "Doors"),
      errorNote(error),
      families === null ? note("Asking …") : section("What the daemon counts", table({
        id: "doors", label: "Figures of the daemon", rows, key: (row) => `${row.name} ${words(row)}`,
        empty: "There are no figures.",
        columns: [
          { name: "What", show: (row) => row.help || row.name, by: (row) => row.help },
          { name: "Of", show: (row) => words(row) || "–", by: (row) => words(row) },
          { name: "Figure", show: (row) => show(row.name, row.value), by: (row) => row.value, number: true },
          { name: "Name", show: (row) => h("code", null, row.name), by: (row) => row.name },
        ],
      })),
    ];
  },
};
