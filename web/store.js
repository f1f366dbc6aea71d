// SPDX-License-Identifier: MIT
// What this page knows of the daemon: the rows of GET /v1/watch as they are now, and a
// bounded memory of how they were.
import { Latest, Series } from "./ring.js";
import { Spans } from "./spans.js";

/**
 * @typedef {{p50: number | null, p99: number | null}} Quantiles
 * @typedef {Object} Pool
 * @property {string} name
 * @property {string} profile
 * @property {string} state
 * @property {string} reason
 * @property {number} workers
 * @property {number} workers_ready
 * @property {number} threads_per_worker
 * @property {number} capacity
 * @property {number} running
 * @property {number} waiting
 * @property {number} calls
 * @property {number} failures
 * @property {number} saturated
 * @property {number} timeouts
 * @property {number} cancelled
 * @property {number} worker_starts
 * @property {number} worker_deaths
 * @property {number} worker_recycles
 * @property {number} shared_bytes
 * @property {number} breakers_open
 * @property {Quantiles} [line_seconds]
 * @property {Quantiles} [run_seconds]
 * @property {number} [calls_per_second]
 * @property {number} [failures_per_second]
 *
 * @typedef {{pool: string, tool: string, calls: number, failures: number, ran: number, ran_us: number}} ToolRow
 * @typedef {Object} Tool  a row, and how it did over the last second or so
 * @property {ToolRow} row
 * @property {ToolRow} before  then
 * @property {number} since    when that was
 * @property {number} rate     calls a second; NaN: it is not known yet
 * @property {number} mean     how long those ran, in seconds; NaN: none has
 *
 * @typedef {{executor: number, tool: string, call: number, since_ms: number, state: string}} Executor
 * @typedef {Object} Worker
 * @property {string} pool
 * @property {number} id
 * @property {number} pid
 * @property {string} state
 * @property {number} load
 * @property {number} capacity
 * @property {string} health
 * @property {number} [age_ms]
 * @property {number} [calls]
 * @property {number} [rss_bytes]
 * @property {number} [pss_bytes]
 * @property {number} [threads]
 * @property {string} device
 * @property {number} stuck
 * @property {boolean} isolated
 * @property {Executor[]} [executors]
 *
 * @typedef {Object} Call
 * @property {number} call
 * @property {string} pool
 * @property {string} tool
 * @property {number} worker
 * @property {number} executor
 * @property {string | null} [session]
 * @property {number} started_ms
 * @property {number} waited_us
 * @property {number} ran_us
 * @property {string} outcome  "OK", or the name of an error
 * @property {string | null} error
 * @property {string | null} [traceback]
 *
 * @typedef {{pool: string, worker: number, pid: number, time_ms: number, cause: string, after_ms: number, expected: boolean}} Death
 * @typedef {{number: number, time: number, name: string, value: Record<string, any>}} Told  an event
 *
 * @typedef {Object} Watched
 * @property {number} time_ms
 * @property {number} uptime_ms
 * @property {string} version
 * @property {Pool[]} [pools]
 * @property {Worker[]} [workers]
 * @property {ToolRow[]} [tools]
 * @property {Call[]} [calls]
 * @property {number} [calls_left_out]
 * @property {Death[]} [deaths]
 * @property {{pools?: string[], workers?: number[]}} [gone]
 */

const STEP_MS = 1000; // between two rows of a pool's history
const WORKER_STEP_MS = 2000;
const ROOM = 600; // rows of a history
const WORKER_ROOM = 300;
const CALLS = 1000;
const FAILED = 500;
const DEATHS = 200;
const EVENTS = 500;
const LIVES = 200; // of workers that are gone

export const POOL_FIGURES = [
  "calls", "failures", "line_p50", "line_p99", "run_p50", "run_p99", "running", "waiting", "workers", "rss",
];

/** @param {Call} call */
export function hasFailed(call) {
  return call.outcome !== "OK";
}

export class Store {
  constructor() {
    /** @type {Map<string, Pool>} */
    this.pools = new Map();
    /** @type {Map<number, Worker>} */
    this.workers = new Map();
    /** @type {Map<string, Tool>} By pool and name. */
    this.tools = new Map();
    /** @type {Map<string, Series>} */
    this.histories = new Map();
    /** @type {Map<number, Series>} */
    this.lives = new Map();
    /** @type {Latest<Call>} */
    this.calls = new Latest(CALLS);
    /** @type {Latest<Call>} */
    this.failed = new Latest(FAILED);
    /** @type {Latest<Death>} */
    this.deaths = new Latest(DEATHS);
    /** @type {Latest<Told>} */
    this.events = new Latest(EVENTS);
    this.spans = new Spans();
    this.time = 0; // ms since 1970, of the daemon
    this.remembered = -Infinity; // the time of the last row of a history
    this.heard = 0; // performance.now() of the last event
    this.uptime = 0;
    this.version = "";
    this.leftOut = 0; // calls that were too many to be told
  }

  /** What time it is for the daemon, ms. */
  now() {
    return this.time === 0 ? Date.now() : this.time + (performance.now() - this.heard);
  }

