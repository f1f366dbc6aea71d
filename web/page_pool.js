// SPDX-License-Identifier: MIT
// One pool: how it was, its workers, its breakers, and its configuration with where each
// value came from.
import { actionButton } from "./action.js";
import { path } from "./api.js";
import { cells, cellsLegend } from "./cells.js";
import { chart } from "./chart.js";
import { bytes, count, duration, rate } from "./format.js";
import { h } from "./render.js";
import { Resource } from "./resource.js";
import { runningFor } from "./store.js";
import { badge, button, errorNote, figure, figures, link, note, page, section, table, workerLink } from "./ui.js";
import { Verdicts, verdictsView } from "./verdicts.js";
import { deathsTable } from "./page_overview.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Pool} Pool */
/** @typedef {import("./store.js").Worker} Worker */

const SPANS = /** @type {[number, string][]} */ ([[60000, "1 min"], [180000, "3 min"], [600000, "10 min"]]);
let span = SPANS[0][0];
const configuration = new Resource(0);
const details = new Resource(5000);
const verdicts = new Verdicts();

/** @param {Pool} pool */
function actions(pool) {
  const at = `v1/pools/${path(pool.name)}`;
  return h("div", { class: "buttons" },
    actionButton({
      title: `Recycle the workers of ${pool.name}?`, verb: "Recycle", method: "POST", path: `${at}:recycle`,
      text: "Each worker is replaced by a new one, one after the other. Calls notice nothing of it.",
      done: `The workers of ${pool.name} are being replaced.`,
    }),
    actionButton({
      title: `Retry ${pool.name}?`, verb: "Retry", method: "POST", path: `${at}:retry`,
      text: "What is missing in the pool is started again, now.", done: `${pool.name} tries again.`,
    }),
    actionButton({
      title: `Resize ${pool.name}?`, verb: "Resize", method: "POST",
      path: (value) => `${at}:resize?workers=${encodeURIComponent(value)}`,
      text: "Only a pool whose pool_size is a range can be resized.", done: `${pool.name} is being resized.`,
      input: { label: "Workers", value: String(pool.workers) },
    }),
    link(`tools/${encodeURIComponent(pool.name)}`, "Tools"),
    link(`timeline/${encodeURIComponent(pool.name)}`, "Timeline"));
}

/** @param {Store} store @param {Pool} pool */
function charts(store, pool) {
  const series = store.histories.get(pool.name);
  const one = (/** @type {string} */ title, /** @type {(value: number) => string} */ format,
    /** @type {import("./chart.js").Line[]} */ ...lines) =>
    chart({ title, series, lines, now: store.now(), span, format });
  return h("div", { class: "charts" },
    one("Calls a second", rate, { name: "calls", label: "calls", colour: "accent" },
      { name: "failures", label: "failed", colour: "bad", dashed: true }),
    one("Time running", duration, { name: "run_p50", label: "p50", colour: "accent" },
      { name: "run_p99", label: "p99", colour: "slow", dashed: true }),
    one("Time in line", duration, { name: "line_p50", label: "p50", colour: "accent" },
      { name: "line_p99", label: "p99", colour: "slow", dashed: true }),
    one("Calls", count, { name: "running", label: "running", colour: "accent" },
      { name: "waiting", label: "in line", colour: "slow", dashed: true }),
    one("Memory of the workers", bytes, { name: "rss", label: "in all", colour: "accent" }),
    one("Workers", count, { name: "workers", label: "ready", colour: "accent" }));
}

function spanButtons() {
  return h("div", { class: "buttons", role: "group", "aria-label": "How far back" }, SPANS.map(([ms, text]) =>
    button(text, () => {
      span = ms;
      page.redraw();
    }, { "aria-pressed": String(span === ms) })));
}

/** @param {Worker} worker @param {number} now */
function whatRuns(worker, now) {
  const busy = (worker.executors ?? []).filter((executor) => executor.since_ms > 0);
  if (busy.length === 0) {
    return "–";
  }
  const [first] = busy;
  return `${first.tool}, ${duration(runningFor(first, now))}${busy.length > 1 ? ` and ${busy.length - 1} more` : ""}`;
}

/** @param {Worker[]} workers @param {number} now */
export function workersTable(workers, now) {
  return table({
    id: "workers", label: "Workers", rows: workers, key: (worker) => worker.id, empty: "There is no worker.",
    columns: [
      { name: "Worker", show: (worker) => workerLink(worker.id), by: (worker) => worker.id },
      { name: "State", show: (worker) => badge(worker.stuck > 0 ? "stuck" : worker.state), by: (worker) => worker.state },
      { name: "Health", show: (worker) => worker.health || "–", by: (worker) => worker.health },
      { name: "Load", show: (worker) => `${worker.load} of ${worker.capacity}`, by: (worker) => worker.load, number: true },
      { name: "Runs", show: (worker) => whatRuns(worker, now) },
      { name: "Calls", show: (worker) => count(worker.calls), by: (worker) => worker.calls ?? 0, number: true },
      { name: "RSS", show: (worker) => bytes(worker.rss_bytes || null), by: (worker) => worker.rss_bytes ?? 0, number: true },
      { name: "PSS", show: (worker) => bytes(worker.pss_bytes || null), by: (worker) => worker.pss_bytes ?? 0, number: true },
      { name: "Threads", show: (worker) => count(worker.threads), by: (worker) => worker.threads ?? 0, number: true },
      {
        name: "Age", show: (worker) => duration((worker.age_ms ?? NaN) / 1000), by: (worker) => worker.age_ms ?? 0,
        number: true,
      },
      { name: "Device", show: (worker) => worker.device || "–", by: (worker) => worker.device },
      { name: "pid", show: (worker) => String(worker.pid), by: (worker) => worker.pid, number: true },
    ],
  });
}

