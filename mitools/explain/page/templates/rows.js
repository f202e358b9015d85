// The records of the page.

const config = JSON.parse(byId("config").textContent);
const rows = (await unpack("rows")).map((line) => JSON.parse(line));

/** Unpack the lines of an element: gzip in base64. */
async function unpack(id) {
  const packed = byId(id).textContent;
  byId(id).remove();
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(packed) : Uint8Array.from(atob(packed), (unit) => unit.charCodeAt(0));
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  writer.write(bytes);
  writer.close();
  // Twice as fast as Response.text().
  const reader = stream.readable.getReader();
  const decoder = new TextDecoder();
  const parts = [];
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(decoder.decode(part.value, { stream: true }));
  const lines = parts.join("").split("\n");
  lines.pop();
  return lines;
}

let unpacking = null;

/** Give each row its "line": the record as "mitools explain --json" writes it. */
function takeLines() {
  unpacking ??= unpack("lines").then((lines) => rows.forEach((row, index) => (row.line = lines[index])));
  return unpacking;
}

const runNames = Object.fromEntries(config.runs.map(({ who, name }) => [who, name]));
const runs = config.runs.map(({ who }) => who);
const others = runs.filter((who) => who !== "student");
const sideNames = ["gold", "teacher", "student", ...others];
const present = Object.fromEntries(sideNames.map((who) => [who, rows.some((row) => row[who])]));

/** The name of an answer: of a student, its run. */
const nameOf = (who) => runNames[who] ?? who;
const owners = (letters) => Array.from(letters, (letter) => config.letters[letter]);

/** The texts that are searched, as "--grep" does; with the id, which it does not read. */
function textsOf(row) {
  row.texts ??= [row.id, row.input ?? "", ...sideNames.flatMap((who) => (row[who] ? [row[who].label ?? "", row[who].rationale ?? ""] : []))];
  return row.texts;
}
