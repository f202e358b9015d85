// Events: a change of the filters or of the order calls refresh(); a page turn or an opened record
// calls show() alone.

let sorted = [];
const shown = { sorted: null, page: -1 };

function refresh() {
  const { found, counts } = applyFilters();
  sorted = sortRows(found);
  showFacets(counts);
  const total = rows.length.toLocaleString("en");
  byId("count").textContent = found.length === rows.length ? `${total} records` : `${found.length.toLocaleString("en")} of ${total} records`;
  byId("clear").hidden = !isFiltered();
  for (const element of document.querySelectorAll("[data-filter]")) {
    element.setAttribute("aria-pressed", String(isApplied(new URLSearchParams(element.dataset.filter))));
  }
  show();
}

/** Show the current state; an open record has its own address, so that "back" closes it. */
function show(push = false) {
  if (shown.sorted !== sorted || shown.page !== state.page) showTable(sorted);
  Object.assign(shown, { sorted, page: state.page });
  showRecord();
  showAddress(push);
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

const isFiltered = () =>
  Boolean(search.text || state.split || state.gold || state.given) ||
  state.low > 0 || state.high < 1 || facets.some((facet) => chosenOf(facet).size);

// Facets

function makeFacets() {
  for (const facet of facets.filter((one) => one.isUseful)) {
    const box = make("fieldset", {}, make("legend", {}, facet.title));
    facet.options.forEach(([value, text], index) => {
      if (!facet.totals[index]) return;
      const chip = make("button", { type: "button", className: "chip", "aria-pressed": "false", "data-facet": facet.name, "data-value": value }, text, make("span", { className: "number" }));
      chip.addEventListener("click", () => {
        const chosen = chosenOf(facet);
        if (!chosen.delete(value)) chosen.add(value);
        changed();
      });
      box.append(chip);
    });
    byId("facets").append(box);
  }
  if (columns.some((column) => column.name === "confidence")) byId("facets").append(makeRange());
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
      changed();
    });
    return input;
  };
  return make("fieldset", {}, make("legend", {}, "Confidence"), field("low", "from"), "to", field("high", "below"));
}

function makeSelect(name, title, values) {
  if (values.length < 2) return;
  const select = make("select", { id: `select-${name}` }, make("option", { value: "" }, "all"));
  for (const value of values) select.append(make("option", { value }, value === NOT_IN_SET ? "no valid label" : value));
  select.addEventListener("change", () => {
    state[name] = select.value;
    changed();
  });
  byId("facets").append(make("fieldset", {}, make("label", { className: "name", htmlFor: select.id }, title), select));
}

function showFacets(counts) {
  facets.forEach((facet, f) => {
    facet.options.forEach(([value], o) => {
      const chip = document.querySelector(`[data-facet="${facet.name}"][data-value="${value}"]`);
      if (!chip) return;
      chip.setAttribute("aria-pressed", String(chosenOf(facet).has(value)));
      chip.classList.toggle("idle", counts[f][o] === 0);
      chip.lastChild.textContent = counts[f][o].toLocaleString("en");
    });
  });
  for (const name of ["split", "gold", "given"]) if (byId(`select-${name}`)) byId(`select-${name}`).value = state[name];
  for (const [name, missing] of [["low", 0], ["high", 1]]) {
    const input = byId(`confidence-${name}`);
    if (input && input !== document.activeElement) input.value = state[name] === missing ? "" : Number(state[name].toFixed(3));
  }
}

function changed() {
  state.page = 0;
  refresh();
}

function clearFilters() {
  takeFilters(new URLSearchParams());
  byId("q").value = "";
  byId("regex").checked = false;
  takeSearch();
}

// Plots: a click sets its filters, a second click removes them.

function isApplied(asked) {
  for (const [name, value] of asked) {
    const facet = facets.find((one) => one.name === name);
    if (facet) {
      if (chosenOf(facet).size !== 1 || !chosenOf(facet).has(value)) return false;
    } else if (String(state[name]) !== value) return false;
  }
  return true;
}

function toggleFilter(element) {
  const asked = new URLSearchParams(element.dataset.filter);
  const drop = isApplied(asked);
  for (const [name, value] of asked) {
    const facet = facets.find((one) => one.name === name);
    if (facet) state.chosen[name] = new Set(drop ? [] : [value]);
    else if (name === "low" || name === "high") state[name] = drop ? Number(name === "high") : Number(value);
    else state[name] = drop ? "" : value;
  }
  changed();
  if (!drop) byId("records").scrollIntoView({ block: "start" });
}

