// SPDX-License-Identifier: MIT
// The modules of the dashboard that need no browser, in node's own runner.
import assert from "node:assert/strict";
import { test } from "node:test";

import { toolColour, TOOL_COLOURS } from "../../web/colours.js";
import { roundUp, roundUpBytes } from "../../web/chart.js";
import { cellsOf } from "../../web/cells.js";
import { bytes, count, duration, rate, several } from "../../web/format.js";
import { groupFailures } from "../../web/page_calls.js";
import { parseMetrics } from "../../web/page_doors.js";
import { Latest, Series } from "../../web/ring.js";
import { argumentsOf, fieldsOf } from "../../web/schema.js";
import { c, curl, python, pythonProgram } from "../../web/snippets.js";
import { Spans } from "../../web/spans.js";
import { EventParser } from "../../web/sse.js";
import { Store } from "../../web/store.js";

const call = (number, more = {}) => ({
  call: number, pool: "text", tool: "add", worker: 3, executor: 0, session: "", started_ms: 1000 * number,
  waited_us: 5, ran_us: 2000, outcome: "OK", error: "", ...more,
});
const worker = (id, more = {}) => ({
  pool: "text", id, pid: 4000 + id, state: "READY", load: 0, capacity: 1, health: "healthy", device: null, stuck: 0,
  isolated: false, rss_bytes: 1 << 20, ...more,
});
const pool = (name, more = {}) => ({ name, state: "ready", running: 0, waiting: 0, workers_ready: 1, ...more });

test("figures are as people read them", () => {
  assert.equal(duration(0.0000123), "12.3 µs");
  assert.equal(duration(0), "0 µs");
  assert.equal(duration(0.0125), "12.5 ms");
  assert.equal(duration(59.94), "59.9 s");
  assert.equal(duration(61), "1 min 1 s");
  assert.equal(duration(3 * 86400), "3 d 0 h");
  assert.equal(duration(null), "–");
  assert.equal(bytes(1536), "1.5 KiB");
  assert.equal(bytes(0), "0 B");
  assert.equal(bytes(undefined), "–");
  assert.equal(count(1234567), "1,234,567");
  assert.equal(rate(2.345), "2.3");
  assert.equal(rate(1999.6), "2,000");
  assert.equal(several(1, "worker"), "1 worker");
});

test("a series keeps its newest rows", () => {
  const series = new Series(3, ["a", "b"]);
  assert.equal(series.last(), -Infinity);
  for (let i = 1; i <= 5; i++) {
    series.put(i, { a: i * 10 });
  }
  const seen = [];
  series.walk("a", (time, value) => seen.push([time, value]));
  assert.deepEqual(seen, [[3, 30], [4, 40], [5, 50]]);
  series.walk("b", (_, value) => assert.ok(Number.isNaN(value)));
  assert.equal(series.last(), 5);
});

test("of things the newest are kept, newest first", () => {
  const latest = new Latest(3);
  assert.deepEqual(latest.list(), []);
  [1, 2, 3, 4].forEach((item) => latest.put(item));
  assert.deepEqual(latest.list(), [4, 3, 2]);
  assert.deepEqual(latest.list(1), [4]);
});

test("events are read however they are split", () => {
  const text = ": hello\r\n\nevent: delta\ndata: {\"a\":1}\ndata: x\n\ndata:y\nid: 7\n\nevent: lost\n\n";
  const expected = [{ event: "delta", data: '{"a":1}\nx' }, { event: "message", data: "y" }];
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    const found = [];
    for (let i = 0; i < text.length; i += size) {
      found.push(...parser.take(text.slice(i, i + size)));
    }
    assert.deepEqual(found, expected, `pieces of ${size}`);
  }
});

test("a delta changes the rows that it has, and what is gone goes", () => {
  const store = new Store();
  store.apply("snapshot", { time_ms: 1000, uptime_ms: 5, version: "1", pools: [pool("text"), pool("old")], workers: [worker(1), worker(2)] });
  store.apply("delta", {
    time_ms: 2000, uptime_ms: 1005, version: "1", pools: [pool("text", { waiting: 4 })],
    workers: [worker(1, { load: 1 })], gone: { pools: ["old"], workers: [2] },
    deaths: [{ pool: "text", worker: 2, pid: 4002, time_ms: 1900, cause: "signal 9", after_ms: 900 }],
  });
  assert.deepEqual([...store.pools.keys()], ["text"]);
  assert.equal(store.pools.get("text").waiting, 4);
  assert.deepEqual(store.workersOf("text").map(({ id, load, state }) => [id, load, state]), [[1, 1, "ready"]]);
  assert.equal(store.deaths.list()[0].cause, "signal 9");
  store.apply("snapshot", { time_ms: 3000, uptime_ms: 1, version: "1", pools: [pool("new")] });
  assert.deepEqual([...store.pools.keys()], ["new"]);
  assert.equal(store.workers.size, 0);
});

