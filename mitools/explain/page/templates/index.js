// The table of runs: its order, its search, and the comparison with a chosen run.

const config = JSON.parse(byId("config").textContent);
const elements = [...byId("body").children];
const indexOf = (element) => Number(element.dataset.index);
const order = { name: "", down: false };

/** The set of runs on the same records that a run belongs to, and its place there. */
function placeOf(index) {
  const group = config.groups.find((one) => one.runs.includes(index));
  return group ? { group, at: group.runs.indexOf(index) } : null;
}

/** What a run changes against the baseline; null where their records are not the same. */
function against(index) {
  const [mine, base] = [placeOf(index), placeOf(Number(byId("baseline")?.value))];
  if (!mine || mine.group !== base?.group || mine.at === base.at) return null;
  const { group } = mine;
  const [difference, low, high] = group.differences[base.at][mine.at];
  return { difference, low, high, n: group.n, fixed: group.gains[base.at][mine.at], broken: group.gains[mine.at][base.at], p: group.p_values[base.at][mine.at] };
}

const points = (share) => {
  const text = (100 * share).toFixed(1).replace(/^-(?=0\.0$)/, "");
  return share > 0 && text !== "0.0" ? `+${text}` : text;
};
const writtenP = (p) => (p < 0.001 ? "< 0.001" : p.toFixed(3));

function showComparison() {
  const select = byId("baseline");
  if (!select) return;
  for (const element of elements) {
    const isBaseline = element.dataset.index === select.value;
    element.classList.toggle("is-baseline", isBaseline);
    const found = against(indexOf(element));
    const [difference, changes, p] = ["difference", "changes", "p"].map((name) => element.querySelector(`td.${name}`));
    if (!found) {
      difference.replaceChildren(make("span", { className: "quiet" }, isBaseline ? "chosen" : "other records"));
      changes.replaceChildren();
      p.replaceChildren();
      continue;
    }
    difference.replaceChildren(make("b", {}, points(found.difference)), make("small", {}, `${points(found.low)} to ${points(found.high)}`));
    changes.replaceChildren(make("span", { className: "ok" }, `✓ ${found.fixed}`), " ", make("span", { className: "bad" }, `✗ ${found.broken}`), make("small", {}, `of ${withCommas(found.n)}`));
    p.replaceChildren(writtenP(found.p));
  }
}

/** The number in a cell, such as "73.3%"; undefined without one. */
function numberIn(cell) {
  const value = Number.parseFloat(cell?.querySelector("b")?.textContent.replaceAll(",", ""));
  return Number.isNaN(value) ? undefined : value;
}

function keyOf(element) {
  const index = indexOf(element);
  if (order.name === "name") return config.runs[index].name;
  if (order.name === "records") return Number.parseFloat(element.children[2].textContent.replaceAll(",", ""));
  if (order.name === "difference") return against(index)?.difference;
  if (order.name === "p") return against(index)?.p;
  return numberIn(element.children[3 + Number(order.name)]);
}

function sortBy(name) {
  const isText = name === "name";
  order.down = order.name === name ? !order.down : !isText && name !== "p";
  order.name = name;
  showOrder();
}

function showOrder() {
  if (!order.name) return;
  const way = order.down ? -1 : 1;
  const keyed = elements.map((element) => [keyOf(element), element]);
  keyed.sort(([a, first], [b, second]) => {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined) || indexOf(first) - indexOf(second);
    const compared = typeof a === "string" ? collator.compare(a, b) : a - b;
    return way * compared || indexOf(first) - indexOf(second);
  });
  byId("body").append(...keyed.map(([, element]) => element));
  for (const head of document.querySelectorAll("th[data-sort]")) {
    if (head.dataset.sort === order.name) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}

function takeSearch() {
  const asked = byId("q").value.toLowerCase();
  let count = 0;
  for (const element of elements) {
    element.hidden = !element.querySelector("th").textContent.toLowerCase().includes(asked);
    count += !element.hidden;
  }
  byId("count").textContent = count === elements.length ? `${count} runs` : `${count} of ${elements.length} runs`;
  byId("nothing").hidden = count > 0;
}

const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The command for one page of the chosen runs; the baseline is its first student if it is chosen. */
function chosenCommand() {
  const chosen = elements.filter((element) => element.querySelector(".choose").checked).map(indexOf);
  const baseline = Number(byId("baseline")?.value);
  chosen.sort((a, b) => (b === baseline) - (a === baseline) || a - b);
  const paths = chosen.map((index) => quote(config.runs[index].path));
  if (!paths.length) return "";
  return ["mitools explain", paths[0], ...paths.slice(1).map((path) => `--vs ${path}`), "--html compared.html"].join(" ");
}

function showCommand() {
  const command = chosenCommand();
  byId("command").hidden = byId("copy").hidden = !command;
  byId("command").textContent = command;
}

async function copyCommand() {
  try {
    await navigator.clipboard.writeText(byId("command").textContent);
    byId("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(byId("command")); // not allowed: the reader copies it
  }
}

function makeBaseline() {
  const select = byId("baseline");
  if (!select) return;
  for (const index of config.groups.flatMap((group) => group.runs).sort((a, b) => a - b)) {
    select.append(make("option", { value: String(index) }, config.runs[index].name));
  }
  select.addEventListener("change", () => {
    showComparison();
    showOrder();
    showCommand();
  });
}

makeBaseline();
showComparison();
showCommand();
byId("q").addEventListener("input", takeSearch);
byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("copy").addEventListener("click", copyCommand);
byId("body").addEventListener("change", showCommand);
for (const head of document.querySelectorAll("th[data-sort]")) head.firstChild.addEventListener("click", () => sortBy(head.dataset.sort));
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input[type=search], select")) return;
  byId("q").focus();
  event.preventDefault();
});
announce();