/** @param {Store} store @param {string} pool */
function toolsTable(store, pool) {
  return table({
    id: "tools", label: "Tools", rows: store.toolsOf(pool), key: ({ row }) => row.tool, empty: "No call has ended yet.",
    columns: [
      { name: "Tool", show: ({ row }) => (row.tool.startsWith("_") ? row.tool : link(`tools/${path(pool, row.tool)}`, row.tool)), by: ({ row }) => row.tool },
      { name: "Calls/s", show: (tool) => rate(tool.rate), by: (tool) => tool.rate || 0, number: true },
      { name: "Calls", show: ({ row }) => count(row.calls), by: ({ row }) => row.calls, number: true },
      { name: "Failed", show: ({ row }) => h("span", { class: row.failures > 0 ? "bad-text" : null }, count(row.failures)), by: ({ row }) => row.failures, number: true },
      { name: "Runs for, now", show: (tool) => duration(tool.mean), by: (tool) => tool.mean || 0, number: true },
      { name: "since the start", show: ({ row }) => duration(row.ran_us / row.ran / 1e6), by: ({ row }) => row.ran_us / row.ran || 0, number: true },
    ],
  });
}

function breakers() {
  const rows = /** @type {any[]} */ (details.value?.breakers ?? []);
  return rows.length > 0 && section("Breakers", table({
    id: "breakers", label: "Breakers", rows, key: (row) => row.tool, empty: "",
    columns: [
      { name: "Tool", show: (row) => row.tool, by: (row) => row.tool },
      { name: "State", show: (row) => badge(row.state), by: (row) => row.state },
      { name: "Failures", show: (row) => count(row.failures), by: (row) => row.failures, number: true },
      { name: "Lets a call through in", show: (row) => duration(row.retry_after_ms / 1000), number: true },
    ],
  }));
}

/** @param {any} value */
function plain(value) {
  return value === null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

function configurationTable() {
  if (configuration.error !== null) {
    return errorNote(configuration.error);
  }
  const rows = /** @type {any[] | undefined} */ (configuration.value?.options);
  return rows === undefined ? note("Asking …") : table({
    id: "configuration", label: "Configuration", rows, key: (row) => row.key, empty: "It has no keys.",
    columns: [
      { name: "Key", show: (row) => h("code", null, row.key), by: (row) => row.key },
      { name: "Value", show: (row) => h("code", { class: "long" }, plain(row.value)) },
      { name: "From", show: (row) => (row.line > 0 ? `${row.origin}, line ${row.line}` : row.origin), by: (row) => row.origin },
    ],
  });
}

/** @type {import("./main.js").Page} */
export const pool = {
  title: ([name]) => `Pool ${name}`,
  enter: ([name]) => {
    configuration.open(`v1/pools/${path(name)}/config`);
    details.open(`v1/pools/${path(name)}`);
  },
  leave: () => {
    configuration.close();
    details.close();
    verdicts.close();
  },
  view: (store, [name]) => {
    const row = store.pools.get(name);
    if (row === undefined) {
      return [h("h1", null, `Pool ${name}`), note("There is no such pool, or not for this token.")];
    }
    const now = store.now();
    const workers = store.workersOf(name);
    verdicts.follow([name]);
    const found = verdicts.of(name);
    return [
      h("div", { class: "head" }, h("h1", null, `Pool ${name}`), badge(row.state), actions(row)),
      row.reason && h("p", { class: "error" }, row.reason),
      cells(workers, now), cellsLegend(),
      section("Verdicts", found === undefined ? note("Asking …") : verdictsView(found) || note("There is nothing to be said of it.")),
      figures(
        figure("Profile", row.profile), figure("Capacity", count(row.capacity)),
        figure("Calls", count(row.calls)), figure("Failed", count(row.failures)),
        figure("Refused, line full", count(row.saturated)), figure("Out of time", count(row.timeouts)),
        figure("Cancelled", count(row.cancelled)), figure("Starts", count(row.worker_starts)),
        figure("Deaths", count(row.worker_deaths)), figure("Recycled", count(row.worker_recycles)),
        figure("Shared memory", bytes(row.shared_bytes))),
      section("History", spanButtons(), charts(store, row)),
      section("Tools", toolsTable(store, name)),
      section("Workers", workersTable(workers, now)),
      breakers(),
      section("Workers that have ended", deathsTable(store.deaths.list().filter((death) => death.pool === name), "deaths-of-pool")),
      section("Configuration", configurationTable()),
    ];
  },
};
