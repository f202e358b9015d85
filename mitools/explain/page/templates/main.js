// Events: a change of the filters or of the order calls refresh(); a page turn, a tab or an opened
// record calls show() alone.

const TABS = ["records", "figures", "about"].filter((name) => byId(`tab-${name}`));
let sorted = [];
const shown = { sorted: null, page: -1 };

function refresh() {
  const { found, counts } = applyFilters();
  sorted = sortRows(found);
  showFacets(counts);
  const total = withCommas(rows.length);
  byId("count").textContent = found.length === rows.length ? `${total} records` : `${withCommas(found.length)} of ${total} records`;
  byId("clear").hidden = !isFiltered();
  byId("command-box").hidden = true;
  byId("save").disabled = !found.length;
  for (const element of document.querySelectorAll("[data-filter]")) {
    element.setAttribute("aria-pressed", String(isApplied(askedOf(element))));
  }
  showOrder();
  show();
}

/** Show the current state; an open record and a tab have their own address, so that "back" works. */
function show(push = false) {
  showTab();
  if (shown.sorted !== sorted || shown.page !== state.page) showTable(sorted);
  Object.assign(shown, { sorted, page: state.page });
  showRecord();
  showAddress(push);
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

// Tabs

function showTab() {
  for (const name of TABS) {
    const isShown = name === state.tab;
    byId(`tab-${name}`).setAttribute("aria-selected", String(isShown));
    byId(`tab-${name}`).tabIndex = isShown ? 0 : -1;
    byId(name).hidden = !isShown;
  }
}

function openTab(name, push = true) {
  if (state.tab === name) return;
  state.tab = name;
  show(push);
  scrollTo(0, 0);
}

function onTabKey(event) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  const next = TABS[(TABS.indexOf(state.tab) + by + TABS.length) % TABS.length];
  openTab(next);
  byId(`tab-${next}`).focus();
  event.preventDefault();
}

// Plots: a click sets its filters and shows the records, a second click removes them.

/** The filters of a plot's element: the records that it counts. */
function askedOf(element) {
  const asked = new URLSearchParams(element.dataset.filter);
  if (hasSetApart) asked.set("evaluated", "yes");
  if (asked.has("low") && !asked.has("who")) asked.set("who", "");
  return asked;
}

function isApplied(asked) {
  for (const [name, value] of asked) {
    const facet = facets.find((one) => one.name === name);
    if (facet) {
      if (chosenOf(facet).size !== 1 || !chosenOf(facet).has(value)) return false;
    } else if (typeof state[name] === "number" ? state[name] !== Number(value) : state[name] !== value) return false;
  }
  return true;
}

function toggleFilter(element) {
  const asked = askedOf(element);
  const drop = isApplied(asked);
  for (const [name, value] of asked) {
    const facet = facets.find((one) => one.name === name);
    if (facet) state.chosen[name] = new Set(drop ? [] : [value]);
    else if (name === "low" || name === "high") state[name] = drop ? Number(name === "high") : Number(value);
    else state[name] = drop ? "" : value;
  }
  changed();
  if (!drop) openTab("records");
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
  const row = state.record === null ? undefined : rowOf(state.record);
  showDetail(row, { index, count: sorted.length });
  // On a narrow screen the record covers the page: nothing behind it can be reached.
  const isCovered = row !== undefined && isNarrow();
  for (const name of ["side-filters", "list", "top", "bar"]) byId(name).inert = isCovered;
  for (const element of byId("body").children) {
    if (Number(element.dataset.n) === state.record) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
  }
}

function openRecord(n) {
  const push = state.record === null;
  state.record = n;
  state.tab = "records";
  const index = sorted.findIndex((row) => row.n === n);
  if (index >= 0) state.page = Math.floor(index / PAGE);
  show(push);
  focusRecord();
}

function focusRecord() {
  if (isNarrow() || state.wide) {
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
  state.wide = false;
  show();
  if (element) byId("body").querySelector(`[data-n="${element.dataset.n}"] button`)?.focus();
}

function setWide(isWide) {
  state.wide = isWide;
  show();
  byId("detail").querySelector(".widen")?.focus();
}

function step(by) {
  if (!sorted.length) return;
  const at = sorted.findIndex((row) => row.n === state.record);
  const from = at < 0 ? (by > 0 ? state.page * PAGE - 1 : state.page * PAGE + 1) : at;
  const to = Math.max(0, Math.min(sorted.length - 1, from + by));
  if (to !== at) openRecord(sorted[to].n);
}

function turn(by) {
  state.page += by;
  show();
  byId("list").scrollIntoView({ block: "start" });
}

// Keys

const KEYS = {
  j: () => step(1), n: () => step(1), k: () => step(-1), p: () => step(-1),
  w: () => state.record !== null && setWide(!state.wide),
  "/": () => {
    if (isNarrow() && state.record !== null) closeRecord();
    openTab("records");
    byId("q").focus();
    byId("q").select();
  },
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape") {
    if (isTyping) event.target.blur();
    else if (state.record !== null) closeRecord();
    else return;
  } else if (isTyping) return;
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key]();
  else if ((event.key === "Enter" || event.key === " ") && event.target.matches("g[data-filter]")) toggleFilter(event.target);
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

function listen() {
  byId("q").addEventListener("input", takeSearchSoon);
  byId("regex").addEventListener("change", takeSearch);
  byId("filters").addEventListener("submit", (event) => {
    event.preventDefault();
    takeSearch();
  });
  byId("clear").addEventListener("click", clearFilters);
  byId("copy").addEventListener("click", copyCommand);
  byId("save").addEventListener("click", saveRecords);
  byId("earlier").addEventListener("click", () => turn(-1));
  byId("later").addEventListener("click", () => turn(1));
  byId("body").addEventListener("click", (event) => {
    const element = event.target.closest("tr");
    if (element && !String(getSelection())) openRecord(Number(element.dataset.n));
  });
  for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => openTab(name));
  byId("tabs").addEventListener("keydown", onTabKey);
  for (const element of document.querySelectorAll("[data-filter]")) element.addEventListener("click", () => toggleFilter(element));
  document.addEventListener("keydown", onKey);
  addEventListener("popstate", follow);
  addEventListener("hashchange", follow);
}

makeHead();
makeFacets();
makeOrder();
if (matchMedia("(max-width: 899.98px)").matches) byId("facets-box").open = false;
listen();
restore();
if (state.record !== null) focusRecord();
// For scripts of the reader, and for tests.
globalThis.explain = { state, rows, step, clearFilters, commandOf: () => commandOf(sorted) };
announce();
// The records behind the rows: what only they hold appears in an open record.
setTimeout(() => takeLines().then(() => state.record !== null && rowOf(state.record).student?.ways && showRecord()), 50);
