"""Limits on requests and tokens per minute, kept from the first request on.

A window of the last minute decides, not a token bucket: a bucket of size ``b`` lets ``N + b`` start
within some minute, and a request of many tokens needs a large one. The window is filled evenly, as
servers may allow ``N / 60`` a second instead of ``N`` a minute: after a pause, at most a quarter of
a second's share starts at once, so that a busy event loop does not lower the rate.

The tokens of a request are estimated before it is sent: its prompt, and the most that it may write
(``max_tokens``), or else the mean of what the answers so far took. The usage of its answer replaces
the estimate. A request without an answer keeps it, as the server may have counted it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mitools.annotate.client.budget import most_written_tokens, prompt_texts
from mitools.annotate.client.pace import Pace
from mitools.annotate.client.requests import Request
from mitools.annotate.client.usage import claim_of, fewest_tokens, likely_tokens
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import UnaskedError

__all__ = [
    "BURST_SECONDS",
    "WINDOW_SECONDS",
    "MinuteWindow",
    "PerMinute",
    "RateLimit",
    "Start",
    "Ticket",
]

WINDOW_SECONDS = 61.0
"""A minute, and a second in which one request may reach the server later than another."""

BURST_SECONDS = 0.25
"""The time whose share of the limit may start at once, after a pause."""

_FIRST_GUESS_TOKENS = 1000  # of an answer without a limit, before the first one; with thoughts


@dataclass(frozen=True, slots=True)
class PerMinute:
    """What an account allows in a minute; None where it has no limit.

    Attributes:
        requests: number of requests.
        tokens: number of tokens, read and written.
    """

    requests: int | None = None
    tokens: int | None = None

    @classmethod
    def of(cls, options: AnnotateOptions) -> PerMinute:
        return cls(options.requests_per_minute, options.tokens_per_minute)

    def flags(self) -> list[str]:
        """Name the limits as they are typed."""
        limits = {"--requests-per-minute": self.requests, "--tokens-per-minute": self.tokens}
        return [f"{flag} {most:,}" for flag, most in limits.items() if most is not None]

    def least_seconds(self, requests: float, tokens: float | None) -> float | None:
        """Compute how long so many requests take at least.

        Args:
            requests: their number.
            tokens: read and written; None if unknown.

        Returns:
            Seconds; None if they depend on tokens, and those are unknown.
        """
        if self.tokens is not None and tokens is None:
            return None
        pairs = ((requests, self.requests), (tokens or 0.0, self.tokens))
        return max((60.0 * amount / most for amount, most in pairs if most is not None), default=0)


@dataclass(slots=True)
class Start:
    """One entry of a window.

    Attributes:
        at: when it started, in seconds.
        amount: what it counts as.
        is_inside: whether it is less than a minute old.
    """

    at: float
    amount: float
    is_inside: bool = True


class MinuteWindow:
    """A limit on the sum of amounts in any minute. Knows no clock: times are given, and ascend.

    An amount above the limit counts as the whole limit, so it starts alone in its minute.
    """

    def __init__(self, most: float) -> None:
        """Begin with an empty window.

        Args:
            most: the sum that any minute may hold; infinity for no limit.
        """
        self.most = most
        self._starts: deque[Start] = deque()
        self._sum = 0.0
        self._seconds_each = WINDOW_SECONDS / most
        self._next_at = -math.inf  # by the spacing

    def ready_at(self, amount: float, now: float) -> float:
        """Tell when an amount may start, if nothing else starts or is corrected before."""
        while self._starts and self._starts[0].at + WINDOW_SECONDS <= now:
            gone = self._starts.popleft()
            gone.is_inside = False
            self._sum -= gone.amount
        at = max(now, self._next_at)
        excess = self._sum + min(amount, self.most) - self.most
        for start in self._starts:
            if excess <= 0:
                break
            excess -= start.amount
            at = max(at, start.at + WINDOW_SECONDS)
        return at

    def start(self, amount: float, now: float) -> Start:
        """Count an amount that starts now, whether or not it should have waited."""
        start = Start(now, min(amount, self.most))
        self._starts.append(start)
        self._sum += start.amount
        earliest = max(self._next_at, now - BURST_SECONDS)
        self._next_at = earliest + start.amount * self._seconds_each
        return start

    def correct(self, start: Start, amount: float, now: float) -> None:
        """Replace the amount of a start; those that follow start earlier or later by as much.

        What is a minute old counts no longer, so nothing waits for longer than that.
        """
        change = min(amount, self.most) - start.amount
        start.amount += change
        if start.is_inside:
            self._sum += change
        latest = now + WINDOW_SECONDS
        self._next_at = min(self._next_at + change * self._seconds_each, latest)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that was let through.

    Attributes:
        request: its place in the window of requests.
        tokens: its place in the window of tokens.
        prompt: its estimated prompt tokens.
        fewest_prompt: a lower bound of them.
        is_bounded: whether it limits its completion tokens.
    """

    request: Start
    tokens: Start
    prompt: int
    fewest_prompt: int
    is_bounded: bool