  /**
   * True: workers or pools have come or gone. Its rows are kept.
   * @param {string} kind "snapshot" or "delta" @param {Watched} told
   */
  apply(kind, told) {
    if (kind === "snapshot") {
      this.pools.clear();
      this.workers.clear();
      this.tools.clear();
    }
    this.time = told.time_ms;
    this.heard = performance.now();
    this.uptime = told.uptime_ms ?? this.uptime;
    this.version = told.version ?? this.version;
    this.leftOut += told.calls_left_out ?? 0;
    for (const name of told.gone?.pools ?? []) {
      this.pools.delete(name);
      this.toolsOf(name).forEach(({ row }) => this.tools.delete(`${name} ${row.tool}`));
    }
    for (const id of told.gone?.workers ?? []) {
      this.workers.delete(id);
    }
    told.pools?.forEach((pool) => this.pools.set(pool.name, pool));
    for (const worker of told.workers ?? []) {
      worker.state = worker.state.toLowerCase();
      this.workers.set(worker.id, worker);
    }
    told.tools?.forEach((row) => this.applyTool(row));
    told.deaths?.forEach((death) => this.applyDeath(death));
    told.calls?.forEach((call) => this.applyCall(call));
    this.remember();
    return kind === "snapshot" || told.gone !== undefined || (told.deaths?.length ?? 0) > 0;
  }

  /**
   * A snapshot tells again what is known.
   * @param {Death} death
   */
  applyDeath(death) {
    if (!this.deaths.list().some((one) => one.worker === death.worker)) {
      this.deaths.put(death);
    }
  }

  /**
   * @param {string} name @param {Record<string, any>} value
   */
  applyEvent(name, value) {
    const time = Date.parse(value.time);
    this.events.put({ number: this.events.begun, time: Number.isNaN(time) ? this.now() : time, name, value });
  }

  /** @param {ToolRow} row */
  applyTool(row) {
    const key = `${row.pool} ${row.tool}`;
    const tool = this.tools.get(key);
    if (tool === undefined) {
      this.tools.set(key, { row, before: row, since: this.time, rate: NaN, mean: NaN });
    } else {
      tool.row = row;
    }
  }

  /** @param {string} pool @returns {Tool[]} */
  toolsOf(pool) {
    return [...this.tools.values()].filter(({ row }) => row.pool === pool);
  }

  /** @param {Call} call */
  applyCall(call) {
    this.calls.put(call);
    this.spans.put(call);
    if (hasFailed(call)) {
      this.failed.put(call);
    }
  }

  /**
   * The whole of it, for a page that begins to listen.
   * @returns {Watched}
   */
  snapshot() {
    return {
      time_ms: this.now(), uptime_ms: this.uptime, version: this.version,
      pools: [...this.pools.values()], workers: [...this.workers.values()],
      tools: [...this.tools.values()].map(({ row }) => row),
      calls: this.calls.list().reverse(), deaths: this.deaths.list().reverse(),
    };
  }

  /** @param {string} pool @returns {Worker[]} */
  workersOf(pool) {
    return [...this.workers.values()].filter((worker) => worker.pool === pool).sort((a, b) => a.id - b.id);
  }

  // ---- How it was -----------------------------------------------------------------

  remember() {
    if (this.time - this.remembered < STEP_MS && this.time >= this.remembered) {
      return;
    }
    this.remembered = this.time;
    const memory = this.sumMemory();
    for (const pool of this.pools.values()) {
      let history = this.histories.get(pool.name);
      if (history === undefined) {
        this.histories.set(pool.name, (history = new Series(ROOM, POOL_FIGURES)));
      }
      if (this.time - history.last() >= STEP_MS) {
        history.put(this.time, figuresOf(pool, memory.get(pool.name) ?? NaN));
      }
    }
    for (const worker of this.workers.values()) {
      this.rememberWorker(worker);
    }
    this.tools.forEach((tool) => rememberTool(tool, this.time));
    forget(this.histories, 64);
    forget(this.lives, this.workers.size + LIVES);
  }

  sumMemory() {
    /** @type {Map<string, number>} */
    const sums = new Map();
    for (const { pool, pss_bytes, rss_bytes } of this.workers.values()) {
      // One that has just begun was not measured yet.
      sums.set(pool, (sums.get(pool) ?? 0) + (pss_bytes || rss_bytes || 0));
    }
    return sums;
  }

  /** @param {Worker} worker */
  rememberWorker(worker) {
    let life = this.lives.get(worker.id);
    if (life === undefined) {
      this.lives.set(worker.id, (life = new Series(WORKER_ROOM, ["rss", "load"])));
    }
    if (this.time - life.last() >= WORKER_STEP_MS) {
      life.put(this.time, { rss: worker.rss_bytes ?? NaN, load: worker.load });
    }
  }
}

/** @param {Tool} tool @param {number} now */
function rememberTool(tool, now) {
  const { row, before, since } = tool;
  if (now > since) {
    tool.rate = ((row.calls - before.calls) * 1000) / (now - since);
    tool.mean = row.ran > before.ran ? (row.ran_us - before.ran_us) / (row.ran - before.ran) / 1e6 : NaN;
    tool.before = row;
    tool.since = now;
  }
}

/** @param {Pool} pool @param {number} memory @returns {Record<string, number>} */
function figuresOf(pool, memory) {
  return {
    calls: pool.calls_per_second ?? NaN, failures: pool.failures_per_second ?? NaN,
    line_p50: pool.line_seconds?.p50 ?? NaN, line_p99: pool.line_seconds?.p99 ?? NaN,
    run_p50: pool.run_seconds?.p50 ?? NaN, run_p99: pool.run_seconds?.p99 ?? NaN,
    running: pool.running, waiting: pool.waiting, workers: pool.workers_ready, rss: memory,
  };
}

/**
 * The oldest go first.
 * @param {Map<any, any>} map @param {number} most
 */
function forget(map, most) {
  for (const key of map.keys()) {
    if (map.size <= most) {
      return;
    }
    map.delete(key);
  }
}

/**
 * How long an executor has been at its call, in seconds; -1: it is idle.
 * @param {Executor} executor @param {number} now ms since 1970
 */
export function runningFor(executor, now) {
  return executor.since_ms > 0 ? Math.max(0, now - executor.since_ms) / 1000 : -1;
}
