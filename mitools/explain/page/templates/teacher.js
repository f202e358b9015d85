// How the teacher answered: its model, its prompt, the samples, and the replies as they came. Made
// when it is asked for, from the record and the journal's replies.

function teacherOf(row) {
  const box = make("details", { className: "more" }, make("summary", {}, row.replies ? "Model, prompt and replies" : "Model and prompt"));
  box.addEventListener("toggle", async () => {
    await takeLines();
    if (!box.open || box.children.length > 1) return;
    const teacher = JSON.parse(row.line).teacher ?? {};
    box.append(teacherFacts(teacher, row), ...samplesOf(teacher), ...(row.replies ?? []).map(replyOf));
  });
  return box;
}

const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value) ?? "");

function teacherFacts(teacher, row) {
  const list = make("dl", { className: "facts-list" });
  const add = (name, value) => {
    if (value !== undefined && value !== null && value !== "") list.append(make("div", {}, make("dt", {}, name), make("dd", {}, say(asText(value)))));
  };
  add("model", teacher.model);
  add("prompt", teacher.prompt && `hash ${asText(teacher.prompt)}; "mitools annotate --show-prompt" prints the text`);
  add("label read from", teacher.read_by);
  if (teacher.hinted !== undefined) add("saw the gold label", teacher.hinted ? "yes" : "no");
  if (teacher.leak) add("leak", "the rationale says that the gold label was shown");
  for (const [name, value] of Object.entries(teacher.usage ?? {})) add(name.replaceAll("_", " "), value);
  add("error", row.teacher?.error);
  if (!row.replies) add("replies", 'not on this page; add "--journal FILE"');
  return list;
}

function samplesOf(teacher) {
  if (!Array.isArray(teacher.samples)) return [];
  const items = teacher.samples.map((sample) => {
    const mark = sample?.agrees === undefined || sample.agrees === null ? "" : sample.agrees ? "✓ " : "✗ ";
    return make("li", {}, `${mark}`, make("b", {}, say(asText(sample?.label ?? "no answer"))), " ", make("span", { className: "said", dir: "auto" }, say(asText(sample?.rationale ?? ""))));
  });
  return [make("h4", {}, `${items.length} samples`), make("ol", { className: "samples" }, ...items)];
}

function replyOf([sample, kind, text, left]) {
  const title = `Reply ${sample + 1}${kind === "ok" ? "" : `, ${kind}`}`;
  const parts = wordsOf(text).map(([name, words]) => make("div", {}, make("h5", {}, name), make("div", { className: "said reply", dir: "auto" }, say(words))));
  const whole = make("details", {}, make("summary", {}, "as it came"), make("pre", { tabIndex: 0, dir: "ltr" }, say(text), left ? ` … ${withCommas(left)} more characters` : ""));
  return make("section", { className: "reply-box", "aria-label": title }, make("h4", {}, say(title)), ...parts, whole);
}

/** The texts in a response of a server: thoughts and content. */
function wordsOf(text) {
  try {
    const message = JSON.parse(text).choices[0].message;
    const named = [["thoughts", message.reasoning_content ?? message.reasoning], ["content", message.content]];
    return named.filter(([, words]) => typeof words === "string" && words);
  } catch {
    return []; // an error, or a response of another form: it is shown as it came
  }
}