class RateLimit:
    """Lets requests through, first come, first served. Belongs to one event loop."""

    def __init__(
        self,
        limits: PerMinute,
        pace: Pace,
        on_oversize: Callable[[str], None] | None = None,
    ) -> None:
        """Begin with an empty minute.

        Args:
            limits: at least one of them is set.
            pace: its pauses are kept as well; waits for the limits do not count as the server's.
            on_oversize: called once, with a message, if one request exceeds the tokens of a minute.
        """
        self._requests = MinuteWindow(limits.requests or math.inf)
        self._tokens = MinuteWindow(limits.tokens or math.inf)
        self._counts_tokens = limits.tokens is not None
        self._pace = pace
        self._on_oversize = on_oversize
        self._answers = 0  # to requests without a limit of completion tokens
        self._written = 0  # their completion tokens
        self._is_stopped = False
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    async def admit(self, request: Request) -> Ticket:
        """Wait until a request may start; it then counts as started.

        Raises:
            UnaskedError: the run was stopped.
        """
        prompt, fewest, bound = self._estimate(request)
        async with self._turn:  # first come, first served
            while not self._is_stopped:
                now = asyncio.get_running_loop().time()
                tokens = prompt + (self._mean_written() if bound is None else bound)
                ready_at = max(self._requests.ready_at(1, now), self._tokens.ready_at(tokens, now))
                if self._pace.resumes_at > now:  # the server asks for a pause
                    await self._sleep(self._pace.resumes_at - now)
                elif ready_at > now:
                    await self._sleep(ready_at - now)
                    self._pace.discount(asyncio.get_running_loop().time() - now)
                else:
                    self._tell_oversize(tokens, is_guess=bound is None and not self._answers)
                    request_start = self._requests.start(1, now)
                    tokens_start = self._tokens.start(tokens, now)
                    is_bounded = bound is not None
                    return Ticket(request_start, tokens_start, prompt, fewest, is_bounded)
        raise UnaskedError

    def settle(self, ticket: Ticket, answer: Mapping[str, Any]) -> None:
        """Replace the estimated tokens by those of the answer.

        A usage that is not plausible changes nothing, but where the request has no limit, the text
        of the answer tells more than a mean.

        Args:
            ticket: of the request.
            answer: the chat completion; its contents are not trusted.
        """
        if not self._counts_tokens:
            return
        claim = claim_of(answer)
        is_plausible = not claim.doubt(ticket.fewest_prompt)
        if ticket.is_bounded and not is_plausible:
            return
        prompt, written = ticket.prompt, claim.likely_written
        if is_plausible:
            prompt, written = claim.prompt or 0, claim.written or 0
        if not ticket.is_bounded:
            self._answers += 1
            self._written += written
        self._tokens.correct(ticket.tokens, prompt + written, asyncio.get_running_loop().time())
        self._changed.set()

    def withdraw(self, ticket: Ticket) -> None:
        """Give back the places of a request that was not sent."""
        now = asyncio.get_running_loop().time()
        self._requests.correct(ticket.request, 0, now)
        self._tokens.correct(ticket.tokens, 0, now)
        self._changed.set()

    def count(self) -> None:
        """Count a request that does not wait: the rare one for the list of models.

        Those that follow wait for it.
        """
        self._requests.start(1, asyncio.get_running_loop().time())

    def stop(self) -> None:
        """Let no further request through. Must be called in the loop's thread."""
        self._is_stopped = True
        self._changed.set()

    def _estimate(self, request: Request) -> tuple[int, int, int | None]:
        """Estimate the prompt tokens, a lower bound of them, and bound the completion tokens."""
        if not self._counts_tokens:
            return 0, 0, 0
        texts = prompt_texts(request.body)
        fewest = sum(map(fewest_tokens, texts))
        return sum(map(likely_tokens, texts)), fewest, most_written_tokens(request)

    def _mean_written(self) -> int:
        return math.ceil(self._written / self._answers) if self._answers else _FIRST_GUESS_TOKENS

    async def _sleep(self, seconds: float) -> None:
        """Wait, or until a start was corrected or the run was stopped."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _tell_oversize(self, tokens: int, *, is_guess: bool) -> None:
        if tokens <= self._tokens.most or is_guess:
            return
        if self._on_oversize is not None:
            self._on_oversize(
                f"a request takes up to {tokens:,} tokens, but --tokens-per-minute is "
                f"{self._tokens.most:,.0f}: such requests are sent one at a time, up to a minute "
                "apart"
            )
            self._on_oversize = None
