// SPDX-License-Identifier: MIT
// What each executor did over the last minute, call by call, coloured by tool.
import { prepare } from "./chart.js";
import { colours, toolColour } from "./colours.js";
import { clock, duration } from "./format.js";
import { h } from "./render.js";
import { cancelButton } from "./page_calls.js";
import { button, figure, figures, note, page, poolLink, section, tabs, workerLink } from "./ui.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Call} Call */
/** @typedef {{worker: number, executor: number, label: string}} Row */
/** @typedef {{row: number, start: number, end: number, at: number, call: number, tool: string}} Hit  `at` below 0: it runs */

const ROW = 14;
const LEFT = 86;
const TOP = 18;
const WINDOWS = [1000, 2000, 5000, 10000, 30000, 60000];
const REST_MS = 60000; // that can be looked back to
const ROWS = 400;

let span = 60000;
/** @type {number | null} The end of the window; null: now. */
let end = null;
/** @type {Call | null} */
let chosen = null;
let until = 0; // the end of what was painted last
let paintedAs = "";

/** @param {Store} store @param {string} pool @returns {Row[]} */
function rowsOf(store, pool) {
  /** @type {Row[]} */
  const rows = [];
  for (const worker of store.workersOf(pool)) {
    const count = Math.max(1, worker.executors?.length || worker.capacity);
    for (let i = 0; i < count && rows.length < ROWS; i++) {
      rows.push({ worker: worker.id, executor: i, label: count > 1 ? `${worker.id} · ${i}` : `${worker.id}` });
    }
  }
  return rows;
}

/**
 * The first row of each worker; those of its executors follow.
 * @param {Row[]} rows @returns {Map<number, number>}
 */
function placesOf(rows) {
  const places = new Map();
  rows.forEach((row, i) => row.executor === 0 && places.set(row.worker, i));
  return places;
}

/**
 * Calls `each` with the row, the place and the times of every call that shows.
 * @param {Store} store @param {Row[]} rows @param {number} from @param {number} to
 * @param {(row: number, at: number, start: number, end: number) => void} each
 */
function walk({ spans }, rows, from, to, each) {
  const places = placesOf(rows);
  spans.walk(from, (i) => {
    const first = places.get(spans.worker[i]);
    const start = spans.start[i];
    const stop = start + spans.ran[i];
    if (first !== undefined && stop >= from && start <= to) {
      const row = first + spans.executor[i];
      if (rows[row]?.worker === spans.worker[i]) {
        each(row, i, start, stop);
      }
    }
  });
}

/**
 * What is under way.
 * @param {Store} store @param {Row[]} rows
 * @returns {{row: number, executor: import("./store.js").Executor}[]}
 */
function underWay(store, rows) {
  return rows.flatMap(({ worker, executor }, row) => {
    const found = store.workers.get(worker)?.executors?.[executor];
    return found !== undefined && found.since_ms > 0 ? [{ row, executor: found }] : [];
  });
}

/**
 * All that shows, for clicks and keys: by row and time.
 * @param {Store} store @param {Row[]} rows @returns {Hit[]}
 */
function hitsOf(store, rows) {
  /** @type {Hit[]} */
  const hits = [];
  walk(store, rows, until - span, until, (row, at, start, stop) =>
    hits.push({ row, start, end: stop, at, call: store.spans.call[at], tool: "" }));
  for (const { row, executor } of underWay(store, rows)) {
    if (executor.since_ms <= until) {
      hits.push({ row, start: executor.since_ms, end: until, at: -1, call: executor.call, tool: executor.tool });
    }
  }
  return hits.sort((a, b) => a.row - b.row || a.start - b.start);
}

/**
 * @param {any} canvas @param {Store} store @param {string} pool @param {Row[]} rows
 */
function paint(canvas, store, pool, rows) {
  const now = store.now();
  until = end ?? now;
  const as = `${pool} ${span} ${end} ${rows.length} ${canvas.clientWidth} ${chosen?.call} ${colours().text}`;
  if (as === paintedAs && end !== null) {
    return;
  }
  paintedAs = as;
  const area = prepare(canvas, TOP + Math.max(1, rows.length) * ROW + 4);
  if (area === null) {
    return;
  }
  const { context, width } = area;
  const from = until - span;
  const x = (/** @type {number} */ time) => LEFT + ((time - from) / span) * (width - LEFT - 2);
  drawFrame(context, { rows, width, x, now });
  drawSpans(context, { store, rows, from, x, width });
  drawRunning(context, { store, rows, x });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{rows: Row[], width: number, x: (time: number) => number, now: number}} scene
 */
