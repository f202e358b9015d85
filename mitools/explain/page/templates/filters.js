// The records to show: search, facets and order, and the address of the page that contains them.

const search = { text: "", regex: false, finder: null, test: null };

/** Prepare a search; return its error, or "". */
function prepareSearch(text, regex) {
  Object.assign(search, { text, regex, finder: null, test: null });
  if (!text) return "";
  try {
    const source = regex ? text : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    search.finder = new RegExp(source, "gim");
    const once = new RegExp(source, "im");
    search.test = (row) => once.test(haystack(row));
    if (!regex) {
      const lowered = text.toLowerCase();
      // Plain text is searched in cached lower-case texts: ten times as fast as an expression.
      search.test = (row) => (row.low ??= haystack(row).toLowerCase()).includes(lowered);
    }
    return "";
  } catch (error) {
    return `Not a regular expression: ${error.message.replace(/^.*?: (?=[A-Z])/, "")}`;
  }
}

const state = { chosen: {}, low: 0, high: 1, gold: "", given: "", split: "", sort: "n", down: false, page: 0, record: null };

const isSerious = (name) => config.flags[name].serious;
const flagNames = Object.keys(config.flags)
  .filter((name) => !["wrong", "confidently_wrong"].includes(name))
  .sort((a, b) => isSerious(b) - isSerious(a));

// A facet gives a record one bit for each matching option. "any": one chosen option must match;
// "all": all chosen options must match.
const facets = [
  {
    name: "right", title: "Label", mode: "any",
    options: [
      ["right", "✓ right", (row) => row.right === true],
      ["wrong", "✗ wrong", (row) => row.right === false],
      ["unknown", "unknown", (row) => row.right === undefined],
    ],
  },
  {
    name: "supports", title: "Rationale supports", mode: "any",
    options: [
      ["student", "its own answer", (row) => row.student?.supports === "student"],
      ["gold", "gold instead", (row) => row.student?.supports === "gold"],
      ["other", "another", (row) => row.student?.supports === "other"],
      ["none", "none", (row) => row.student?.supports === "none"],
    ],
  },
  {
    name: "change", title: "Second student", mode: "any",
    options: [
      ["fixed", "✓ fixed", (row) => row.change === "fixed"],
      ["broken", "✗ broken", (row) => row.change === "broken"],
      ["both_right", "both right", (row) => row.change === "both_right"],
      ["both_wrong", "both wrong", (row) => row.change === "both_wrong"],
      ["changed", "another label", (row) => row.changed === true],
    ],
  },
  {
    name: "flag", title: "Flags", mode: "all",
    options: [
      ["confidently_wrong", config.flags.confidently_wrong?.text ?? "confidently wrong", (row) => row.flags?.includes("confidently_wrong")],
      ...flagNames.map((name) => [name, config.flags[name].text, (row) => row.flags?.includes(name)]),
    ],
  },
];
for (const facet of facets) {
  facet.totals = facet.options.map(() => 0);
  for (const row of rows) {
    row.bits ??= {};
    let bits = 0;
    facet.options.forEach(([, , holds], index) => {
      if (holds(row)) {
        bits |= 1 << index;
        facet.totals[index] += 1;
      }
    });
    row.bits[facet.name] = bits;
  }
  const occurring = facet.totals.filter((total) => total > 0).length;
  facet.isUseful = occurring > 1 || (facet.mode === "all" && occurring > 0);
}
if (!present.student) for (const facet of facets) if (facet.name !== "flag") facet.isUseful = false;

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
  const confidence = row.student?.confidence;
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

// Sorting: missing values come last in both directions.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

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
  gold: byText((row) => row.gold?.label),
  teacher: byText((row) => row.teacher?.label),
  student: byText((row) => row.student?.label),
  second: byText((row) => row.second?.label),
  confidence: (row) => row.student?.confidence,
  supports: (row) => SUPPORT_ORDER[row.student?.supports],
  flags: (row) => -(row.flags?.length ?? 0),
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

// The address contains the whole state, so that a link shows what its sender saw.

function toHash() {
  const kept = new URLSearchParams();
  if (search.text) kept.set("q", search.text);
  if (search.regex) kept.set("regex", "1");
  for (const facet of facets) if (chosenOf(facet).size) kept.set(facet.name, [...chosenOf(facet)].join(","));
  for (const name of ["split", "gold", "given"]) if (state[name]) kept.set(name, state[name]);
  if (state.low > 0) kept.set("low", state.low);
  if (state.high < 1) kept.set("high", state.high);
  if (state.sort !== "n" || state.down) kept.set("sort", (state.down ? "-" : "") + state.sort);
  if (state.page) kept.set("page", state.page + 1);
  if (state.record !== null) kept.set("record", state.record);
  return kept.toString();
}

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
}

function fromHash() {
  const kept = new URLSearchParams(location.hash.slice(1));
  takeFilters(kept);
  const sort = kept.get("sort") ?? "n";
  state.down = sort.startsWith("-");
  state.sort = Object.hasOwn(orders, sort.replace("-", "")) ? sort.replace("-", "") : "n";
  state.page = Math.max(0, (Number.parseInt(kept.get("page"), 10) || 1) - 1);
  const record = Number.parseInt(kept.get("record"), 10);
  state.record = rows.some((row) => row.n === record) ? record : null;
  return prepareSearch(kept.get("q") ?? "", kept.get("regex") === "1");
}

function share(text, missing) {
  const value = Number.parseFloat(text);
  return value >= 0 && value <= 1 ? value : missing;
}