// Search

function takeSearch() {
  const problem = prepareSearch(byId("q").value, byId("regex").checked);
  showProblem(problem);
  if (!problem) changed();
}

function showProblem(problem) {
  byId("q-problem").textContent = problem;
  byId("q-problem").hidden = !problem;
  if (problem) byId("q").setAttribute("aria-invalid", "true");
  else byId("q").removeAttribute("aria-invalid");
}

let waiting = 0;
function takeSearchSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(takeSearch, 120);
}

// The open record

const isNarrow = () => matchMedia("(max-width: 1099.98px)").matches;

function showRecord() {
  const index = sorted.findIndex((row) => row.n === state.record);
  const row = state.record === null ? undefined : rows.find((one) => one.n === state.record);
  showDetail(row, { index, count: sorted.length });
  for (const element of byId("body").children) {
    if (Number(element.dataset.n) === state.record) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
  }
}

function openRecord(n) {
  const push = state.record === null;
  state.record = n;
  const index = sorted.findIndex((row) => row.n === n);
  if (index >= 0) state.page = Math.floor(index / PAGE);
  show(push);
  focusRecord();
}

function focusRecord() {
  if (isNarrow()) {
    byId("detail-title").focus({ preventScroll: true });
    return;
  }
  const element = byId("body").querySelector('[aria-current="true"]');
  element?.querySelector("button").focus({ preventScroll: true });
  element?.scrollIntoView({ block: "nearest" });
}

function closeRecord() {
  const element = byId("body").querySelector('[aria-current="true"]');
  state.record = null;
  show();
  if (element) byId("body").querySelector(`[data-n="${element.dataset.n}"] button`)?.focus();
}

function step(by) {
  if (!sorted.length) return;
  const at = sorted.findIndex((row) => row.n === state.record);
  const from = at < 0 ? (by > 0 ? state.page * PAGE - 1 : state.page * PAGE + 1) : at;
  const to = Math.max(0, Math.min(sorted.length - 1, from + by));
  if (to !== at) openRecord(sorted[to].n);
}

// Keys

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape") {
    if (isTyping) event.target.blur();
    else if (state.record !== null) closeRecord();
    else return;
  } else if (isTyping) return;
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "/") {
    if (isNarrow() && state.record !== null) closeRecord();
    byId("q").focus();
    byId("q").select();
  } else if ((event.key === "Enter" || event.key === " ") && event.target.matches("g[data-filter]")) toggleFilter(event.target);
  else return;
  event.preventDefault();
}

/** Read the address when it changes; a link to a section keeps the filters. */
function follow() {
  if (location.hash.length < 2 || location.hash.includes("=")) restore();
}

function restore() {
  const problem = fromHash();
  byId("q").value = search.text;
  byId("regex").checked = search.regex;
  showProblem(problem);
  refresh();
}

function start() {
  makeHead();
  makeFacets();
  byId("q").addEventListener("input", takeSearchSoon);
  byId("regex").addEventListener("change", takeSearch);
  byId("filters").addEventListener("submit", (event) => {
    event.preventDefault();
    takeSearch();
  });
  byId("clear").addEventListener("click", clearFilters);
  byId("earlier").addEventListener("click", () => turn(-1));
  byId("later").addEventListener("click", () => turn(1));
  byId("body").addEventListener("click", (event) => {
    const element = event.target.closest("tr");
    if (element && !String(getSelection())) openRecord(Number(element.dataset.n));
  });
  for (const element of document.querySelectorAll("[data-filter]")) element.addEventListener("click", () => toggleFilter(element));
  document.addEventListener("keydown", onKey);
  addEventListener("popstate", follow);
  addEventListener("hashchange", follow);
  if (isNarrow()) byId("facets-box").open = false;
  const isLink = /=/.test(location.hash);
  restore();
  if (isLink) byId("records").scrollIntoView({ block: "start" });
  if (state.record !== null) focusRecord();
}

function turn(by) {
  state.page += by;
  show();
  byId("records").scrollIntoView({ block: "start" });
}

start();
