"""Which pager runs, and how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mitools.explain.pager import (
    less_settings,
    pager_command,
    paging,
    paging_if_long,
    quits_if_short,
)


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


def test_less_gets_its_settings_and_those_of_the_user_stay() -> None:
    assert less_settings({}) == {"LESS": "FRX", "LESSCHARSET": "utf-8"}
    assert less_settings({}, "── ")["LESS"] == "FRX$ +/^── "
    assert less_settings({"LESS": "-R -M"}, "── ")["LESS"] == "-R -M$ +/^── "
    assert less_settings({"LESS": "-R +G"}, "── ")["LESS"] == "-R +G"
    assert "LESSCHARSET" not in less_settings({"LESSCHARSET": "latin1"})


def test_only_less_with_its_option_ends_by_itself() -> None:
    assert quits_if_short(["/usr/bin/less", "-R"], {})
    assert not quits_if_short(["less", "-R"], {"LESS": "-R +F"})
    assert not quits_if_short(["more"], {})


@pytest.mark.parametrize(("lines", "is_paged"), [(3, False), (4, True), (50, True)])
def test_a_text_of_one_screen_is_not_paged(lines: int, is_paged: bool, tmp_path: Path) -> None:
    plain = io.StringIO()
    pager = copying_to(tmp_path / "out")
    with paging_if_long(pager, lambda: contextlib.nullcontext(plain), 4) as stream:
        for number in range(lines):
            stream.write(f"{number}\n")
            stream.flush()
    text = "".join(f"{number}\n" for number in range(lines))
    assert plain.getvalue() == ("" if is_paged else text)
    assert (tmp_path / "out").exists() is is_paged
    if is_paged:
        assert (tmp_path / "out").read_text() == text


def test_what_was_held_is_shown_before_an_error_is_raised() -> None:
    plain = io.StringIO()

    def fail() -> None:
        with paging_if_long(["cat"], lambda: contextlib.nullcontext(plain), 9) as stream:
            stream.write("seen")
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    assert plain.getvalue() == "seen"


def test_a_pager_of_a_long_text_that_is_left_early_ends_the_block_quietly() -> None:
    pager = [sys.executable, "-c", "pass"]
    with paging_if_long(pager, lambda: contextlib.nullcontext(io.StringIO()), 2) as stream:
        for _ in range(10_000):
            stream.write("x" * 1000 + "\n")
            stream.flush()


def _screen(terminal: int, seconds: float = 1.0) -> str:
    """Return what a terminal receives until it has been silent for a while."""
    received = b""
    end = time.monotonic() + 20
    while time.monotonic() < end and select.select([terminal], [], [], seconds)[0]:
        try:
            received += os.read(terminal, 65536)
        except OSError:  # Linux: the other end is closed
            break
    return received.decode(errors="replace")


SHOWING = """
import os
from mitools.explain.pager import paging
os.close(os.open(os.ttyname(1), os.O_RDWR))  # which makes it the terminal that less reads keys from
with paging(["less", "-R"], "── ") as stream:
    for number in range(1, 6):
        stream.write(f"── \\x1b[1m✓ right\\x1b[0m ── {number} · id ─\\n" + "text\\n" * 8)
"""


@pytest.mark.skipif(shutil.which("less") is None, reason="there is no less")
def test_n_jumps_to_the_next_record_in_less() -> None:
    env = {name: value for name, value in os.environ.items() if name != "LESS"}
    terminal, theirs = pty.openpty()
    shown = subprocess.Popen(
        [sys.executable, "-c", SHOWING],
        env={**env, "TERM": "xterm", "LINES": "6", "COLUMNS": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        assert "1 · id" in _screen(terminal)
        os.write(terminal, b"n")
        assert "2 · id" in _screen(terminal)
        os.write(terminal, b"n")
        assert "3 · id" in _screen(terminal)
        os.write(terminal, b"N")
        assert "2 · id" in _screen(terminal)
        os.write(terminal, b"q")
        _screen(terminal)
    finally:
        os.close(terminal)
        shown.wait(timeout=20)
