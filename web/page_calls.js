// SPDX-License-Identifier: MIT
// Calls: in flight, recent, slow, and those that failed, grouped by why.
import { actionButton } from "./action.js";
import { clock, count, duration } from "./format.js";
import { h } from "./render.js";
import { Resource } from "./resource.js";
import { hasFailed } from "./store.js";
import { badge, errorNote, note, page, poolLink, section, table, tabs, workerLink } from "./ui.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Call} Call */
/** @typedef {{call: Call, count: number, tools: Set<string>}} Group */

const TABS = /** @type {[string, string][]} */ ([
  ["calls", "In flight"], ["calls/recent", "Recent"], ["calls/slow", "Slow"], ["calls/failed", "Failed"],
]);
const SLOW = 100; // calls that are shown as slow
const STATES = /** @type {Record<string, string>} */ ({ line: "in line", worker: "at a worker" });
const pending = new Resource(1000);
const ended = new Resource(3000);
let wanted = "";

/** @param {number} call */
export function cancelButton(call) {
  return actionButton({
    title: `Cancel call ${call}?`, verb: "Cancel", method: "DELETE", path: `v1/calls/${call}`,
    text: "The tool is asked to end; if it does not, its worker is replaced. Whoever called it is told.",
    done: `Call ${call} was asked to end.`,
  });
}

function inFlight() {
  const rows = /** @type {any[] | undefined} */ (pending.value?.calls);
  if (rows === undefined) {
    return pending.error === null ? note("Asking …") : null;
  }
  return table({
    id: "in-flight", label: "Calls in flight", key: (row) => row.call, empty: "No call waits or runs.",
    rows: rows.filter((row) => row.tool.includes(wanted)),
    columns: [
      { name: "Call", show: (row) => String(row.call), by: (row) => row.call },
      { name: "Tool", show: (row) => row.tool, by: (row) => row.tool },
      { name: "State", show: (row) => badge(STATES[row.state] ?? row.state), by: (row) => row.state },
      { name: "For", show: (row) => duration(row.since_us / 1e6), by: (row) => row.since_us, number: true },
      { name: "Action", show: (row) => cancelButton(row.call), action: true },
      { name: "Pool", show: (row) => poolLink(row.pool), by: (row) => row.pool },
      { name: "Worker", show: (row) => workerLink(row.worker ?? 0), by: (row) => row.worker ?? 0 },
      { name: "Executor", show: (row) => String(row.executor ?? "–"), number: true },
      { name: "Time left", show: (row) => duration(row.left_ms / 1000), by: (row) => row.left_ms, number: true },
      { name: "Attempt", show: (row) => String(row.attempt), by: (row) => row.attempt, number: true },
      { name: "Session", show: (row) => row.session ?? "–", by: (row) => row.session ?? "" },
    ],
  });
}

/** @param {string} id @param {Call[]} rows @param {string} empty */
function callsTable(id, rows, empty) {
  let place = 0;
  return table({
    id, label: "Calls", rows: rows.filter((call) => call.tool.includes(wanted)), empty,
    // Most of them are others with each drawing: rows change their texts rather than their places.
    key: (call) => (id === "recent" ? place++ : call.call),
    columns: [
      { name: "Began", show: (call) => clock(call.started_ms), by: (call) => call.started_ms },
      { name: "Call", show: (call) => String(call.call), by: (call) => call.call },
      { name: "Pool", show: (call) => poolLink(call.pool), by: (call) => call.pool },
      { name: "Tool", show: (call) => call.tool, by: (call) => call.tool },
      { name: "Worker", show: (call) => workerLink(call.worker), by: (call) => call.worker },
      { name: "In line", show: (call) => duration(call.waited_us / 1e6), by: (call) => call.waited_us, number: true },
      { name: "Ran", show: (call) => duration(call.ran_us / 1e6), by: (call) => call.ran_us, number: true },
      { name: "Outcome", show: (call) => outcome(call), by: (call) => call.outcome },
      { name: "Session", show: (call) => call.session || "–", by: (call) => call.session ?? "" },
    ],
  });
}

/** @param {Call} call */
function outcome(call) {
  return h("span", { class: hasFailed(call) ? "bad-text" : null, title: call.error || null }, call.outcome);
}

/**
 * Calls that failed for the same reason are one group: where they have a traceback it is
 * that without its last line, and numbers and addresses in what was said do not matter.
 * @param {Call[]} calls newest first @returns {Group[]}
 */
export function groupFailures(calls) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const call of calls) {
    const why = call.traceback?.trimEnd().split("\n").slice(0, -1).join("\n") || (call.error ?? "");
    const key = `${call.pool}\n${call.outcome}\n${why.replace(/0x[0-9a-f]+|\d+/gi, "#")}`;
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

/** Those that the daemon keeps, with their tracebacks; newest first. */
function kept() {
  const rows = /** @type {Call[]} */ (ended.value?.calls ?? []);
  return [...rows].sort((a, b) => b.started_ms - a.started_ms);
}

/** @param {Group} group */
function groupView({ call, count: times, tools }) {
  return h("article", { class: "card", key: `${call.pool} ${call.outcome} ${call.call}` },
    h("header", null, h("h3", null, `${count(times)} × ${call.outcome}`), poolLink(call.pool),
      h("span", { class: "muted" }, `${[...tools].slice(0, 5).join(", ")}; last at ${clock(call.started_ms)} on worker `),
      workerLink(call.worker)),
    call.error && h("p", { class: "error" }, call.error),
    call.traceback && h("pre", { tabindex: "0" }, call.traceback));
}

function failed() {
  const groups = groupFailures(kept().filter((call) => hasFailed(call) && call.tool.includes(wanted)));
  return section("Why calls failed",
    groups.length === 0 ? note("The daemon remembers no call that has failed.") : groups.map(groupView));
}

/** @param {Store} store */
function slow(store) {
  const found = new Map([...store.calls.list(), ...kept()].map((call) => [call.call, call]));
  return [...found.values()].sort((a, b) => b.ran_us - a.ran_us).slice(0, SLOW);
}

/** @type {import("./main.js").Page} */
export const calls = {
  title: () => "Calls",
  enter: ([kind = ""]) => {
    const [one, other] = kind === "" ? [pending, ended] : [ended, pending];
    other.close();
    one.open(kind === "" ? "v1/calls" : "v1/calls/recent");
  },
  leave: () => {
    pending.close();
    ended.close();
  },
  view: (store, [kind = ""]) => {
    const type = (/** @type {any} */ event) => {
      wanted = event.target.value;
      page.redraw();
    };
    return [
      h("div", { class: "head" }, h("h1", null, "Calls"),
        h("label", { class: "filter" }, "Tool ", h("input", { type: "search", oninput: type, value: wanted }))),
      tabs("Kinds of calls", TABS, kind === "" ? "calls" : `calls/${kind}`),
      errorNote(kind === "" ? pending.error : ended.error),
      kind === "" && inFlight(),
      kind === "recent" && callsTable("recent", store.calls.list(), "No call has ended while this page was open."),
      kind === "slow" && callsTable("slow", slow(store), "No call has ended while this page was open."),
      kind === "failed" && failed(),
      store.leftOut > 0 && kind === "recent" && note(`${count(store.leftOut)} calls were too many to be told one by one.`),
    ];
  },
};
