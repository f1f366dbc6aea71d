// SPDX-License-Identifier: MIT
// Calls tools of a daemon with fetch: a call, an error, a stream, a cancel. See README.md.
import process from "node:process";
import { setTimeout } from "node:timers/promises";

const url = process.argv[2] ?? "http://127.0.0.1:8470";
const text = `${url}/v1/pools/text/tools`;

// What the daemon says of a call that failed. `error` is the fault: name, retryable,
// message, traceback and so on. Without it HTTP itself is to blame: a wrong path, a missing
// token.
class Failed extends Error {
  constructor(problem) {
    super(problem.detail);
    this.status = problem.status;
    this.error = problem.error ?? {};
  }
}

// The answer to a request. `signal` closes the connection, which cancels the call.
async function send(method, address, { arguments: body, fields, signal } = {}) {
  const headers = { ...fields };
  if (process.env.SNAKEPIT_TOKEN) {
    headers.Authorization = `Bearer ${process.env.SNAKEPIT_TOKEN}`;
  }
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(address, { method, headers, signal, body: JSON.stringify(body) });
  if (!answer.ok) {
    throw new Failed(await answer.json());
  }
  return answer;
}

// What the tool returns. JSON.parse() rounds integers beyond 2**53.
async function call(tool, args, fields) {
  const answer = await send("POST", `${text}/${tool}`, { arguments: args, fields });
  return answer.json();
}

// The items that the tool yields; returns what the tool returned.
async function* stream(tool, args) {
  const fields = { Accept: "text/event-stream" };
  const answer = await send("POST", `${text}/${tool}`, { arguments: args, fields });
  let rest = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + piece).split("\n\n");
    rest = events.pop(); // an event that has only begun
    for (const event of events) {
      const lines = event.split("\n");
      const named = lines.find((line) => line.startsWith("event: "))?.slice("event: ".length);
      const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice("data: ".length));
      if (data.length === 0) continue; // ": still here"
      const value = JSON.parse(data.join("\n"));
      if (named === "end") return value.result;
      if (named === "error") throw new Failed(value);
      yield value;
    }
  }
  throw new Error("the stream was cut off");
}

console.log("add:", await call("add", { a: 40, b: 2 }));

try {
  await call("no_such_tool", {});
} catch (failed) {
  console.log("error:", failed.status, failed.error.name);
}

const chunks = stream("count_up", { limit: 3 });
let chunk;
while (!(chunk = await chunks.next()).done) {
  console.log("chunk:", chunk.value);
}
console.log("end:", JSON.stringify(chunk.value));

// A call that has a name can be cancelled by it. Until the daemon has begun it there is none
// of that name (404), so it is asked again.
const name = `js-${process.pid}`;
const slow = call("sleep", { ms: 60000 }, { "Snakepit-Call-Id": name }).catch((failed) => failed);
for (let asked = false; !asked; ) {
  asked = await send("DELETE", `${url}/v1/calls/${name}`).then(() => true, () => setTimeout(100, false));
}
console.log("cancelled:", (await slow).error.name);
