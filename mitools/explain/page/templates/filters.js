// The records to show: search and facets.

const search = { text: "", regex: false, test: null };

/** Prepare a search; return its error, or "". */
function prepareSearch(text, regex) {
  Object.assign(search, { text, regex, test: null });
  marked.finder = null;
  if (!text) return "";
  try {
    const source = regex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    marked.finder = new RegExp(source, "gim");
    const once = new RegExp(source, "im");
    search.test = (row) => textsOf(row).some((one) => once.test(one));
    if (!regex) {
      const lowered = text.toLowerCase();
      // Plain text is searched in cached lower-case texts: ten times as fast as an expression.
      search.test = (row) => (row.low ??= textsOf(row).map((one) => one.toLowerCase())).some((one) => one.includes(lowered));
    }
    return "";
  } catch (error) {
    return `Not a regular expression: ${error.message.replace(/^.*?: (?=[A-Z])/, "")}`;
  }
}

const state = { chosen: {}, low: 0, high: 1, who: "", gold: "", given: "", split: "", sort: "n", down: false, page: 0, record: null, wide: false, tab: "records" };

const chosenOf = (facet) => (state.chosen[facet.name] ??= new Set());

function chosenBits(facet) {
  let bits = 0;
  facet.options.forEach(([value], index) => {
    if (chosenOf(facet).has(value)) bits |= 1 << index;
  });
  return bits;
}

const holdsBits = (facet, bits, wanted) => !wanted || (facet.mode === "all" ? (bits & wanted) === wanted : (bits & wanted) !== 0);

function isInRange(row) {
  if (state.low <= 0 && state.high >= 1) return true;
  const confidence = row[state.who || "student"]?.confidence;
  return confidence !== undefined && confidence >= state.low && (confidence < state.high || state.high >= 1);
}

const NOT_IN_SET = "∅";

const passesRest = (row) =>
  isInRange(row) &&
  (!state.split || row.split === state.split) &&
  (!state.gold || row.gold_label === state.gold) &&
  (!state.given || (row.given_label ?? NOT_IN_SET) === state.given) &&
  (!search.test || search.test(row));

/** Find the matching records; for each option, count those that match all other facets. */
function applyFilters() {
  const wanted = facets.map(chosenBits);
  const counts = facets.map((facet) => facet.options.map(() => 0));
  const found = [];
  for (const row of rows) {
    let failing = -1;
    let failures = 0;
    for (let f = 0; f < facets.length && failures < 2; f += 1) {
      if (!holdsBits(facets[f], row.bits[facets[f].name], wanted[f])) {
        failing = f;
        failures += 1;
      }
    }
    if (failures > 1 || !passesRest(row)) continue;
    if (!failures) found.push(row);
    for (let f = 0; f < facets.length; f += 1) {
      if (failures && f !== failing) continue;
      // In a facet of mode "all", another option narrows the records that already match.
      if (facets[f].mode === "all" && failures) continue;
      const bits = row.bits[facets[f].name];
      for (let o = 0; o < counts[f].length; o += 1) if (bits & (1 << o)) counts[f][o] += 1;
    }
  }
  return { found, counts };
}

const isFiltered = () =>
  Boolean(search.text || state.split || state.gold || state.given) ||
  state.low > 0 || state.high < 1 || facets.some((facet) => chosenOf(facet).size);
