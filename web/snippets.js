// SPDX-License-Identifier: MIT
// The same call with curl, from a program in C, and in Python.

/**
 * @typedef {{origin: string, pool: string, tool: string, arguments: Record<string, any>, streams: boolean,
 *            token: boolean}} Wanted  `origin` as in "http://127.0.0.1:8470"; `token`: one is needed
 */

/**
 * In single quotes of a shell.
 * @param {string} text
 */
function shell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * As a literal of C. JSON escapes what C would misread, but for "??" and what is beyond ASCII.
 * @param {string} text
 */
function literal(text) {
  return JSON.stringify(text).replaceAll("??", "?\\?");
}

/**
 * As a literal of Python.
 * @param {any} value @returns {string}
 */
export function python(value) {
  if (value === null) {
    return "None";
  }
  if (typeof value === "boolean") {
    return value ? "True" : "False";
  }
  if (Array.isArray(value)) {
    return `[${value.map(python).join(", ")}]`;
  }
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${python(one)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}

/** @param {Wanted} wanted */
function url(wanted) {
  return `${wanted.origin}/v1/pools/${encodeURIComponent(wanted.pool)}/tools/${encodeURIComponent(wanted.tool)}`;
}

/** @param {Wanted} wanted */
export function curl(wanted) {
  return [
    "curl", wanted.streams && "-N -H 'Accept: text/event-stream'",
    wanted.token && '-H "Authorization: Bearer $SNAKEPIT_TOKEN"',
    `--json ${shell(JSON.stringify(wanted.arguments))}`, shell(url(wanted)),
  ].filter(Boolean).join(" \\\n  ");
}

/** @param {Wanted} wanted */
export function c(wanted) {
  const json = literal(JSON.stringify(wanted.arguments));
  return `snakepit_call_options options = {.size = sizeof options, .pool = ${literal(wanted.pool)}};
snakepit_answer *answer = NULL;
snakepit_err err = snakepit_call_json(
    pit, ${literal(wanted.tool)}, ${json}, &options, &answer);
if (err == SNAKEPIT_OK) {
    printf("%s\\n", snakepit_answer_json(answer));
} else {
    fprintf(stderr, "%s\\n", snakepit_answer_fault(answer)->message);
}
snakepit_answer_free(answer);`;
}

/** @param {Wanted} wanted */
export function pythonProgram(wanted) {
  const headers = [
    '"Content-Type": "application/json"', wanted.streams && '"Accept": "text/event-stream"',
    wanted.token && '"Authorization": f"Bearer {os.environ[\'SNAKEPIT_TOKEN\']}"',
  ].filter(Boolean).join(", ");
  const end = wanted.streams
    ? `    for line in answer:
        if line.startswith(b"data: "):
            print(json.loads(line[6:]))`
    : "    print(json.load(answer))";
  return `import json${wanted.token ? "\nimport os" : ""}
import urllib.request

request = urllib.request.Request(
    ${JSON.stringify(url(wanted))},
    json.dumps(${python(wanted.arguments)}).encode(),
    {${headers}},
)
with urllib.request.urlopen(request) as answer:
${end}`;
}
