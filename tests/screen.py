"""A terminal for tests: commands in a pseudo-terminal, and the screen that a reader would see."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from mitools.console import CLEAR

__all__ = ["Run", "Screen", "run_on_terminal", "set_width"]

ROOT = Path(__file__).parents[1]
_STYLE = re.compile(r"\x1b\[[\d;]*m")
TOKEN = re.compile(r"\x1b\[[\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]")


class Screen:
    """The lines of a terminal that knows what mitools may send: texts, colours, a cleared line.

    Anything else is an error.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows = [""]
        self._column = 0

    def feed(self, text: str) -> Screen:
        for token in TOKEN.findall(text):
            if token == "\r":
                self._column = 0
            elif token == "\n":
                self.rows.append("")
                self._column = 0
            elif token == "\x1b[2K":
                self.rows[-1] = ""
            elif token.startswith("\x1b"):
                assert token.endswith("m"), f"{token!r} moves the cursor"
            else:
                self._put(token)
        assert "\x1b" not in TOKEN.sub("", text)
        return self

    def _put(self, character: str) -> None:
        if self._column == self.width:
            self.rows.append("")
            self._column = 0
        row = self.rows[-1].ljust(self._column)
        self.rows[-1] = row[: self._column] + character + row[self._column + 1 :]
        self._column += 1

    @property
    def lines(self) -> list[str]:
        """The lines that are not empty."""
        return [row.rstrip() for row in self.rows if row.strip()]


class Run:
    """What a command wrote to its terminal."""

    def __init__(self, raw: str, status: int) -> None:
        self.raw = raw
        self.status = status

    def screen(self, width: int) -> list[str]:
        return Screen(width).feed(self.raw).lines

    @property
    def drawn(self) -> list[str]:
        """Every live line that was drawn, without its colours."""
        pieces = (_STYLE.sub("", piece) for piece in self.raw.split(CLEAR)[1:])
        return [piece for piece in pieces if piece and not piece.endswith("\n")]


def set_width(terminal: int, width: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))


def run_on_terminal(
    command: str,
    width: int,
    environment: Mapping[str, str] | None = None,
    resize: int = 0,
    interrupt_at: str = "",
) -> Run:
    """Run a shell command whose stdin, stdout and stderr are one terminal.

    Args:
        command: for bash, without job control: all of a pipe is one process group.
        width: of the terminal, in cells.
        environment: variables to change.
        resize: a width to change to after the first live line.
        interrupt_at: a pattern; when it is found in what was written, ^C is typed once.
    """
    master, slave = pty.openpty()
    set_width(slave, width)
    names = {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        ["bash", "-c", command],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**kept, **names, **(environment or {})},
        start_new_session=True,
        # A terminal sends signals only to the session that it controls.
        preexec_fn=_control_terminal if interrupt_at else None,
    )
    os.close(slave)
    raw, end = b"", time.monotonic() + 120
    with contextlib.suppress(OSError):  # the end of the terminal, as Linux says it
        while chunk := os.read(master, 65536):
            raw += chunk
            if resize and CLEAR.encode() in raw:
                set_width(master, resize)
                resize = 0
            if interrupt_at and re.search(
                interrupt_at, _STYLE.sub("", raw.decode(errors="replace"))
            ):
                os.write(master, b"\x03")
                interrupt_at = ""
            assert time.monotonic() < end, raw
    os.close(master)
    return Run(raw.decode().replace("\r\n", "\n"), process.wait(30))


def _control_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
