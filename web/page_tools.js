// SPDX-License-Identifier: MIT
// The tools of a pool: a form from the schema, the result or the stream, and the call in
// other words.
import { ask, events, path, Problem, token } from "./api.js";
import { count as number, duration, rate } from "./format.js";
import { h } from "./render.js";
import { Resource } from "./resource.js";
import { argumentsOf, fieldsOf } from "./schema.js";
import { c, curl, pythonProgram } from "./snippets.js";
import { button, errorNote, field, figure, figures, link, note, page, section, tabs, toast } from "./ui.js";

/** @typedef {import("./schema.js").Field} Field */
/** @typedef {{name: string, description: string, streams: boolean, parameters: import("./schema.js").Schema}} Tool */

const CHUNKS = 200; // of a stream that are shown
const WORDS = /** @type {[string, (wanted: import("./snippets.js").Wanted) => string][]} */ ([
  ["curl", curl], ["C", c], ["Python", pythonProgram],
]);
const list = new Resource(0);

/**
 * What was typed, by the field; of one tool.
 * @type {Map<string, string>}
 */
let typed = new Map();
let shown = ""; // which tool that is
let wordsAt = 0;
/** @type {{chunks: string[], count: number, text: string, error: string, trace: string, began: number, ended: number} | null} */
let result = null;
/** @type {AbortController | null} */
let running = null;

function stop() {
  running?.abort();
  running = null;
}

/** @param {Field} one */
function input(one) {
  const value = typed.get(one.name) ?? one.preset;
  const change = (/** @type {any} */ event) => {
    typed.set(one.name, event.target.value);
    page.redraw();
  };
  const props = { name: one.name, oninput: change, value, required: one.required && one.kind !== "text" };
  if (one.kind === "choice" || one.kind === "yes-no") {
    const choices = one.kind === "choice" ? one.choices.map(String) : ["true", "false"];
    return h("select", props, !one.required && h("option", { value: "" }, "(left away)"),
      one.required && value === "" && h("option", { value: "" }, ""),
      choices.map((choice) => h("option", { value: choice }, choice)));
  }
  if (one.kind === "json") {
    return h("textarea", { ...props, rows: "3", spellcheck: "false" });
  }
  return h("input", { ...props, type: one.kind === "text" ? "text" : "number", step: one.kind === "number" ? "any" : "1" });
}

/** @param {string} text */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** @param {string} pool @param {Tool} tool @param {Record<string, any>} given */
async function call(pool, tool, given) {
  stop();
  const reading = (running = new AbortController());
  const mine = (result = { chunks: /** @type {string[]} */ ([]), count: 0, text: "", error: "", trace: "", began: performance.now(), ended: 0 });
  const at = `v1/pools/${path(pool)}/tools/${path(tool.name)}`;
  const options = { method: "POST", body: JSON.stringify(given), headers: { "Content-Type": "application/json" } };
  page.redraw();
  try {
    if (tool.streams) {
      await events(at, reading.signal, (event, value) => takeChunk(mine, event, value), options);
    } else {
      mine.text = pretty(await (await ask("POST", at, { ...options, signal: reading.signal })).text());
    }
  } catch (error) {
    fail(mine, error, reading.signal.aborted);
  }
  mine.ended = performance.now();
  running = running === reading ? null : running;
  page.redraw();
}

/** @param {NonNullable<typeof result>} mine @param {string} event @param {any} value */
function takeChunk(mine, event, value) {
  if (event === "end") {
    mine.text = `returned ${JSON.stringify(value.result)}`;
  } else if (event === "error") {
    fail(mine, new Problem(value.status, value.detail, value), false);
  } else {
    mine.count++;
    mine.chunks = [...mine.chunks.slice(1 - CHUNKS), JSON.stringify(value)];
  }
  page.redraw();
}

/** @param {NonNullable<typeof result>} mine @param {unknown} error @param {boolean} stopped */
function fail(mine, error, stopped) {
  mine.error = stopped ? "Stopped." : /** @type {Error} */ (error).message;
  mine.trace = error instanceof Problem ? error.document?.error?.traceback ?? "" : "";
}

function resultView() {
  if (result === null) {
    return null;
  }
  const { chunks, count, text, error, trace, began, ended } = result;
  const state = ended === 0 ? "It runs …" : `It took ${duration((ended - began) / 1000)}.`;
  return section("Result",
    h("div", { class: "buttons" }, note(state), ended === 0 && button("Stop", stop)),
    error && h("p", { class: "error", role: "alert" }, error),
    trace && h("pre", { tabindex: "0" }, trace),
    count > 0 && note(`${count} chunks${count > CHUNKS ? `, the last ${CHUNKS} of them` : ""}:`),
    count > 0 && h("pre", { tabindex: "0", class: "chunks" }, chunks.join("\n")),
    text && h("pre", { tabindex: "0" }, text));
}

