"""Which pager runs, and how it ends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mitools.explain.pager import pager_command, paging


@pytest.fixture
def less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "less"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


def test_less_is_told_to_pass_colours_through(less: Path) -> None:
    assert pager_command({}) == ["less", "-R"]
    assert pager_command({"PAGER": f"{less} -S"}) == [str(less), "-S", "-R"]


@pytest.mark.parametrize("pager", ["", "cat", "/bin/cat", "no-such-program", "'unclosed"])
def test_without_a_pager_that_runs_there_is_none(pager: str, less: Path) -> None:
    assert pager_command({"PAGER": pager}) == []


def test_a_pager_is_run_without_a_shell(less: Path) -> None:
    assert pager_command({"PAGER": "less '$(id)'; echo"}) == ["less", "$(id);", "echo", "-R"]


def copying_to(path: Path) -> list[str]:
    """Make a pager that keeps what it was given, and takes its time."""
    code = "import pathlib, sys, time; time.sleep(0.1); pathlib.Path(sys.argv[1]).write_bytes({})"
    return [sys.executable, "-c", code.format("sys.stdin.buffer.read()"), str(path)]


def test_the_pager_receives_the_text_and_is_waited_for(tmp_path: Path) -> None:
    with paging(copying_to(tmp_path / "out")) as stream:
        stream.write("naïve ✓\n")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "naïve ✓\n"


def test_a_pager_that_is_left_early_ends_the_block_quietly() -> None:
    reached = False
    with paging([sys.executable, "-c", "pass"]) as stream:
        for _ in range(10_000):
            stream.write("x" * 1000)
            stream.flush()
        reached = True
    assert not reached


def test_an_error_is_raised_after_the_pager_was_left(tmp_path: Path) -> None:
    def fail() -> None:
        with paging(copying_to(tmp_path / "out")) as stream:
            stream.write("seen")
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    assert (tmp_path / "out").read_text() == "seen"
