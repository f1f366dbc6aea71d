// SPDX-License-Identifier: MIT
// Forms of JSON Schemas: a field for each parameter of a tool, and the arguments out of
// what was typed. What a plain field cannot say is typed as JSON.

/**
 * @typedef {Object} Schema
 * @property {string | string[]} [type]
 * @property {Record<string, Schema>} [properties]
 * @property {string[]} [required]
 * @property {any[]} [enum]
 * @property {any} [default]
 * @property {string} [description]
 * @property {Schema[]} [anyOf]
 * @property {Schema[]} [oneOf]
 * @property {boolean | Schema} [additionalProperties]
 *
 * @typedef {{name: string, kind: "text" | "number" | "integer" | "yes-no" | "choice" | "json",
 *            required: boolean, choices: any[], preset: string, help: string}} Field
 */

/**
 * The types that a value may have, without null.
 * @param {Schema} schema @returns {string[]}
 */
function typesOf(schema) {
  const several = schema.anyOf ?? schema.oneOf;
  const types = several !== undefined ? several.flatMap(typesOf) : [schema.type ?? "any"].flat();
  return [...new Set(types.filter((type) => type !== "null"))];
}

/** @param {Schema} schema @returns {Field["kind"]} */
function kindOf(schema) {
  if (schema.enum !== undefined) {
    return "choice";
  }
  const types = typesOf(schema);
  if (types.length !== 1) {
    return "json";
  }
  const kinds = /** @type {Record<string, Field["kind"]>} */ ({
    string: "text", number: "number", integer: "integer", boolean: "yes-no",
  });
  return kinds[types[0]] ?? "json";
}

/** @param {Schema | null} schema of all parameters @returns {Field[]} */
export function fieldsOf(schema) {
  const required = new Set(schema?.required ?? []);
  return Object.entries(schema?.properties ?? {}).map(([name, one]) => {
    const kind = kindOf(one);
    const preset = one.default === undefined || one.default === null ? ""
      : kind === "json" ? JSON.stringify(one.default) : String(one.default);
    const type = typesOf(one).join(" or ");
    return {
      name, kind, required: required.has(name), choices: one.enum ?? [], preset,
      help: [one.description, kind === "json" ? `JSON${type === "any" ? "" : `: ${type}`}` : type].filter(Boolean).join("; "),
    };
  });
}

/** @param {Field} field @param {string} text @returns {any} */
function valueOf(field, text) {
  if (field.kind === "text") {
    return text;
  }
  if (field.kind === "choice") {
    return field.choices.find((choice) => String(choice) === text);
  }
  if (field.kind === "yes-no") {
    return text === "true";
  }
  if (field.kind === "json") {
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`${field.name}: this is not JSON`);
    }
  }
  const number = Number(text);
  if (!Number.isFinite(number) || (field.kind === "integer" && !Number.isInteger(number))) {
    throw new Error(`${field.name}: this is not ${field.kind === "integer" ? "a whole number" : "a number"}`);
  }
  return number;
}

/**
 * The arguments of a call, and what is wrong with the first field that is not right ("":
 * nothing). What is empty and may be left away is left away.
 * @param {Field[]} fields @param {(name: string) => string} typed
 */
export function argumentsOf(fields, typed) {
  /** @type {Record<string, any>} */
  const given = {};
  let wrong = "";
  for (const field of fields) {
    const text = typed(field.name);
    if (text === "" && (!field.required || field.kind !== "text")) {
      wrong ||= field.required ? `${field.name} is missing` : "";
      continue;
    }
    try {
      given[field.name] = valueOf(field, text);
    } catch (error) {
      wrong ||= /** @type {Error} */ (error).message;
    }
  }
  return { given, wrong };
}
