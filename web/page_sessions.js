// SPDX-License-Identifier: MIT
// The sessions, a page at a time, and the keys of one.
import { actionButton } from "./action.js";
import { path } from "./api.js";
import { bytes, count } from "./format.js";
import { h } from "./render.js";
import { Resource } from "./resource.js";
import { button, errorNote, link, note, page, section, table } from "./ui.js";

const LIMIT = 100;
const list = new Resource(5000);
const one = new Resource(5000);
/** @type {string[]} The sessions behind which the pages before began. */
let before = [];

/** @param {string} after */
function open(after) {
  list.open(`v1/sessions?limit=${LIMIT}${after === "" ? "" : `&after=${encodeURIComponent(after)}`}`);
  page.redraw();
}

function turns() {
  const next = list.value?.next;
  return h("div", { class: "buttons" },
    before.length > 0 && button("Before", () => {
      before = before.slice(0, -1);
      open(before.at(-1) ?? "");
    }),
    next && button("More", () => {
      before = [...before, next];
      open(next);
    }));
}

/** @param {string} session */
function endButton(session) {
  return actionButton({
    title: `End the session ${session}?`, verb: "End", method: "DELETE", path: `v1/sessions/${path(session)}`,
    text: "Its values and its tie to a worker are gone.", done: `The session ${session} has ended.`,
  });
}

/** @param {string} session */
function keys(session) {
  const rows = /** @type {any[]} */ (one.value?.keys ?? one.value?.values ?? []);
  return section(`Session ${session}`, errorNote(one.error), table({
    id: "keys", label: "Keys", rows, key: (row) => (typeof row === "string" ? row : row.key), empty: "It has no values.",
    columns: [{ name: "Key", show: (row) => h("code", null, typeof row === "string" ? row : row.key) }],
  }));
}

/** @type {import("./main.js").Page} */
export const sessions = {
  title: () => "Sessions",
  enter: ([session]) => {
    open(before.at(-1) ?? "");
    if (session === undefined) {
      one.close();
    } else {
      one.open(`v1/sessions/${path(session)}`);
    }
  },
  leave: () => {
    list.close();
    one.close();
  },
  view: (_store, [session]) => {
    const rows = /** @type {any[] | undefined} */ (list.value?.sessions);
    return [
      h("h1", null, "Sessions"),
      errorNote(list.error),
      session !== undefined && keys(session),
      rows === undefined ? list.error === null && note("Asking …") : table({
        id: "sessions", label: "Sessions", rows, key: (row) => row.session, empty: "There is no session.",
        columns: [
          {
            name: "Session", show: (row) => link(`sessions/${encodeURIComponent(row.session)}`, row.session),
            by: (row) => row.session,
          },
          { name: "Values", show: (row) => count(row.values), by: (row) => row.values, number: true },
          { name: "Size", show: (row) => bytes(row.bytes), by: (row) => row.bytes, number: true },
          { name: "Action", show: (row) => endButton(row.session), action: true },
        ],
      }),
      turns(),
    ];
  },
};
