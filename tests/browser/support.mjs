// SPDX-License-Identifier: MIT
// A browser, and what the tests do with its pages. Where things are comes by the
// environment; tests/peers/test_dashboard.py sets it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { URL: url, GUARDED: guarded, CHROMIUM, PEERS, SHOTS } = process.env;
const require = createRequire(join(PEERS, "package.json"));
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

export { guarded, url };
export const WAIT_MS = 30000;

// Inside of a container its sandbox cannot be made; it opens nothing but our own pages.
const HOW = { executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] };

export async function launch() {
  return chromium.launch(HOW);
}

/** A browser whose processor time and memory can be asked for. */
export async function launchWatched() {
  const server = await chromium.launchServer(HOW);
  const browser = await chromium.connect(server.wsEndpoint());
  return {
    browser,
    processes: () => processesBelow(server.process().pid),
    memory: memoryOf,
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

const TICK_MS = 10; // of the times in /proc
const PAGE_BYTES = 4096;

/** The processes that stem from one, by their number: what they are, their time and memory. */
function processesBelow(root) {
  const parents = new Map();
  const found = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number)) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
      const kind = /--type=([\w-]+)/.exec(readFileSync(`/proc/${pid}/cmdline`, "latin1"))?.[1] ?? "browser";
      parents.set(pid, Number(fields[1]));
      found.set(pid, { kind, ms: (Number(fields[11]) + Number(fields[12])) * TICK_MS, rss: Number(fields[21]) * PAGE_BYTES });
    } catch {
      // It has ended meanwhile.
    }
  }
  const stems = (pid) => pid === root || (parents.has(pid) && stems(parents.get(pid)));
  return new Map([...found].filter(([pid]) => stems(pid)));
}

/** What the page keeps, once all garbage is collected. */
export async function memoryOf(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  await session.detach();
  const value = (wanted) => metrics.find(({ name }) => name === wanted).value;
  return { heap: value("JSHeapUsedSize"), nodes: value("Nodes") };
}

/** A page that has loaded, and whose complaints are kept. */
export async function open(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error.stack)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (4|5)\d\d/.test(message.text())) {
      page.complaints.push(message.text());
    }
  });
  await page.goto(address);
  return page;
}

export async function close(page) {
  const { complaints = [] } = page;
  await page.context().close();
  assert.deepEqual(complaints, []);
}

export async function go(page, hash) {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
}

/** Nothing that axe knows is wrong with the page. */
export async function judge(page, name) {
  assert.deepEqual(await wrongWith(page), [], name);
}

/** What axe finds. */
export async function wrongWith(page) {
  // Playwright adds it beside the policy of the page.
  await page.evaluate(require("node:fs").readFileSync(axe, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ").slice(0, 600)}`);
}

export async function shoot(page, name) {
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

/** The page is no wider than the screen. */
export async function assertFits(page, name) {
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(wide <= screen, `${name}: ${wide} of ${screen} pixels`);
}

/** The buttons of tables, which may be wider than the page, can be seen and pressed. */
export async function assertButtonsInSight(page, name) {
  const cut = await page.evaluate(() => [...document.querySelectorAll(".action button")].filter((button) => {
    const { left, right } = button.getBoundingClientRect();
    const { left: from, right: to } = button.closest(".scroll").getBoundingClientRect();
    return left < from || right > Math.min(to, window.innerWidth);
  }).length);
  assert.equal(cut, 0, `${name}: ${cut} buttons are cut off`);
}

/** An answer of the daemon, asked for without the page. */
export async function ask(method, path, body) {
  const answer = await fetch(`${url}${path}`, {
    method, body: body && JSON.stringify(body), headers: body && { "Content-Type": "application/json" },
  });
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}

export async function until(what, holds) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const found = await holds();
    if (found) {
      return found;
    }
    assert.ok(Date.now() < end, `waited for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
