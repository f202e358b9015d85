"""One line for all stages of a pipe: on a real pseudo-terminal, stages of which one draws."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest

from tests.screen import Run, run_on_terminal

WIDTHS = (40, 60, 80, 100, 160)

# A stage with arguments NAME RECORDS SECONDS [WORD…]: it copies its input, or makes records. A word
# says what else happens: "die" in the middle, "warn" in the middle, "slow" plain lines.
STAGE = """
import os, signal, sys, time
import mitools.console as console
console.DRAW_SECONDS = 0.02
name, records, seconds, *words = sys.argv[1:]
if "plain" in words:
    console.PLAIN_SECONDS = 0.05
console.guard_stderr()
here = console.Console("mitools " + name, quiet="quiet" in words)
lines = (f"{n}\\n" for n in range(int(records))) if name == "a" else sys.stdin
with here.progress(total=int(records), unit="steps") as update:
    for number, line in enumerate(lines, start=1):
        update(0)
        time.sleep(float(seconds))
        update(1, f"loss {number / 3:.3f}", "valid accuracy 0.250", "rationale 1.234")
        if "warn" in words and number == 5:
            here.warn("a long warning of " + name + " " + "word " * 30 + "end")
        if "library" in words and number == 5:
            print("a library of " + name + " warns", file=sys.stderr)
        if "die" in words and number == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        if "copy" in words:
            sys.stdout.write(line)
            sys.stdout.flush()
