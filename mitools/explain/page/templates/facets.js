// Facets: what a record is filtered by. A facet gives a record one bit for each matching option.
// "any": one chosen option must match; "all": all chosen options must match.

const isSerious = (name) => config.flags[name].serious;
const flagNames = Object.keys(config.flags)
  .filter((name) => !["wrong", "confidently_wrong"].includes(name))
  .sort((a, b) => isSerious(b) - isSerious(a));

const hasChange = (row, change) => others.some((who) => row[who]?.change === change);

/** Whether the figures count a record: "apart" has the splits that they leave out; null: they count all. */
const hasSetApart = config.apart !== null;
const isEvaluated = (row) => !row.flags?.includes("set_apart") && !config.apart.includes(row.split);

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
    name: "runs", title: "Runs", mode: "any",
    options: [
      ["differ", "≠ runs differ", (row) => row.changed === true],
      ["agree", "runs agree", (row) => row.changed === false],
      ["fixed", "✓ fixed by a run", (row) => hasChange(row, "fixed")],
      ["broken", "✗ broken by a run", (row) => hasChange(row, "broken")],
    ],
  },
  ...others.map(changeFacet),
  ...(hasSetApart ? [evaluatedFacet()] : []),
  {
    name: "flag", title: "Flags", mode: "all",
    options: [
      ["confidently_wrong", config.flags.confidently_wrong?.text ?? "confidently wrong", (row) => row.flags?.includes("confidently_wrong")],
      ...flagNames.map((name) => [name, config.flags[name].text, (row) => row.flags?.includes(name)]),
    ],
  },
];

function evaluatedFacet() {
  return {
    name: "evaluated", title: "Figures", mode: "any",
    options: [["yes", "counted in them", isEvaluated], ["no", "not counted", (row) => !isEvaluated(row)]],
  };
}

function changeFacet(who) {
  return {
    name: `change-${who}`, title: `${nameOf(who)} against ${nameOf("student")}`, mode: "any",
    options: [
      ["fixed", "✓ fixed", (row) => row[who]?.change === "fixed"],
      ["broken", "✗ broken", (row) => row[who]?.change === "broken"],
      ["both_right", "both right", (row) => row[who]?.change === "both_right"],
      ["both_wrong", "both wrong", (row) => row[who]?.change === "both_wrong"],
      ["changed", "another label", (row) => row[who]?.changed === true],
    ],
  };
}

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

function makeFacets() {
  for (const facet of facets.filter((one) => one.isUseful)) {
    const box = make("fieldset", {}, make("legend", {}, facet.title));
    facet.options.forEach(([value, text], index) => {
      if (!facet.totals[index]) return;
      const act = () => {
        const chosen = chosenOf(facet);
        if (!chosen.delete(value)) chosen.add(value);
        changed();
      };
      const properties = { className: "chip", "aria-pressed": "false", "data-facet": facet.name, "data-value": value };
      const chip = makeButton("", act, properties);
      chip.append(make("span", {}, text), make("span", { className: "number" }));
      box.append(chip);
    });
    byId("facets").append(box);
  }
  if (rows.some((row) => row.student?.confidence !== undefined)) byId("facets").append(makeRange());
  makeSelect("split", "Split", [...new Set(rows.map((row) => row.split).filter(Boolean))]);
  const labels = (get) => [...new Set(rows.map(get).filter((label) => label !== undefined))].sort(collator.compare);
  makeSelect("gold", "Gold", labels((row) => row.gold_label));
  makeSelect("given", "Answer", labels((row) => (row.gold_label === undefined ? undefined : row.given_label ?? NOT_IN_SET)));
}

function makeRange() {
  const field = (name, label) => {
    const input = make("input", { type: "number", min: "0", max: "1", step: "0.05", id: `confidence-${name}`, "aria-label": `Confidence ${label}` });
    input.addEventListener("input", () => {
      state[name] = share(input.value, name === "low" ? 0 : 1);
      state.who = "";
      changed();
    });
    return input;
  };
  const line = make("div", { className: "range" }, field("low", "from"), make("span", {}, "to"), field("high", "below"));
  return make("fieldset", {}, make("legend", { id: "confidence-of" }, "Confidence"), line);
}

function makeSelect(name, title, values) {
  if (values.length < 2) return;
  const select = make("select", { id: `select-${name}` }, make("option", { value: "" }, "all"));
  for (const value of values) select.append(make("option", { value }, value === NOT_IN_SET ? "no valid label" : value));
  select.addEventListener("change", () => {
    state[name] = select.value;
    changed();
  });
  byId("facets").append(make("div", { className: "field" }, make("label", { htmlFor: select.id }, title), select));
}

function showFacets(counts) {
  facets.forEach((facet, f) => {
    facet.options.forEach(([value], o) => {
      const chip = document.querySelector(`[data-facet="${facet.name}"][data-value="${value}"]`);
      if (!chip) return;
      chip.setAttribute("aria-pressed", String(chosenOf(facet).has(value)));
      chip.classList.toggle("idle", counts[f][o] === 0);
      chip.lastChild.textContent = withCommas(counts[f][o]);
    });
  });
  for (const name of ["split", "gold", "given"]) if (byId(`select-${name}`)) byId(`select-${name}`).value = state[name];
  if (byId("confidence-of")) byId("confidence-of").textContent = state.who ? `Confidence of ${nameOf(state.who)}` : "Confidence";
  for (const [name, missing] of [["low", 0], ["high", 1]]) {
    const input = byId(`confidence-${name}`);
    if (input && input !== document.activeElement) input.value = state[name] === missing ? "" : Number(state[name].toFixed(3));
  }
}
