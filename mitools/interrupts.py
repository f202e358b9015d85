"""Signals that ask this process to stop.

``timeout`` and ``torchrun`` send a signal to a process and to its group, so that one request
arrives as two signals. A second request means "stop at once" to some stages. So signals that arrive
together count as one request, in the whole process.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

__all__ = ["SIGNALS", "TOGETHER_SECONDS", "handling"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""^C, and what schedulers and containers send."""

TOGETHER_SECONDS = 1.0
"""A signal that arrives so soon after a request belongs to it."""

_requested_at: float | None = None


@contextlib.contextmanager
def handling(
    handle: Callable[[int], None], signals: Sequence[signal.Signals] = SIGNALS
) -> Iterator[None]:
    """Call a function for each request to stop that arrives inside the block.

    Only the main thread receives signals; in another one this does nothing. The earlier handlers
    are restored behind the block; of nested blocks, the inner one receives the signals, and the
    outer one does not see a signal that belongs to a request of the inner one.

    Args:
        handle: receives the number of the signal; what it raises is raised in the main thread.
        signals: those to handle.
    """
    global _requested_at
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _requested_at = None

    def receive(number: int, _frame: FrameType | None) -> None:
        global _requested_at
        now = time.monotonic()
        if _requested_at is None or now - _requested_at >= TOGETHER_SECONDS:
            _requested_at = now
            handle(number)

    before = {number: signal.signal(number, receive) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
