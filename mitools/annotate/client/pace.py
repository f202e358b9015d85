"""The number of requests in flight, and pauses in which none may start.

All of a run's requests go through one :class:`Pace`. Belongs to one event loop, except ``stop``.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator, Callable

from mitools.annotate.protocol import UnaskedError

__all__ = ["Pace", "backoff"]

_LONGEST_BACKOFF_SECONDS = 30.0
_MARGIN_SECONDS = 0.02  # clocks differ; after "2 s" no request may arrive at 1.999 s
_LONGEST_JITTER_SECONDS = 1.0  # added to the server's wait
_QUIET_SECONDS = 30.0  # between two messages about pauses


def backoff(attempt: int) -> float:
    """Choose the wait before a retry in seconds: exponential, with jitter."""
    longest = min(_LONGEST_BACKOFF_SECONDS, 0.5 * 2.0**attempt)
    return random.uniform(longest / 2, longest)


class Pace:
    """A limit on requests in flight that a busy server halves and successes raise again.

    Attributes:
        most: upper bound of the limit.
        max_wait_seconds: how long the server may ask to wait without an answer in between.
        on_pause: called with the seconds of a pause and the server's message, once per episode and
            at most every half minute.
    """

    def __init__(
        self,
        most: int,
        max_wait_seconds: float = 600.0,
        on_pause: Callable[[float, str], None] | None = None,
    ) -> None:
        self.most = most
        self.max_wait_seconds = max_wait_seconds
        self.on_pause = on_pause
        self._limit = float(most)
        self._active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resume_at = 0.0
        self._episode_began_at = 0.0
        self._episodes_in_a_row = 0
        self._busy_since = 0.0  # patience clock at the first of several episodes in a row
        self._own_waits = 0.0  # seconds
        self._told_at = -_QUIET_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()

    @contextlib.asynccontextmanager
    async def turn(self, *, is_retry: bool = False) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises:
            UnaskedError: the run is being stopped.
        """
        await self._acquire(is_retry)
        try:
            yield
        finally:
            self._active -= 1
            self._grant()

    def hold(self, sent_at: float, seconds: float | None, words: str = "") -> bool:
        """Start no request for a while, as the server is too busy.

        The pause is at least our own backoff, which doubles with each episode in a row. A requested
        wait above ``max_wait_seconds`` is taken for a mistake once; it counts if the next response
        asks for a wait again.

        Args:
            sent_at: when the refused request was sent. Requests sent before the current episode
                began belong to it, and do not lower the limit again.
            seconds: the wait that the server asked for; None if it named none.
            words: its message.

        Returns:
            Whether to wait: false if the server has asked to wait for ``max_wait_seconds`` or
            longer without an answer in between.
        """
        # A request sent after the last pause starts a new episode, which halves the limit.
        now = asyncio.get_running_loop().time()
        is_new = sent_at >= self._episode_began_at
        if is_new:
            self._episode_began_at = now
            self._episodes_in_a_row += 1
            self._limit = max(1.0, self._limit / 2)
        patience = self.patience_clock()
        if not self._episodes_in_a_row or (is_new and self._episodes_in_a_row == 1):
            self._busy_since = patience
        # A wait that is too long may be a mistake of the server, but not twice in a row.
        if seconds is not None and seconds > self.max_wait_seconds:
            if self._episodes_in_a_row > 1:
                return False
            seconds = None
        # Pause, unless the server has been busy for too long.
        wait = self._chosen_wait(seconds)
        if patience + wait - self._busy_since > self.max_wait_seconds:
            return False
        if seconds is not None or is_new:
            self._resume_at = max(self._resume_at, now + wait)
        if is_new:
            self._tell(now, wait, words)
        return True

    def _chosen_wait(self, seconds: float | None) -> float:
        own = backoff(self._episodes_in_a_row)
        if seconds is None:
            return own
        jitter = random.uniform(0.0, min(_LONGEST_JITTER_SECONDS, seconds / 10))
        return max(own, seconds + _MARGIN_SECONDS + jitter)

    def _tell(self, now: float, wait: float, words: str) -> None:
        if self.on_pause is not None and now - self._told_at >= _QUIET_SECONDS:
            self._told_at = now
            self.on_pause(wait, words)

    def succeeded(self) -> None:
        """Raise the limit by one for as many successes as the limit."""
        self._episodes_in_a_row = 0
        self._limit = min(float(self.most), self._limit + 1 / self._limit)

    @property
    def resumes_at(self) -> float:
        """Loop time before which no request may start."""
        return self._resume_at

    def patience_clock(self) -> float:
        """Read the clock of ``max_wait_seconds``: loop time, less the waits that are our own."""
        return asyncio.get_running_loop().time() - self._own_waits

    def discount(self, seconds: float) -> None:
        """Note that requests waited for a limit of our own, and not for the server."""
        self._own_waits += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds, or until the run is stopped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """Start no further request. Must be called in the loop's thread."""
        self._stopped.set()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(UnaskedError())

    async def _acquire(self, is_retry: bool) -> None:
        if self.is_stopped:
            raise UnaskedError
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A retry is older than all waiting requests, and in input order they wait for it.
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
