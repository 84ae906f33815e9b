// Creates and fills elements of the page. Text never becomes markup: nothing here parses it, and the policy forbids it.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, listeners (`onclick: f`) and children; a string becomes text. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Replaces the children of `element`. */
export function put(element, ...children) {
  const shown = children.flat(Infinity).filter((child) => (child ?? null) !== null);
  element.replaceChildren(...shown.map((child) => (typeof child === "string" ? visible(child) : child)));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else if (value === true) element.setAttribute(name, "");
    else if ((value ?? false) !== false) element.setAttribute(name, visible(value));
  }
  put(element, children);
  return element;
}

/** Sets the text of an element if it differs, so that a screen reader announces only changes. */
export function setText(element, text) {
  const shown = visible(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/** Text with escapes for the characters that hide or reorder others, which names may contain. */
function visible(text) {
  return String(text).replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt().toString(16)}}`);
}