function drawFrame(context, { rows, width, x, now }) {
  const palette = colours();
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = palette.muted;
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.textAlign = "right";
  rows.forEach((row, i) => context.fillText(row.label, LEFT - 6, TOP + i * ROW + ROW / 2));
  const step = span / 6;
  for (let i = 0; i <= 6; i++) {
    const time = until - span + i * step;
    const ago = (now - time) / 1000;
    context.textAlign = i === 0 ? "left" : i === 6 ? "right" : "center";
    const text = ago < 0.05 ? "now" : `−${ago.toFixed(span < 6000 ? 1 : 0)} s`;
    // Narrow screens have room for every other one.
    if (width > 560 || i % 3 === 0) {
      context.fillText(text, x(time), 8);
    }
    context.beginPath();
    context.moveTo(Math.round(x(time)) + 0.5, TOP - 2);
    context.lineTo(Math.round(x(time)) + 0.5, TOP + rows.length * ROW);
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{store: Store, rows: Row[], from: number, x: (time: number) => number, width: number}} scene
 */
function drawSpans(context, { store, rows, from, x, width }) {
  const { spans } = store;
  const palette = colours();
  const drawn = new Float32Array(rows.length).fill(-1);
  const fill = spans.tools.list.map((tool) => palette[`tool${toolColour(tool)}`]);
  const failed = spans.outcomes.list.map((outcome) => outcome !== "OK");
  walk(store, rows, from, until, (row, i, start, stop) => {
    const left = Math.max(LEFT, x(start));
    const right = Math.min(width, Math.max(x(stop), left + 1));
    const bad = failed[spans.outcome[i]];
    // What would lie in the same pixel is drawn once.
    if (right > drawn[row] + 0.5) {
      drawn[row] = right;
      context.fillStyle = fill[spans.tool[i]] ?? palette.muted;
      context.fillRect(left, TOP + row * ROW + 1, right - left, ROW - 3);
    }
    if (bad) {
      context.fillStyle = palette.bad;
      context.fillRect(left, TOP + row * ROW + ROW - 4, Math.max(2, right - left), 3);
    }
    if (chosen?.call === spans.call[i]) {
      drawChosen(context, row, left, right);
    }
  });
}

/** @param {CanvasRenderingContext2D} context @param {number} row @param {number} left @param {number} right */
function drawChosen(context, row, left, right) {
  context.strokeStyle = colours().text;
  context.lineWidth = 2;
  context.strokeRect(left - 1, TOP + row * ROW, right - left + 2, ROW - 1);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{store: Store, rows: Row[], x: (time: number) => number}} scene
 */
function drawRunning(context, { store, rows, x }) {
  const palette = colours();
  for (const { row, executor } of underWay(store, rows)) {
    if (executor.since_ms > until) {
      continue;
    }
    const left = Math.max(LEFT, x(executor.since_ms));
    const right = Math.max(left + 1, x(until));
    context.fillStyle = palette[`tool${toolColour(executor.tool)}`];
    context.globalAlpha = 0.55;
    context.fillRect(left, TOP + row * ROW + 1, right - left, ROW - 3);
    context.globalAlpha = 1;
    if (chosen?.call === executor.call) {
      drawChosen(context, row, left, right);
    }
  }
}

// ---- Looking around -------------------------------------------------------------------

/** @param {Store} store @param {number} step */
function zoom(store, step) {
  const now = Math.max(0, WINDOWS.indexOf(span));
  span = WINDOWS[Math.min(WINDOWS.length - 1, Math.max(0, now + step))];
  move(store, 0);
}

/** @param {Store} store @param {number} by ms; back is negative */
function move(store, by) {
  const now = store.now();
  const next = Math.max(now - REST_MS + span, (end ?? now) + by);
  end = next >= now && by >= 0 ? null : by === 0 && end === null ? null : Math.min(now, next);
  page.redraw();
}

/** @param {Store} store @param {Hit | undefined} hit @param {Row[]} rows @param {string} pool */
function choose(store, hit, rows, pool) {
  if (hit === undefined) {
    chosen = null;
  } else if (hit.at >= 0 && store.spans.call[hit.at] === hit.call) {
    chosen = store.calls.list().find((call) => call.call === hit.call) ?? store.spans.get(hit.at);
  } else {
    const { worker, executor } = rows[hit.row];
    chosen = {
      call: hit.call, pool, tool: hit.tool, worker, executor, session: "", started_ms: hit.start, waited_us: NaN,
      ran_us: (hit.end - hit.start) * 1000, outcome: "", error: "",
    };
  }
  // Whoever looks at a call wants it to hold still.
  end ??= chosen === null ? null : store.now();
  page.redraw();
}

/** @param {Store} store @param {Row[]} rows @param {string} pool @param {string} key */
function goBy(store, rows, pool, key) {
  const hits = hitsOf(store, rows);
  const at = chosen === null ? -1 : hits.findIndex((hit) => hit.call === chosen?.call);
  const row = hits[at]?.row ?? -1;
  const below = hits.findIndex((hit) => hit.row > row);
  const above = hits.map((hit) => hit.row < row).lastIndexOf(true);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: below < 0 ? at : below, ArrowUp: above < 0 ? at : above }[key] ?? at;
  choose(store, hits[Math.min(hits.length - 1, Math.max(0, to))], rows, pool);
}

