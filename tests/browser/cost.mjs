// SPDX-License-Identifier: MIT
// What the dashboard costs: processor time of all processes of a browser that shows one
// page after the other, and the memory of its page. Run by hand, beside a daemon that is
// under load:
//
//   URL=http://127.0.0.1:8080 PEERS=build/peers/npm CHROMIUM=/usr/bin/chromium \
//     node tests/browser/cost.mjs SECONDS '#/' '#/timeline/text'
//
// With SAMPLES=N each page is looked at N times, which tells whether memory is flat.
import { launchWatched, open, url } from "./support.mjs";

const [, , seconds, ...hashes] = process.argv;
const samples = Number(process.env.SAMPLES ?? 1);
const WARM_MS = 4000;

const browser = await launchWatched();
const page = await open(browser.browser, url);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const share = (ms, of) => `${(100 * ms / of).toFixed(2)} %`;

for (const hash of hashes) {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
  await wait(WARM_MS);
  for (let i = 0; i < samples; i++) {
    const [before, began] = [browser.processes(), performance.now()];
    await wait(1000 * Number(seconds));
    const [after, took] = [browser.processes(), performance.now() - began];
    const kinds = {};
    let all = 0;
    for (const [pid, { kind, ms }] of after) {
      const spent = ms - (before.get(pid)?.ms ?? 0);
      kinds[kind] = (kinds[kind] ?? 0) + spent;
      all += spent;
    }
    const { heap, nodes } = await browser.memory(page);
    const rss = Math.max(...[...after.values()].filter(({ kind }) => kind === "renderer").map((one) => one.rss));
    console.log(hash.padEnd(18), share(all, took), Object.entries(kinds).map(([kind, ms]) => `${kind} ${share(ms, took)}`).join(", "),
      `heap ${(heap / 1e6).toFixed(2)} MB, ${nodes} nodes, renderer ${(rss / 1e6).toFixed(0)} MB`);
  }
}
await browser.close();
