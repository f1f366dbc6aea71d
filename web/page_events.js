// SPDX-License-Identifier: MIT
// What happens, as it is told by GET /v1/events; watch.js reads that.
import { clock } from "./format.js";
import { h } from "./render.js";
import { button, page, poolLink, table, workerLink } from "./ui.js";

/** @typedef {import("./store.js").Told} Told */

const SHOWN_ELSEWHERE = new Set(["time_ms", "time", "event", "level", "pool", "worker"]);

let wanted = "";
/** @type {Told[] | null} What is shown while nothing new is to be. */
let held = null;

/** @param {string} level */
function levelView(level) {
  return h("span", { class: level === "error" || level === "warning" ? "bad-text" : "muted" }, level);
}

/** @param {Record<string, any>} value */
function rest(value) {
  return Object.entries(value)
    .filter(([key, one]) => !SHOWN_ELSEWHERE.has(key) && one !== "" && one !== null)
    .map(([key, one]) => `${key}=${typeof one === "object" ? JSON.stringify(one) : one}`)
    .join(" ");
}

/** @type {import("./main.js").Page} */
export const eventsPage = {
  pace: 500,
  title: () => "Events",
  leave: () => {
    held = null;
  },
  view: (store) => {
    const type = (/** @type {any} */ event) => {
      wanted = event.target.value;
      page.redraw();
    };
    const hold = () => {
      held = held === null ? store.events.list() : null;
      page.redraw();
    };
    const rows = (held ?? store.events.list()).filter((row) => wanted === "" || `${row.name} ${JSON.stringify(row.value)}`.includes(wanted));
    return [
      h("div", { class: "head" }, h("h1", null, "Events"),
        h("div", { class: "buttons" }, button(held === null ? "Hold" : "Follow", hold)),
        h("label", { class: "filter" }, "With ", h("input", { type: "search", oninput: type, value: wanted }))),
      table({
        id: "events", label: "Events", rows, key: (row) => row.number,
        empty: wanted === "" ? "Nothing has happened while this page was open." : "There is none.",
        columns: [
          { name: "When", show: (row) => clock(row.time), by: (row) => row.time },
          { name: "Level", show: (row) => levelView(row.value.level ?? "info"), by: (row) => row.value.level ?? "" },
          { name: "Event", show: (row) => h("code", null, row.name), by: (row) => row.name },
          { name: "Pool", show: (row) => (row.value.pool ? poolLink(row.value.pool) : "–"), by: (row) => row.value.pool ?? "" },
          { name: "Worker", show: (row) => workerLink(row.value.worker ?? 0), by: (row) => row.value.worker ?? 0 },
          { name: "More", show: (row) => h("span", { class: "long" }, rest(row.value)) },
        ],
      }),
    ];
  },
};