test("of tools it is known how they did lately, and they go with their pool", () => {
  const store = new Store();
  const row = (calls, ran_us, more) => ({ pool: "text", tool: "add", calls, failures: 1, ran: calls, ran_us, ...more });
  const told = (time_ms, ...tools) => ({ time_ms, uptime_ms: 1, version: "1", tools });
  store.apply("snapshot", { ...told(1000, row(10, 1e6), row(5, 50, { pool: "old" })), pools: [pool("text"), pool("old")] });
  store.apply("delta", told(3000, row(30, 1.4e6)));
  const [add] = store.toolsOf("text");
  assert.deepEqual([add.rate, add.mean, add.row.failures], [10, 0.02, 1]);
  store.apply("delta", told(5000));
  assert.deepEqual([add.rate, add.mean], [0, NaN]);
  store.apply("delta", { ...told(5250), gone: { pools: ["old"] } });
  assert.deepEqual([...store.tools.keys()], ["text add"]);
});

test("a death that is told again is one death, and events keep their time", () => {
  const store = new Store();
  const death = { pool: "text", worker: 2, pid: 4002, time_ms: 900, cause: "killed by signal 9", after_ms: 5, expected: false };
  for (const kind of ["snapshot", "delta", "snapshot"]) {
    store.apply(kind, { time_ms: 1000, uptime_ms: 1, version: "1", deaths: [death] });
  }
  assert.equal(store.deaths.list().length, 1);
  store.applyEvent("worker.exit", { time: "2026-11-30T10:00:00Z", level: "warning", pool: "text" });
  store.applyEvent("lost", { lost: 3 });
  assert.deepEqual(store.events.list().map(({ name }) => name), ["lost", "worker.exit"]);
  assert.equal(store.events.list()[1].time, Date.UTC(2026, 10, 30, 10));
});

test("what is remembered does not grow without end", () => {
  const store = new Store();
  for (let i = 0; i < 4000; i++) {
    store.apply("delta", {
      time_ms: 1000 * i, uptime_ms: 1, version: "1", pools: [pool(`pool ${i % 100}`)],
      workers: [worker(i + 1)], gone: { workers: [i] },
      calls: [call(i), call(i, { outcome: "TOOL_FAILED", error: "no" })],
    });
  }
  assert.equal(store.workers.size, 1);
  assert.ok(store.lives.size <= 201, `${store.lives.size} lives`);
  assert.ok(store.histories.size <= 64);
  assert.equal(store.calls.list().length, 1000);
  assert.equal(store.failed.list().length, 500);
});

test("a page that comes later is told all that is known", () => {
  const store = new Store();
  store.apply("snapshot", { time_ms: 1000, uptime_ms: 5, version: "1", pools: [pool("text")], workers: [worker(1)], calls: [call(1), call(2)] });
  const other = new Store();
  other.apply("snapshot", structuredClone(store.snapshot()));
  assert.deepEqual(other.calls.list().map((one) => one.call), [2, 1]);
  assert.equal(other.workers.get(1).pid, 4001);
});

test("the timeline keeps what ran, and finds what is young enough", () => {
  const spans = new Spans(4);
  spans.put(call(0, { worker: 0 })); // that never ran
  for (let i = 1; i <= 6; i++) {
    spans.put(call(i, { tool: `tool ${i}` }));
  }
  const seen = [];
  spans.walk(5500, (at) => seen.push(spans.get(at).call));
  assert.deepEqual(seen, [5, 6]);
  assert.equal(spans.length, 4);
  assert.deepEqual([spans.get(1).tool, spans.get(1).ran_us], ["tool 6", 2000]);
});

test("cells say what each executor does", () => {
  const now = 100000;
  const busy = { executor: 0, tool: "add", call: 1, since_ms: now - 10, state: "running" };
  const kinds = (row) => cellsOf([{ ...row, state: row.state.toLowerCase() }], now).map((cell) => cell.kind);
  assert.deepEqual(kinds(worker(1)), ["idle"]);
  assert.deepEqual(kinds(worker(1, { state: "STARTING" })), ["start"]);
  assert.deepEqual(kinds(worker(1, { load: 1, capacity: 3 })), ["busy", "idle", "idle"]);
  assert.deepEqual(kinds(worker(1, { executors: [busy, { ...busy, since_ms: 0 }] })), ["busy", "idle"]);
  assert.deepEqual(kinds(worker(1, { executors: [{ ...busy, since_ms: now - 9000 }] })), ["slow"]);
  assert.deepEqual(kinds(worker(1, { executors: [{ ...busy, state: "stuck" }] })), ["bad"]);
});

