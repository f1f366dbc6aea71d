// SPDX-License-Identifier: MIT
// The frame of all pages: which one is shown, and when it is drawn.
import { setToken, token, wants } from "./api.js";
import { forgetColours } from "./colours.js";
import { loginView } from "./login.js";
import { calls } from "./page_calls.js";
import { doors } from "./page_doors.js";
import { eventsPage } from "./page_events.js";
import { overview } from "./page_overview.js";
import { pool } from "./page_pool.js";
import { sessions } from "./page_sessions.js";
import { timeline } from "./page_timeline.js";
import { tools } from "./page_tools.js";
import { worker } from "./page_worker.js";
import { h, render } from "./render.js";
import { Store } from "./store.js";
import { button, page, toastView } from "./ui.js";
import { Watch } from "./watch.js";

/**
 * @typedef {Object} Page
 * @property {(parts: string[]) => string} title
 * @property {(store: Store, parts: string[]) => import("./render.js").Child} view  of what is behind its name
 * @property {(parts: string[]) => void} [enter]  also when only the parts have changed
 * @property {() => void} [leave]
 * @property {number} [pace]  ms between two drawings for what has changed, if not PACE_MS; for what a person does it is drawn at once
 */

/** @type {Record<string, Page>} */
const pages = {
  "": overview, pools: pool, workers: worker, timeline, calls, tools, sessions, events: eventsPage, doors,
};
const NAVIGATION = /** @type {[string, string][]} */ ([
  ["", "Overview"], ["timeline", "Timeline"], ["calls", "Calls"], ["tools", "Tools"],
  ["sessions", "Sessions"], ["events", "Events"], ["doors", "Doors"],
]);
const THEMES = ["light dark", "light", "dark"];
const THEME_NAMES = ["Theme: system", "Theme: light", "Theme: dark"];

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
let store = new Store();
/** @type {Watch | null} */
let watch = null;
let link = { state: "new", why: "" };
/** @type {string | null} */
let refused = null; // why there is no token
/** @type {Page | null} */
let current = null;

// ---- Where we are -------------------------------------------------------------------

/** The name of the page, and what is behind it. */
function place() {
  const [name, ...parts] = location.hash.replace(/^#\/?/, "").split("?")[0].split("/");
  return { name, parts: parts.map(decodeURIComponent), found: pages[name] };
}

function enter() {
  const { found, parts } = place();
  if (current !== found) {
    current?.leave?.();
    current = found ?? null;
    window.scrollTo(0, 0);
  }
  found?.enter?.(parts);
  document.title = `${found?.title(parts) ?? "Not found"} · Snakepit`;
  page.redraw();
}

// ---- The theme ----------------------------------------------------------------------

function theme() {
  return Math.max(0, THEMES.indexOf(localStorage.getItem("snakepit-theme") ?? ""));
}

function showTheme() {
  document.documentElement.style.colorScheme = THEMES[theme()];
  forgetColours();
}

function nextTheme() {
  localStorage.setItem("snakepit-theme", THEMES[(theme() + 1) % THEMES.length]);
  showTheme();
  page.redraw();
}

// ---- The frame ----------------------------------------------------------------------

const STATES = /** @type {Record<string, string>} */ ({
  new: "connecting", live: "live", lost: "not connected", refused: "refused",
});

/** @param {string} name */
function header(name) {
  const under = name === "pools" || name === "workers" ? "" : name;
  return h("header", { class: "top" },
    h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to the content"),
    h("a", { class: "brand", href: "#/" }, h("img", { src: "assets/icon.svg", alt: "", width: "16", height: "16" }), "Snakepit"),
    h("nav", { "aria-label": "Pages" }, NAVIGATION.map(([to, text]) =>
      h("a", { href: `#/${to}`, "aria-current": to === name ? "page" : to === under ? "true" : null }, text))),
    h("div", { class: "side" },
      h("span", { class: `link ${link.state}`, role: "status", title: link.why }, STATES[link.state]),
      button(THEME_NAMES[theme()], nextTheme, { class: "plain" }),
      token() !== "" && button("Forget token", forgetToken, { class: "plain" })));
}

/**
 * The hash is the page's.
 * @param {Event} event
 */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function content() {
  const { found, parts } = place();
  if (found === undefined) {
    return h("h1", null, "There is no such page");
  }
  if (store.time === 0) {
    return h("p", { class: "note" }, link.state === "new" ? "Asking the daemon …" : link.why);
  }
  return found.view(store, parts);
}

function draw() {
  if (refused !== null) {
    render(root, loginView(refused, begin));
    return;
  }
  const { name } = place();
  render(root, [
    header(name),
    link.state !== "live" && link.state !== "new" && h("p", { class: "banner", role: "alert" },
      `${link.why} ${link.state === "lost" ? "What you see is what was known last." : ""}`),
    h("main", { id: "main", key: `page-${name}`, tabindex: "-1" }, content()),
    toastView(),
  ]);
}

const PACE_MS = 1000;
const SLACK_MS = 50; // what comes a little early is not put off for a whole step
let drawn = 0;
let drawing = false;
page.redraw = () => {
  if (!drawing && !document.hidden) {
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      drawn = performance.now();
      draw();
    });
  }
};

// ---- The stream ---------------------------------------------------------------------

function begin() {
  watch?.stop();
  refused = null;
  store = new Store();
  link = { state: "new", why: "" };
  watch = new Watch(store, {
    changed: (urgent) => {
      if (urgent || performance.now() - drawn >= (current?.pace ?? PACE_MS) - SLACK_MS) {
        page.redraw();
      }
    },
    state: (state, why) => {
      if (state !== link.state || why !== link.why) {
        link = { state, why };
        page.redraw();
      }
    },
  });
  void watch.start();
  enter();
}

function forgetToken() {
  setToken("");
  begin();
}

wants.token = (problem) => {
  // The first answer without a token is no mistake of anybody's.
  refused = token() === "" ? "" : problem.message;
  current?.leave?.();
  current = null;
  watch?.stop();
  page.redraw();
};

window.addEventListener("hashchange", enter);
window.addEventListener("resize", () => page.redraw());
document.addEventListener("visibilitychange", () => page.redraw());
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  forgetColours();
  page.redraw();
});
showTheme();
begin();
