// SPDX-License-Identifier: MIT
// What changes something: asked once, then done, and what came of it is said.
import { ask } from "./api.js";
import { h, render } from "./render.js";
import { button, field, toast } from "./ui.js";

/**
 * @typedef {Object} Action
 * @property {string} title   "Recycle worker 7?"
 * @property {string} text    what follows
 * @property {string} verb    of the button
 * @property {string} done    what is said afterwards
 * @property {string} method
 * @property {string | ((value: string) => string)} path  of what was typed
 * @property {{label: string, value: string}} [input]
 */

/**
 * Asks in a dialog; resolves with what was typed ("" without an input), or null.
 * @param {Action} action @returns {Promise<string | null>}
 */
function askOnce({ title, text, verb, input }) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "dialog-title");
  document.body.append(dialog);
  return new Promise((resolve) => {
    /** @type {string | null} */
    let answer = null;
    const submit = (/** @type {any} */ event) => {
      event.preventDefault();
      answer = event.target.elements.value?.value ?? "";
      dialog.close();
    };
    render(dialog, h("form", { onsubmit: submit },
      h("h2", { id: "dialog-title" }, title), h("p", null, text),
      input && field(input.label, h("input", { name: "value", type: "number", min: "0", required: true, value: input.value })),
      h("div", { class: "buttons" },
        button("Leave it", () => dialog.close()),
        h("button", { type: "submit", class: "primary" }, verb))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    dialog.showModal();
  });
}

/**
 * True: it was done.
 * @param {Action} action
 */
export async function act(action) {
  const value = await askOnce(action);
  if (value === null) {
    return false;
  }
  const at = typeof action.path === "string" ? action.path : action.path(value);
  try {
    await ask(action.method, at);
    toast(action.done);
    return true;
  } catch (error) {
    toast(`Not done: ${/** @type {Error} */ (error).message}`, true);
    return false;
  }
}

/** @param {Action} action @param {string} [text] of the button */
export function actionButton(action, text = action.verb) {
  return button(text, () => void act(action));
}
