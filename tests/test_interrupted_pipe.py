"""^C in a whole pipe on a terminal: messages, statuses, the terminal, and the resumed result."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.screen import Run, run_on_terminal

MITOOLS = f"{sys.executable} -m mitools"
WIDTH = 160
TERMINAL = "terminal "
STEPS = 60


def run_pipe(folder: Path, *train: str, records: int = 100, interrupt_at: str = "") -> Run:
    """Run all stages as one pipe; the statuses and the terminal's settings are written as well."""
    student = folder / "student"
    stages = [
        f"load -q demo --n {records}",  # the live line is that of annotate
        "annotate --teacher demo --no-journal",
        "split --reassign --test 0.5",
        f"train --student scratch:tiny --max-steps {STEPS} --save {student} {' '.join(train)}",
        f"eval --student {student} --batch-size 1 --simulator none -o {folder / 'judged.jsonl'}",
    ]
    settings = f"echo {TERMINAL}$(stty -g)"
    pipe = " | ".join(f"{MITOOLS} {stage}" for stage in stages)
    command = f"{settings}; {pipe}; echo statuses ${{PIPESTATUS[*]}}; {settings}"
    single = {"OMP_NUM_THREADS": "1"}
    return run_on_terminal(command, WIDTH, single, interrupt_at=interrupt_at)


def said(run: Run) -> list[str]:
    """Give the lines of the screen, after a check of what every interrupted pipe leaves."""
    lines = run.screen(WIDTH)
    before, after = (line for line in lines if line.startswith(TERMINAL))
    assert before == after, "the terminal's settings are those from before"
    assert lines[-1] == after, "the last line is whole, and nothing follows it"
    assert "Traceback" not in run.raw
    assert not any(bar in line for line in lines for bar in "━╌"), "no live line is left"
    assert not any("^" in line for line in lines), "the echo of ^C is cleared with the live line"
    return [line for line in lines if "interrupted" in line or line.startswith("statuses")]


def judged(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "judged.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_an_interrupt_while_modules_are_imported_ends_the_process_without_a_word() -> None:
    code = """
import builtins, os, signal
imported = builtins.__import__
def interrupting(name, *rest):
    if name == "mitools.cli":
        os.kill(os.getpid(), signal.SIGINT)
    return imported(name, *rest)
builtins.__import__ = interrupting
from mitools.__main__ import run
run()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_a_pipe_interrupted_in_three_stages_ends_like_one_that_was_not(tmp_path: Path) -> None:
    expected, folder = tmp_path / "expected", tmp_path / "interrupted"
    again = "interrupted; run the same command again"
    for place in (expected, folder):
        place.mkdir()
    assert "statuses 0 0 0 0 0" in run_pipe(expected).screen(WIDTH)

    lines = said(run_pipe(folder, records=50_000, interrupt_at="annotate 0"))
    assert lines[-1] == "statuses 130 130 130 130 130"
    stages = ("load", "annotate", "split", "train", "eval")
    assert sorted(lines[:-1]) == sorted(f"mitools {stage}: {again}" for stage in stages)
    assert not list(folder.iterdir()), "neither half a student nor half a file is left"

    lines = said(run_pipe(folder, interrupt_at=rf" [1-9]\d*/{STEPS} steps"))
    assert lines[-1] == "statuses 0 0 0 130 130"
    assert f"mitools eval: {again}" in lines
    (saved,) = (line for line in lines if line.startswith("mitools train: "))
    assert saved.endswith('is saved; run the same command with "--resume" to continue')
    assert [path.name for path in folder.iterdir()] == ["student.work"]

    lines = said(run_pipe(folder, "--resume", interrupt_at="eval [1-9]"))
    assert lines[-2:] == [f"mitools eval: {again}", "statuses 0 0 0 0 130"]
    assert [path.name for path in folder.iterdir()] == ["student"]

    run = run_pipe(folder)  # as eval said; train refuses, and says what to type
    assert "already exists" in run.raw
    assert '"--resume" to keep it' in run.raw
    assert "statuses 0 0 0 0 0" in run_pipe(folder, "--resume").screen(WIDTH)
    assert judged(folder) == judged(expected)
