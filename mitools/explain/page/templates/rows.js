// The records, as the page holds them, and how their texts are shown.
//
// Texts come from models and from anybody's files. They reach the document through text nodes
// alone: nothing here, or in any other part of this script, makes HTML out of a string.
"use strict";

const config = JSON.parse(document.getElementById("config").textContent);
const rows = JSON.parse(document.getElementById("rows").textContent);

const byId = (id) => document.getElementById(id);

/** Make an element; a property that is undefined or false is left out. */
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

// Control characters, invisible formatting (among it what reorders text), lone surrogates and line
// separators are spelt out, so that a text cannot pretend to be another one.
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const MAX_MARKS = 300;

/** Show a text: matches of the search are marked, hidden characters spelt out. */
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
    parent.append(make("span", { className: "hidden-sign", title: "a character that cannot be seen" }, `U+${code}`));
    from = hit.index + hit[0].length;
  }
  if (from < text.length) parent.append(text.slice(from));
}

const EXCERPT = 240;

/** The beginning of a text, on one line; around the first match of the search, where there is one. */
function excerpt(text) {
  if (text.length <= EXCERPT) return text.replace(/\s+/g, " ");
  let start = 0;
  if (search.finder) {
    search.finder.lastIndex = 0;
    const hit = search.finder.exec(text);
    if (hit && hit.index > EXCERPT / 2) start = hit.index - 40;
  }
  // Not through the middle of a character that takes two units.
  if (start && isLow(text.charCodeAt(start))) start -= 1;
  let end = start + EXCERPT;
  if (isLow(text.charCodeAt(end))) end -= 1;
  const cut = text.slice(start, end).replace(/\s+/g, " ");
  return `${start ? "… " : ""}${cut}${end < text.length ? " …" : ""}`;
}

const isLow = (unit) => unit >= 0xdc00 && unit <= 0xdfff;

const percent = (share) => `${Math.round(100 * share)}%`;

/** Set a bar's width; through the object model, as style attributes are not allowed here. */
function bar(share, className = "") {
  const inner = make("b", { className });
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make("i", { "aria-hidden": "true" }, inner);
}

const sideNames = ["gold", "teacher", "student", "second"];
const LETTERS = { g: "gold", t: "teacher", s: "student", 2: "second" };
const owners = (letters) => Array.from(letters, (letter) => LETTERS[letter]);
const present = Object.fromEntries(sideNames.map((who) => [who, rows.some((row) => row[who])]));

/** All that a search looks at, one text a line; made when the first search is. */
function haystack(row) {
  row.hay ??= [
    row.id,
    row.input ?? "",
    ...sideNames.flatMap((who) => (row[who] ? [row[who].label ?? "", row[who].rationale ?? ""] : [])),
  ].join("\n");
  return row.hay;
}
