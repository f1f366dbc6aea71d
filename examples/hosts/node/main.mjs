// SPDX-License-Identifier: MIT
// Calls tools of a Snakepit daemon from Node, with the addon that is built from snakepit.c:
//
//     node main.mjs unix:/run/snakepit/local.sock
import { createRequire } from "node:module";

const addon = createRequire(import.meta.url)("./snakepit.node");

/** What a tool returns. Rejects with an error whose `code` is of docs/errors.md. */
async function call(pool, tool, args = {}, { timeoutMs = 0, signal } = {}) {
  signal?.throwIfAborted();
  const { id, promise } = addon.call(pool, tool, JSON.stringify(args), timeoutMs);
  const cancel = () => addon.cancel(id);
  signal?.addEventListener("abort", cancel);
  try {
    return JSON.parse(await promise);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

addon.connect(process.argv[2]);
console.log(await call("text", "add", { a: 2, b: 40 }));

const numbers = Array.from({ length: 1000 }, (_, i) => call("text", "add", { a: i, b: 1 }));
console.log((await Promise.all(numbers)).reduce((sum, one) => sum + one, 42));

const aborter = new AbortController();
const cancelled = call("text", "sleep", { ms: 60000 }, { signal: aborter.signal });
aborter.abort();
console.log(await cancelled.catch((error) => error.code));
console.log(await call("text", "add", { a: "x" }).catch((error) => error.code));
