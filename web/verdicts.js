// SPDX-License-Identifier: MIT
// What the daemon finds to be said of its pools (GET /v1/pools/{pool}/inspection), asked
// for again and again while a page shows it.
import { get, path } from "./api.js";
import { h } from "./render.js";
import { badge, page } from "./ui.js";

/** @typedef {{code: string, severity: string, what: string, key: string, value: string, remedy: string}} Verdict */

const EVERY_MS = 5000;
const POOLS = 50; // that are asked about

export class Verdicts {
  constructor() {
    /** @type {Map<string, Verdict[]>} */
    this.known = new Map();
    /** @type {string[]} */
    this.pools = [];
    /** @type {AbortController | null} */
    this.running = null;
  }

  /**
   * From now on of these pools; to be called with each drawing.
   * @param {string[]} pools
   */
  follow(pools) {
    this.pools = pools.slice(0, POOLS);
    if (this.running === null) {
      this.running = new AbortController();
      void this.run(this.running.signal);
    }
  }

  close() {
    this.running?.abort();
    this.running = null;
    this.known.clear();
  }

  /**
   * The worst come first; undefined: it was not answered yet.
   * @param {string} pool @returns {Verdict[] | undefined}
   */
  of(pool) {
    return this.known.get(pool);
  }

  /** @param {AbortSignal} signal */
  async run(signal) {
    while (!signal.aborted) {
      await Promise.all(this.pools.map((pool) => this.ask(pool, signal)));
      if (!signal.aborted) {
        page.redraw();
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  /** @param {string} pool @param {AbortSignal} signal */
  async ask(pool, signal) {
    try {
      const { verdicts } = document.hidden ? { verdicts: this.known.get(pool) } : await get(`v1/pools/${path(pool)}/inspection`, signal);
      if (!signal.aborted && verdicts !== undefined) {
        this.known.set(pool, verdicts);
      }
    } catch {
      this.known.delete(pool); // the stream says what is wrong
    }
  }
}

/** @param {Verdict[]} verdicts */
export function verdictsView(verdicts) {
  return verdicts.length > 0 && h("ul", { class: "plain verdicts" }, verdicts.map((verdict) =>
    h("li", { key: verdict.code }, badge(verdict.severity), ` ${verdict.what} `,
      verdict.key && h("code", null, verdict.value ? `${verdict.key}: ${verdict.value}` : verdict.key),
      verdict.remedy && h("span", { class: "muted" }, ` ${verdict.remedy}`))));
}
