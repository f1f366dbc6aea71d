// SPDX-License-Identifier: MIT
// The colours of style.css for what is drawn on a canvas. Tools have those of Okabe and Ito,
// which also people tell apart who do not see red or green.

const NAMES = ["text", "muted", "line", "ground", "accent", "busy", "idle", "slow", "bad", "start",
  "tool0", "tool1", "tool2", "tool3", "tool4", "tool5", "tool6", "tool7"];
export const TOOL_COLOURS = 8;

/** @type {Record<string, string> | null} */
let known = null;

/** @returns {Record<string, string>} */
export function colours() {
  if (known === null) {
    const probe = document.createElement("span");
    document.body.append(probe);
    known = {};
    for (const name of NAMES) {
      probe.className = `probe-${name}`;
      known[name] = getComputedStyle(probe).color;
    }
    probe.remove();
  }
  return known;
}

/** After the theme has changed. */
export function forgetColours() {
  known = null;
}

/**
 * The number of a tool's colour: the same whenever it is seen.
 * @param {string} tool
 */
export function toolColour(tool) {
  let hash = 2166136261;
  for (let i = 0; i < tool.length; i++) {
    hash = Math.imul(hash ^ tool.charCodeAt(i), 16777619);
  }
  return ((hash ^ (hash >>> 15)) >>> 0) % TOOL_COLOURS;
}
