// SPDX-License-Identifier: MIT
// One worker: its memory and load, what runs and where that is in its Python code, and how
// those before it ended.
import { actionButton } from "./action.js";
import { chart } from "./chart.js";
import { bytes, clock, count, duration } from "./format.js";
import { h } from "./render.js";
import { Resource } from "./resource.js";
import { runningFor } from "./store.js";
import { badge, button, errorNote, figure, figures, note, page, poolLink, section } from "./ui.js";
import { deathsTable } from "./page_overview.js";
import { cancelButton } from "./page_calls.js";

/** @typedef {import("./store.js").Worker} Worker */
/** @typedef {import("./store.js").Store} Store */

const SPAN_MS = 600000;
const stacks = new Resource(2000);
const output = new Resource(2000);
let following = true;

/** @param {Worker} worker */
function recycle(worker) {
  return actionButton({
    title: `Recycle worker ${worker.id}?`, verb: "Recycle", method: "POST", path: `v1/workers/${worker.id}:recycle`,
    text: "A new worker takes its place. What runs there may end; calls notice nothing of it.",
    done: `Worker ${worker.id} is being replaced.`,
  });
}

/** @param {Worker} worker @param {number} now */
function running(worker, now) {
  const rows = (worker.executors ?? []).filter((executor) => executor.since_ms > 0);
  if (rows.length === 0) {
    return note(worker.load > 0 ? `It has ${worker.load} of ${worker.capacity} calls.` : "It is idle.");
  }
  return h("ul", { class: "plain" }, rows.map((executor) => h("li", { key: executor.executor },
    h("b", null, executor.tool), ` on executor ${executor.executor} for ${duration(runningFor(executor, now))}, call ${executor.call} `,
    cancelButton(executor.call))));
}

/** @param {any} frame */
function frameView(frame) {
  return h("li", null, h("code", null, frame.function), h("span", { class: "muted" }, ` ${frame.file}:${frame.line}`));
}

/** @param {any} stack */
function stackView(stack) {
  const name = stack.executor === null ? `Thread ${stack.thread}` : `Executor ${stack.executor}`;
  const does = stack.tool === "" ? stack.state : `${stack.tool}, ${stack.state}, for ${duration(stack.running_us / 1e6)}`;
  return h("article", { key: stack.thread, class: "card" },
    h("header", null, h("h3", null, name), h("span", { class: "muted" }, does), stack.stuck && badge("stuck")),
    stack.frames.length === 0 ? note("It is in no Python code.") : h("ol", { class: "frames" }, stack.frames.map(frameView)),
    stack.moved && note("It moved while it was read, so these may be frames of several moments."),
    stack.cut && note("There are more frames."), stack.lost && note("It could not be read to its end."));
}

function stacksView() {
  const turn = () => {
    following = !following;
    if (following) {
      stacks.open(stacks.at);
    } else {
      stacks.close();
    }
    page.redraw();
  };
  const list = /** @type {any[] | undefined} */ (stacks.value?.stacks);
  return section("Python stacks",
    h("div", { class: "buttons" }, button(following ? "Hold" : "Follow", turn), note("The innermost frame comes first.")),
    errorNote(stacks.error),
    stacks.error === null && list === undefined ? note("Reading …") : list?.map(stackView));
}

/** What it printed; also of one that is gone, if it was looked at before. */
function outputView() {
  const { stdout = "", stderr = "" } = output.value ?? {};
  const text = (/** @type {string} */ name, /** @type {string} */ value) =>
    value !== "" && [h("h3", null, name), h("pre", { tabindex: "0", "aria-label": name }, value)];
  return section("Output",
    output.value === null ? errorNote(output.error) || note("Reading …") :
      stdout + stderr === "" ? note("It has printed nothing.") : [text("stderr", stderr), text("stdout", stdout)]);
}

/** @param {Store} store @param {number} id */
function history(store, id) {
  const series = store.lives.get(id);
  const options = { series, now: store.now(), span: SPAN_MS };
  return h("div", { class: "charts" },
    chart({ ...options, title: "Memory", lines: [{ name: "rss", label: "RSS", colour: "accent" }], format: bytes }),
    chart({ ...options, title: "Load", lines: [{ name: "load", label: "calls", colour: "accent" }], format: count }));
}

/** @param {Store} store @param {Worker} worker */
function alive(store, worker) {
  const now = store.now();
  return [
    h("div", { class: "head" }, h("h1", null, `Worker ${worker.id}`),
      badge(worker.stuck > 0 ? "stuck" : worker.state), h("div", { class: "buttons" }, recycle(worker))),
    figures(
      figure("Pool", poolLink(worker.pool)), figure("pid", String(worker.pid)),
      figure("Age", duration((worker.age_ms ?? NaN) / 1000)), figure("Calls", count(worker.calls)),
      figure("Load", `${worker.load} of ${worker.capacity}`), figure("Health", worker.health || "–"),
      figure("RSS", bytes(worker.rss_bytes || null)), figure("PSS", bytes(worker.pss_bytes || null)),
      figure("Threads", count(worker.threads)), figure("Device", worker.device || "–"),
      figure("Isolated", worker.isolated ? "yes" : "no")),
    section("Runs now", running(worker, now)),
    stacksView(),
    outputView(),
    section("Its life", history(store, worker.id)),
    section("Those before it in its pool",
      deathsTable(store.deaths.list().filter((death) => death.pool === worker.pool), "deaths-of-worker")),
  ];
}

/** @param {Store} store @param {number} id */
function gone(store, id) {
  const death = store.deaths.list().find((one) => one.worker === id);
  return [
    h("h1", null, `Worker ${id}`),
    death === undefined ? note("There is no such worker: it has left, or was never there.") : figures(
      figure("Pool", poolLink(death.pool)), figure("pid", String(death.pid)), figure("Died", clock(death.time_ms)),
      figure("Cause", death.cause || "–"), figure("Lived", duration(death.after_ms / 1000))),
    output.value !== null && outputView(),
    store.lives.has(id) && section("Its life", history(store, id)),
    section("The last that have ended", deathsTable(store.deaths.list(), "deaths")),
  ];
}

/** @type {import("./main.js").Page} */
export const worker = {
  title: ([id]) => `Worker ${id}`,
  enter: ([id]) => {
    following = true;
    stacks.open(`v1/workers/${encodeURIComponent(id)}/stacks`);
    output.open(`v1/workers/${encodeURIComponent(id)}/output`);
  },
  leave: () => {
    stacks.close();
    output.close();
  },
  view: (store, [id]) => {
    const row = store.workers.get(Number(id));
    return row === undefined ? gone(store, Number(id)) : alive(store, row);
  },
};
