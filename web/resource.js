// SPDX-License-Identifier: MIT
// What a page asks for by itself, again and again while it is open.
import { get } from "./api.js";
import { page } from "./ui.js";

export class Resource {
  /** @param {number} every ms; 0: once */
  constructor(every) {
    this.every = every;
    this.at = "";
    /** @type {any} */
    this.value = null;
    /** @type {Error | null} */
    this.error = null;
    this.loading = false;
    /** @type {AbortController | null} */
    this.running = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /**
   * Of another path: what was known is forgotten.
   * @param {string} at
   */
  open(at) {
    if (at !== this.at || this.running === null) {
      this.close();
      this.value = at === this.at ? this.value : null;
      this.error = null;
      this.at = at;
      void this.load();
    }
  }

  close() {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = null;
  }

  again() {
    clearTimeout(this.timer);
    void this.load();
  }

  async load() {
    const running = (this.running ??= new AbortController());
    this.loading = true;
    try {
      const value = await get(this.at, running.signal);
      if (!running.signal.aborted) {
        this.value = value;
        this.error = null;
      }
    } catch (error) {
      if (!running.signal.aborted) {
        this.error = /** @type {Error} */ (error);
      }
    }
    if (running.signal.aborted) {
      return;
    }
    this.loading = false;
    page.redraw();
    if (this.every > 0) {
      this.timer = setTimeout(() => void this.load(), document.hidden ? this.every * 5 : this.every);
    }
  }
}
