// SPDX-License-Identifier: MIT
// Is it up, is it slow, who is slow, what died and why.
import { actionButton } from "./action.js";
import { cells, cellsLegend } from "./cells.js";
import { clock, count, duration, rate } from "./format.js";
import { h } from "./render.js";
import { Verdicts, verdictsView } from "./verdicts.js";
import { badge, figure, figures, note, poolLink, section, table, workerLink } from "./ui.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Pool} Pool */

const DEATHS = 10;
const verdicts = new Verdicts();

/** @param {Store} store */
function total(store) {
  const pools = [...store.pools.values()];
  const sum = (/** @type {(pool: Pool) => number | undefined} */ of) =>
    pools.reduce((before, pool) => before + (of(pool) ?? 0), 0);
  return figures(
    figure("Calls/s", rate(sum((pool) => pool.calls_per_second))),
    figure("Failed/s", rate(sum((pool) => pool.failures_per_second))),
    figure("Running", count(sum((pool) => pool.running)), `of ${count(sum((pool) => pool.capacity))}`),
    figure("In line", count(sum((pool) => pool.waiting))),
    figure("Workers ready", count(sum((pool) => pool.workers_ready)), `of ${count(sum((pool) => pool.workers))}`),
    figure("Up for", duration(store.uptime / 1000)),
  );
}

/** @param {Store} store @param {Pool} pool @param {number} now */
function poolCard(store, pool, now) {
  return h("article", { key: pool.name, class: "card pool", "aria-label": `Pool ${pool.name}` },
    h("header", null, h("h3", null, poolLink(pool.name)), badge(pool.state),
      h("span", { class: "muted" }, `${pool.profile}, ${pool.workers_ready} of ${pool.workers} workers`)),
    pool.reason && h("p", { class: "error" }, pool.reason),
    verdictsView((verdicts.of(pool.name) ?? []).filter((verdict) => verdict.severity !== "note")),
    cells(store.workersOf(pool.name), now),
    figures(
      figure("Calls/s", rate(pool.calls_per_second)),
      figure("Run p50", duration(pool.run_seconds?.p50)),
      figure("Run p99", duration(pool.run_seconds?.p99)),
      figure("Line p99", duration(pool.line_seconds?.p99)),
      figure("In line", count(pool.waiting)),
      figure("Failed/s", rate(pool.failures_per_second)),
      figure("Failed", count(pool.failures), `of ${count(pool.calls)}`),
      figure("Deaths", count(pool.worker_deaths))));
}

/** @param {import("./store.js").Death[]} deaths @param {string} id */
export function deathsTable(deaths, id) {
  return table({
    id, label: "Last deaths", rows: deaths, key: (death) => death.worker,
    empty: "There is none that the daemon remembers.",
    columns: [
      { name: "When", show: (death) => clock(death.time_ms), by: (death) => death.time_ms },
      { name: "Pool", show: (death) => poolLink(death.pool), by: (death) => death.pool },
      { name: "Worker", show: (death) => workerLink(death.worker), by: (death) => death.worker },
      { name: "Cause", show: (death) => h("span", { class: "long" }, death.cause || "–"), by: (death) => death.cause },
      { name: "Asked for", show: (death) => (death.expected ? "yes" : "no"), by: (death) => String(death.expected) },
      { name: "Lived", show: (death) => duration(death.after_ms / 1000), by: (death) => death.after_ms, number: true },
    ],
  });
}

/** @type {import("./main.js").Page} */
export const overview = {
  pace: 500,
  title: () => "Overview",
  leave: () => verdicts.close(),
  view: (store) => {
    const now = store.now();
    const pools = [...store.pools.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    verdicts.follow(pools.map((pool) => pool.name));
    return [
      h("div", { class: "head" }, h("h1", null, "Overview"), h("div", { class: "buttons" },
        actionButton({
          title: "Reload the configuration?", verb: "Reload", method: "POST", path: "v1/pools:reload",
          text: "The file is read again. Workers of pools that it changes are made anew; calls notice nothing of it.",
          done: "The configuration was read again.",
        }),
        actionButton({
          title: "Drain the daemon?", verb: "Drain", method: "POST", path: "v1:drain",
          text: "What is under way may end, nothing more is accepted, and then the daemon ends. This page ends with it.",
          done: "The daemon drains.",
        }))),
      total(store),
      section("Pools", cellsLegend(),
        pools.length === 0 ? note("There are no pools that you may see.") : pools.map((pool) => poolCard(store, pool, now))),
      section("Last deaths", deathsTable(store.deaths.list().filter((death) => !death.expected).slice(0, DEATHS), "deaths")),
    ];
  },
};
