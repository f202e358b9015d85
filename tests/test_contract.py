"""What holds for every stage: its streams, its errors, its exit status.

Pipes, devices and signals need a process; the rest runs in this one, which saves Python's start
and, for stages that load a model, the seconds that torch takes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mitools.cli import COMMANDS, mitools
from mitools.demo import problems, solve
from mitools.records import Record
from mitools.tasks import task_of

PROGRAM = [sys.executable, "-m", "mitools"]
BAD_LINE = '{"input": "cut sho\n'
ODD = {"größe": [1, 1.0, None, True, "😀", "\u2028", "\ud800"], "deep": {"er": {}}}


@dataclass(frozen=True)
class Case:
    """One way to run a stage.

    Attributes:
        args: the command line; STUDENT stands for a trained student, NEW for a folder to make.
        is_heavy: whether it loads a model.
        gives_records: whether its output is records; otherwise it is a view for people.
        streams: whether a record leaves before the next one comes.
    """

    name: str
    args: tuple[str, ...]
    is_heavy: bool = False
    gives_records: bool = True
    streams: bool = True

    @property
    def stage(self) -> str:
        return self.args[0]


TRAIN = ("--student", "scratch:tiny", "--max-steps", "1", "--select-by", "label-loss")
SHORT = ("--max-label-tokens", "8", "--max-rationale-tokens", "8")
CASES = (
    Case("load", ("load",)),
    Case("annotate-demo", ("annotate", "--teacher", "demo")),
    Case("annotate-replay", ("annotate", "--teacher", "replay")),
    Case("split", ("split",)),
    Case("split-exact", ("split", "--exact"), streams=False),
    Case("split-near", ("split", "--stratify", "label", "--dedup", "near"), streams=False),
    Case("train", ("train", *TRAIN, *SHORT, "--save", "NEW"), is_heavy=True, streams=False),
    Case("eval", ("eval", "--student", "STUDENT", "--split", "all"), is_heavy=True, streams=False),
    Case("eval-again", ("eval", "--split", "all"), streams=False),
    Case("explain", ("explain",), gives_records=False),
    Case("explain-json", ("explain", "--json")),
    Case("explain-live", ("explain", "--json", "--student", "STUDENT"), is_heavy=True),
)


def every(*cases: Case) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


EVERY = every(*CASES)
EVERY_OF_RECORDS = every(*(case for case in CASES if case.gives_records))
EVERY_STREAMING = every(*(case for case in CASES if case.streams and not case.is_heavy))


def make_records(count: int = 6) -> list[Record]:
    """Records that every stage can work on, with fields that no stage knows."""
    found = []
    for record in problems(count, seed=0):
        completion = solve(record["input"], seed=0, error_rate=0)
        answer = task_of(record).parse(completion, None)
        said = {"label": answer.label, "rationale": answer.rationale}
        student = {**said, "confidence": 0.5}
        found.append(
            {**record, "split": "train", "teacher": said, "student": student, "mine": ODD}
            | {"completion": completion}
        )
    return found


RECORDS = make_records()


def lines_of(records: Sequence[Record]) -> list[str]:
    return [json.dumps(record) + "\n" for record in records]


LINES = lines_of(RECORDS)
BAD_THIRD = "".join([*LINES[:2], BAD_LINE, *LINES[2:]])


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str

    @property
    def records(self) -> list[Record]:
        assert self.code == 0, self.stderr
        return [json.loads(line) for line in self.stdout.split("\n")[:-1]]


Fill = Callable[[Case], list[str]]
Run = Callable[..., Done]


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contract") / "student"
    args = ["train", *TRAIN, *SHORT, "--save", str(folder), "-q"]
    done = CliRunner().invoke(mitools, args, input="".join(LINES).encode())
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.fixture
def fill(request: pytest.FixtureRequest, tmp_path: Path) -> Fill:
    """Fill in the folders of a case; each call names a new folder to make."""
    number = iter(range(100))

    def place(word: str) -> str:
        if word == "STUDENT":
            return str(request.getfixturevalue("student"))
        return str(tmp_path / f"student-{next(number)}") if word == "NEW" else word

    return lambda case: [place(word) for word in case.args]


@pytest.fixture
def run(fill: Fill) -> Run:
    """Run a stage to its end, with this input and these further arguments.

    As a process only light stages: a heavy one is shown so below, at its seconds' cost.
    """

    def run(case: Case, stdin: str, *more: str | Path, as_process: bool = False) -> Done:
        args = [*fill(case), *map(str, more)]
        if case.is_heavy or not as_process:
            done = CliRunner().invoke(mitools, args, input=stdin.encode())
            return Done(done.exit_code, done.stdout_bytes.decode(), done.stderr)
        process = subprocess.run([*PROGRAM, *args], input=stdin.encode(), capture_output=True)
        return Done(process.returncode, process.stdout.decode(), process.stderr.decode())

    return run


def assert_one_line(done: Done, case: Case, *parts: str) -> None:
    assert done.stderr.startswith(f"mitools {case.stage}: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for part in parts:
        assert part in done.stderr


def test_every_stage_is_here() -> None:
    assert {case.stage for case in CASES} == COMMANDS.keys() - {
        "completion",
        "export",
        "init",
        "recipes",
        "schema",
        "study",
    }


# Input


@EVERY
def test_empty_input_is_an_error_and_no_empty_success(case: Case, run: Run, tmp_path: Path) -> None:
    done = run(case, "\n\n", as_process=True)
    assert (done.code, done.stdout) == (1, "")
    assert_one_line(done, case, "<stdin>: no records; ")
    assert os.listdir(tmp_path) == []


@EVERY
def test_a_malformed_line_stops_the_stage_and_is_named(
    case: Case, run: Run, tmp_path: Path
) -> None:
    done = run(case, BAD_THIRD, "-q", as_process=True)
    assert done.code == 1
    assert_one_line(done, case, "<stdin>:3: not valid JSON (", '"--on-error skip"')
    assert os.listdir(tmp_path) == []


@EVERY
def test_a_malformed_line_leaves_no_file_half_written(case: Case, run: Run, tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.jsonl", tmp_path / "out.jsonl"
    bad.write_text(BAD_THIRD)
    out.write_text("as it was")
    done = run(case, "", bad, "-q", "-o", out, as_process=True)
    assert (done.code, done.stdout) == (1, "")
    assert_one_line(done, case, f"{bad}:3: ")
    assert sorted(os.listdir(tmp_path)) == ["bad.jsonl", "out.jsonl"]
    assert out.read_text() == "as it was"


@EVERY
def test_skipping_goes_on_and_counts(case: Case, run: Run) -> None:
    done = run(case, BAD_THIRD, "--on-error", "skip")
    assert done.code == 0
    if case.gives_records:
        assert [record["id"] for record in done.records] == [record["id"] for record in RECORDS]
    assert "warning: skipped: <stdin>:3: not valid JSON (" in done.stderr
    assert "warning: 1 of 7 lines skipped\n" in done.stderr


@EVERY
def test_diverting_goes_on_counts_and_keeps_the_line(case: Case, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "diverted.jsonl"
    done = run(case, BAD_THIRD, "--on-error", f"divert:{path}")
    assert done.code == 0
    assert f"warning: 1 of 7 lines diverted to {path}\n" in done.stderr
    (kept,) = map(json.loads, path.read_text().splitlines())
    assert (kept["file"], kept["line"], kept["text"]) == ("<stdin>", 3, BAD_LINE.strip())
    assert kept["error"].startswith("<stdin>:3: not valid JSON (")


@EVERY
def test_input_without_a_usable_line_is_an_error(case: Case, run: Run) -> None:
    done = run(case, BAD_LINE * 2, "-q", "--on-error", "skip")
    assert (done.code, done.stdout) == (1, "")
    assert_one_line(done, case, "<stdin>: none of its 2 lines is usable; ")


@EVERY
def test_a_missing_field_is_named_with_what_to_type_next(case: Case, run: Run) -> None:
    done = run(case, LINES[0] + '{"label": "4", "task": "equation"}\n', "-q")
    assert done.code == 1
    assert_one_line(done, case, "<stdin>:2: field ", '"input"', " is missing", "--map input=FIELD")


@EVERY
def test_a_field_of_the_wrong_type_is_named(case: Case, run: Run) -> None:
    done = run(case, LINES[0] + '{"input": "a", "choices": "b"}\n', "-q")
    assert done.code == 1
    assert_one_line(done, case, '<stdin>:2: field "choices" ')


@EVERY
def test_a_missing_file_is_named(case: Case, run: Run, tmp_path: Path) -> None:
    done = run(case, "", tmp_path / "nowhere.jsonl")
    assert (done.code, done.stdout) == (1, "")
    assert_one_line(done, case, f"cannot read {tmp_path / 'nowhere.jsonl'}: ", "; check the path")
    assert os.listdir(tmp_path) == []


# Output


@EVERY_OF_RECORDS
def test_stdout_carries_every_record_with_the_fields_nobody_knows(case: Case, run: Run) -> None:
    done = run(case, "".join(LINES))
    for before, after in zip(RECORDS, done.records, strict=True):
        for name in ("id", "input", "label", "type", "mine", "completion"):
            assert repr(after[name]) == repr(before[name])


@EVERY
def test_text_in_any_script_passes(case: Case, run: Run) -> None:
    text = "größer 你好 😀 e\u0301 \u202e \x7f"
    odd = {**RECORDS[0], "id": text, "input": text, "label": text, "group": text}
    odd = {**odd, "student": {"label": text, "rationale": text}}
    done = run(case, "".join(lines_of([*RECORDS[1:], odd])), as_process=True)
    assert done.code == 0, done.stderr
    assert "你好 😀" in done.stdout or "\\u4f60" in done.stdout
    if case.gives_records:
        after = done.records[-1]
        assert (after["id"], after["input"], after["label"]) == (text, text, text)


@EVERY
def test_quiet_means_silent(case: Case, run: Run) -> None:
    done = run(case, "".join(LINES), "-q", as_process=True)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout


@EVERY
def test_a_dash_is_stdin_and_stdout(case: Case, run: Run) -> None:
    text = "".join(LINES)
    assert run(case, text, "-q", "-", "-o", "-") == run(case, text, "-q")


@EVERY
def test_the_same_input_gives_the_same_bytes(case: Case, run: Run, tmp_path: Path) -> None:
    first, second = (run(case, "".join(LINES), "-q") for _ in range(2))
    assert first.stdout == second.stdout
    if case.stage == "train":
        weights = [path.read_bytes() for path in tmp_path.glob("*/model.safetensors")]
        assert len(weights) == 2
        assert weights[0] == weights[1]


@EVERY
def test_packed_files_are_read_and_written_by_their_ending(
    case: Case, run: Run, tmp_path: Path
) -> None:
    import gzip

    import zstandard

    source, out = tmp_path / "in.jsonl.zst", tmp_path / "out.jsonl.gz"
    source.write_bytes(zstandard.compress("".join(LINES).encode()))
    done = run(case, "", source, "-q", "-o", out)
    assert done == Done(0, "", "")
    assert gzip.decompress(out.read_bytes()).decode() == run(case, "".join(LINES), "-q").stdout


@EVERY
def test_an_unknown_key_of_a_recipe_is_answered_with_what_was_meant(
    case: Case, run: Run, tmp_path: Path
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(f"[{case.stage}]\non-eror = 'skip'\n[schema]\nanything = 1\n")
    done = run(case, "".join(LINES), "-c", config)
    assert (done.code, done.stdout) == (2, "")
    problem = f'{config}: [{case.stage}] has no option "on-eror"; did you mean "on-error"?'
    assert_one_line(done, case, problem)


@EVERY
def test_a_recipe_fills_options(case: Case, run: Run, tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(f"[{case.stage}]\non-error = 'skip'\n")
    assert run(case, BAD_THIRD, "-c", config, "-q").code == 0
    done = run(case, BAD_THIRD, "-c", config, "-q", "--on-error", "stop")
    assert done.code == 1


# Pipes and devices: always a process


def long_input() -> str:
    """More than a pipe holds, in few records."""
    words = "word " * 5000
    return "".join(lines_of([{**record, "rationale": words} for record in RECORDS]))


@pytest.fixture
def start(fill: Fill, request: pytest.FixtureRequest) -> Callable[..., subprocess.Popen[bytes]]:
    def start(case: Case, *more: str | Path, stdout: Any = subprocess.PIPE) -> Any:
        process = subprocess.Popen(
            [*PROGRAM, *fill(case), *map(str, more)],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        request.addfinalizer(process.wait)
        request.addfinalizer(process.kill)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                request.addfinalizer(stream.close)
        return process

    return start


Start = Callable[..., Any]
EVERY_BUT_LIVE = every(*(case for case in CASES if case.name != "explain-live"))


@EVERY_BUT_LIVE
@pytest.mark.timeout(120)
def test_a_closed_downstream_ends_the_stage_quietly(
    case: Case, start: Start, tmp_path: Path
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(long_input())
    process = start(case, source, "-q")
    assert process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


@EVERY_BUT_LIVE
@pytest.mark.timeout(120)
def test_a_full_disk_is_one_line(case: Case, start: Start, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(LINES))
    with open("/dev/full", "wb") as full:
        process = start(case, source, "-q", stdout=full)
        stderr = process.stderr.read().decode()
    problem = "cannot write <stdout>: No space left on device; free some space"
    assert_one_line(Done(process.wait(), "", stderr), case, problem)
    assert process.returncode == 1


@EVERY_STREAMING
@pytest.mark.timeout(60)
def test_a_record_leaves_before_the_next_one_comes(case: Case, start: Start) -> None:
    process = start(case, "-q")
    for line in LINES[:3]:
        process.stdin.write(line.encode())
        assert process.stdout.read(1)
        os.set_blocking(process.stdout.fileno(), False)
        while process.stdout.read(1 << 16):
            pass
        os.set_blocking(process.stdout.fileno(), True)
    process.stdin.close()
    assert process.wait() == 0


@EVERY_STREAMING
@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_an_interrupt_is_said_and_its_status_is_130(
    case: Case, start: Start, number: signal.Signals
) -> None:
    process = start(case)
    process.stdin.write(LINES[0].encode())
    assert process.stdout.read(1)
    process.send_signal(number)
    stderr = process.stderr.read().decode()
    assert process.wait() == 130
    assert "Traceback" not in stderr
    assert f"mitools {case.stage}: interrupted; run the same command again" in stderr
