"""One line's fault is that line's, and one file's is that file's, in every stage."""

from __future__ import annotations

import contextlib
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools
from mitools.records import Record
from tests.benchmarks import line_fuzz

STAGES: dict[str, tuple[str, ...]] = {
    "load": (),
    "annotate": ("--teacher", "replay"),
    "split": (),
    "split --exact": ("--dedup", "exact"),
    "eval": ("--split", "all", "--simulator", "none"),
    "explain": ("--json",),
    "explain --sort length": ("--json",),
}
EVERY_STAGE = pytest.mark.parametrize("stage", STAGES)

GOOD: Record = {
    "id": "a",
    "input": "1 + 1?",
    "label": "2",
    "task": "equation",
    "completion": "So the answer is 2.",
    "teacher": {"label": "2", "rationale": "One and one."},
    "student": {"label": "2", "rationale": "One and one.", "confidence": 0.5, "choices": {"2": 1}},
}


def line(**fields: Any) -> str:
    return json.dumps({**GOOD, "id": "b", **fields})


def student(**fields: Any) -> str:
    return line(student={**GOOD["student"], **fields})


def raw(field: str, value: str) -> str:
    """A record with a value that ``json`` would not write."""
    return line(more=0).replace('"more": 0', f'"{field}": {value}')


HOSTILE: dict[str, str | bytes] = {
    **{f"{n} deep": raw("more", "[" * n + "]" * n) for n in (101, 500, 970, 980, 990, 5000)},
    "objects deep": raw("more", '{"a":' * 980 + "1" + "}" * 980),
    "deep in a student": student(more=1).replace('"more": 1', '"more": ' + "[" * 980 + "]" * 980),
    "NaN": raw("more", "NaN"),
    "infinity": raw("more", "[-Infinity]"),
    "1e999": raw("more", "1e999"),
    "5,000 digits": raw("more", "9" * 5000),
    "key twice": raw("id", '"c"'),
    "inner key twice": raw("more", '{"a": {"b": 1, "b": 1}}'),
    "half in id": line(id="a\ud800"),
    "half in label": line(label="\udfff"),
    "half in input": line(input="why \ud83d"),
    "half in choices": line(choices=["a", "\ud800"]),
    "half in group": line(group="\ud800"),
    "half in a teacher": line(teacher={"label": "2", "rationale": "\ud800"}),
    "half in a student": student(label="\ud800"),
    "half in a student's choices": student(choices={"\ud800": 1.0}),
    "list as input": line(input=["a"]),
    "list as label": line(label=["a"]),
    "list as id": line(id=["a"]),
    "list as group": line(group=["a"]),
    "list as rationale": line(rationale=["a"]),
    "list as split": line(split=["train"]),
    "list as teacher": line(teacher=[GOOD["teacher"]]),
    "list as a teacher's rationale": line(teacher={"rationale": ["a"]}),
    "list as samples of nothing": line(teacher={"samples": [[]]}),
    "list as student": line(student=["a"]),
    "list as a student's rationale": student(rationale=["a"]),
    "text as choices": student(choices="a"),
    "10^400 as confidence": raw("student", f'{{"label": "2", "confidence": {10**400}}}'),
    "10^400 as a probability": raw("student", f'{{"label": "2", "choices": {{"2": {10**400}}}}}'),
    "10^400 as steps": raw("scores", f'{{"steps": {10**400}}}'),
    "1e308 as a probability": student(choices={"2": 1e308, "3": 1e308}),
    "below 0": student(confidence=-0.1),
    "not UTF-8": b'{"id": "b", "input": "caf\xe9"}',
    "UTF-16": '{"input": "a"}'.encode("utf-16"),
    "null bytes": b"\x00" * 40,
    "too long": b'{"input": "' + b"x" * 70_000 + b'"}',
}


def hostile_to(stage: str) -> dict[str, str | bytes]:
    """Hostile lines; load takes a source whose beginning is binary for no text at all."""
    binary = ("UTF-16", "null bytes") if stage == "load" else ()
    return {name: bad for name, bad in HOSTILE.items() if name not in binary}


def run(stage: str, lines: list[str | bytes], *args: str) -> Result:
    stdin = b"".join((one.encode() if isinstance(one, str) else one) + b"\n" for one in lines)
    given = [*stage.split(), *STAGES[stage], "--max-line-bytes", "64K", *args]
    return CliRunner().invoke(mitools, given, input=stdin)


