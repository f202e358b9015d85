"""Who may draw on a shared terminal: locks between processes, on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitools.terminal_lock import TerminalLock

ROOT = Path(__file__).parents[1]

# Another process of the same group: says whether it may draw, and keeps the right until told.
OTHER = """
import sys
from mitools.terminal_lock import TerminalLock
lock = TerminalLock(2)
for line in sys.stdin:
    if line == "write\\n":
        lock.claim_for_writing()
    print(lock.may_draw(), flush=True)
"""


class Other:
    def __init__(self, terminal: int, **options: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            **options,  # type: ignore[call-overload]
        )

    def ask(self, word: str = "draw") -> bool:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == "True\n"


@pytest.fixture
def terminal() -> Iterator[int]:
    master, slave = pty.openpty()
    yield slave
    os.close(slave)
    os.close(master)


@pytest.fixture
def other(terminal: int) -> Iterator[Other]:
    started = Other(terminal)
    yield started
    started.process.kill()
    started.process.communicate()


def test_one_process_draws_until_it_stops(terminal: int, other: Other) -> None:
    lock = TerminalLock(terminal)
    assert lock.is_usable
    assert lock.may_draw()
    assert lock.may_draw(), "it keeps the right"
    assert not other.ask()
    lock.stop_drawing()
    assert other.ask()
    assert not lock.may_draw()


def test_a_process_that_dies_leaves_the_right(terminal: int, other: Other) -> None:
    lock = TerminalLock(terminal)
    assert other.ask()
    assert not lock.may_draw()
    other.process.kill()
    other.process.wait()
    assert lock.may_draw()


def test_nobody_draws_while_one_writes_records(terminal: int, other: Other) -> None:
    lock = TerminalLock(terminal)
    assert lock.may_draw()
    assert not other.ask("write"), "the writer itself does not draw either"
    assert not lock.may_draw()
    lock.claim_for_writing()  # several may write
    other.process.kill()
    other.process.wait()
    assert not lock.may_draw()


def test_another_process_group_has_rights_of_its_own(terminal: int) -> None:
    lock = TerminalLock(terminal)
    assert lock.may_draw()
    other = Other(terminal, process_group=0)
    try:
        assert other.ask()
    finally:
        other.process.kill()
        other.process.communicate()


def test_a_file_takes_the_place_of_a_terminal_that_cannot_be_opened(
    terminal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> str:
        raise OSError("another user's terminal")

    monkeypatch.setattr(os, "ttyname", refuse)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    lock = TerminalLock(terminal)
    assert lock.may_draw()
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    unusable = TerminalLock(terminal)
    assert not unusable.is_usable
    assert not unusable.may_draw()
    unusable.stop_drawing()
    unusable.claim_for_writing()


def test_a_link_in_the_place_of_the_file_is_not_followed(
    terminal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "ttyname", lambda _descriptor: str(tmp_path / "missing"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert TerminalLock(terminal).is_usable
    [path] = tmp_path.iterdir()
    path.unlink()
    path.symlink_to(tmp_path / "target")
    assert not TerminalLock(terminal).is_usable
    assert not (tmp_path / "target").exists()
