// SPDX-License-Identifier: MIT
// Calls: in flight, recent, slow, and those that failed, grouped by why.
import { actionButton } from "./action.js";
import { clock, count, duration } from "./format.js";
import { h } from "./render.js";
import { runningFor } from "./store.js";
import { note, page, poolLink, table, tabs, workerLink } from "./ui.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Call} Call */
/** @typedef {{call: Call, count: number, tools: Set<string>}} Group */

const TABS = /** @type {[string, string][]} */ ([
  ["calls", "In flight"], ["calls/recent", "Recent"], ["calls/slow", "Slow"], ["calls/failed", "Failed"],
]);
const SLOW = 100; // calls that are shown as slow
let wanted = "";

/** @param {number} call */
export function cancelButton(call) {
  return actionButton({
    title: `Cancel call ${call}?`, verb: "Cancel", method: "DELETE", path: `v1/calls/${call}`,
    text: "The tool is asked to end; if it does not, its worker is replaced. Whoever called it is told.",
    done: `Call ${call} was asked to end.`,
  });
}

/** @param {Store} store */
function inFlight(store) {
  const now = store.now();
  const rows = [...store.workers.values()].flatMap((worker) =>
    (worker.executors ?? []).filter((executor) => executor.since_ms > 0).map((executor) => ({ worker, executor })));
  rows.sort((a, b) => a.executor.since_ms - b.executor.since_ms);
  return table({
    id: "in-flight", label: "Calls in flight", key: (row) => row.executor.call, empty: "No call is running.",
    rows: rows.filter((row) => row.executor.tool.includes(wanted)),
    columns: [
      { name: "Call", show: (row) => String(row.executor.call), by: (row) => row.executor.call },
      { name: "Pool", show: (row) => poolLink(row.worker.pool), by: (row) => row.worker.pool },
      { name: "Tool", show: (row) => row.executor.tool, by: (row) => row.executor.tool },
      { name: "Worker", show: (row) => workerLink(row.worker.id), by: (row) => row.worker.id },
      { name: "Executor", show: (row) => String(row.executor.executor), number: true },
      {
        name: "For", show: (row) => duration(runningFor(row.executor, now)), by: (row) => -row.executor.since_ms,
        number: true,
      },
      { name: "", show: (row) => cancelButton(row.executor.call) },
    ],
  });
}

/** @param {string} id @param {Call[]} rows @param {string} empty */
function callsTable(id, rows, empty) {
  return table({
    id, label: "Calls", rows: rows.filter((call) => call.tool.includes(wanted)), key: (call) => call.call, empty,
    columns: [
      { name: "Began", show: (call) => clock(call.started_ms), by: (call) => call.started_ms },
      { name: "Call", show: (call) => String(call.call), by: (call) => call.call },
      { name: "Pool", show: (call) => poolLink(call.pool), by: (call) => call.pool },
      { name: "Tool", show: (call) => call.tool, by: (call) => call.tool },
      { name: "Worker", show: (call) => workerLink(call.worker), by: (call) => call.worker },
      { name: "Session", show: (call) => call.session || "–", by: (call) => call.session },
      { name: "In line", show: (call) => duration(call.waited_us / 1e6), by: (call) => call.waited_us, number: true },
      { name: "Ran", show: (call) => duration(call.ran_us / 1e6), by: (call) => call.ran_us, number: true },
      { name: "Outcome", show: (call) => outcome(call), by: (call) => call.outcome },
    ],
  });
}

/** @param {Call} call */
function outcome(call) {
  return h("span", { class: call.outcome === "ok" ? "" : "bad-text", title: call.error || null }, call.outcome);
}

/**
 * Calls that failed for the same reason are one group: numbers and addresses in what was
 * said do not matter.
 * @param {Call[]} calls newest first @returns {Group[]}
 */
export function groupFailures(calls) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const call of calls) {
    const key = `${call.pool}\n${call.outcome}\n${(call.error ?? "").replace(/0x[0-9a-f]+|\d+/gi, "#")}`;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { call, count: 1, tools: new Set([call.tool]) });
    } else {
      group.count++;
      group.tools.add(call.tool);
    }
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

/** @param {Store} store */
function failed(store) {
  const groups = groupFailures(store.failed.list().filter((call) => call.tool.includes(wanted)));
  if (groups.length === 0) {
    return note("No call has failed while this page was open.");
  }
  return groups.map(({ call, count: times, tools }) => h("article", { class: "card", key: `${call.pool} ${call.outcome} ${call.error}` },
    h("header", null, h("h3", null, `${count(times)} × ${call.outcome}`), poolLink(call.pool),
      h("span", { class: "muted" }, `${[...tools].slice(0, 5).join(", ")}; last at ${clock(call.started_ms)} on worker `),
      workerLink(call.worker)),
    call.error && h("pre", { tabindex: "0" }, call.error)));
}

/** @type {import("./main.js").Page} */
export const calls = {
  title: () => "Calls",
  view: (store, [kind = ""]) => {
    const type = (/** @type {any} */ event) => {
      wanted = event.target.value;
      page.redraw();
    };
    return [
      h("div", { class: "head" }, h("h1", null, "Calls"),
        h("label", { class: "filter" }, "Tool ", h("input", { type: "search", oninput: type, value: wanted }))),
      tabs("Kinds of calls", TABS, kind === "" ? "calls" : `calls/${kind}`),
      kind === "" && inFlight(store),
      kind === "recent" && callsTable("recent", store.calls.list(), "No call has ended while this page was open."),
      kind === "slow" && callsTable("slow",
        store.calls.list().sort((a, b) => b.ran_us - a.ran_us).slice(0, SLOW), "No call has ended while this page was open."),
      kind === "failed" && failed(store),
      store.leftOut > 0 && kind !== "" && note(`${count(store.leftOut)} calls were too many to be told one by one.`),
    ];
  },
};
