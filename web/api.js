// SPDX-License-Identifier: MIT
// Requests to the daemon that this page came from, with the token of this tab.
import { readEvents } from "./sse.js";

const KEY = "snakepit-token";

/** Said by the daemon, in words. */
export class Problem extends Error {
  /** @param {number} status @param {string} detail @param {any} [document] */
  constructor(status, detail, document) {
    super(detail);
    this.status = status;
    this.document = document;
  }
}

export function token() {
  return sessionStorage.getItem(KEY) ?? "";
}

/** @param {string} value "" forgets it */
export function setToken(value) {
  if (value === "") {
    sessionStorage.removeItem(KEY);
  } else {
    sessionStorage.setItem(KEY, value);
  }
}

/** Called when the daemon wants a token, or a better one. */
export const wants = {
  /** @param {Problem} _problem */
  token(_problem) {},
};

/**
 * Parts of a path, each encoded.
 * @param {string[]} parts
 */
export function path(...parts) {
  return parts.map((part) => encodeURIComponent(part)).join("/");
}

/** @param {Response} answer */
async function problemOf(answer) {
  const text = await answer.text();
  try {
    const document = JSON.parse(text);
    return new Problem(answer.status, document.detail ?? document.title ?? text, document);
  } catch {
    return new Problem(answer.status, text || `${answer.status} ${answer.statusText}`);
  }
}

/**
 * An answer that is not a problem; throws Problem. `at` is relative: "v1/pools".
 * @param {string} method @param {string} at @param {RequestInit} [options]
 */
export async function ask(method, at, options = {}) {
  const headers = new Headers(options.headers);
  const known = token();
  if (known !== "") {
    headers.set("Authorization", `Bearer ${known}`);
  }
  let answer;
  try {
    answer = await fetch(at, { ...options, method, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (options.signal?.aborted) {
      throw error;
    }
    throw new Problem(0, "The daemon does not answer.");
  }
  if (answer.ok) {
    return answer;
  }
  const problem = await problemOf(answer);
  if (problem.status === 401) {
    wants.token(problem);
  }
  throw problem;
}

/**
 * The value of a GET.
 * @param {string} at @param {AbortSignal} [signal] @returns {Promise<any>}
 */
export async function get(at, signal) {
  return (await ask("GET", at, { signal, headers: { Accept: "application/json" } })).json();
}

/**
 * The text of a GET.
 * @param {string} at @param {AbortSignal} [signal]
 */
export async function getText(at, signal) {
  return (await ask("GET", at, { signal, headers: { Accept: "text/plain" } })).text();
}

/**
 * Reads the events of `at` until they end, or `signal` says so.
 * @param {string} at @param {AbortSignal} signal @param {(event: string, value: any) => void} each
 * @param {RequestInit} [options]
 */
export async function events(at, signal, each, options = {}) {
  const headers = { ...options.headers, Accept: "text/event-stream" };
  const answer = await ask(options.method ?? "GET", at, { ...options, signal, headers });
  if (answer.body !== null) {
    await readEvents(answer.body, (event) => each(event.event, JSON.parse(event.data)));
  }
}
