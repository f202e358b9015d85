"""Handing text to the user's pager, as it is made.

Not :func:`click.echo_via_pager`, which pages only where stdin is a terminal too; at the end of a
pipe, stdin is the stage before.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

__all__ = ["pager_command", "paging"]


def pager_command(env: Mapping[str, str] = os.environ) -> list[str]:
    """Decide what to page with: ``PAGER``, else ``less``; empty where there is nothing to run.

    ``cat`` and an empty ``PAGER`` mean no pager. ``less`` is told to pass colours through.
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
    """Run a pager and yield its stdin; leave when the user has left the pager.

    A pager that is left early ends the block, quietly.
    """
    # F: do not stay for a single screen; X: leave the text on the screen. Git's choice as well.
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
    """Wait until the user leaves; Ctrl-C is the pager's own business, and must not orphan it."""
    while process.returncode is None:
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()
