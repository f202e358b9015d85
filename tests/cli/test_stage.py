"""What every stage shares: where records come from and go, and how errors end a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mitools.cli._stage import Stage, stage
from mitools.errors import BudgetError, MitoolsError, TeacherRefusedError, UsageError

LINE = '{"id": "1", "input": "a"}\n'


def run_stage(
    body: Callable[[Stage], None], *args: str, stdin: str = LINE, reads: bool = True
) -> Result:
    @stage("toy", reads=reads)
    def toy(stage: Stage) -> None:
        """Do something."""
        body(stage)

    return CliRunner().invoke(toy, args, input=stdin, prog_name="toy")


def copy(stage: Stage) -> None:
    with stage.reading("input") as records, stage.writing() as out:
        out.write_all(records)


def test_records_go_from_stdin_to_stdout() -> None:
    done = run_stage(copy)
    assert (done.exit_code, done.stdout, done.stderr) == (0, LINE, "")


def test_records_go_from_files_to_a_file(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(LINE * 2)
    done = run_stage(copy, str(source), "-o", str(target))
    assert (done.exit_code, done.stdout) == (0, "")
    assert target.read_text() == LINE * 2


def test_a_failure_leaves_no_output_file(tmp_path: Path) -> None:
    def fail(stage: Stage) -> None:
        with stage.writing() as out:
            out.write({"id": "1"})
            raise MitoolsError("the run failed", hint="run it again")

    done = run_stage(fail, "-o", str(tmp_path / "out.jsonl"))
    assert (done.exit_code, done.stderr) == (1, "mitools toy: the run failed; run it again\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (MitoolsError("no", hint="try x"), 1, "no; try x"),
        (UsageError("no"), 2, "no"),
        (BudgetError("no"), 4, "no"),
        (TeacherRefusedError("no"), 5, "no"),
        (KeyError("x"), 1, "unexpected KeyError: 'x'; run it again with --debug to see where"),
        (MemoryError(), 1, "out of memory; use smaller batches or shorter records"),
        (OSError(5, "I/O error", "x.bin"), 1, "x.bin: I/O error; run it again with --debug to see"),
        (KeyboardInterrupt(), 130, "interrupted; run the same command again"),
    ],
)
def test_an_error_is_one_line_and_a_status(error: BaseException, status: int, line: str) -> None:
    def fail(_stage: Stage) -> None:
        raise error

    done = run_stage(fail, reads=False)
    assert done.exit_code == status
    assert done.stderr.startswith(f"mitools toy: {line}")
    assert done.stderr.count("\n") == 1


def test_a_traceback_is_shown_only_with_debug() -> None:
    def fail(_stage: Stage) -> None:
        raise UsageError("no")

    done = run_stage(fail, "--debug")
    assert isinstance(done.exception, UsageError)


def test_rejected_lines_are_counted_at_the_end(tmp_path: Path) -> None:
    lines = LINE + "broken\n" + LINE
    done = run_stage(copy, "--on-error", "skip", stdin=lines)
    assert (done.exit_code, done.stdout) == (0, LINE * 2)
    assert done.stderr.endswith("warning: 1 of 3 lines skipped\n")
    aside = tmp_path / "aside.jsonl"
    done = run_stage(copy, "--on-error", f"divert:{aside}", stdin=lines)
    assert done.stderr == f"mitools toy: warning: 1 of 3 lines diverted to {aside}\n"
    assert json.loads(aside.read_text())["text"] == "broken"


def test_the_limits_of_the_options_hold() -> None:
    done = run_stage(copy, "--max-line-bytes", "20", stdin=LINE)
    assert done.exit_code == 1
    assert (
        '<stdin>:1: the line is longer than 20 bytes; raise the bound with "--max-l' in done.stderr
    )