/** @param {Store} store @param {Row[]} rows @param {string} pool */
function keys(store, rows, pool) {
  return (/** @type {KeyboardEvent} */ event) => {
    const does = /** @type {Record<string, () => void>} */ ({
      "+": () => zoom(store, -1), "-": () => zoom(store, 1),
      PageUp: () => move(store, -span / 2), PageDown: () => move(store, span / 2),
      Escape: () => {
        chosen = null;
        end = null;
        page.redraw();
      },
    })[event.key] ?? (event.key.startsWith("Arrow") ? () => goBy(store, rows, pool, event.key) : null);
    if (does !== null) {
      event.preventDefault();
      does();
    }
  };
}

/** @param {MouseEvent} event @param {Store} store @param {Row[]} rows @returns {Hit | undefined} */
function under(event, store, rows) {
  const width = /** @type {HTMLElement} */ (event.target).clientWidth;
  const row = Math.floor((event.offsetY - TOP) / ROW);
  const perPixel = span / (width - LEFT - 2);
  const time = until - span + (event.offsetX - LEFT) * perPixel;
  const near = hitsOf(store, rows).filter((hit) =>
    hit.row === row && hit.start <= time + 3 * perPixel && hit.end >= time - 3 * perPixel);
  return near.sort((a, b) => Math.abs((a.start + a.end) / 2 - time) - Math.abs((b.start + b.end) / 2 - time))[0];
}

/** @param {Call} call */
function callView(call) {
  return section("The call", figures(
    figure("Call", String(call.call)), figure("Tool", call.tool), figure("Pool", poolLink(call.pool)),
    figure("Worker", workerLink(call.worker)), figure("Executor", String(call.executor)),
    figure("Began", clock(call.started_ms)), figure("In line", duration(call.waited_us / 1e6)),
    figure(call.outcome === "" ? "Runs for" : "Ran", duration(call.ran_us / 1e6)),
    figure("Outcome", call.outcome || "it runs")),
  call.outcome === "" && cancelButton(call.call),
  call.error && h("pre", { tabindex: "0" }, call.error));
}

/** @param {Store} store @param {Row[]} rows */
function legend(store, rows) {
  const seen = new Set(store.spans.tools.list.slice(0, 24));
  for (const row of rows) {
    const tool = store.workers.get(row.worker)?.executors?.[row.executor]?.tool;
    if (tool && seen.size < 24) {
      seen.add(tool);
    }
  }
  return h("p", { class: "legend" }, [...seen].map((tool) =>
    h("span", { class: "key", key: tool }, h("span", { class: `cell as-tool${toolColour(tool)}` }), tool)),
  h("span", { class: "key" }, h("span", { class: "cell failed" }), "failed"));
}

/** @type {import("./main.js").Page} */
export const timeline = {
  pace: 1000,
  title: ([pool]) => ["Timeline", pool].filter(Boolean).join(" "),
  enter: () => {
    chosen = null;
    end = null;
    paintedAs = "";
  },
  view: (store, [wanted]) => {
    const names = [...store.pools.keys()].sort();
    const pool = wanted ?? names[0] ?? "";
    const rows = rowsOf(store, pool);
    const draw = (/** @type {any} */ canvas) => paint(canvas, store, pool, rows);
    const zoomed = (/** @type {number} */ step) => () => zoom(store, step);
    return [
      h("div", { class: "head" }, h("h1", null, "Timeline"),
        h("div", { class: "buttons" },
          button("−", zoomed(1), { "aria-label": "Zoom out", disabled: span === WINDOWS.at(-1) }),
          h("span", { class: "muted" }, `${span / 1000} s`),
          button("+", zoomed(-1), { "aria-label": "Zoom in", disabled: span === WINDOWS[0] }),
          button("Back", () => move(store, -span / 2)), button("On", () => move(store, span / 2)),
          button(end === null ? "Hold" : "Follow", () => {
            end = end === null ? store.now() : null;
            page.redraw();
          }))),
      tabs("Pools", names.map((one) => [`timeline/${encodeURIComponent(one)}`, one]), `timeline/${encodeURIComponent(pool)}`),
      legend(store, rows),
      rows.length === 0 ? note("There is no worker.") : h("canvas", {
        class: "timeline", role: "application", tabindex: "0", key: `timeline ${pool}`,
        "aria-label": "Calls of each executor. Arrows go from call to call, plus and minus zoom, page up and page down move, escape follows.",
        hook: { mount: draw, update: draw },
        onclick: (/** @type {MouseEvent} */ event) => choose(store, under(event, store, rows), rows, pool),
        onkeydown: keys(store, rows, pool),
      }),
      chosen === null ? note("Choose a call, by a click or with the arrows, to see it.") : h("div", { "aria-live": "polite" }, callView(chosen)),
    ];
  },
};
