// SPDX-License-Identifier: MIT
// Capacity as cells: one an executor, coloured by what it does, and marked where it
// should not be so.
import { prepare } from "./chart.js";
import { colours } from "./colours.js";
import { duration, several } from "./format.js";
import { h } from "./render.js";
import { runningFor } from "./store.js";

/** @typedef {import("./store.js").Worker} Worker */
/** @typedef {{worker: Worker, executor: import("./store.js").Executor | null, kind: string}} Cell */

const SLOW_S = 5; // after which a call is shown as long
const STEP = 11; // pixels from a cell to the next
const SIZE = 9;
const GAP = 4; // between two workers of several executors

export const KINDS = /** @type {[string, string][]} */ ([
  ["idle", "idle"], ["busy", "running"], ["slow", `running for more than ${SLOW_S} s`],
  ["bad", "stuck"], ["start", "starting or leaving"],
]);

/** @param {Worker} worker @param {number} now @param {number} at */
function kindOf(worker, now, at) {
  const executor = worker.executors?.[at];
  if (worker.state !== "ready" && worker.state !== "busy") {
    return "start";
  }
  if (executor === undefined) {
    return at < (worker.stuck ?? 0) ? "bad" : at < worker.load ? "busy" : "idle";
  }
  const seconds = runningFor(executor, now);
  if (executor.state === "stuck") {
    return "bad";
  }
  return seconds < 0 ? "idle" : seconds >= SLOW_S ? "slow" : "busy";
}

/** @param {Worker[]} workers @param {number} now @returns {Cell[]} */
export function cellsOf(workers, now) {
  const cells = [];
  for (const worker of workers) {
    const count = Math.max(1, worker.executors?.length || worker.capacity);
    for (let i = 0; i < count; i++) {
      cells.push({ worker, executor: worker.executors?.[i] ?? null, kind: kindOf(worker, now, i) });
    }
  }
  return cells;
}

/** What a canvas shows, so that it is drawn only where that changes. @type {WeakMap<HTMLElement, string>} */
const painted = new WeakMap();

/** @param {Cell[]} cells @param {number} width @returns {{x: number, y: number}[]} */
function places(cells, width) {
  const found = [];
  let x = 0;
  let y = 0;
  for (let i = 0; i < cells.length; i++) {
    const next = i > 0 && cells[i].worker !== cells[i - 1].worker;
    const several_ = next && (cells[i].worker.capacity > 1 || cells[i - 1].worker.capacity > 1);
    x += several_ ? GAP : 0;
    if (x + SIZE > width) {
      x = 0;
      y += STEP;
    }
    found.push({ x, y });
    x += STEP;
  }
  return found;
}

/** @param {CanvasRenderingContext2D} context @param {string} kind @param {number} x @param {number} y */
function drawCell(context, kind, x, y) {
  const palette = colours();
  context.fillStyle = palette[kind];
  context.strokeStyle = palette[kind];
  context.lineWidth = 1;
  if (kind === "start") {
    context.setLineDash([2, 2]);
    context.strokeRect(x + 0.5, y + 0.5, SIZE - 1, SIZE - 1);
    context.setLineDash([]);
    return;
  }
  context.fillRect(x, y, SIZE, SIZE);
  context.fillStyle = palette.ground;
  if (kind === "bad") {
    context.fillRect(x + 2, y + 4, SIZE - 4, 1);
    context.fillRect(x + 4, y + 2, 1, SIZE - 4);
  } else if (kind === "slow") {
    context.fillRect(x + 2, y + SIZE - 3, SIZE - 4, 1);
  }
}

/** @param {Cell} cell @param {number} now */
function describe(cell, now) {
  const { worker, executor, kind } = cell;
  const words = KINDS.find(([name]) => name === kind)?.[1] ?? kind;
  const what = executor !== null && executor.since_ms > 0
    ? `${executor.tool} for ${duration(runningFor(executor, now))}` : kind === "start" ? worker.state : words;
  return `Worker ${worker.id}${executor === null ? "" : `, executor ${executor.executor}`}: ${what}`;
}

/** @param {Cell[]} cells */
function summary(cells) {
  const parts = KINDS.map(([kind, words]) => {
    const count = cells.filter((cell) => cell.kind === kind).length;
    return count === 0 ? "" : `${count} ${words}`;
  });
  return `${several(cells.length, "executor")}: ${parts.filter((part) => part !== "").join(", ")}`;
}

/** @param {Worker[]} workers @param {number} now */
export function cells(workers, now) {
  const all = cellsOf(workers, now);
  const paint = (/** @type {any} */ canvas) => {
    const as = `${canvas.clientWidth} ${colours().text} ${all.map(({ worker, kind }) => worker.capacity + kind)}`;
    if (painted.get(canvas) === as) {
      return;
    }
    painted.set(canvas, as);
    const where = places(all, canvas.clientWidth);
    const area = prepare(canvas, (where.at(-1)?.y ?? 0) + STEP);
    if (area !== null) {
      all.forEach((cell, i) => drawCell(area.context, cell.kind, where[i].x, where[i].y));
    }
  };
  /** @param {MouseEvent} event */
  const found = (event) => {
    const where = places(all, /** @type {HTMLElement} */ (event.target).clientWidth);
    return all[where.findIndex(({ x, y }) => event.offsetX >= x && event.offsetX < x + STEP &&
      event.offsetY >= y && event.offsetY < y + STEP)];
  };
  return h("canvas", {
    class: "cells", role: "img", "aria-label": summary(all), hook: { mount: paint, update: paint },
    onmousemove: (/** @type {any} */ event) => {
      const cell = found(event);
      event.target.title = cell === undefined ? "" : describe(cell, now);
    },
    onclick: (/** @type {MouseEvent} */ event) => {
      const cell = found(event);
      if (cell !== undefined) {
        location.hash = `#/workers/${cell.worker.id}`;
      }
    },
  });
}

export function cellsLegend() {
  return h("p", { class: "legend" }, "One cell an executor:",
    KINDS.map(([kind, words]) => h("span", { class: "key" }, h("span", { class: `cell as-${kind}` }), words)));
}
