// SPDX-License-Identifier: MIT
// Server-sent events out of a body that fetch() reads: EventSource cannot send a token.

/** @typedef {{event: string, data: string}} SentEvent */

/** Takes a text in pieces, and gives the events that are whole. */
export class EventParser {
  constructor() {
    this.rest = "";
    this.event = "";
    /** @type {string[]} */
    this.data = [];
  }

  /** @param {string} piece @returns {SentEvent[]} */
  take(piece) {
    /** @type {SentEvent[]} */
    const found = [];
    // What is left over may be long, and is looked at once.
    let from = 0;
    for (let at = piece.indexOf("\n"); at >= 0; at = piece.indexOf("\n", from)) {
      const line = this.rest + piece.slice(from, at);
      this.takeLine(line.endsWith("\r") ? line.slice(0, -1) : line, found);
      this.rest = "";
      from = at + 1;
    }
    this.rest += piece.slice(from);
    return found;
  }

  /** @param {string} line @param {SentEvent[]} found */
  takeLine(line, found) {
    if (line === "") {
      if (this.data.length > 0) {
        found.push({ event: this.event || "message", data: this.data.join("\n") });
      }
      this.event = "";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "event") {
      this.event = value;
    } else if (name === "data") {
      this.data.push(value);
    }
  }
}

/**
 * Calls `each` for every event of a body, until it ends.
 * @param {ReadableStream<Uint8Array>} body @param {(event: SentEvent) => void} each
 */
export async function readEvents(body, each) {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return;
    }
    parser.take(decoder.decode(value, { stream: true })).forEach(each);
  }
}
