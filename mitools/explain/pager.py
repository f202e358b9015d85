"""Sending text to the user's pager while it is produced.

Not :func:`click.echo_via_pager`, which pages only if stdin is a terminal too; at the end of a pipe,
stdin is the stage before.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import IO, Protocol, TypeVar

__all__ = [
    "Sink",
    "less_settings",
    "pager_command",
    "paging",
    "paging_if_long",
    "quits_if_short",
    "read_ahead",
]

T = TypeVar("T")


def read_ahead(items: Iterator[T], count: int) -> Iterator[T]:
    """Wait for ``count`` items, or the end, before the first one is passed on.

    A pager must not open while earlier stages of a pipe still show progress bars. An interrupt ends
    the wait: the items that have arrived are passed on, and then the interrupt is.
    """
    held: list[T] = []
    try:
        held.extend(islice(items, count))
    except KeyboardInterrupt:
        yield from held
        raise
    yield from held
    yield from items


def pager_command(env: Mapping[str, str] = os.environ) -> list[str]:
    """Return the pager command: ``PAGER``, else ``less``; empty if there is none.

    ``cat`` and an empty ``PAGER`` mean no pager. ``less`` gets ``-R``, so that it shows colours.
    """
    try:
        words = shlex.split(env.get("PAGER", "less"))
    except ValueError:  # an unclosed quote
        return []
    if not words or Path(words[0]).name == "cat" or shutil.which(words[0]) is None:
        return []
    return [*words, "-R"] if Path(words[0]).name == "less" else words


def less_settings(env: Mapping[str, str], stops: str = "") -> dict[str, str]:
    """Return the environment variables that ``less`` reads; other pagers ignore them.

    Not options on the command line: the ``less`` of BusyBox takes them for names of files.

    Args:
        env: of the user, whose settings stay.
        stops: what the lines begin with that ``n`` and ``N`` jump to.
    """
    # F: exit at once if one screen is enough; X: keep the text on the screen. As Git does.
    settings = {"LESS": env.get("LESS", "FRX")}
    if not env.get("LESSCHARSET"):
        settings["LESSCHARSET"] = "utf-8"  # what is written, in any locale
    # The user's own first command, such as +G, stays. "$" ends a text that an option takes.
    if stops and "+" not in settings["LESS"]:
        settings["LESS"] += f"$ +/^{stops}"
    return settings


def quits_if_short(command: Sequence[str], env: Mapping[str, str] = os.environ) -> bool:
    """Return whether a pager would end by itself on a text of one screen: ``less`` with ``F``."""
    return Path(command[0]).name == "less" and "F" in less_settings(env)["LESS"].partition("+")[0]


class Sink(Protocol):
    """What text is written to."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> object:
        """Pass on what was written."""


class _Held:
    """Holds text until it is longer than a screen; then a pager gets it, and all that follows."""

    def __init__(self, screen: int, open_pager: Callable[[], Sink]) -> None:
        self.text = ""
        self._screen = screen
        self._open_pager = open_pager
        self._pager: Sink | None = None

    def write(self, text: str) -> None:
        if self._pager is None:
            self.text += text
            if self.text.count("\n") < self._screen:
                return
            text, self.text = self.text, ""
            self._pager = self._open_pager()
        self._pager.write(text)

    def flush(self) -> None:
        if self._pager is not None:
            self._pager.flush()


@contextlib.contextmanager
def paging_if_long(
    command: list[str],
    short: Callable[[], AbstractContextManager[Sink]],
    screen: int,
    stops: str = "",
) -> Iterator[Sink]:
    """Run a pager if the text is longer than a screen.

    ``less`` could find that out itself, but with a first search it fills the screen with empty
    lines.

    Args:
        command: the pager.
        short: opens what receives a text of one screen.
        screen: lines of the screen.
        stops: what the lines begin with that ``n`` and ``N`` jump to in ``less``.
    """
    with contextlib.ExitStack() as stack:
        held = _Held(screen, lambda: stack.enter_context(paging(command, stops)))
        try:
            yield held
        finally:
            if held.text:
                with short() as out:
                    out.write(held.text)
                    out.flush()


@contextlib.contextmanager
def paging(command: list[str], stops: str = "") -> Iterator[IO[str]]:
    """Run a pager and yield its stdin; wait until the user closes it.

    Closing the pager early ends the block without an error.

    Args:
        command: the pager.
        stops: what the lines begin with that ``n`` and ``N`` jump to in ``less``.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        env={**os.environ, **less_settings(os.environ, stops)},
        encoding="utf-8",
        errors="strict",
    )
    assert process.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError):
            yield process.stdin
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        _wait(process)


def _wait(process: subprocess.Popen[str]) -> None:
    """Wait for the pager. It handles Ctrl-C itself, so that does not end the wait."""
    while process.returncode is None:
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()
