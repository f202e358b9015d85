// The order of the records. Missing values come last in both directions.

/** Order by a text: distinct texts are compared once and ranked. */
function byText(get) {
  let ranks = null;
  return (row) => {
    ranks ??= new Map([...new Set(rows.map(get))].sort(collator.compare).map((text, rank) => [text, rank]));
    const text = get(row);
    return text === undefined ? undefined : ranks.get(text);
  };
}

const SUPPORT_ORDER = { student: 0, gold: 1, other: 2, none: 3 };

const orders = {
  n: (row) => row.n,
  verdict: (row) => (row.right === undefined ? undefined : Number(row.right)),
  id: byText((row) => row.id),
  input: (row) => (row.input ?? "").length,
  rationale: (row) => row.student && (row.student.rationale ?? "").length,
  ...Object.fromEntries(sideNames.map((who) => [who, byText((row) => row[who]?.label)])),
  confidence: (row) => row.student?.confidence,
  supports: (row) => SUPPORT_ORDER[row.student?.supports],
  flags: (row) => row.flags?.length ?? 0,
};

const ORDER_NAMES = {
  n: "input order", verdict: "verdict", id: "id", input: "length of the input", rationale: "length of the rationale",
  confidence: "confidence", supports: "supported answer", flags: "number of flags",
};

function sortRows(found) {
  const keyOf = orders[state.sort];
  const keyed = found.map((row) => [keyOf(row), row]);
  const way = state.down ? -1 : 1;
  keyed.sort(([a, first], [b, second]) => {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined) || first.n - second.n;
    return way * (a - b) || first.n - second.n;
  });
  return keyed.map(([, row]) => row);
}

function makeOrder() {
  const select = byId("order");
  for (const name of Object.keys(orders)) {
    const shown = ORDER_NAMES[name] ?? `label of ${nameOf(name)}`;
    if (present[name] ?? true) select.append(make("option", { value: name }, shown));
  }
  select.addEventListener("change", () => orderBy(select.value, false));
  byId("direction").addEventListener("click", () => orderBy(state.sort, !state.down));
}

function orderBy(name, down) {
  Object.assign(state, { sort: name, down, page: 0 });
  refresh();
}

function showOrder() {
  byId("order").value = state.sort;
  byId("direction").textContent = state.down ? "↓" : "↑";
  byId("direction").setAttribute("aria-label", state.down ? "Descending; change to ascending" : "Ascending; change to descending");
}
