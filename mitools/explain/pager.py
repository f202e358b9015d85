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
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

__all__ = ["pager_command", "paging", "read_ahead"]

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


@contextlib.contextmanager
def paging(command: list[str]) -> Iterator[IO[str]]:
    """Run a pager and yield its stdin; wait until the user closes it.

    Closing the pager early ends the block without an error.
    """
    # F: exit at once if one screen is enough; X: keep the text on the screen. As Git does.
    env = {"LESS": "FRX", **os.environ}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, env=env, encoding="utf-8", errors="strict"
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