/** @param {string} pool @param {Tool} tool @param {Record<string, any>} given */
function words(pool, tool, given) {
  const text = WORDS[wordsAt][1]({
    origin: location.origin, pool, tool: tool.name, arguments: given, streams: tool.streams, token: token() !== "",
  });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      toast("It is in the clipboard.");
    } catch {
      toast("The browser does not let a page copy here: select the text.", true);
    }
  };
  return section("The same call",
    h("div", { class: "buttons", role: "group", "aria-label": "In which language" }, WORDS.map(([name], at) =>
      button(name, () => {
        wordsAt = at;
        page.redraw();
      }, { "aria-pressed": String(wordsAt === at) })), button("Copy", () => void copy())),
    h("pre", { tabindex: "0" }, text));
}

/** @param {import("./store.js").Tool | undefined} tool */
function howItDoes(tool) {
  return tool !== undefined && figures(
    figure("Calls/s", rate(tool.rate)), figure("Calls", number(tool.row.calls)), figure("Failed", number(tool.row.failures)),
    figure("Runs for, now", duration(tool.mean)), figure("since the start", duration(tool.row.ran_us / tool.row.ran / 1e6)));
}

/** @param {import("./store.js").Store} store @param {string} pool @param {Tool} tool */
function toolView(store, pool, tool) {
  const fields = fieldsOf(tool.parameters);
  const text = (/** @type {string} */ name) =>
    typed.get(name) ?? fields.find((one) => one.name === name)?.preset ?? "";
  const { given, wrong } = argumentsOf(fields, text);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (wrong === "") {
      void call(pool, tool, given);
    } else {
      toast(wrong, true);
    }
  };
  return h("div", { class: "tool", key: `tool ${pool} ${tool.name}` },
    h("h2", null, tool.name), tool.description && h("p", null, tool.description),
    tool.streams && note("It yields a stream."),
    howItDoes(store.tools.get(`${pool} ${tool.name}`)),
    h("form", { onsubmit: submit, class: "arguments" },
      fields.map((one) => h("div", { key: one.name }, field(one.name + (one.required ? " *" : ""), input(one), one.help))),
      fields.length === 0 && note("It takes no arguments."),
      h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Call"),
        wrong !== "" && typed.size > 0 && h("span", { class: "bad-text", role: "status" }, wrong))),
    resultView(),
    words(pool, tool, given));
}

/** @param {string} pool @param {Tool[]} rows @param {string} name */
function listView(pool, rows, name) {
  return h("nav", { class: "list", "aria-label": "Tools" }, rows.map((tool) =>
    h("a", {
      key: tool.name, href: `#/tools/${encodeURIComponent(pool)}/${encodeURIComponent(tool.name)}`,
      "aria-current": tool.name === name ? "page" : null,
    }, tool.name)));
}

/** @type {import("./main.js").Page} */
export const tools = {
  title: ([pool, tool]) => ["Tools", pool, tool].filter(Boolean).join(" "),
  enter: ([pool, tool]) => {
    if (pool === undefined) {
      list.close();
    } else {
      list.open(`v1/pools/${path(pool)}/tools`);
    }
    if (shown !== `${pool}/${tool}`) {
      stop();
      shown = `${pool}/${tool}`;
      typed = new Map();
      result = null;
    }
  },
  leave: () => {
    list.close();
    stop();
    shown = "";
  },
  view: (store, [pool, name]) => {
    const names = [...store.pools.keys()].sort();
    const rows = /** @type {Tool[] | undefined} */ (list.value?.tools);
    const tool = rows?.find((one) => one.name === name);
    return [
      h("h1", null, "Tools"),
      tabs("Pools", names.map((one) => [`tools/${encodeURIComponent(one)}`, one]), `tools/${encodeURIComponent(pool ?? "")}`),
      pool === undefined ? note("Choose a pool.") : [
        errorNote(list.error),
        rows === undefined ? list.error === null && note("Asking a worker …") : h("div", { class: "two" },
          listView(pool, rows, name ?? ""),
          tool === undefined ? note(name === undefined ? "Choose a tool." : "There is no such tool.") : toolView(store, pool, tool)),
      ],
      pool !== undefined && h("p", null, link(`pools/${encodeURIComponent(pool)}`, `Pool ${pool}`)),
    ];
  },
};
