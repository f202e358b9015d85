// The records of the page, and how their texts are shown.
//
// Texts are untrusted. They reach the document only as text nodes: no part of this script makes HTML
// from a string.
"use strict";

const config = JSON.parse(document.getElementById("config").textContent);
const rows = JSON.parse(document.getElementById("rows").textContent);

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

// Control characters, invisible formatting (such as characters that reorder text), lone surrogates
// and line separators are shown by their code, so that a text cannot imitate another one.
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const MAX_MARKS = 300;

/** Show a text: matches of the search are marked, hidden characters shown by their code. */
function say(text) {
  const fragment = document.createDocumentFragment();
  let from = 0;
  let left = MAX_MARKS;
  const finder = search.finder;
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
function excerpt(text) {
  if (text.length <= EXCERPT) return text.replace(/\s+/g, " ");
  let start = 0;
  if (search.finder) {
    search.finder.lastIndex = 0;
    const hit = search.finder.exec(text);
    if (hit && hit.index > EXCERPT / 2) start = hit.index - 40;
  }
  // Do not cut through a surrogate pair.
  if (start && isLow(text.charCodeAt(start))) start -= 1;
  let end = start + EXCERPT;
  if (isLow(text.charCodeAt(end))) end -= 1;
  const cut = text.slice(start, end).replace(/\s+/g, " ");
  return `${start ? "… " : ""}${cut}${end < text.length ? " …" : ""}`;
}

const isLow = (unit) => unit >= 0xdc00 && unit <= 0xdfff;

const percent = (share) => `${Math.round(100 * share)}%`;

/** Make a bar; its width is set by the object model, since the policy forbids style attributes. */
function bar(share, className = "") {
  const inner = make("b", { className });
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make("i", { "aria-hidden": "true" }, inner);
}

const sideNames = ["gold", "teacher", "student", "second"];
const LETTERS = { g: "gold", t: "teacher", s: "student", 2: "second" };
const owners = (letters) => Array.from(letters, (letter) => LETTERS[letter]);
const present = Object.fromEntries(sideNames.map((who) => [who, rows.some((row) => row[who])]));

/** The searched texts, one per line; made by the first search. */
function haystack(row) {
  row.hay ??= [
    row.id,
    row.input ?? "",
    ...sideNames.flatMap((who) => (row[who] ? [row[who].label ?? "", row[who].rationale ?? ""] : [])),
  ].join("\n");
  return row.hay;
}
