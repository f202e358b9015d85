// The table of records: one page of rows at a time, so that 10,000 records are as fast as ten.

const PAGE = 50;

const verdictOf = (row) =>
  row.right === undefined ? "–" : make("span", { className: row.right ? "ok" : "bad" }, row.right ? "✓ right" : "✗ wrong");

const labelOf = (side) => {
  if (!side) return "";
  if (side.label === undefined) return make("span", { className: "quiet" }, "no answer");
  const mark = side.right === undefined ? "" : make("span", { className: side.right ? "ok" : "bad", title: side.right ? "right" : "wrong" }, side.right ? "✓ " : "✗ ");
  return make("span", { className: "two" }, mark, make("bdi", {}, say(excerpt(side.label))));
};

const SUPPORT_WORDS = { student: "its own", gold: "gold", other: "another", none: "none" };

const columns = [
  { name: "n", title: "#", cell: (row) => row.n.toLocaleString("en") },
  { name: "verdict", title: "verdict", isShown: present.student, cell: verdictOf },
  { name: "id", title: "id" },
  { name: "input", title: "input", cell: (row) => make("span", { className: "two", dir: "auto" }, say(excerpt(row.input ?? ""))) },
  { name: "gold", title: "gold", isShown: present.gold, cell: (row) => labelOf(row.gold) },
  { name: "teacher", title: "teacher", isShown: present.teacher, cell: (row) => labelOf(row.teacher) },
  { name: "student", title: "student", isShown: present.student, cell: (row) => labelOf(row.student) },
  { name: "second", title: "second", isShown: present.second, cell: (row) => labelOf(row.second) },
  { name: "confidence", title: "confidence", isShown: rows.some((row) => row.student?.confidence !== undefined), cell: confidenceOf },
  { name: "supports", title: "supports", isShown: rows.some((row) => row.student?.supports !== undefined), cell: (row) => SUPPORT_WORDS[row.student?.supports] ?? "" },
  { name: "flags", title: "flags", isShown: flagNames.length > 0, cell: (row) => make("div", { className: "few" }, flagsOf(row, flagNames)) },
].filter((column) => column.isShown !== false);

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
    fragment.append(make("span", { className: `flag ${serious ? "bad" : "odd-flag"}` }, `${serious ? "✗" : "!"} ${text}`), " ");
  }
  return fragment;
}

function makeHead() {
  byId("table").classList.toggle("versus", present.second);
  for (const { name, title } of columns) {
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", () => {
      state.down = state.sort === name ? !state.down : false;
      state.sort = name;
      state.page = 0;
      refresh();
    });
    byId("head").append(make("th", { scope: "col", className: `c-${name}`, "data-sort": name }, button));
  }
}

function showHead() {
  for (const head of byId("head").children) {
    const isSorted = head.dataset.sort === state.sort;
    const { title } = columns.find((column) => column.name === head.dataset.sort);
    head.firstChild.textContent = isSorted ? `${title} ${state.down ? "▼" : "▲"}` : title;
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
  const element = make("tr", { "data-n": row.n });
  for (const { name, cell } of columns) {
    if (name === "id") {
      const button = make("button", { type: "button", title: row.id.slice(0, 300), "aria-label": `Open record ${row.n}, ${row.id.slice(0, 80)}` }, make("bdi", {}, say(shortId(row) || "–")));
      element.append(make("th", { scope: "row", className: "c-id" }, button));
    } else {
      element.append(make("td", { className: `c-${name}` }, cell(row)));
    }
  }
  return element;
}

function showTable(sorted) {
  const pages = Math.max(1, Math.ceil(sorted.length / PAGE));
  state.page = Math.min(state.page, pages - 1);
  const from = state.page * PAGE;
  const shown = sorted.slice(from, from + PAGE);
  byId("body").replaceChildren(...shown.map(makeRow));
  byId("table").hidden = !sorted.length;
  byId("nothing").hidden = sorted.length > 0;
  byId("pages").hidden = pages === 1;
  byId("earlier").disabled = state.page === 0;
  byId("later").disabled = state.page === pages - 1;
  const number = (value) => value.toLocaleString("en");
  byId("place").textContent = `${number(from + 1)}–${number(from + shown.length)} of ${number(sorted.length)}`;
  showHead();
}
