// SPDX-License-Identifier: MIT
// The events of the daemon as they come: GET /v1/events.
import { events, Problem } from "./api.js";
import { clock } from "./format.js";
import { h } from "./render.js";
import { Latest } from "./ring.js";
import { button, errorNote, page, poolLink, table, workerLink } from "./ui.js";

const ROOM = 500;
const AGAIN_MS = 2000;
/** @typedef {{number: number, time: number, name: string, value: any}} Told */

/** @type {Latest<Told>} */
let told = new Latest(ROOM);
let number = 0;
let wanted = "";
let held = /** @type {Told[] | null} */ (null);
/** @type {AbortController | null} */
let reading = null;
/** @type {Error | null} */
let error = null;

/** @param {string} name @param {any} value */
function take(name, value) {
  const told_ = name === "message" ? value.event ?? value.name ?? name : name;
  told.put({ number: ++number, time: value.time_ms ?? Date.now(), name: told_, value });
  error = null;
  page.redraw();
}

/**
 * Until the page is left.
 * @param {AbortSignal} signal
 */
async function read(signal) {
  while (!signal.aborted) {
    try {
      await events("v1/events", signal, take);
    } catch (problem) {
      if (signal.aborted) {
        return;
      }
      error = /** @type {Error} */ (problem);
      page.redraw();
      if (problem instanceof Problem && problem.status >= 400 && problem.status < 500) {
        return;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/**
 * What the columns do not show.
 * @param {any} value
 */
function rest(value) {
  return Object.entries(value)
    .filter(([key, one]) => !["time_ms", "event", "name", "pool", "worker"].includes(key) && one !== "" && one !== null)
    .map(([key, one]) => `${key}=${typeof one === "object" ? JSON.stringify(one) : one}`)
    .join(" ");
}

/** @type {import("./main.js").Page} */
export const eventsPage = {
  title: () => "Events",
  enter: () => {
    if (reading === null) {
      reading = new AbortController();
      error = null;
      void read(reading.signal);
    }
  },
  leave: () => {
    reading?.abort();
    reading = null;
    told = new Latest(ROOM);
    held = null;
  },
  view: () => {
    const type = (/** @type {any} */ event) => {
      wanted = event.target.value;
      page.redraw();
    };
    const hold = () => {
      held = held === null ? told.list() : null;
      page.redraw();
    };
    const rows = (held ?? told.list()).filter((row) => `${row.name} ${JSON.stringify(row.value)}`.includes(wanted));
    return [
      h("div", { class: "head" }, h("h1", null, "Events"),
        h("div", { class: "buttons" }, button(held === null ? "Hold" : "Follow", hold)),
        h("label", { class: "filter" }, "With ", h("input", { type: "search", oninput: type, value: wanted }))),
      errorNote(error),
      table({
        id: "events", label: "Events", rows, key: (row) => row.number,
        empty: wanted === "" ? "Nothing has happened while this page was open." : "There is none.",
        columns: [
          { name: "When", show: (row) => clock(row.time), by: (row) => row.time },
          { name: "Event", show: (row) => h("code", null, row.name), by: (row) => row.name },
          { name: "Pool", show: (row) => (row.value.pool ? poolLink(row.value.pool) : "–"), by: (row) => row.value.pool ?? "" },
          { name: "Worker", show: (row) => workerLink(row.value.worker ?? 0), by: (row) => row.value.worker ?? 0 },
          { name: "More", show: (row) => rest(row.value) },
        ],
      }),
    ];
  },
};
