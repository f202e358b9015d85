// Elements and texts.
//
// Texts are untrusted. They reach the document only as text nodes: no part of this script makes HTML
// from a string.
"use strict";

const byId = (id) => document.getElementById(id);

/** Make an element; properties that are undefined or false are left out. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name in element && !name.startsWith("aria-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Make a button. */
function makeButton(text, act, properties = {}) {
  const button = make("button", { type: "button", ...properties }, text);
  button.addEventListener("click", act);
  return button;
}

// Control characters, invisible formatting (such as characters that reorder text), lone surrogates
// and line separators are shown by their code, so that a text cannot imitate another one.
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const MAX_MARKS = 300;

/** The regular expression whose matches are marked; null without a search. */
const marked = { finder: null };

/** Show a text: matches of the search are marked, hidden characters shown by their code. */
function say(text) {
  const fragment = document.createDocumentFragment();
  let from = 0;
  let left = MAX_MARKS;
  const { finder } = marked;
  if (finder) {
    finder.lastIndex = 0;
    for (let hit = finder.exec(text); hit && left; hit = finder.exec(text)) {
      if (hit[0] === "") {
        finder.lastIndex += 1;
        if (finder.lastIndex > text.length) break;
        continue;
      }
      spellOut(fragment, text.slice(from, hit.index));
      const mark = make("mark");
      spellOut(mark, hit[0]);
      fragment.append(mark);
      from = hit.index + hit[0].length;
      left -= 1;
    }
  }
  spellOut(fragment, text.slice(from));
  return fragment;
}

function spellOut(parent, text) {
  let from = 0;
  for (const hit of text.matchAll(HIDDEN)) {
    if (hit.index > from) parent.append(text.slice(from, hit.index));
    const code = hit[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parent.append(make("span", { className: "hidden-sign", title: "invisible character" }, `U+${code}`));
    from = hit.index + hit[0].length;
  }
  if (from < text.length) parent.append(text.slice(from));
}

const EXCERPT = 240;

/** The beginning of a text, or the part around the first match of the search, on one line. */
function excerpt(text, length = EXCERPT) {
  if (text.length <= length) return text.replace(/\s+/g, " ");
  let start = 0;
  if (marked.finder) {
    marked.finder.lastIndex = 0;
    const hit = marked.finder.exec(text);
    if (hit && hit.index > length / 2) start = hit.index - 40;
  }
  // Do not cut through a surrogate pair.
  if (start && isLow(text.charCodeAt(start))) start -= 1;
  let end = start + length;
  if (isLow(text.charCodeAt(end))) end -= 1;
  const cut = text.slice(start, end).replace(/\s+/g, " ");
  return `${start ? "… " : ""}${cut}${end < text.length ? " …" : ""}`;
}

const isLow = (unit) => unit >= 0xdc00 && unit <= 0xdfff;

const percent = (share) => `${Math.round(100 * share)}%`;
const withCommas = (number) => number.toLocaleString("en");

/** Make a bar; its width is set by the object model, since the policy forbids style attributes. */
function bar(share, className = "") {
  const inner = make("b", { className });
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make("i", { "aria-hidden": "true" }, inner);
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** Say that the page is ready, with the time since its start, in milliseconds. */
const announce = () => {
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
};
