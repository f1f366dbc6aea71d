// SPDX-License-Identifier: MIT
// A page that is left open keeps what its pages show, and no more: it is told of days of
// calls, workers and deaths within seconds.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { close, go, launch, memoryOf, open } from "./support.mjs";
import { Teller } from "./told.mjs";

const WORKERS = 40;
const CALLS = 60; // of a delta
const DELTAS = 150; // on each page
const ROUNDS = 3;
const GROWN_MOST = 1 << 20; // bytes; one call of each delta would be more than that
const PAGES = ["#/", "#/pools/text", "#/timeline/text", "#/calls/recent", "#/calls/slow", "#/workers/7", "#/tools/text", "#/events"];

let browser;
const teller = new Teller();
before(async () => {
  browser = await launch();
});
after(async () => {
  await browser.close();
  teller.end();
});

// What the daemon would tell, 250 ms later each time.
let number = 0;
let call = 0;
let oldest = 1;

function worker(id) {
  const runs = (id + number) % 3 > 0;
  return {
    pool: "text", id, pid: 4000 + id, state: "READY", load: runs ? 1 : 0, capacity: 1, health: "healthy", age_ms: 250 * number,
    calls: number, rss_bytes: 4e7 + 1000 * number, pss_bytes: 2e7, threads: 2, device: null, stuck: 0, isolated: false,
    executors: [{ executor: 0, tool: runs ? "add" : "", call: runs ? call : 0, since_ms: runs ? 250 * number : 0, state: runs ? "running" : "idle" }],
  };
}

function calls() {
  return Array.from({ length: CALLS }, (_, i) => ({
    call: ++call, pool: "text", tool: `tool ${i % 5}`, worker: oldest + (i % WORKERS), executor: 0, session: `visitor ${call}`,
    started_ms: 250 * number - 3, waited_us: 9, ran_us: 2000 + (call % 977), outcome: i % 9 === 0 ? "TOOL_FAILED" : "OK",
    error: i % 9 === 0 ? `ValueError: no ${call}` : null,
  }));
}

const pool = () => ({
  name: "text", profile: "process", state: "ready", reason: "", workers: WORKERS, workers_ready: WORKERS, capacity: WORKERS,
  running: 3, waiting: number % 7, calls: number, failures: 0, line_seconds: { p50: 1e-5, p99: 1e-3 }, run_seconds: { p50: 1e-3, p99: 1e-2 },
  calls_per_second: 240 + (number % 10), failures_per_second: 1,
});

const all = () => Array.from({ length: WORKERS }, (_, i) => worker(oldest + i));
const base = () => ({ time_ms: 250 * ++number, uptime_ms: 250 * number, version: "1" });

/** Now and then a worker dies, and another one comes. */
function delta() {
  const told = { ...base(), pools: [pool()], calls: calls() };
  if (number % 4 === 0) {
    told.gone = { workers: [oldest] };
    told.deaths = [{ pool: "text", worker: oldest, pid: 4000 + oldest, time_ms: 250 * number, cause: "killed by signal 9", after_ms: 5, expected: false }];
    oldest++;
  }
  return { ...told, workers: all() };
}

/** Tells a lot on each page, and what the page keeps then. */
async function round(page) {
  for (const hash of PAGES) {
    await go(page, hash);
    for (let i = 0; i < DELTAS; i++) {
      await teller.tell("delta", delta());
    }
    await go(page, "#/");
    await page.getByText(`of ${number.toLocaleString("en")}`, { exact: true }).waitFor();
  }
  return memoryOf(page);
}

test("what a page keeps does not grow with what it is told", { timeout: 300000 }, async () => {
  const page = await open(browser, await teller.begin());
  await teller.watched();
  await teller.tell("snapshot", { ...base(), pools: [pool()], workers: all() });
  await round(page); // what is remembered is full then
  const first = await round(page);
  let last = first;
  for (let i = 1; i < ROUNDS; i++) {
    last = await round(page);
  }
  console.log(`${number} deltas, ${call} calls: ${first.heap} bytes and ${first.nodes} nodes, then ${last.heap} and ${last.nodes}`);
  assert.ok(last.heap - first.heap < GROWN_MOST, `grew by ${last.heap - first.heap} bytes`);
  assert.ok(last.nodes < first.nodes + 500, `${last.nodes - first.nodes} nodes more`);
  await close(page);
});
