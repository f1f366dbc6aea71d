// SPDX-License-Identifier: MIT
// What each executor did over the last minute, call by call, coloured by tool.
import { prepare } from "./chart.js";
import { colours, mixed, pixelColours, toolColour } from "./colours.js";
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
const AROUND = 12; // rows that are painted on either side of those in sight
const STEPS = 6; // between two lines

let span = 60000;
/** @type {number | null} The end of the window; null: now. */
let end = null;
/** @type {Call | null} */
let chosen = null;
let until = 0; // the end of what was painted last
let paintedAs = "";
/** @type {{box: HTMLElement, first: number, last: number} | null} */
let painted = null;
/** @type {ImageData | null} */
let image = null;

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
 * The rows that are on the screen, and some around them; the others are not painted.
 * @param {HTMLElement} box @param {number} count @returns {{first: number, last: number}}
 */
function inSight(box, count) {
  const { top } = box.getBoundingClientRect();
  const row = (/** @type {number} */ y) => Math.max(0, Math.min(count, y / ROW));
  const first = Math.floor(row(-top));
  return { first, last: Math.max(first + 1, Math.ceil(row(window.innerHeight - top))) };
}

/**
 * @param {any} canvas @param {Store} store @param {string} pool @param {Row[]} rows
 */
function paint(canvas, store, pool, rows) {
  const box = canvas.parentElement;
  const now = store.now();
  const seen = inSight(box, rows.length);
  const first = Math.max(0, seen.first - AROUND);
  const last = Math.min(rows.length, seen.last + AROUND);
  until = end ?? now;
  const as = `${pool} ${span} ${end} ${rows.length} ${first} ${last} ${canvas.clientWidth} ${chosen?.call} ${colours().text}`;
  if (as === paintedAs && end !== null) {
    return;
  }
  paintedAs = as;
  painted = { box, first, last };
  box.style.height = `${Math.max(1, rows.length) * ROW}px`;
  canvas.style.top = `${first * ROW}px`;
  const area = prepare(canvas, Math.max(1, last - first) * ROW);
  if (area === null) {
    return;
  }
  const { context, width } = area;
  const from = until - span;
  const x = (/** @type {number} */ time) => LEFT + ((time - from) / span) * (width - LEFT - 2);
  const scene = { store, rows, first, last, from, x, width };
  paintPixels(context, scene);
  drawLabels(context, scene);
  drawChosen(context, scene);
  drawAxis(box.previousElementSibling, x, now);
}

/** @typedef {{store: Store, rows: Row[], first: number, last: number, from: number, x: (time: number) => number, width: number}} Scene */

/**
 * Tens of thousands of calls: pixels are written, since that many rectangles take far longer.
 * @param {CanvasRenderingContext2D} context @param {Scene} scene
 */
function paintPixels(context, scene) {
  const { width, height } = context.canvas;
  if (image === null || image.width !== width || image.height !== height) {
    image = context.createImageData(width, height);
  }
  const all = new Uint32Array(image.data.buffer);
  const scale = window.devicePixelRatio || 1;
  const clear = (/** @type {number} */ time) => Math.round(scene.x(time) * scale);
  all.fill(0);
  for (let i = 0; i <= STEPS; i++) {
    block(all, width, { left: clear(scene.from + (i * span) / STEPS), wide: 1, top: 0, high: height, colour: pixelColours().line });
  }
  paintSpans(all, width, scene, scale);
  paintRunning(all, width, scene, scale);
  context.putImageData(image, 0, 0);
}

/**
 * @param {Uint32Array} all @param {number} width
 * @param {{left: number, wide: number, top: number, high: number, colour: number}} what
 */
function block(all, width, { left, wide, top, high, colour }) {
  for (let y = top; y < top + high; y++) {
    all.fill(colour, y * width + left, y * width + Math.min(width, left + wide));
  }
}

/** @param {Uint32Array} all @param {number} width @param {Scene} scene @param {number} scale */
function paintSpans(all, width, { store, rows, first, last, from, x }, scale) {
  const { spans } = store;
  const palette = pixelColours();
  const drawn = new Int32Array(rows.length);
  const fill = spans.tools.list.map((tool) => palette[`tool${toolColour(tool)}`]);
  const failed = spans.outcomes.list.map((outcome) => outcome !== "OK");
  const least = Math.round(LEFT * scale);
  const high = Math.round((ROW - 3) * scale);
  const mark = Math.round(3 * scale);
  walk(store, rows, from, until, (row, i, start, stop) => {
    if (row < first || row >= last) {
      return;
    }
    const left = Math.max(least, Math.round(x(start) * scale));
    const right = Math.min(width, Math.max(Math.round(x(stop) * scale), left + 1));
    const top = Math.round(((row - first) * ROW + 1) * scale);
    // What would lie in the same pixel is drawn once.
    if (right > drawn[row]) {
      drawn[row] = right;
      block(all, width, { left, wide: right - left, top, high, colour: fill[spans.tool[i]] ?? palette.muted });
    }
    if (failed[spans.outcome[i]]) {
      block(all, width, { left, wide: Math.max(mark - 1, right - left), top: top + high - mark + 1, high: mark, colour: palette.bad });
    }
  });
}

