"""Hostile lines through the reader and the stages: nothing breaks, nothing hangs, nothing is lost.

    python -m tests.benchmarks.line_fuzz --lines 1000000 --seed 0

Every line begins as a good record; most are then changed: bytes flipped, cut or put in, a value
replaced by one that some code does not expect, a key doubled, objects nested. Chunks of them go
through the reader, and through each stage with ``--on-error divert``. A stage may refuse a line; it
must not end for one, print a traceback, take minutes, or lose one: those that came in are those
that came out and those that were put aside. The same seed makes the same lines.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from mitools.cli import mitools
from mitools.demo import problems, solve
from mitools.records import Reader, Rejected
from mitools.tasks import task_of

STAGES: dict[str, tuple[str, ...]] = {
    "load": (),
    "split": (),
    "split --dedup exact": ("--stratify", "label"),
    "annotate": ("--teacher", "replay"),
    "eval": ("--split", "all", "--simulator", "none"),
    "explain": ("--json",),
    "explain --sort id": ("--json",),
    "explain --width 60": ("--no-pager", "--limit", "200"),
}
SELDOM = {"eval", "explain --sort id"}
"""Stages that look at every fifth chunk; they take as long as all others together."""

LIMIT_SECONDS = 300  # for one chunk in one stage

Record = dict[str, Any]


def good_records(count: int, seed: int) -> Iterator[Record]:
    """Records that every stage takes, of all tasks."""
    for number, record in enumerate(problems(count, seed=seed)):
        completion = solve(record["input"], seed=0, error_rate=0.1)
        answer = task_of(record).parse(completion, None)
        said = {"label": answer.label, "rationale": answer.rationale}
        student: Record = {**said, "confidence": 0.5, "choices": {"a": 0.25, "b": 0.75}}
        full = {**record, "teacher": {**said, "agrees": True, "usage": {"prompt_tokens": 7}}}
        full |= {"student": student, "scores": {"correct": True}, "completion": completion}
        if number % 3 == 1:
            full |= {"task": "choice", "choices": ["a", "b", "größe"], "label": "b"}
        elif number % 3 == 2:
            full |= {"task": "text", "group": f"g{number % 50}"}
        yield full


def nested(depth: int, rng: random.Random) -> str:
    opening, closing = rng.choice([("[", "]"), ('{"a":', "}"), ('[{"":', "}]")])
    return opening * depth + "0" + closing * depth


def hostile(rng: random.Random) -> str:
    """A value, as JSON or nearly."""
    kinds: list[Callable[[], str]] = [
        lambda: rng.choice(["null", "true", "false", "0", "-1", "0.5", "1e308", "-0.0", "1e400"]),
        lambda: rng.choice(["NaN", "Infinity", "-Infinity", "nan", "1.", "01", "+1", "0x1"]),
        lambda: rng.choice(["[]", "{}", '[["a"]]', '{"a": {"b": []}}', '["a", 1, null]', '""']),
        lambda: rng.choice(['"\\ud800"', '"a\\udfff"', '["\\ud83d"]', '{"\\udc00": 1}']),
        lambda: rng.choice(['"\\u001b[31m"', '"\\u202e"', '"\\u0000"', '"\\u2028"', '"\\u0085"']),
        lambda: "9" * rng.choice([20, 401, 4300, 4301, 5000]),
        lambda: f"1e{rng.choice([300, 308, 309, 999999])}",
        lambda: nested(rng.choice([10, 98, 99, 101, 300, 950, 980, 1000, 3000]), rng),
        lambda: json.dumps(rng.choice(["a", "( 1", "9**9", "{{ x }}", "-"]) * rng.randrange(1, 99)),
        lambda: json.dumps("".join(chr(rng.randrange(0x3000)) for _ in range(rng.randrange(20)))),
        lambda: json.dumps({str(n): n for n in range(rng.randrange(5))}),
    ]
    return rng.choice(kinds)()


def with_value(record: Record, value: str, rng: random.Random) -> str:
    """Put a value, as text, into a random place of a record."""
    mark = "\x00here\x00"
    names = [name for name in record if isinstance(record[name], dict)]
    if names and rng.random() < 0.5:
        name = rng.choice(names)
        inner = dict(record[name])
        inner[rng.choice([*inner, "rationale", "samples", "order", "new"])] = mark
        changed = {**record, name: inner}
    else:
        changed = {**record, rng.choice([*record, "choices", "group", "split", "new"]): mark}
    return json.dumps(changed, ensure_ascii=False).replace(json.dumps(mark), value)


def with_bytes(line: bytes, rng: random.Random) -> bytes:
    changed = bytearray(line)
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(changed) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            changed[place:place] = rng.randbytes(rng.randrange(1, 4))
        elif kind == 1:
            del changed[place : place + rng.randrange(1, 9)]
        elif kind == 2 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        else:
            del changed[place:]
        if not changed:
            changed += b"x"
    return bytes(changed).replace(b"\n", b" ").replace(b"\r", b" ")


def fuzzed(record: Record, rng: random.Random) -> bytes:
    """Make one line of a good record."""
    kind = rng.random()
    if kind < 0.2:
        return json.dumps(record, ensure_ascii=rng.random() < 0.5).encode()
    if kind < 0.7:
        return with_value(record, hostile(rng), rng).encode("utf-8", "surrogatepass")
    if kind < 0.75:  # a key twice
        line = json.dumps(record)
        return f'{line[:-1]}, "{rng.choice(list(record))}": {hostile(rng)}}}'.encode()
    if kind < 0.8:
        return hostile(rng).encode("utf-8", "surrogatepass")
    return with_bytes(json.dumps(record, ensure_ascii=False).encode(), rng)


def chunk_of(count: int, seed: int) -> list[bytes]:
    """Lines that are not blank; the first two are good, so that no stage starves."""
    rng = random.Random(seed)
    records = list(good_records(count, seed))
    lines = [fuzzed(record, rng) for record in records[2:]]
    good = [json.dumps({**record, "id": f"good-{seed}"}).encode() for record in records[:2]]
    return good + [line if line.strip() else b"x" for line in lines]


def say_progress(lines: int, findings: Findings) -> None:
    sys.stderr.write(f"{lines:,} lines, {len(findings.problems)} problems\n")


@dataclass
class Findings:
    """What went wrong, and how many lines went which way."""

    problems: list[str] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, passed: int, rejected: int, seconds: float) -> None:
        for counts, value in ((self.passed, passed), (self.rejected, rejected)):
            counts[name] = counts.get(name, 0) + value
        self.seconds[name] = self.seconds.get(name, 0) + seconds


Show = Callable[[int, Findings], None]


def through_reader(path: Path, count: int, findings: Findings) -> None:
    rejected: list[Rejected] = []
    start = time.perf_counter()
    passed = sum(1 for _ in Reader((str(path),), ("input",), rejected.append))
    findings.add("reader", passed, len(rejected), time.perf_counter() - start)
    if passed + len(rejected) != count:
        findings.problems.append(f"reader: {count} in, {passed} out, {len(rejected)} rejected")


def through_stage(
    name: str, args: tuple[str, ...], path: Path, count: int, findings: Findings
) -> None:
    aside, out = path.with_suffix(".bad"), path.with_suffix(".out")
    aside.unlink(missing_ok=True)
    out.unlink(missing_ok=True)
    command = [*name.split(), *args, str(path), "-o", str(out), "--on-error", f"divert:{aside}"]
    start = time.perf_counter()
    done = CliRunner().invoke(mitools, command)
    seconds = time.perf_counter() - start
    bad = len(aside.read_bytes().splitlines())
    is_view = "--no-pager" in args
    passed = count - bad if is_view or not out.exists() else out.read_bytes().count(b"\n")
    findings.add(name, passed, bad, seconds)
    where = f"{name} on {path.name}"
    if done.exit_code != 0 or "unexpected" in done.stderr or "Traceback" in done.stderr:
        findings.problems.append(f"{where}: status {done.exit_code}: {done.stderr[-500:]}")
    elif passed + bad != count:
        findings.problems.append(f"{where}: {count} in, {passed} out, {bad} put aside")
    if any(mark in done.stderr for mark in ("\x1b", "\x9b", "\u202e")):
        findings.problems.append(f"{where}: control characters on stderr")


def fuzz(
    lines: int, seed: int, chunk: int, folder: Path, show: Show = lambda _lines, _found: None
) -> Findings:
    """Run chunks of lines through everything.

    Raises:
        TimeoutError: a stage took minutes over one chunk.
    """

    def too_slow(*_: object) -> None:
        raise TimeoutError(f"more than {LIMIT_SECONDS} seconds for {chunk} lines")

    signal.signal(signal.SIGALRM, too_slow)
    findings = Findings()
    for number in range(-(-lines // chunk)):
        made = chunk_of(min(chunk, lines - number * chunk), seed + number)
        path = folder / f"chunk-{seed + number}.jsonl"
        path.write_bytes(b"\n".join(made) + b"\n")
        through_reader(path, len(made), findings)
        for name, args in STAGES.items():
            if name in SELDOM and number % 5:
                continue
            signal.alarm(LIMIT_SECONDS)
            through_stage(name, args, path, len(made), findings)
            signal.alarm(0)
        if not findings.problems:
            path.unlink()
        show((number + 1) * chunk, findings)
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chunk", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="keep chunks with problems here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        findings = fuzz(options.lines, options.seed, options.chunk, folder, say_progress)
    say = sys.stdout.write
    for name, passed in findings.passed.items():
        rejected, seconds = findings.rejected[name], findings.seconds[name]
        say(f"{name:22}{passed:>12,} passed{rejected:>12,} rejected{seconds:>10.1f} s\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(f"{len(findings.problems)} problems; peak memory {peak:,.0f} MiB\n")
    for problem in findings.problems[:50]:
        say(f"{problem}\n")
    sys.exit(1 if findings.problems else 0)


if __name__ == "__main__":
    main()
