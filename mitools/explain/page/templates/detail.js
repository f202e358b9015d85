// One record: its input, and gold, teacher and students side by side.

function showDetail(row, place) {
  const detail = byId("detail");
  const isOpen = row !== undefined;
  detail.hidden = !isOpen;
  byId("split-view").classList.toggle("open", isOpen);
  byId("split-view").classList.toggle("wide", isOpen && state.wide);
  document.body.classList.toggle("reading", isOpen);
  if (!isOpen) {
    detail.replaceChildren();
    return;
  }
  const head = make("header", { className: "record-head" }, navigation(place), titleOf(row), answersOf(row));
  const parts = [
    verdictsOf(row),
    make("div", { className: "input said", dir: "auto" }, say(row.input ?? ""), rest(row.input_left)),
    choicesOf(row),
    make("div", { className: "holder" }, sidesOf(row)),
    recordText(row),
  ];
  detail.replaceChildren(head, make("div", { className: "record-body" }, ...parts.filter(Boolean)));
  detail.scrollTop = 0;
  headHeight.disconnect();
  headHeight.observe(head);
}

// The headings of the columns stay below the head of the record, whatever its height.
const headHeight = new ResizeObserver(([entry]) => {
  const detail = byId("detail");
  const height = Math.floor(entry.target.getBoundingClientRect().height);
  detail.style.setProperty("--head", `${height}px`);
  const room = Math.min(innerHeight, detail.clientHeight) - height;
  for (const side of detail.querySelectorAll(".side")) side.classList.toggle("short", side.offsetHeight < room);
});

function navigation(place) {
  const count = place.index < 0 ? "does not match the filters" : `${withCommas(place.index + 1)} of ${withCommas(place.count)}`;
  return make(
    "div",
    { className: "nav" },
    makeButton("‹", () => step(-1), { "aria-label": "Previous record", title: "Previous record (k)", disabled: place.index === 0 }),
    makeButton("›", () => step(1), { "aria-label": "Next record", title: "Next record (j)", disabled: place.index === place.count - 1 }),
    make("span", { className: "quiet" }, count),
    make("span", { className: "spring" }),
    makeButton(state.wide ? "Narrow" : "Wide", () => setWide(!state.wide), { className: "widen", title: "Use the whole width (w)", "aria-pressed": String(state.wide) }),
    makeButton("✕", closeRecord, { "aria-label": "Close the record", title: "Close the record (Esc)" }),
  );
}

function titleOf(row) {
  const facts = [`record ${withCommas(row.n)}`, row.split, row.task].filter(Boolean).join(" · ");
  return make(
    "div",
    { className: "title" },
    make("h2", { id: "detail-title", tabIndex: -1 }, make("bdi", {}, say(row.id.slice(0, 300) || "–"))),
    make("p", { className: "meta" }, facts),
  );
}

/** The labels of all answers, which stay visible while the texts scroll. */
function answersOf(row) {
  const items = sideNames.filter((who) => row[who]).map((who) => answerOf(who, row[who]));
  return items.length ? make("ul", { className: "answers", tabIndex: 0, "aria-label": "answers" }, ...items) : null;
}

function answerOf(who, side) {
  const isNone = side.label === undefined;
  return make(
    "li",
    { className: `answer ${who}` },
    make("span", { className: "name" }, nameOf(who)),
    side.right === undefined ? null : make("span", { className: side.right ? "ok" : "bad", title: side.right ? "right" : "wrong" }, side.right ? "✓" : "✗"),
    make("bdi", { className: isNone ? "quiet" : "label-text", title: isNone ? undefined : side.label.slice(0, 300) }, isNone ? "no answer" : say(excerpt(side.label, 120))),
    side.confidence === undefined ? null : make("span", { className: "sure" }, percent(side.confidence)),
    side.changed ? make("span", { className: "odd-flag", title: `differs from ${nameOf("student")}` }, "≠") : null,
  );
}

const CHANGES = { fixed: ["ok", "✓ fixed by"], broken: ["bad", "✗ broken by"] };

function verdictsOf(row) {
  const line = make("p", { className: "verdicts" });
  const add = (className, text) => line.append(make("span", { className: `flag ${className}` }, text), " ");
  if (row.right) add("ok", "✓ right");
  if (row.consistent) add("ok", "✓ consistent");
  const names = row.flags ?? [];
  line.append(flagsOf(row, [...names.filter(isSerious), ...names.filter((name) => !isSerious(name))]));
  for (const who of others) {
    const side = row[who];
    if (CHANGES[side?.change]) add(CHANGES[side.change][0], `${CHANGES[side.change][1]} ${nameOf(who)}`);
    else if (side?.changed) add("odd-flag", `! changed by ${nameOf(who)}`);
  }
  return line.childNodes.length ? line : null;
}

const rest = (left) => (left ? make("span", { className: "quiet" }, ` … ${withCommas(left)} more characters; the record below has them`) : null);

function choicesOf(row) {
  if (!row.choices || row.choices.every((choice) => (row.input ?? "").includes(choice))) return null;
  return make("ul", { className: "choices" }, ...row.choices.map((choice) => make("li", { dir: "auto" }, say(choice))));
}

const MAX_SHOWN = 200_000;

/** The whole record; its text is made when it is asked for. */
function recordText(row) {
  const box = make("details", { className: "more" }, make("summary", {}, "Record as JSON"));
  box.addEventListener("toggle", async () => {
    await takeLines();
    if (!box.open || box.children.length > 1) return;
    const text = JSON.stringify(JSON.parse(row.line), null, 1);
    const left = Math.max(0, text.length - MAX_SHOWN);
    const end = left ? ` … ${withCommas(left)} more characters` : "";
    box.append(make("pre", { tabIndex: 0, dir: "ltr" }, say(text.slice(0, MAX_SHOWN)), end));
  });
  return box;
}
