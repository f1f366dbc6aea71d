// SPDX-License-Identifier: MIT
// Views are functions that give a tree of plain objects. render() makes the document
// look like that tree and touches only what differs; so an element keeps its focus, its
// text and its scroll position while what is around it changes.

/**
 * @typedef {Object} Element_
 * @property {string} tag      "" for a text
 * @property {Record<string, any>} props
 * @property {string | number | null} key  what it is found by among its siblings; null: not known yet
 * @property {Element_[]} children
 * @property {string} text     of a text
 * @property {any} node        of the document, once it is there
 */
/** @typedef {Element_ | string | number | null | undefined | false | any[]} Child */

/**
 * An element that manages what is inside by itself, as a canvas does.
 * @typedef {Object} Hook
 * @property {(node: any) => void} [mount]   it has come
 * @property {(node: any) => void} [update]  it was rendered again
 * @property {(node: any) => void} [unmount] it goes
 */

/**
 * Whose hooks are called when all is in its place: they measure, and what changes after
 * that would have to be laid out once more.
 * @type {Element_[]}
 */
const arrived = [];
/** @type {Element_[]} */
const hooked = [];
const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "open"]);

const NONE = Object.freeze({});
/** @type {Element_[]} */
const CHILDLESS = [];

/**
 * Adds `child`, or a list of them, or a text, each with a key: its own, or its place. What
 * is left away keeps its place, so that what follows is found again.
 * @param {Element_[]} out @param {Child} child @param {string | number} place
 */
function add(out, child, place) {
  if (Array.isArray(child)) {
    for (let i = 0; i < child.length; i++) {
      add(out, child[i], `${place}.${i}`);
    }
  } else if (typeof child === "object" && child !== null) {
    child.key ??= place;
    out.push(child);
  } else if (child !== undefined && child !== null && child !== false && child !== "") {
    out.push({ tag: "", props: NONE, key: place, children: CHILDLESS, text: String(child), node: null });
  }
}

/**
 * All of a list. Places are numbers: thousands of texts would be made with each drawing.
 * @param {Child[]} children @returns {Element_[]}
 */
function listOf(children) {
  const only = children.length === 1 && Array.isArray(children[0]) ? children[0] : children;
  /** @type {Element_[]} */
  const out = [];
  for (let i = 0; i < only.length; i++) {
    add(out, only[i], i);
  }
  return out;
}

/**
 * An element. Of `props`: `key` tells it from its siblings, `hook` is a Hook, names that
 * begin with "on" are handlers, others are attributes; what is null or false is left away.
 * @param {string} tag @param {Record<string, any> | null} [props] @param {Child[]} children
 * @returns {Element_}
 */
export function h(tag, props, ...children) {
  const own = props ?? NONE;
  return {
    tag, props: own, key: own.key === undefined ? null : `=${own.key}`,
    children: children.length === 0 ? CHILDLESS : listOf(children), text: "", node: null,
  };
}

/** @param {any} node @param {string} name @param {any} value @param {any} old */
function setProperty(node, name, value, old) {
  if (name === "key" || name === "hook") {
    return;
  }
  if (name.startsWith("on")) {
    node[name] = value ?? null;
  } else if (PROPERTIES.has(name)) {
    // What a person has typed stays until the view wants something else.
    if (value !== old) {
      node[name] = value ?? (typeof node[name] === "boolean" ? false : "");
    }
  } else if (value === null || value === undefined || value === false) {
    node.removeAttribute(name);
  } else if (value !== old) {
    node.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {Element_} element @param {Record<string, any>} old */
function setProperties(element, old) {
  for (const name in old) {
    if (!(name in element.props)) {
      setProperty(element.node, name, null, old[name]);
    }
  }
  for (const name in element.props) {
    if (element.props[name] !== old[name]) {
      setProperty(element.node, name, element.props[name], old[name]);
    }
  }
}

/** @param {Element_} element @param {boolean} svg */
function create(element, svg) {
  if (element.tag === "") {
    element.node = document.createTextNode(element.text);
    return;
  }
  const inside = svg || element.tag === "svg";
  element.node = inside ? document.createElementNS(SVG, element.tag) : document.createElement(element.tag);
  // The choices of a <select> come before its value.
  patchChildren(element.node, [], element.children, inside);
  setProperties(element, {});
}

/** @param {Element_} element @param {Element_} old @param {boolean} svg */
function patch(element, old, svg) {
  element.node = old.node;
  if (element.tag === "") {
    if (element.text !== old.text) {
      element.node.data = element.text;
    }
    return;
  }
  patchChildren(element.node, old.children, element.children, svg || element.tag === "svg");
  setProperties(element, old.props);
  if (element.props.hook !== undefined) {
    hooked.push(element);
  }
}

/** @param {Element_} element */
function leave(element) {
  element.children.forEach(leave);
  element.props.hook?.unmount?.(element.node);
}

/** @param {Element_[]} old @param {Element_[]} now */
function areTheSame(old, now) {
  return old.length === now.length && old.every((one, i) => one.key === now[i].key && one.tag === now[i].tag);
}

/** @param {any} parent @param {Element_[]} old @param {Element_[]} now @param {boolean} svg */
function patchChildren(parent, old, now, svg) {
  if (areTheSame(old, now)) {
    for (let i = 0; i < now.length; i++) {
      patch(now[i], old[i], svg);
    }
    return;
  }
  const known = new Map(old.map((element) => [element.key, element]));
  const kept = new Set(now.map((element) => element.key));
  for (const element of old) {
    if (!kept.has(element.key)) {
      leave(element);
      element.node.remove();
    }
  }
  let next = parent.firstChild;
  for (const element of now) {
    const before = known.get(element.key);
    if (before !== undefined && before.tag === element.tag) {
      patch(element, before, svg);
    } else {
      if (before !== undefined) {
        leave(before);
        next = next === before.node ? next.nextSibling : next;
        before.node.remove();
      }
      create(element, svg);
    }
    if (element.node === next) {
      next = next.nextSibling;
    } else {
      parent.insertBefore(element.node, next);
    }
    if ((before === undefined || before.tag !== element.tag) && element.props.hook !== undefined) {
      arrived.push(element);
    }
  }
}

/**
 * What render() made last, by where it is.
 * @type {WeakMap<object, Element_[]>}
 */
const shown = new WeakMap();

/** @param {any} parent @param {Child} view */
export function render(parent, view) {
  const now = listOf([view]);
  patchChildren(parent, shown.get(parent) ?? [], now, false);
  shown.set(parent, now);
  arrived.splice(0).forEach(({ props, node }) => props.hook.mount?.(node));
  hooked.splice(0).forEach(({ props, node }) => props.hook.update?.(node));
}
