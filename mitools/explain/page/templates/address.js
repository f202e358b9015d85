// The address contains the whole state, so that a link shows what its sender saw.

function toHash() {
  const kept = new URLSearchParams();
  if (state.tab !== "records") kept.set("tab", state.tab);
  if (search.text) kept.set("q", search.text);
  if (search.regex) kept.set("regex", "1");
  for (const facet of facets) if (chosenOf(facet).size) kept.set(facet.name, [...chosenOf(facet)].join(","));
  for (const name of ["split", "gold", "given"]) if (state[name]) kept.set(name, state[name]);
  if (state.low > 0) kept.set("low", state.low);
  if (state.high < 1) kept.set("high", state.high);
  if (state.who && (state.low > 0 || state.high < 1)) kept.set("who", state.who);
  if (state.sort !== "n" || state.down) kept.set("sort", (state.down ? "-" : "") + state.sort);
  if (state.page) kept.set("page", state.page + 1);
  if (state.record !== null) {
    const row = rowOf(state.record);
    kept.set("record", row.id);
    if (firstWith(row.id) !== row) kept.set("n", row.n);
    if (state.wide) kept.set("wide", "1");
  }
  return kept.toString();
}

const byNumber = new Map(rows.map((row) => [row.n, row]));
const byName = new Map();
for (const row of rows) if (!byName.has(row.id)) byName.set(row.id, row);
const rowOf = (n) => byNumber.get(n);
const firstWith = (id) => byName.get(id);

/** Set the filters of an address or a plot; unknown names and values are ignored. */
function takeFilters(kept) {
  for (const facet of facets) {
    const known = new Set(facet.options.map(([value]) => value));
    const asked = (kept.get(facet.name) ?? "").split(",").filter((value) => known.has(value));
    state.chosen[facet.name] = new Set(asked);
  }
  for (const name of ["split", "gold", "given"]) state[name] = kept.get(name) ?? "";
  state.low = share(kept.get("low"), 0);
  state.high = share(kept.get("high"), 1);
  state.who = others.includes(kept.get("who")) ? kept.get("who") : "";
}

function fromHash() {
  const kept = new URLSearchParams(location.hash.slice(1));
  takeFilters(kept);
  const sort = kept.get("sort") ?? "n";
  state.down = sort.startsWith("-");
  state.sort = Object.hasOwn(orders, sort.replace("-", "")) ? sort.replace("-", "") : "n";
  state.page = Math.max(0, (Number.parseInt(kept.get("page"), 10) || 1) - 1);
  state.tab = TABS.includes(kept.get("tab")) ? kept.get("tab") : "records";
  state.wide = kept.get("wide") === "1";
  const record = kept.get("record");
  const numbered = rowOf(Number.parseInt(kept.get("n"), 10));
  // Without a record of this id, a number is a position.
  const row = (numbered?.id === record ? numbered : firstWith(record)) ?? rowOf(Number.parseInt(record, 10));
  state.record = row?.n ?? null;
  return prepareSearch(kept.get("q") ?? "", kept.get("regex") === "1");
}

function share(text, missing) {
  const value = Number.parseFloat(text);
  return value >= 0 && value <= 1 ? value : missing;
}

function showAddress(push) {
  const hash = toHash();
  if (hash === location.hash.slice(1)) return;
  try {
    history[push ? "pushState" : "replaceState"](null, "", hash ? `#${hash}` : location.pathname + location.search);
  } catch (error) {
    // Safari allows a hundred changes in 30 seconds, and j may be held down; a later change succeeds.
    if (error.name !== "SecurityError") throw error;
  }
}