test("failures for the same reason are one group", () => {
  const failed = (number, error, more) => call(number, { outcome: "TOOL_FAILED", error, ...more });
  const groups = groupFailures([
    failed(4, "ValueError: no 17"), failed(3, "KeyError: x"), failed(2, "ValueError: no 4", { tool: "parse" }),
    failed(1, "ValueError: no 4", { pool: "other" }),
  ]);
  assert.deepEqual(groups.map((group) => [group.count, group.call.call]), [[2, 4], [1, 3], [1, 1]]);
  assert.deepEqual([...groups[0].tools], ["add", "parse"]);
  const traced = (number, last) => failed(number, last, { traceback: `  File "a.py", line 3, in f\n${last}\n` });
  assert.equal(groupFailures([traced(2, "ValueError: 'a'"), traced(1, "ValueError: 'b'")]).length, 1);
});

test("forms are made of schemas, and arguments of forms", () => {
  const fields = fieldsOf({
    type: "object", required: ["text", "items"],
    properties: {
      text: { type: "string" }, items: { type: "array" }, times: { type: "integer", default: 2 },
      share: { anyOf: [{ type: "number" }, { type: "null" }] }, loud: { type: "boolean", default: false },
      tone: { enum: ["plain", "warm"] }, rest: {},
    },
  });
  assert.deepEqual(fields.map(({ name, kind }) => [name, kind]), [
    ["text", "text"], ["items", "json"], ["times", "integer"], ["share", "number"], ["loud", "yes-no"],
    ["tone", "choice"], ["rest", "json"],
  ]);
  const fill = (typed) => argumentsOf(fields, (name) => typed[name] ?? "");
  assert.deepEqual(fill({ text: "a", items: "[1]", times: "3", share: "0.5", loud: "true", tone: "warm", rest: '{"x":1}' }), {
    given: { text: "a", items: [1], times: 3, share: 0.5, loud: true, tone: "warm", rest: { x: 1 } }, wrong: "",
  });
  assert.deepEqual(fill({ items: "[]" }), { given: { text: "", items: [] }, wrong: "" });
  assert.equal(fill({ text: "a" }).wrong, "items is missing");
  assert.equal(fill({ items: "[" }).wrong, "items: this is not JSON");
  assert.equal(fill({ items: "[]", times: "1.5" }).wrong, "times: this is not a whole number");
  assert.deepEqual(fieldsOf(null), []);
});

test("the call in other words is quoted as each language wants it", () => {
  const wanted = {
    origin: "http://127.0.0.1:8470", pool: "a b", tool: "add", arguments: { text: "it's \"so\"??", yes: true, no: null },
    streams: false, token: true,
  };
  assert.match(curl(wanted), /'http:\/\/127\.0\.0\.1:8470\/v1\/pools\/a%20b\/tools\/add'$/);
  assert.match(curl(wanted), /it'\\''s \\"so\\"/);
  assert.match(curl(wanted), /\$SNAKEPIT_TOKEN/);
  assert.match(c(wanted), /\.pool = "a b"/);
  assert.ok(c(wanted).includes("?\\?"));
  assert.match(pythonProgram(wanted), /os\.environ\['SNAKEPIT_TOKEN'\]/);
  assert.equal(python({ a: [true, null, 1.5, "x"] }), '{"a": [True, None, 1.5, "x"]}');
});

test("the figures of the daemon are read as Prometheus reads them", () => {
  const found = parseMetrics([
    "# HELP snakepit_connections Clients.", "# TYPE snakepit_connections gauge", "snakepit_connections 3",
    'snakepit_requests_total{door="a\\"b",code="200"} 17 # {trace_id="x"} 1', "snakepit_time_bucket{le=\"1\"} 4", "",
  ].join("\n"));
  assert.deepEqual([...found.keys()], ["snakepit_connections", "snakepit_requests_total"]);
  assert.equal(found.get("snakepit_connections").help, "Clients.");
  assert.deepEqual(found.get("snakepit_requests_total").samples[0].labels, { door: 'a"b', code: "200" });
});

test("axes end at round numbers, and tools have colours that stay", () => {
  assert.deepEqual([0, 0.7, 1, 1.2, 23, 260].map(roundUp), [1, 1, 1, 2, 25, 500]);
  assert.deepEqual([0, 1536, 400 * 1024 * 1024].map(roundUpBytes), [1, 2048, 500 * 1024 * 1024]);
  const tools = Array.from({ length: TOOL_COLOURS }, (_, i) => `tool ${i}`);
  assert.equal(new Set(tools.map(toolColour)).size, TOOL_COLOURS);
  assert.equal(toolColour("tool 3"), toolColour("tool 3"));
});
