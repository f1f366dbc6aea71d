// SPDX-License-Identifier: MIT
// What is remembered is bounded: what is new takes the place of what is oldest.

/** Numbers in rows: one row a moment, one column a figure. */
export class Series {
  /** @param {number} room rows @param {string[]} names of the columns, without the time */
  constructor(room, names) {
    this.room = room;
    this.names = names;
    this.times = new Float64Array(room);
    this.columns = names.map(() => new Float32Array(room));
    this.begun = 0; // rows that were ever put
  }

  get length() {
    return Math.min(this.begun, this.room);
  }

  /** @param {number} time ms @param {Record<string, number>} row NaN where there is none */
  put(time, row) {
    const at = this.begun++ % this.room;
    this.times[at] = time;
    this.names.forEach((name, i) => {
      const value = row[name];
      this.columns[i][at] = value === undefined || value === null ? NaN : value;
    });
  }

  /** The newest time; -Infinity: there is none. */
  last() {
    return this.begun === 0 ? -Infinity : this.times[(this.begun - 1) % this.room];
  }

  /**
   * Calls `each` for the rows of one column, oldest first.
   * @param {string} name @param {(time: number, value: number) => void} each
   */
  walk(name, each) {
    const column = this.columns[this.names.indexOf(name)];
    for (let i = this.begun - this.length; i < this.begun; i++) {
      each(this.times[i % this.room], column[i % this.room]);
    }
  }
}

/**
 * The newest of things.
 * @template T
 */
export class Latest {
  /** @param {number} room */
  constructor(room) {
    this.room = room;
    /** @type {T[]} */
    this.items = [];
    this.begun = 0;
  }

  /** @param {T} item */
  put(item) {
    this.items[this.begun++ % this.room] = item;
  }

  /**
   * Newest first, at most `most`.
   * @param {number} [most] @returns {T[]}
   */
  list(most = this.room) {
    const found = [];
    const oldest = Math.max(0, this.begun - this.items.length, this.begun - most);
    for (let i = this.begun - 1; i >= oldest; i--) {
      found.push(this.items[i % this.room]);
    }
    return found;
  }
}
