"""How many requests run at once, and when none may start.

All of a run's requests go through one :class:`Pace`. Belongs to one event loop, except ``stop``.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator, Callable

from mitools.annotate.api import UnaskedError

__all__ = ["Pace", "backoff"]

_LONGEST_BACKOFF_SECONDS = 30.0
_MARGIN_SECONDS = 0.02  # clocks differ; a server that said 2 s must not hear from us at 1.999 s


def backoff(attempt: int) -> float:
    """Choose how long to wait before a retry: jittered, doubling, in seconds."""
    longest = min(_LONGEST_BACKOFF_SECONDS, 0.5 * 2.0**attempt)
    return random.uniform(longest / 2, longest)


class Pace:
    """A limit on requests under way, which a busy server narrows and success widens again.

    Attributes:
        most: never more at once than this.
        on_pause: called with the seconds of a pause, once per episode.
    """

    def __init__(self, most: int, on_pause: Callable[[float], None] | None = None) -> None:
        self.most = most
        self.on_pause = on_pause
        self._limit = float(most)
        self._active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resume_at = 0.0
        self._episode_began_at = 0.0
        self._episodes_in_a_row = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()

    @contextlib.asynccontextmanager
    async def turn(self, *, is_retry: bool = False) -> AsyncIterator[float]:
        """Wait for a place, hold it; gives the loop's time at which it was got.

        Raises:
            UnaskedError: the run is being stopped.
        """
        await self._acquire(is_retry)
        try:
            yield asyncio.get_running_loop().time()
        finally:
            self._active -= 1
            self._grant()

    def hold(self, sent_at: float, seconds: float | None) -> None:
        """Start nothing for a while: the server said that it is too much.

        Args:
            sent_at: when the refused request was sent. Those sent before the current episode
                began belong to it, and narrow nothing further.
            seconds: what the server asked for; None leaves it to us.
        """
        now = asyncio.get_running_loop().time()
        is_new = sent_at >= self._episode_began_at
        if is_new:
            self._episode_began_at = now
            self._episodes_in_a_row += 1
            self._limit = max(1.0, self._limit / 2)
        wait = backoff(self._episodes_in_a_row) if seconds is None else seconds + _MARGIN_SECONDS
        if seconds is not None or is_new:
            self._resume_at = max(self._resume_at, now + wait)
        if is_new and self.on_pause is not None:
            self.on_pause(wait)

    def succeeded(self) -> None:
        """Widen the limit a little: by one for each limit-ful of successes."""
        self._episodes_in_a_row = 0
        self._limit = min(float(self.most), self._limit + 1 / self._limit)

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until the run is stopped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """Let no further request start. Call it in the loop's thread."""
        self._stopped.set()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(UnaskedError())

    async def _acquire(self, is_retry: bool) -> None:
        if self.is_stopped:
            raise UnaskedError
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A retry is older than all that wait, and in input order everyone waits for it.
        (self._waiting.appendleft if is_retry else self._waiting.append)(waiter)
        self._grant()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._active -= 1
                self._grant()
            raise

    def _grant(self) -> None:
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._resume_at:
            if self._timer is None or self._timer.when() < self._resume_at:
                self._timer = loop.call_at(self._resume_at, self._grant)
            return
        while self._waiting and self._active < int(self._limit):
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._active += 1
                waiter.set_result(None)
