// SPDX-License-Identifier: MIT
// One stream of GET /v1/watch for all tabs of a browser that show the same token: the
// tab that holds a lock reads it and tells the others. Where the browser has no locks,
// which it leaves away on plain HTTP from another machine, each tab has its own stream.
import { events, Problem, token } from "./api.js";

const AGAIN_MS = [250, 500, 1000, 2000, 5000]; // before another try
const SILENCE_MS = 20000; // after which a stream is taken for dead
const COUNT_MS = 5000; // between two looks whether there are other tabs

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {Object} Listener
 * @property {(urgent: boolean) => void} changed  the store has changed; urgent: in a way that is shown at once
 * @property {(state: string, why: string) => void} state  "live", "lost", "refused"
 */

/**
 * The same for the same token, and tells nothing of it.
 * @param {string} text
 */
async function nameOf(text) {
  if (text === "" || crypto.subtle === undefined) {
    return "snakepit-watch";
  }
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `snakepit-watch-${[...hash.slice(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export class Watch {
  /** @param {Store} store @param {Listener} listener */
  constructor(store, listener) {
    this.store = store;
    this.listener = listener;
    this.stopping = new AbortController();
    this.leads = false;
    this.alone = false; // no other tab listens
    this.counted = -Infinity;
    this.name = "";
    /** @type {BroadcastChannel | null} */
    this.channel = null;
  }

  async start() {
    const name = (this.name = await nameOf(token()));
    const signal = this.stopping.signal;
    if (navigator.locks === undefined || signal.aborted) {
      await this.lead();
      return;
    }
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data }) => this.hear(data);
    this.channel.postMessage({ kind: "hello" });
    try {
      await navigator.locks.request(name, { signal }, () => this.lead());
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    }
  }

  stop() {
    this.stopping.abort();
    this.channel?.close();
  }

  /**
   * From another tab.
   * @param {any} said
   */
  hear(said) {
    if (said.kind === "hello") {
      this.alone = false;
      this.counted = performance.now();
      if (this.leads && this.store.time !== 0) {
        this.channel?.postMessage({ kind: "event", event: "snapshot", value: this.store.snapshot() });
      }
    } else if (!this.leads && said.kind === "told") {
      this.takeEvent(said.event, said.value);
    } else if (!this.leads && said.kind === "state") {
      this.listener.state(said.state, said.why);
    } else if (!this.leads) {
      // A snapshot that another one has asked for tells nothing new.
      if (said.event !== "snapshot" || this.store.time === 0 || said.fresh) {
        this.take(said.event, said.value);
      }
    }
  }

  /** @param {string} event @param {any} value */
  take(event, value) {
    const urgent = this.store.apply(event, value);
    this.listener.state("live", "");
    this.listener.changed(urgent);
  }

  /** Other tabs wait for the lock. One that has just come says so by itself. */
  async count() {
    const now = (this.counted = performance.now());
    const { pending } = await navigator.locks.query();
    // Whoever has come meanwhile may not wait yet.
    this.alone = this.counted === now && !pending?.some((one) => one.name === this.name);
  }

  /**
   * To the other tabs. What nobody hears is not copied for them.
   * @param {any} said
   */
  pass(said) {
    if (this.channel === null) {
      return;
    }
    if (performance.now() - this.counted >= COUNT_MS) {
      void this.count();
    }
    if (!this.alone) {
      this.channel.postMessage(said);
    }
  }

  /** @param {string} state @param {string} why */
  tell(state, why) {
    this.listener.state(state, why);
    this.pass({ kind: "state", state, why });
  }

  /**
   * From this tab to itself and the others.
   * @param {string} name @param {any} value
   */
  noteEvent(name, value) {
    this.takeEvent(name, value);
    this.pass({ kind: "told", event: name, value });
  }

  /** @param {string} name @param {any} value */
  takeEvent(name, value) {
    this.store.applyEvent(name, value);
    this.listener.changed(false);
  }

  /** Reads the stream, again and again. */
  async lead() {
    this.leads = true;
    void this.readEvents();
    for (let failures = 0; !this.stopping.signal.aborted; failures++) {
      const began = performance.now();
      try {
        await this.read();
        this.tell("lost", "The daemon has ended the stream.");
      } catch (error) {
        const problem = error instanceof Problem ? error : new Problem(0, String(error));
        if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) {
          this.tell("refused", problem.message);
          return;
        }
        this.tell("lost", problem.message);
      }
      failures = performance.now() - began > 10000 ? 0 : failures;
      await this.pause(AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)]);
    }
  }

  /** What happens, for those who may hear it. */
  async readEvents() {
    const { signal } = this.stopping;
    let at = "v1/events?last=100";
    while (!signal.aborted) {
      try {
        await events(at, signal, (name, value) => {
          at = "v1/events";
          this.noteEvent(name === "message" ? value.event : name, value);
        });
      } catch (error) {
        if (error instanceof Problem && error.status >= 400 && error.status < 500) {
          return;
        }
      }
      await this.pause(AGAIN_MS[3]);
    }
  }

  async read() {
    const reading = new AbortController();
    const stop = () => reading.abort();
    this.stopping.signal.addEventListener("abort", stop);
    let timer = setTimeout(stop, SILENCE_MS);
    try {
      await events("v1/watch?interval_ms=250", reading.signal, (event, value) => {
        clearTimeout(timer);
        timer = setTimeout(stop, SILENCE_MS);
        if (event !== "snapshot" && event !== "delta") {
          return;
        }
        this.take(event, value);
        this.pass({ kind: "event", event, value, fresh: true });
      });
    } finally {
      clearTimeout(timer);
      this.stopping.signal.removeEventListener("abort", stop);
    }
  }

  /** @param {number} ms */
  pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.stopping.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve(null);
      }, { once: true });
    });
  }
}
