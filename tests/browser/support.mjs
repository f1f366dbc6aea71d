// SPDX-License-Identifier: MIT
// A browser, and what the tests do with its pages. Where things are comes by the
// environment; tests/peers/test_dashboard.py sets it.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const { URL: url, GUARDED: guarded, CHROMIUM, PEERS, SHOTS } = process.env;
const require = createRequire(join(PEERS, "package.json"));
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

export { guarded, url };
export const WAIT_MS = 30000;

export async function launch() {
  // Inside of a container its sandbox cannot be made; it opens nothing but our own pages.
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
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
