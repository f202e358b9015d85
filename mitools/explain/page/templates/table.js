// The list of records: one page of rows at a time, so that 10,000 records are as fast as ten.

const PAGE = 50;

const verdictOf = (row) =>
  row.right === undefined ? make("span", { className: "quiet" }, "–") : make("span", { className: row.right ? "ok" : "bad" }, row.right ? "✓ right" : "✗ wrong");

function labelOf(side, who) {
  if (!side) return "";
  const name = make("span", { className: `who ${who}` }, nameOf(who));
  if (side.label === undefined) return make("span", { className: "quiet" }, name, "no answer");
  const mark = side.right === undefined ? "" : make("span", { className: side.right ? "ok" : "bad", title: side.right ? "right" : "wrong" }, side.right ? "✓\u00a0" : "✗\u00a0");
  return make("span", { className: "two" }, name, mark, make("bdi", {}, say(excerpt(side.label))));
}

/** The input, and the beginning of the rationale below it: the student's, else the teacher's. */
function textOf(row) {
  const [who] = ["student", "teacher", "gold"].filter((one) => row[one]?.rationale);
  const rationale = who && make("span", { className: "preview", dir: "auto", title: `rationale of ${nameOf(who)}` }, say(excerpt(row[who].rationale.trim())));
  return make("span", {}, make("span", { className: "two", dir: "auto" }, say(excerpt(row.input ?? ""))), rationale);
}

const SUPPORT_WORDS = { student: "its own", gold: "gold", other: "another", none: "none" };

const columns = [
  { name: "n", title: "#", cell: (row) => withCommas(row.n) },
  { name: "verdict", title: "Verdict", isShown: present.student, cell: verdictOf },
  { name: "id", title: "Id" },
  { name: "input", title: "Input and rationale", cell: textOf },
  ...sideNames.map((who) => ({ name: who, title: nameOf(who), isShown: present[who], cell: (row) => labelOf(row[who], who) })),
  { name: "confidence", title: "Confidence", isShown: rows.some((row) => row.student?.confidence !== undefined), cell: confidenceOf },
  { name: "supports", title: "Supports", isShown: rows.some((row) => row.student?.supports !== undefined), cell: (row) => SUPPORT_WORDS[row.student?.supports] ?? "" },
  { name: "flags", title: "Flags", isShown: flagNames.length > 0, cell: (row) => make("div", { className: "few" }, flagsOf(row, flagNames)) },
].filter((column) => column.isShown !== false);

const classOf = (name) => (sideNames.includes(name) ? `c-${name} c-label` : `c-${name}`);

function confidenceOf(row) {
  const confidence = row.student?.confidence;
  if (confidence === undefined) return "";
  return make("span", { className: "meter" }, bar(confidence), make("span", {}, percent(confidence)));
}

function flagsOf(row, names) {
  const fragment = document.createDocumentFragment();
  for (const name of names) {
    if (!row.flags?.includes(name)) continue;
    const { text, serious } = config.flags[name];
    fragment.append(make("span", { className: `flag ${serious ? "bad" : "odd-flag"}`, title: text }, `${serious ? "✗" : "!"} ${text}`), " ");
  }
  return fragment;
}

function makeHead() {
  byId("table").classList.toggle("versus", others.length > 0);
  const longest = rows.reduce((most, row) => Math.max(most, row.id.length - COMMON), 4);
  byId("table").style.setProperty("--id", `${Math.min(longest + 4, 18)}ch`);
  for (const { name, title } of columns) {
    const button = makeButton(title, () => orderBy(name, state.sort === name ? !state.down : false));
    byId("head").append(make("th", { scope: "col", role: "columnheader", className: classOf(name), "data-sort": name }, button));
  }
}

function showHead() {
  for (const head of byId("head").children) {
    const isSorted = head.dataset.sort === state.sort;
    const { title } = columns.find((column) => column.name === head.dataset.sort);
    head.firstChild.textContent = isSorted ? `${title} ${state.down ? "↓" : "↑"}` : title;
    if (isSorted) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

// The common beginning of all ids is left out, so that their differences fit into the column.
const COMMON = commonBeginning(rows.map((row) => row.id));

function commonBeginning(texts) {
  let length = texts.length > 1 ? texts[0].length : 0;
  for (const text of texts) while (!text.startsWith(texts[0].slice(0, length))) length -= 1;
  const common = (texts[0] ?? "").slice(0, length).replace(/[^-_:./\s]*$/, ""); // whole words only
  return common.length >= 6 ? common.length : 0;
}

const shortId = (row) => (COMMON ? "…" : "") + row.id.slice(COMMON, COMMON + 80);

function makeRow(row) {
  const element = make("tr", { role: "row", "data-n": row.n });
  for (const { name, cell } of columns) {
    if (name === "id") {
      const label = `Open record ${row.n}, ${row.id.slice(0, 80)}`;
      const button = make("button", { type: "button", title: row.id.slice(0, 300), "aria-label": label }, make("bdi", {}, say(shortId(row) || "–")));
      element.append(make("th", { scope: "row", role: "rowheader", className: "c-id" }, button));
    } else {
      element.append(make("td", { role: "cell", className: classOf(name) }, cell(row)));
    }
  }
  return element;
}

function showTable(found) {
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  state.page = Math.min(state.page, pages - 1);
  const from = state.page * PAGE;
  const part = found.slice(from, from + PAGE);
  byId("body").replaceChildren(...part.map(makeRow));
  byId("table").hidden = !found.length;
  byId("nothing").hidden = found.length > 0;
  byId("pages").hidden = pages === 1;
  byId("earlier").disabled = state.page === 0;
  byId("later").disabled = state.page === pages - 1;
  byId("place").textContent = `${withCommas(from + 1)}–${withCommas(from + part.length)} of ${withCommas(found.length)}`;
  showHead();
}
