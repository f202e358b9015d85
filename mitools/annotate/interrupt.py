"""Handling of ^C and SIGTERM: the first stops reading, the second cancels; a stdin to be woken.

A thread that is blocked in ``read`` cannot be stopped, and a thread that holds stdin's lock when
Python exits crashes it. So the reader waits for stdin and for a pipe that wakes it.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Callable, Iterator

from mitools.annotate.run import StoppedError
from mitools.interrupts import handling

__all__ = ["stopping_on_interrupt", "wakeable_stdin"]


class _Wakeable(io.RawIOBase):
    """Bytes of a file descriptor, until its end or a call of ``wake``."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._wake_read, self._wake_write = os.pipe()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        ready, _, _ = select.select([self._descriptor, self._wake_read], [], [])
        if self._wake_read in ready:
            raise StoppedError
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def wake(self) -> None:
        os.write(self._wake_write, b"!")

    def close(self) -> None:
        if not self.closed:
            os.close(self._wake_read)
            os.close(self._wake_write)
        super().close()


@contextlib.contextmanager
def wakeable_stdin() -> Iterator[Callable[[], None]]:
    """Replace stdin by one whose reader can be woken; yields the function that wakes it.

    The woken reader raises :class:`~mitools.annotate.run.StoppedError`. If stdin has no file
    descriptor, or ``select`` does not support it, waking does nothing.
    """
    try:
        raw = _Wakeable(sys.stdin.fileno())
        select.select([sys.stdin.fileno()], [], [], 0)
    except (OSError, ValueError, AttributeError):
        yield lambda: None
        return
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8")
    try:
        yield raw.wake
    finally:
        sys.stdin = before


@contextlib.contextmanager
def stopping_on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first ^C or SIGTERM, and raise ``KeyboardInterrupt`` after the block.

    Schedulers and containers stop a process by SIGTERM, and then, too, the answers in flight are
    paid for. A second request raises it at once. In a pipe the next stage is interrupted as well,
    and may end first: a write that fails for that reason does not hide the interrupt.
    """
    is_interrupted = False

    def interrupt(_signal: int) -> None:
        nonlocal is_interrupted
        if is_interrupted:
            raise KeyboardInterrupt
        is_interrupted = True
        stop()

    try:
        with handling(interrupt):
            yield
    except BrokenPipeError:
        if not is_interrupted:
            raise
    if is_interrupted:
        raise KeyboardInterrupt