here.note(name + " is done")
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The command of a toy stage."""
    path = tmp_path_factory.mktemp("stage") / "stage.py"
    path.write_text(STAGE)
    return f"{sys.executable} {path}"


def owners(run: Run) -> list[str]:
    """Whose lines were drawn, in order, each once for all its lines in a row."""
    return [name for name, _ in itertools.groupby(line.split()[0] for line in run.drawn)]


@pytest.mark.parametrize("width", WIDTHS)
def test_stages_draw_one_after_the_other_at_any_width(stage: str, width: int) -> None:
    run = run_on_terminal(
        f"{stage} a 8 0.02 copy | {stage} b 8 0.03 copy | {stage} c 8 0.03", width
    )
    assert run.status == 0
    assert run.screen(width) == [f"mitools {name}: {name} is done" for name in "abc"]
    assert owners(run)[0] == "a", "it has the first record"
    assert owners(run) == sorted(owners(run)), "a line is given over, and not taken back"
    for line in run.drawn:
        assert len(line) < width
        assert "/8" in line
        assert "left" in line


def test_the_same_pipe_without_the_lock_would_mix_its_lines(stage: str) -> None:
    unlocked = stage.replace("stage.py", "unlocked.py")
    path = Path(unlocked.split()[1])
    path.write_text(STAGE.replace("console.DRAW", "console._lock = lambda: None\nconsole.DRAW"))
    run = run_on_terminal(f"{unlocked} a 20 0.03 copy | {unlocked} b 20 0.03", 80)
    assert len(owners(run)) > 3


def test_messages_of_all_stages_are_whole(stage: str) -> None:
    run = run_on_terminal(f"{stage} a 12 0.02 copy warn | {stage} b 12 0.02 warn library", 80)
    text = "".join(row.ljust(80) for row in run.screen(80))
    for name in "ab":
        warning = f"mitools {name}: warning: a long warning of {name} " + "word " * 30 + "end"
        assert warning in text
    assert "a library of b warns" in run.screen(80)


def test_a_stage_that_is_killed_leaves_the_line_to_the_next(stage: str) -> None:
    run = run_on_terminal(f"{stage} a 30 0.02 die copy 2>&1 | {stage} b 30 0.05", 80)
    assert run.screen(80)[-1] == "mitools b: b is done"
    assert "b" in owners(run)


def test_a_smaller_terminal_gets_shorter_lines(stage: str) -> None:
    run = run_on_terminal(f"{stage} a 20 0.05", 100, resize=50)
    lengths = [len(line) for line in run.drawn]
    assert max(lengths) > 50
    assert lengths[-1] < 50


def test_a_dumb_terminal_gets_plain_lines(stage: str) -> None:
    run = run_on_terminal(f"{stage} a 8 0.03 plain", 80, {"TERM": "dumb"})
    assert "\x1b" not in run.raw
    lines = run.screen(80)
    assert any(line.startswith("mitools a: ") and "/8 steps" in line for line in lines[:-1])
    assert lines[-1] == "mitools a: a is done"


def test_no_color_is_respected(stage: str) -> None:
    coloured = run_on_terminal(f"{stage} a 4 0.02", 80)
    plain = run_on_terminal(f"{stage} a 4 0.02", 80, {"NO_COLOR": "1"})
    assert "\x1b[32m" in coloured.raw
    assert "\x1b[3" not in plain.raw
    assert plain.drawn


def test_a_stage_with_its_own_log_does_not_draw(stage: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    run = run_on_terminal(f"{stage} a 8 0.03 copy plain 2> {log} | {stage} b 8 0.03", 80)
    assert owners(run) == ["b"]
    text = log.read_text()
    assert "\x1b" not in text
    assert "\r" not in text
    assert "/8 steps" in text


def test_quiet_stages_write_nothing(stage: str) -> None:
    run = run_on_terminal(f"{stage} a 5 0.01 copy quiet | {stage} b 5 0.01 quiet", 80)
    assert run.raw == ""


def test_a_pipe_in_the_background_does_not_draw(stage: str) -> None:
    run = run_on_terminal(f"set -m; {stage} a 8 0.02 & wait", 80)
    assert not run.drawn
    assert "mitools a: a is done" in run.screen(80)


def test_two_pipes_in_one_terminal_do_not_mix(stage: str) -> None:
    run = run_on_terminal(f"{stage} a 9 0.03 & {stage} a 9 0.03; wait", 80)
    assert run.screen(80) == ["mitools a: a is done"] * 2


def test_records_on_the_terminal_end_the_live_line(stage: str) -> None:
    run = run_on_terminal(
        f"{sys.executable} -m mitools load demo --n 30 | "
        f"{sys.executable} -m mitools annotate --teacher demo --no-journal",
        4000,
    )
    records = [line for line in run.screen(4000) if line.startswith("{")]
    assert len(records) == 30
    assert all(line.endswith("}") for line in records)


def test_a_closed_downstream_leaves_no_line(stage: str) -> None:
    run = run_on_terminal(
        f"{sys.executable} -m mitools load demo --n 3000 | "
        f"{sys.executable} -m mitools annotate --teacher demo --no-journal | head -n 1 > /dev/null",
        100,
    )
    assert run.drawn
    assert run.screen(100) == []


def test_progress_needs_no_writable_folder(stage: str) -> None:
    places = {"TMPDIR": "/nowhere", "XDG_RUNTIME_DIR": "/nowhere"}
    run = run_on_terminal(f"{stage} a 8 0.02 copy | {stage} b 8 0.03", 80, places)
    assert owners(run) == ["a", "b"]


def test_a_pipe_to_a_file_has_plain_lines_only(stage: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    status = os.system(  # the shell of a user, without a terminal
        f"PYTHONPATH={Path(__file__).parents[1]} bash -c "
        f"'{{ {stage} a 8 0.03 copy plain | {stage} b 8 0.03 plain; }} 2> {log}'"
    )
    text = log.read_text()
    assert status == 0
    assert "\x1b" not in text
    assert "\r" not in text
    lines = text.splitlines()
    assert all(line.startswith(("mitools a: ", "mitools b: ")) for line in lines)
    for name in "ab":
        mine = [line for line in lines if line.startswith(f"mitools {name}: ")]
        assert len(mine) > 2
        assert "valid accuracy 0.250" in mine[-2]