@EVERY_STAGE
def test_each_hostile_line_is_put_aside_and_the_good_ones_pass(stage: str, tmp_path: Path) -> None:
    from mitools.diverted import restored

    good: list[str | bytes] = [json.dumps({**GOOD, "id": str(n)}) for n in range(5)]
    lines = [*good[:2], *hostile_to(stage).values(), *good[2:]]
    path = tmp_path / "bad"
    done = run(stage, lines, "--on-error", f"divert:{path}")
    assert done.exit_code == 0, done.stderr
    assert [json.loads(one)["id"] for one in done.stdout.splitlines()] == list("01234")
    kept = path.read_text().splitlines()
    hostile = [one.encode() if isinstance(one, str) else one for one in hostile_to(stage).values()]
    assert [restored(one) for one in kept] == hostile
    assert [json.loads(one)["line"] for one in kept] == list(range(3, 3 + len(hostile)))
    assert f"{len(hostile)} of {len(lines)} lines diverted to {path}" in done.stderr
    assert "unexpected" not in done.stderr


@pytest.mark.parametrize(
    ("stage", "name"), [(stage, name) for stage in STAGES for name in hostile_to(stage)]
)
def test_by_default_a_hostile_line_stops_the_stage_and_is_named(stage: str, name: str) -> None:
    done = run(stage, [json.dumps(GOOD), HOSTILE[name], json.dumps(GOOD)], "-q")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"mitools {stage.split()[0]}: <stdin>:2: ")
    assert done.stderr.count("\n") == 1
    for word in ("unexpected", "Traceback", "defect"):
        assert word not in done.stderr


@pytest.mark.parametrize("name", ["UTF-16", "null bytes"])
def test_load_refuses_a_source_that_begins_in_binary_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    done = run("load", [json.dumps(GOOD), HOSTILE[name]], "--on-error", f"divert:{path}")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("mitools load: <stdin>")
    assert "Traceback" not in done.stderr


def test_a_record_that_eval_puts_aside_leaves_no_trace_in_the_figures(tmp_path: Path) -> None:
    good: list[str | bytes] = [json.dumps({**GOOD, "id": str(n)}) for n in range(5)]
    every = [*good[:2], *HOSTILE.values(), *good[2:]]
    summaries = []
    for number, lines in enumerate((good, every)):
        path = tmp_path / f"{number}.json"
        done = run("eval", lines, "--on-error", "skip", "--summary", str(path))
        assert done.exit_code == 0, done.stderr
        summaries.append(json.loads(path.read_text()))
    assert summaries[0]["records"] == 5
    assert summaries[0] == summaries[1]


def test_a_record_that_its_stage_cannot_use_is_put_aside_too(tmp_path: Path) -> None:
    silent = {name: value for name, value in GOOD.items() if name != "student"}
    lines: list[str | bytes] = [json.dumps(GOOD), json.dumps(silent), json.dumps(GOOD)]
    path = tmp_path / "bad"
    done = run("eval", lines, "--on-error", f"divert:{path}")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 2)
    (kept,) = map(json.loads, path.read_text().splitlines())
    assert (kept["line"], kept["text"]) == (2, json.dumps(silent))
    assert 'field "student" is missing' in kept["error"]


