// SPDX-License-Identifier: MIT
// Asks for a token, which this tab keeps until it is closed.
import { setToken } from "./api.js";
import { h } from "./render.js";
import { field } from "./ui.js";

/** @param {string} why @param {() => void} then */
export function loginView(why, then) {
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    setToken(event.target.elements.token.value.trim());
    then();
  };
  return h("main", { class: "login", id: "main" },
    h("form", { onsubmit: submit },
      h("h1", null, "Snakepit"),
      h("p", null, "This daemon asks for a token. One with the scope ", h("b", null, "observe"),
        " shows what there is; buttons need ", h("b", null, "admin"), ", tools need ", h("b", null, "call"),
        ". It is kept until this tab is closed."),
      why && h("p", { class: "error", role: "alert" }, why),
      field("Token", h("input", {
        name: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false",
        hook: { mount: (/** @type {HTMLElement} */ node) => node.focus() },
      })),
      h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Go on"))));
}
