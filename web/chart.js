// SPDX-License-Identifier: MIT
// Lines over time, on a canvas, with a legend in words. The last value is in the text
// beside it, so that nothing is said by colour alone.
import { colours } from "./colours.js";
import { bytes } from "./format.js";
import { h } from "./render.js";

/** @typedef {import("./ring.js").Series} Series */
/**
 * @typedef {Object} Line
 * @property {string} name    of the column
 * @property {string} label
 * @property {string} colour  one of colours.js
 * @property {boolean} [dashed]
 */

const HEIGHT = 110;
const LEFT = 56;
const BOTTOM = 16;
const TOP = 6;

/**
 * A canvas whose size in pixels is that of the screen.
 * @param {HTMLCanvasElement} canvas @param {number} height
 * @returns {{context: CanvasRenderingContext2D, width: number, height: number} | null}
 */
export function prepare(canvas, height) {
  const width = canvas.clientWidth;
  const context = canvas.getContext("2d");
  if (width === 0 || context === null) {
    return null;
  }
  const scale = window.devicePixelRatio || 1;
  const wide = Math.round(width * scale);
  const high = Math.round(height * scale);
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.height = `${height}px`;
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/**
 * The next "round" number.
 * @param {number} value
 */
export function roundUp(value) {
  if (!(value > 0)) {
    return 1;
  }
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= value * 0.999999) ?? 10;
  return step * power;
}

/** @param {number} value */
export function roundUpBytes(value) {
  const unit = 1024 ** Math.floor(Math.log(Math.max(1, value)) / Math.log(1024));
  return roundUp(value / unit) * unit;
}

/**
 * Below 0: there is nothing to show.
 * @param {Series} series @param {Line[]} lines @param {number} from
 */
function highest(series, lines, from) {
  let most = -1;
  for (const line of lines) {
    series.walk(line.name, (time, value) => {
      if (time >= from && value > most) {
        most = value;
      }
    });
  }
  return most;
}

/**
 * @param {HTMLCanvasElement} canvas @param {Series} series @param {Line[]} lines
 * @param {{now: number, span: number, format: (value: number) => string}} options times in ms
 */
function draw(canvas, series, lines, { now, span, format }) {
  const area = prepare(canvas, HEIGHT);
  if (area === null) {
    return;
  }
  const { context, width, height } = area;
  const palette = colours();
  const from = now - span;
  const most = highest(series, lines, from);
  if (most < 0) {
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = palette.muted;
    context.fillText("There is nothing to show yet.", 0, height / 2);
    return;
  }
  const top = format === bytes ? roundUpBytes(most) : roundUp(most);
  const x = (/** @type {number} */ time) => LEFT + ((time - from) / span) * (width - LEFT - 4);
  const y = (/** @type {number} */ value) => height - BOTTOM - (value / top) * (height - BOTTOM - TOP);
  drawGrid(context, { width, top, y, format });
  drawTimes(context, { width, height, span });
  for (const line of lines) {
    context.strokeStyle = palette[line.colour];
    context.lineWidth = 1.5;
    context.setLineDash(line.dashed ? [4, 3] : []);
    context.beginPath();
    let down = false;
    series.walk(line.name, (time, value) => {
      if (time < from || Number.isNaN(value)) {
        down = false;
      } else if (down) {
        context.lineTo(x(time), y(value));
      } else {
        context.moveTo(x(time), y(value));
        down = true;
      }
    });
    context.stroke();
  }
  context.setLineDash([]);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{width: number, top: number, y: (value: number) => number, format: (value: number) => string}} scale
 */
function drawGrid(context, { width, top, y, format }) {
  const palette = colours();
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillStyle = palette.muted;
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  const texts = new Set();
  for (const value of [0, top, top / 2]) {
    const at = Math.round(y(value)) + 0.5;
    context.beginPath();
    context.moveTo(LEFT, at);
    context.lineTo(width - 4, at);
    context.stroke();
    if (!texts.has(format(value))) {
      texts.add(format(value));
      context.fillText(format(value), LEFT - 6, Math.max(at, 6));
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {{width: number, height: number, span: number}} scale */
function drawTimes(context, { width, height, span }) {
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.fillText(`${Math.round(span / 60000)} min ago`, LEFT, height - 3);
  context.textAlign = "right";
  context.fillText("now", width - 4, height - 3);
}

/** @param {Series} series @param {string} name */
function lastOf(series, name) {
  let last = NaN;
  series.walk(name, (_, value) => (last = value));
  return last;
}

/**
 * @param {{title: string, series: Series | undefined, lines: Line[], now: number, span: number,
 *          format: (value: number) => string}} options
 */
export function chart({ title, series, lines, now, span, format }) {
  const show = (/** @type {number} */ value) => (Number.isNaN(value) ? "–" : format(value));
  const values = lines.map((line) => (series === undefined ? NaN : lastOf(series, line.name)));
  const paint = (/** @type {HTMLCanvasElement} */ canvas) => {
    if (series !== undefined) {
      draw(canvas, series, lines, { now, span, format });
    }
  };
  const words = lines.map((line, i) => `${line.label} ${show(values[i])}`).join(", ");
  return h("figure", { class: "chart", key: title },
    h("figcaption", null,
      h("span", { class: "chart-title" }, title),
      lines.map((line, i) => h("span", { class: "key" },
        h("span", { class: `swatch ${line.dashed ? "dashed" : ""} as-${line.colour}` }),
        `${line.label} `, h("b", null, show(values[i]))))),
    h("canvas", { role: "img", "aria-label": `${title}: ${words}`, hook: { mount: paint, update: paint } }));
}
