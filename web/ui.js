// SPDX-License-Identifier: MIT
// The few parts that all pages are made of.
import { h } from "./render.js";

/** @typedef {import("./render.js").Child} Child */

const ROWS = 50; // of a table that are in the document, and how many more at a time

/** Set by main.js. */
export const page = { redraw() {} };

/** @param {string} text @param {() => void} onclick @param {Record<string, any>} [props] */
export function button(text, onclick, props = {}) {
  return h("button", { type: "button", ...props, onclick }, text);
}

/** @param {string} to without "#/" @param {Child[]} children */
export function link(to, ...children) {
  return h("a", { href: `#/${to}` }, children);
}

/**
 * A page of a pool, or a worker.
 * @param {string} name
 */
export function poolLink(name) {
  return link(`pools/${encodeURIComponent(name)}`, name);
}

/** @param {number} id */
export function workerLink(id) {
  return id > 0 ? link(`workers/${id}`, String(id)) : "–";
}

const GOOD = new Set(["ready", "ok", "healthy", "closed", "running"]);
const BAD = new Set(["failed", "stuck", "unhealthy", "open", "dead", "lost", "error"]);

/**
 * A state in a word, with a mark that can be told without colour.
 * @param {string} state
 */
export function badge(state) {
  const kind = GOOD.has(state) ? "good" : BAD.has(state) ? "bad" : state === "note" ? "muted" : "so-so";
  return h("span", { class: `badge ${kind}` }, state);
}

/** @param {string} label @param {Child} value @param {string} [note] */
export function figure(label, value, note) {
  return h("div", { class: "figure" }, h("dt", null, label), h("dd", null, value, note && h("small", null, ` ${note}`)));
}

/** @param {Child[]} children */
export function figures(...children) {
  return h("dl", { class: "figures" }, children);
}

/** @param {string} text */
export function note(text) {
  return h("p", { class: "note" }, text);
}

/** @param {{message: string} | null | undefined} error */
export function errorNote(error) {
  return error ? h("p", { class: "error", role: "alert" }, error.message) : null;
}

/** @param {string} title @param {Child[]} children */
export function section(title, ...children) {
  return h("section", { "aria-label": title }, h("h2", null, title), children);
}

/**
 * @template Row
 * @typedef {Object} Column
 * @property {string} name
 * @property {(row: Row) => Child} show
 * @property {(row: Row) => number | string} [by]  what it is sorted by
 * @property {boolean} [number]
 * @property {boolean} [action]  its buttons stay in sight where the table is wider than the page
 */

/**
 * By the table: the column, and whether the largest come first.
 * @type {Map<string, {at: number, down: boolean}>}
 */
const orders = new Map();

/** How many rows of a table are shown, if they are more. @type {Map<string, number>} */
const lengths = new Map();

/** @template Row @param {Column<Row>} column */
function classOf(column) {
  return column.number ? "number" : column.action ? "action" : null;
}

/** @template Row @param {string} id @param {Column<Row>} column @param {number} at */
function heading(id, column, at) {
  const order = orders.get(id);
  const sorted = order?.at === at ? (order.down ? "descending" : "ascending") : null;
  const turn = () => {
    orders.set(id, { at, down: order?.at === at ? !order.down : column.number === true });
    page.redraw();
  };
  const mark = sorted === null ? "" : sorted === "descending" ? " ↓" : " ↑";
  return h("th", { scope: "col", class: classOf(column), "aria-sort": sorted },
    column.by === undefined ? column.name : button(column.name + mark, turn, { class: "plain" }));
}

/** @template Row @param {string} id @param {Column<Row>[]} columns @param {Row[]} rows */
function inOrder(id, columns, rows) {
  const order = orders.get(id);
  const by = order && columns[order.at]?.by;
  if (!order || !by) {
    return rows;
  }
  const sign = order.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [one, other] = [by(a), by(b)];
    return sign * (one < other ? -1 : one > other ? 1 : 0);
  });
}

/**
 * @template Row
 * @param {{id: string, label: string, columns: Column<Row>[], rows: Row[], key: (row: Row) => string | number,
 *          empty: string}} options
 */
export function table({ id, label, columns, rows, key, empty }) {
  if (rows.length === 0) {
    return note(empty);
  }
  const most = lengths.get(id) ?? ROWS;
  const shown = inOrder(id, columns, rows).slice(0, most);
  const more = () => {
    lengths.set(id, most + ROWS);
    page.redraw();
  };
  return h("div", { class: "scroll", role: "group", "aria-label": label, tabindex: "0" },
    h("table", null,
      h("thead", null, h("tr", null, columns.map((column, at) => heading(id, column, at)))),
      h("tbody", null, shown.map((row) => h("tr", { key: key(row) },
        columns.map((column) => h("td", { class: classOf(column) }, column.show(row))))))),
    rows.length > most && h("p", null, button(`${rows.length - most} more`, more)));
}

/** @param {string} label @param {[string, string][]} tabs their address and name @param {string} current */
export function tabs(label, tabs, current) {
  return h("nav", { class: "tabs", "aria-label": label }, tabs.map(([to, name]) =>
    h("a", { href: `#/${to}`, "aria-current": to === current ? "page" : null }, name)));
}

/** @param {string} label @param {Child} input @param {string} [help] */
export function field(label, input, help) {
  return h("label", { class: "field" }, h("span", null, label), input, help && h("small", null, help));
}

// ---- Sentences that pass ----------------------------------------------------------

const STAY_MS = 6000;
/** @type {{id: number, text: string, bad: boolean}[]} */
let toasts = [];
let toastCount = 0;

/** @param {string} text @param {boolean} [bad] */
export function toast(text, bad = false) {
  const id = ++toastCount;
  toasts = [...toasts.slice(-3), { id, text, bad }];
  page.redraw();
  setTimeout(() => {
    toasts = toasts.filter((one) => one.id !== id);
    page.redraw();
  }, STAY_MS);
}

export function toastView() {
  return h("div", { class: "toasts", role: "status" },
    toasts.map(({ id, text, bad }) => h("p", { key: id, class: bad ? "bad" : null }, text)));
}