/** @param {Uint32Array} all @param {number} width @param {Scene} scene @param {number} scale */
function paintRunning(all, width, { store, rows, first, last, x }, scale) {
  const palette = pixelColours();
  for (const { row, executor } of underWay(store, rows)) {
    if (executor.since_ms <= until && row >= first && row < last) {
      const left = Math.round(Math.max(LEFT, x(executor.since_ms)) * scale);
      block(all, width, {
        left, wide: Math.max(1, Math.round(x(until) * scale) - left), top: Math.round(((row - first) * ROW + 1) * scale),
        high: Math.round((ROW - 3) * scale), colour: mixed(palette[`tool${toolColour(executor.tool)}`], palette.ground, 0.55),
      });
    }
  }
}

/** @param {CanvasRenderingContext2D} context */
function write(context) {
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = colours().muted;
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawLabels(context, { rows, first, last }) {
  write(context);
  context.textAlign = "right";
  for (let i = first; i < last; i++) {
    context.fillText(rows[i].label, LEFT - 6, (i - first) * ROW + ROW / 2);
  }
}

/** @param {any} canvas @param {(time: number) => number} x @param {number} now */
function drawAxis(canvas, x, now) {
  const area = prepare(canvas, TOP);
  if (area === null) {
    return;
  }
  write(area.context);
  for (let i = 0; i <= STEPS; i++) {
    const time = until - span + (i * span) / STEPS;
    const ago = (now - time) / 1000;
    area.context.textAlign = i === 0 ? "left" : i === STEPS ? "right" : "center";
    // Narrow screens have room for every other one.
    if (area.width > 560 || i % 3 === 0) {
      area.context.fillText(ago < 0.05 ? "now" : `−${ago.toFixed(span < 6000 ? 1 : 0)} s`, x(time), 8);
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {Scene} scene */
function drawChosen(context, { store, rows, first, x, width }) {
  const hit = chosen === null ? undefined : hitsOf(store, rows).find(({ call }) => call === chosen?.call);
  if (hit !== undefined) {
    const left = Math.max(LEFT, x(hit.start));
    const right = Math.min(width, Math.max(x(hit.end), left + 1));
    context.strokeStyle = colours().text;
    context.lineWidth = 2;
    context.strokeRect(left - 1, (hit.row - first) * ROW, right - left + 2, ROW - 1);
  }
}

/** What comes into sight is painted. */
function onScroll() {
  if (painted !== null && painted.box.isConnected) {
    const { first, last } = inSight(painted.box, Math.round(painted.box.offsetHeight / ROW));
    if (first < painted.first || last > painted.last) {
      page.redraw();
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
  const row = Math.floor(event.offsetY / ROW) + (painted?.first ?? 0);
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
  const seen = new Set(store.spans.tools.list.filter((tool) => !tool.startsWith("_")).slice(0, 24));
  for (const row of rows) {
    const tool = store.workers.get(row.worker)?.executors?.[row.executor]?.tool;
    if (tool && !tool.startsWith("_") && seen.size < 24) {
      seen.add(tool);
    }
  }
  return h("p", { class: "legend" }, [...seen].map((tool) =>
    h("span", { class: "key", key: tool }, h("span", { class: `cell as-tool${toolColour(tool)}` }), tool)),
  h("span", { class: "key" }, h("span", { class: "cell failed" }), "failed"));
}

/** @type {import("./main.js").Page} */
export const timeline = {
  title: ([pool]) => ["Timeline", pool].filter(Boolean).join(" "),
  enter: () => {
    chosen = null;
    end = null;
    paintedAs = "";
    window.addEventListener("scroll", onScroll, { passive: true });
  },
  leave: () => {
    window.removeEventListener("scroll", onScroll);
    painted = null;
    image = null;
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
      rows.length === 0 ? note("There is no worker.") : [
        h("canvas", { class: "axis", "aria-hidden": "true" }),
        h("div", { class: "lanes" }, h("canvas", {
        class: "timeline", role: "application", tabindex: "0", key: `timeline ${pool}`,
        "aria-label": "Calls of each executor. Arrows go from call to call, plus and minus zoom, page up and page down move, escape follows.",
        hook: { mount: draw, update: draw },
        onclick: (/** @type {MouseEvent} */ event) => choose(store, under(event, store, rows), rows, pool),
        onkeydown: keys(store, rows, pool),
      }))],
      chosen === null ? note("Choose a call, by a click or with the arrows, to see it.") : h("div", { "aria-live": "polite" }, callView(chosen)),
    ];
  },
};
