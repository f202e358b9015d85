// The records that the filters leave: as a command for a terminal, and as a file of JSON lines.

const MAX_IDS = 200;

const FLAG_OPTIONS = {
  inconsistent: () => ["--inconsistent"],
  low_confidence: () => [`--low-conf=${config.low}`],
  confidently_wrong: () => [`--high-conf-wrong=${config.high}`],
  disagrees: () => ["--disagree"],
  teacher_wrong: () => ["--teacher-wrong"],
};

/** Quote a word for a POSIX shell. */
const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The options of a facet; null if no option says the same. */
function facetOptions(facet) {
  const chosen = [...chosenOf(facet)];
  if (!chosen.length) return [];
  if (facet.name === "supports") return chosen.map((value) => `--supports ${value}`);
  if (facet.name === "flag") {
    return chosen.every((name) => FLAG_OPTIONS[name]) ? chosen.flatMap((name) => FLAG_OPTIONS[name]()) : null;
  }
  const known = { right: ["right", "wrong"], runs: ["fixed", "broken"] };
  // With several runs, "--fixed" means any of them.
  if (others.length === 1) known["change-second"] = ["fixed", "broken"];
  const isOr = facet.name !== "right";
  const names = known[facet.name] ?? [];
  if (chosen.every((value) => names.includes(value)) && (isOr || chosen.length === 1)) return chosen.map((value) => `--${value}`);
  const differ = { runs: "differ", "change-second": others.length === 1 ? "changed" : "" }[facet.name];
  return chosen.length === 1 && chosen[0] === differ ? ["--changed"] : null;
}

/** The options of the search; null if it finds a record by its id, which "--grep" does not read. */
function searchOptions(found) {
  if (!search.text) return [];
  const byWords = (row) => textsOf(row).slice(1).some((text) => hits(text));
  const hits = (text) => {
    marked.finder.lastIndex = 0;
    return marked.finder.test(text);
  };
  if (!found.every(byWords)) return null;
  const source = search.regex ? `(?im)${search.text}` : `(?i)${search.text.replace(/[.*+?^${}()|[\]\\#&~-]/g, "\\$&")}`;
  return [`--grep ${quote(source)}`];
}

function rangeOptions() {
  if (state.low <= 0 && state.high >= 1) return [];
  return state.low <= 0 && !state.who ? [`--low-conf=${state.high}`] : null;
}

function orderOptions() {
  const name = { confidence: "confidence", input: "length" }[state.sort];
  if (!name) return state.sort === "n" && state.down ? null : [];
  return [`--sort ${name}`, ...(state.down ? ["--reverse"] : [])];
}

// Options with the same place in the command: of these, one must match, or they exclude each other.
const PLACES = { "--broken": "--fixed", "--wrong": "--right", "--consistent": "--inconsistent" };

/**
 * Whether two filters use the same option in different ways. Here both must match; in a command, one
 * value of an option is enough, or the last one counts.
 */
function clash(parts) {
  const taken = new Map();
  for (const options of parts) {
    const own = new Map();
    for (const option of options) {
      const [name] = option.split(/[ =]/, 1);
      const place = PLACES[name] ?? name;
      own.set(place, [...(own.get(place) ?? []), option].sort());
    }
    for (const [place, texts] of own) {
      const text = texts.join(" ");
      if ((taken.get(place) ?? text) !== text) return true;
      taken.set(place, text);
    }
  }
  return false;
}

/** The options of the filters that the page was made with; of those with a value, the name alone. */
const selected = () => config.selection.split(" ").filter((word) => word.startsWith("--"));

/** The options that leave these records; null if there are none that do. */
function filterOptions(found) {
  if (config.isDrawn || state.given) return null;
  const parts = [
    ...facets.map(facetOptions),
    searchOptions(found),
    rangeOptions(),
    state.split ? [`--split ${quote(state.split)}`] : [],
    state.gold ? [`--label ${quote(state.gold)}`] : [],
    orderOptions(),
  ];
  return parts.includes(null) || clash([selected(), ...parts]) ? null : parts.flat();
}

/** The command that shows the same records in a terminal, or why there is none. */
function commandOf(found) {
  if (!config.command.length) return { reason: "this page shows a text that was typed, not a file" };
  const base = config.command.map(quote);
  const options = filterOptions(found);
  if (options) return { text: [...base, config.selection, ...options].filter(Boolean).join(" ") };
  const ids = [...new Set(found.map((row) => row.id))];
  if (!ids.length) return { reason: "no record matches" };
  if (ids.length > MAX_IDS) return { reason: `no option says the same, and ${withCommas(ids.length)} ids are too many for a command; save the records instead` };
  return { text: [...base, ...ids.map((id) => `--id ${quote(id)}`), ...(orderOptions() ?? [])].join(" ") };
}

async function copyCommand() {
  const { text, reason } = commandOf(sorted);
  byId("command-box").hidden = false;
  byId("command").textContent = text ?? "";
  byId("command").hidden = !text;
  byId("command-note").textContent = text ? "Select the command to copy it." : `There is no command: ${reason}.`;
  if (!text) return;
  try {
    await navigator.clipboard.writeText(text);
    byId("command-note").textContent = "Copied.";
  } catch {
    // Not allowed, as from a file in some browsers: the reader copies the selected text.
    getSelection().selectAllChildren(byId("command"));
  }
}

async function saveRecords() {
  await takeLines();
  const blob = new Blob(sorted.map((row) => `${row.line}\n`), { type: "application/jsonl" });
  const link = make("a", { href: URL.createObjectURL(blob), download: "records.jsonl" });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
