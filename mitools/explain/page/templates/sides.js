// One answer of an open record: a column with its label, probabilities, rationale and verdicts.

function sidesOf(row) {
  // A gold label alone is already among the answers above.
  const names = sideNames.filter((who) => row[who] && (who !== "gold" || row.gold.rationale));
  return make("div", { className: "sides" }, ...names.map((who) => sideOf(row, who, row[who])));
}

function sideOf(row, who, side) {
  const verdict = side.right === undefined ? null : make("span", { className: side.right ? "ok" : "bad" }, side.right ? "✓ right" : "✗ wrong");
  return make(
    "article",
    { className: `side ${who}`, "aria-label": nameOf(who) },
    make("header", { className: "side-head" }, make("h3", {}, make("span", {}, nameOf(who)), verdict), labelLine(side)),
    barsOf(who, side),
    waysOf(row, who, side),
    ...asidesOf(side),
    side.rationale ? make("div", { className: "rationale said", dir: "auto" }, ...decided(side), rest(side.rationale_left)) : null,
    stepsOf(side),
    supportOf(who, side.support),
    who === "teacher" ? teacherOf(row) : null,
  );
}

/** The rationale, with the words that decide which answer it supports underlined. */
function decided(side) {
  const text = side.rationale.trim();
  const [, , start, end] = side.support ?? [];
  if (start === undefined) return [say(text)];
  const before = side.rationale.length - side.rationale.trimStart().length;
  const [from, to] = [start, end].map((place) => Math.max(0, Math.min(text.length, place - before)));
  const words = make("span", { className: "decides", title: "these words decide which answer it supports" }, say(text.slice(from, to)));
  return [say(text.slice(0, from)), words, say(text.slice(to))];
}

function labelLine(side) {
  if (side.label === undefined) {
    return make("p", { className: "label none" }, side.error ? "no answer: " : "no readable answer", side.error ? say(side.error) : null);
  }
  const sure = side.confidence !== undefined && !side.bars ? make("span", { className: "sure" }, `  confidence ${percent(side.confidence)}`) : null;
  return make("p", { className: "label" }, make("bdi", {}, say(side.label)), sure);
}

function barsOf(who, side) {
  if (!side.bars) return null;
  const lines = side.bars.map(([choice, probability, letters]) => {
    const of = owners(letters);
    const isOwn = of.includes(who);
    const style = [of.includes("gold") ? "is-gold" : "", isOwn ? "is-own" : ""].join(" ").trim();
    return make(
      "li",
      {},
      make("span", { className: isOwn ? "own" : "", dir: "auto" }, say(choice)),
      bar(probability, style),
      make("span", { className: "share" }, percent(probability)),
      of.length ? make("span", { className: "of" }, of.map(nameOf).join(", ")) : null,
    );
  });
  if (side.bars_left) lines.push(make("li", { className: "quiet" }, `… and ${withCommas(side.bars_left)} less likely`));
  return make("ul", { className: "bars" }, ...lines);
}

/** The answers in each way of answering, side by side: predict, conclude (after the rationale), both. */
function waysOf(row, who, side) {
  if (!side.ways) return null;
  const line = row.line ? JSON.parse(row.line) : {};
  const stored = (who === "student" ? line : line[who])?.student?.answers ?? {};
  const columns = side.ways.map(([way, label, confidence, isRight, isChosen]) =>
    make(
      "li",
      { className: isChosen ? "own" : "" },
      make("span", { className: "way" }, way, isChosen ? make("span", { className: "chosen" }, " its answer") : null),
      make(
        "span",
        { className: "label" },
        isRight === null ? null : make("span", { className: isRight ? "ok" : "bad" }, isRight ? "✓ " : "✗ "),
        make("bdi", { className: label === null ? "quiet" : "" }, label === null ? "no readable answer" : say(label)),
      ),
      confidence === null ? null : make("span", { className: "meter" }, bar(confidence), make("span", {}, percent(confidence))),
      side.bars && isChosen ? null : wayChoices(stored[way], side),
    ),
  );
  return make("ul", { className: "ways", "aria-label": "ways of answering" }, ...columns);
}

const MAX_WAY_CHOICES = 8;

function wayChoices(answer, side) {
  const found = Object.entries(answer?.choices ?? {}).sort(([, a], [, b]) => b - a);
  const drawn = new Map((side.bars ?? []).map(([choice, odds]) => [choice, odds]));
  // The bars above may show the same.
  if (found.length < 2 || found.every(([choice, odds]) => drawn.get(choice) === odds)) return null;
  return make("span", { className: "quiet odds" }, ...found.slice(0, MAX_WAY_CHOICES).map(([choice, odds]) => make("span", {}, make("bdi", {}, say(excerpt(choice, 40))), ` ${percent(odds)}`)));
}

/** Lines for what the bars do not show: a low probability mass, and a different decoded label. */
function asidesOf(side) {
  const lines = [];
  const line = (...parts) => lines.push(make("p", { className: "aside" }, ...parts));
  if (side.mass !== undefined) line(`the choices have ${side.mass < 0.005 ? "less than 1%" : percent(side.mass)} of the probability mass`);
  if (side.decoded) line("decoded label: ", make("bdi", {}, say(side.decoded)));
  if (side.origin) line("read in ", make("bdi", {}, say(side.origin)));
  return lines;
}

function stepsOf(side) {
  if (!side.steps) return null;
  const lines = side.steps.map(([text, isRight, value]) => {
    const truth = isRight ? null : make("span", { className: "quiet" }, value.startsWith("≈") ? ` (${value})` : ` (is ${value})`);
    return make("li", {}, make("span", { className: isRight ? "ok" : "bad" }, isRight ? "✓ " : "✗ "), say(text), truth);
  });
  if (side.steps_left) lines.push(make("li", { className: "quiet" }, `… and ${side.steps_left} more steps`));
  return make("ul", { className: "steps", "aria-label": "arithmetic steps" }, ...lines);
}

function supportOf(who, support) {
  if (!support) return null;
  const [label, letters] = support;
  if (label === null) return make("p", { className: "supports open" }, "→ supports no answer");
  const of = owners(letters);
  if (of.includes(who)) return make("p", { className: "supports" }, "→ supports its own answer");
  const whose = of.map((name) => `${nameOf(name)}'s`).join(" and ") || "no one's";
  return make("p", { className: "supports against" }, "→ supports ", make("bdi", {}, say(label)), `, ${whose} answer`);
}
