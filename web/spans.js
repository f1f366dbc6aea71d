// SPDX-License-Identifier: MIT
// The calls of the timeline, as columns of numbers: tens of thousands of them take a few
// megabytes, and leave nothing to collect.

const ROOM = 65536;
const NAMES = 4096; // tools and outcomes

/** @typedef {import("./store.js").Call} Call */

/** Numbers for texts. What is too much shares the last one. */
class Names {
  constructor() {
    /** @type {string[]} */
    this.list = [];
    /** @type {Map<string, number>} */
    this.known = new Map();
  }

  /** @param {string} name */
  put(name) {
    let id = this.known.get(name);
    if (id === undefined) {
      id = Math.min(this.list.length, NAMES);
      if (id < NAMES) {
        this.list.push(name);
        this.known.set(name, id);
      }
    }
    return id;
  }

  /** @param {number} id */
  get(id) {
    return this.list[id] ?? "(others)";
  }
}

export class Spans {
  constructor(room = ROOM) {
    this.room = room;
    this.begun = 0;
    this.start = new Float64Array(room); // ms since 1970
    this.ran = new Float32Array(room); // ms
    this.waited = new Float32Array(room); // ms
    this.call = new Float64Array(room);
    this.worker = new Float64Array(room);
    this.executor = new Uint16Array(room);
    this.tool = new Uint16Array(room);
    this.outcome = new Uint16Array(room);
    this.pool = new Uint16Array(room);
    this.tools = new Names();
    this.outcomes = new Names();
    this.pools = new Names();
  }

  get length() {
    return Math.min(this.begun, this.room);
  }

  /** @param {Call} call one that ran; others leave no trace */
  put(call) {
    if (!call.worker || call.ran_us === null || call.ran_us === undefined) {
      return;
    }
    const at = this.begun++ % this.room;
    this.start[at] = call.started_ms;
    this.ran[at] = call.ran_us / 1000;
    this.waited[at] = call.waited_us / 1000;
    this.call[at] = call.call;
    this.worker[at] = call.worker;
    this.executor[at] = call.executor;
    this.tool[at] = this.tools.put(call.tool);
    this.outcome[at] = this.outcomes.put(call.outcome);
    this.pool[at] = this.pools.put(call.pool);
  }

  /**
   * Calls `each` with the place of every call that has ended after `since`, oldest first.
   * Calls come in the order of their end, so the walk back ends at the first older one.
   * @param {number} since ms @param {(at: number) => void} each
   */
  walk(since, each) {
    let first = this.begun - this.length;
    let last = this.begun - 1;
    while (last >= first && this.endsAfter(last, since)) {
      last--;
    }
    for (first = last + 1; first < this.begun; first++) {
      each(first % this.room);
    }
  }

  /**
   * Ends may be told a little out of order.
   * @param {number} number @param {number} since
   */
  endsAfter(number, since) {
    const at = number % this.room;
    return this.start[at] + this.ran[at] >= since - 1000;
  }

  /**
   * One call, for people.
   * @param {number} at @returns {Call}
   */
  get(at) {
    return {
      call: this.call[at], pool: this.pools.get(this.pool[at]), tool: this.tools.get(this.tool[at]),
      worker: this.worker[at], executor: this.executor[at], session: "", started_ms: this.start[at],
      waited_us: this.waited[at] * 1000, ran_us: this.ran[at] * 1000,
      outcome: this.outcomes.get(this.outcome[at]), error: "",
    };
  }
}
