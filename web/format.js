// SPDX-License-Identifier: MIT
// Figures as people read them.

/**
 * With commas. toLocaleString() takes ten times as long, and pages show hundreds of these.
 * @param {number} value @param {number} digits
 */
function fixed(value, digits) {
  const text = value.toFixed(digits);
  return value > -1000 && value < 1000 ? text : text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/**
 * A whole number, with commas.
 * @param {number | null | undefined} value
 */
export function count(value) {
  return value === null || value === undefined ? "–" : fixed(Math.round(value), 0);
}

/**
 * Of something in a second.
 * @param {number | null | undefined} value
 */
export function rate(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return "–";
  }
  return value >= 100 || value === 0 ? count(value) : fixed(value, 1);
}

/**
 * A time.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds) || seconds < 0) {
    return "–";
  }
  const steps = /** @type {[number, number, string][]} */ ([[1e-3, 1e6, "µs"], [1, 1e3, "ms"], [60, 1, "s"]]);
  for (const [limit, factor, unit] of steps) {
    if (seconds < limit) {
      const value = seconds * factor;
      return `${value >= 100 || value === 0 ? Math.round(value) : fixed(value, value >= 10 ? 1 : 2)} ${unit}`;
    }
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return `${minutes} min ${Math.floor(seconds % 60)} s`;
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** @param {number | null | undefined} value */
export function bytes(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return "–";
  }
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : fixed(value, 1)} ${units[unit]}`;
}

/**
 * The time of a day.
 * @param {number} ms since 1970
 */
export function clock(ms) {
  const date = new Date(ms);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/**
 * "1 worker", "2 workers".
 * @param {number} number @param {string} thing
 */
export function several(number, thing) {
  return `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
}
