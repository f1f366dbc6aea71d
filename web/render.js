// SPDX-License-Identifier: MIT
// Views are functions that give a tree of plain objects. render() makes the document
// look like that tree and touches only what differs; so an element keeps its focus, its
// text and its scroll position while what is around it changes.

/**
 * @typedef {Object} Element_
 * @property {string} tag      "" for a text
 * @property {Record<string, any>} props
 * @property {string} key      what it is found by among its siblings
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

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "open"]);

/**
 * Adds `children`, lists of them and texts, each with a key: its own, or its place. What
 * is left away keeps its place, so that what follows is found again.
 * @param {Element_[]} out @param {Child} child @param {string} place
 */
function add(out, child, place) {
  if (Array.isArray(child)) {
    child.forEach((one, i) => add(out, one, `${place}.${i}`));
  } else if (typeof child === "object" && child !== null) {
    child.key ||= `${place}:${child.tag}`;
    out.push(child);
  } else if (child !== undefined && child !== null && child !== false && child !== "") {
    out.push({ tag: "", props: {}, key: `${place}:`, children: [], text: String(child), node: null });
  }
}

/**
 * An element. Of `props`: `key` tells it from its siblings, `hook` is a Hook, names that
 * begin with "on" are handlers, others are attributes; what is null or false is left away.
 * @param {string} tag @param {Record<string, any> | null} [props] @param {Child[]} children
 * @returns {Element_}
 */
export function h(tag, props, ...children) {
  const own = props ?? {};
  /** @type {Element_} */
  const element = {
    tag, props: own, key: own.key === undefined ? "" : `=${own.key}`, children: [], text: "", node: null,
  };
  children.forEach((child, i) => add(element.children, child, String(i)));
  return element;
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
  element.props.hook?.update?.(element.node);
}

/** @param {Element_} element */
function leave(element) {
  element.children.forEach(leave);
  element.props.hook?.unmount?.(element.node);
}

/** @param {any} parent @param {Element_[]} old @param {Element_[]} now @param {boolean} svg */
function patchChildren(parent, old, now, svg) {
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
    if (before === undefined || before.tag !== element.tag) {
      element.props.hook?.mount?.(element.node);
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
  /** @type {Element_[]} */
  const now = [];
  add(now, view, "");
  patchChildren(parent, shown.get(parent) ?? [], now, false);
  shown.set(parent, now);
}