@pytest.mark.parametrize(
    "args",
    [
        ("split", "--against", "other"),
        ("eval", "--split", "all", "--simulator", "none", "--compare", "other"),
        ("explain", "--json", "--vs", "other"),
    ],
    ids=" ".join,
)
def test_the_lines_of_a_second_file_are_put_aside_as_well(
    args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    good = [json.dumps({**GOOD, "id": str(n)}) for n in range(3)]
    Path("in").write_text("\n".join(good))
    Path("other").write_text("\n".join([good[0], "broken", *good[1:]]))
    stopped = CliRunner().invoke(mitools, [*args, "in"])
    assert stopped.exit_code == 1
    assert ": other:2: not valid JSON (" in stopped.stderr
    done = CliRunner().invoke(mitools, [*args, "in", "--on-error", "divert:bad"])
    assert done.exit_code == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    (kept,) = map(json.loads, Path("bad").read_text().splitlines())
    assert (kept["file"], kept["line"], kept["text"]) == ("other", 2, "broken")
    assert "warning: 1 of 4 lines diverted to bad" in done.stderr


@pytest.mark.parametrize(
    ("stage", "place"),
    [
        ("eval", "mitools.evaluate.run.scored"),
        ("explain", "mitools.explain.run.view_of"),
        ("load", "mitools.sources.mapping.Mapper.__call__"),
        ("split", "mitools.records.validate"),
    ],
)
def test_whatever_one_record_brings_about_is_its_own_fault(
    stage: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib
    import operator

    module, _, name = place.removesuffix(".__call__").rpartition(".")
    owner = importlib.import_module(module)
    if place.endswith(".__call__"):
        owner, name = getattr(owner, name), "__call__"
    real = operator.attrgetter(name)(owner)

    def fail(*args: Any, **options: Any) -> Any:
        records = [one for one in args if isinstance(one, dict)]
        if records[0]["id"] == "b":
            raise RecursionError("too \x1b deep")
        return real(*args, **options)

    monkeypatch.setattr(owner, name, fail)
    lines: list[str | bytes] = [json.dumps(GOOD), line(), json.dumps({**GOOD, "id": "c"})]
    done = run(stage, lines, "--on-error", "skip")
    assert done.exit_code == 0, done.stderr
    assert [json.loads(one)["id"] for one in done.stdout.splitlines()] == ["a", "c"]
    problem = r"<stdin>:2: this record cannot be processed (RecursionError: too \x1b deep)"
    assert f"skipped: {problem}" in done.stderr
    assert "1 of 3 lines skipped" in done.stderr


def test_a_slice_of_the_fuzzing_goes_well(tmp_path: Path) -> None:
    findings = line_fuzz.fuzz(300, seed=7, chunk=300, folder=tmp_path)
    assert findings.problems == []
    assert set(findings.passed) == {"reader", *line_fuzz.STAGES}
    for name in findings.passed:
        assert findings.passed[name] + findings.rejected[name] == 300
        assert findings.passed[name] > 50
        assert findings.rejected[name] > 50 or "--limit" in line_fuzz.STAGES[name]


def test_the_fuzzing_finds_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(self: object, records: Iterator[Record]) -> Iterator[Record]:
        for number, record in enumerate(records):
            if number % 10:
                yield {**record, "split": "train"}

    monkeypatch.setattr("mitools.split.by_hash.HashSplitter.split", lose)
    monkeypatch.setattr(line_fuzz, "STAGES", {"split": ()})
    findings = line_fuzz.fuzz(100, seed=7, chunk=100, folder=tmp_path)
    assert any(problem.startswith("split on") for problem in findings.problems)


# Disks


@contextlib.contextmanager
def small_disk() -> Iterator[None]:
    """Let no file grow beyond 20,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


WRITING = {
    **{f"{stage} -o": (*stage.split(), *args, "-o", "OUT") for stage, args in STAGES.items()},
    "explain text": ("explain", "-o", "OUT"),
    "explain --html": ("explain", "--html", "OUT"),
    "split --out-dir": ("split", "--out-dir", "OUT"),
    "split --report": ("split", "--report", "OUT", "-o", "/dev/null"),
    "eval --summary": ("eval", "--split", "all", "--summary", "OUT", "-o", "/dev/null"),
    "annotate --emit-batch": ("annotate", "-m", "m", "--no-journal", "--emit-batch", "OUT"),
    "annotate --on-failure": ("annotate", "--teacher", "replay", "--on-failure", "divert:OUT"),
    "split --on-error": ("split", "--on-error", "divert:OUT", "-o", "/dev/null"),
}
SMALL = {"split --report", "eval --summary"}  # never too large for a disk, but for a full one
ADDED = {"annotate --on-failure", "split --on-error"}


def large(name: str) -> str:
    """Records, or bad lines, that make more than 20,000 bytes of whatever is written."""
    records = [{**GOOD, "id": str(n), "input": f"{n} + 1?"} for n in range(400)]
    if name == "annotate --on-failure":
        records = [{**one, "completion": "none" if one["id"] != "0" else "2"} for one in records]
    lines = [json.dumps(one) + "\n" for one in records]
    return "".join(lines) + ('{"broken' * 9 + "\n") * 400 * (name == "split --on-error")


@pytest.mark.parametrize("name", [name for name in WRITING if name not in SMALL])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_disk_that_is_full_is_one_line_and_leaves_no_half_file(
    name: str, is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    Path("in").write_text(large(name))
    is_folder = "--out-dir" in name
    if is_there and is_folder:
        Path("OUT").mkdir()
        Path("OUT/test.jsonl").write_text("before\n")
    elif is_there and name not in ADDED:
        Path("OUT").write_text("before\n")
    with small_disk():
        done = CliRunner().invoke(mitools, [*WRITING[name], "in", "-q"])
    assert done.exit_code == 1, done.stderr
    if "--exact" in name:
        assert done.stderr.startswith("mitools split: cannot keep the records in ")
    else:
        assert f": cannot write OUT: {os.strerror(27)}" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    left = sorted(str(path) for path in Path().rglob("*") if path.is_file())
    if name in ADDED:
        whole = Path("OUT").read_text().splitlines()[:-1]
        assert all(json.loads(one) for one in whole)
    elif is_there:
        file = "OUT/test.jsonl" if is_folder else "OUT"
        assert left == sorted([file, "in"])
        assert Path(file).read_text() == "before\n"
    else:
        assert left == ["in"]


@pytest.mark.parametrize("name", [name for name in WRITING if "--out-dir" not in name])
def test_a_device_that_is_full_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    source = tmp_path / "in"
    source.write_text(large(name))
    args = [word.replace("OUT", "/dev/full") for word in WRITING[name]]
    done = CliRunner().invoke(mitools, [*args, str(source), "-q"])
    assert done.exit_code == 1, done.stderr
    assert ": cannot write /dev/full: No space left on device; free some space" in done.stderr
    assert done.stderr.count("\n") == 1
