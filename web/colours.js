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
  pixels = null;
}

/** @type {Record<string, number> | null} */
let pixels = null;

/**
 * The same as numbers, as an ImageData has them on a machine that puts the lowest byte first.
 * @returns {Record<string, number>}
 */
export function pixelColours() {
  pixels ??= Object.fromEntries(Object.entries(colours()).map(([name, text]) => {
    const [red, green, blue] = (text.match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
    return [name, packed(red, green, blue)];
  }));
  return pixels;
}

/** @param {number} red @param {number} green @param {number} blue */
function packed(red, green, blue) {
  return (0xff000000 | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red)) >>> 0;
}

/**
 * What lies over something else and lets it through.
 * @param {number} over @param {number} under @param {number} share of what is over
 */
export function mixed(over, under, share) {
  const part = (/** @type {number} */ at) => ((over >> at) & 255) * share + ((under >> at) & 255) * (1 - share);
  return packed(part(0), part(8), part(16));
}

/** @type {Map<string, number>} */
const numbers = new Map();
const TOOLS = 1000; // that are told apart

/**
 * The number of a tool's colour. The first ones that are seen have one of their own.
 * @param {string} tool
 */
export function toolColour(tool) {
  let number = numbers.get(tool);
  if (number === undefined) {
    number = numbers.size % TOOL_COLOURS;
    if (numbers.size < TOOLS) {
      numbers.set(tool, number);
    }
  }
  return number;
}
