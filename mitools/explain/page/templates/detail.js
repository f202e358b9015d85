// One record: gold, teacher and students side by side.

function showDetail(row, place) {
  const detail = byId("detail");
  const isOpen = row !== undefined;
  detail.hidden = !isOpen;
  byId("split-view").classList.toggle("open", isOpen);
  document.body.classList.toggle("reading", isOpen);
  if (!isOpen) {
    detail.replaceChildren();
    return;
  }
  const parts = [
    navigation(place),
    make("h3", { id: "detail-title", tabIndex: -1 }, make("bdi", {}, say(row.id.slice(0, 300) || "–"))),
    make("p", { className: "meta" }, [`record ${row.n.toLocaleString("en")}`, row.split, row.task].filter(Boolean).join(" · ")),
    verdictsOf(row),
    make("div", { className: "input said", dir: "auto" }, say(row.input ?? ""), rest(row.input_left)),
    choicesOf(row),
    make("div", { className: "holder" }, sidesOf(row)),
  ];
  detail.replaceChildren(...parts.filter(Boolean));
  detail.scrollTop = 0;
}

function navigation(place) {
  const button = (text, label, act, disabled = false) => {
    const made = make("button", { type: "button", "aria-label": label, disabled }, text);
    made.addEventListener("click", act);
    return made;
  };
  return make(
    "div",
    { className: "nav" },
    button("‹", "Previous record", () => step(-1), place.index === 0),
    button("›", "Next record", () => step(1), place.index === place.count - 1),
    make("span", { className: "quiet" }, place.index < 0 ? "does not match the filters" : `${(place.index + 1).toLocaleString("en")} of ${place.count.toLocaleString("en")}`),
    make("span", { className: "spring" }),
    button("Close ✕", "Close the record", closeRecord),
  );
}

const CHANGES = {
  fixed: ["ok", "✓ fixed by the second student"],
  broken: ["bad", "✗ broken by the second student"],
};

function verdictsOf(row) {
  const line = make("p", { className: "verdicts" });
  const add = (className, text) => line.append(make("span", { className: `flag ${className}` }, text), " ");
  if (row.right) add("ok", "✓ right");
  if (row.consistent) add("ok", "✓ consistent");
  const names = row.flags ?? [];
  line.append(flagsOf(row, [...names.filter(isSerious), ...names.filter((name) => !isSerious(name))]));
  if (CHANGES[row.change]) add(...CHANGES[row.change]);
  else if (row.changed) add("odd-flag", "! changed by the second student");
  return line.childNodes.length ? line : null;
}

const rest = (left) => (left ? make("span", { className: "quiet" }, ` … ${left.toLocaleString("en")} more characters, not on this page`) : null);

function choicesOf(row) {
  if (!row.choices || row.choices.every((choice) => (row.input ?? "").includes(choice))) return null;
  return make("ul", { className: "choices" }, ...row.choices.map((choice) => make("li", { dir: "auto" }, say(choice))));
}

function sidesOf(row) {
  const names = sideNames.filter((who) => row[who]);
  return make("div", { className: names.length > 3 ? "sides four" : "sides" }, ...names.map((who) => sideOf(who, row[who])));
}

function sideOf(who, side) {
  const verdict = side.right === undefined ? null : make("span", { className: side.right ? "ok" : "bad" }, side.right ? "✓ right" : "✗ wrong");
  return make(
    "article",
    { className: `side ${who}${side.rationale || side.bars || side.error ? "" : " brief"}` },
    make("h4", {}, make("span", {}, who), verdict),
    labelLine(side),
    barsOf(who, side),
    waysOf(side),
    ...asidesOf(side),
    side.rationale ? make("div", { className: "rationale said", dir: "auto" }, say(side.rationale.trim()), rest(side.rationale_left)) : null,
    stepsOf(side),
    supportOf(who, side.support),
  );
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
      of.length ? make("span", { className: "of" }, of.join(", ")) : null,
    );
  });
  if (side.bars_left) lines.push(make("li", { className: "quiet" }, `… and ${side.bars_left.toLocaleString("en")} less likely`));
  return make("ul", { className: "bars" }, ...lines);
}

/** The answers in each way of answering: the predict pass, after the rationale, and both. */
function waysOf(side) {
  if (!side.ways) return null;
  const lines = side.ways.map(([way, label, confidence, isRight, isChosen]) =>
    make(
      "li",
      { className: isChosen ? "own" : "" },
      make("span", { className: "quiet" }, way),
      isRight === null ? make("span") : make("span", { className: isRight ? "ok" : "bad" }, isRight ? "✓" : "✗"),
      make("bdi", { className: label === null ? "quiet" : "" }, label === null ? "no readable answer" : say(label)),
      make("span", { className: "share" }, confidence === null ? "" : percent(confidence)),
    ),
  );
  return make("ul", { className: "ways", "aria-label": "ways of answering; the bold one is the answer" }, ...lines);
}

/** Lines for what the bars do not show: a low probability mass, and a different decoded label. */
function asidesOf(side) {
  const lines = [];
  const line = (...parts) => lines.push(make("p", { className: "aside" }, ...parts));
  if (side.mass !== undefined) line(`the choices have ${side.mass < 0.005 ? "less than 1%" : percent(side.mass)} of the probability mass`);
  if (side.decoded) line("decoded label: ", make("bdi", {}, say(side.decoded)));
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
  const whose = of.map((name) => `${name}'s`).join(" and ") || "no one's";
  return make("p", { className: "supports against" }, "→ supports ", make("bdi", {}, say(label)), `, ${whose} answer`);
}
