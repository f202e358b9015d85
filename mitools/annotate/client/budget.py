"""The cost of requests: reserved before sending, settled afterwards, never above the limit.

The maximum cost of a request is reserved before it is sent, and settled when its usage is known.
So the sum of spent and reserved cost stays within the limit, with any number of requests in flight
(counting only after the answer exceeds it: BerriAI/litellm#34732).

The usage in a response is only a claim of the server (:mod:`mitools.annotate.client.usage`). If it
is not plausible, the full reservation counts, as for a request whose answer was lost. If a server
generates more than was requested, later reservations grow by the largest ratio seen. With a limit,
the number of requests in flight starts at one and doubles with each round that stays within its
reservations, so the first excess happens while few requests are in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mitools.annotate.client.requests import Request
from mitools.annotate.client.usage import Claim, claim_of, fewest_tokens
from mitools.annotate.options import Price
from mitools.annotate.protocol import UnaskedError
from mitools.errors import BudgetError, UsageError

__all__ = [
    "Budget",
    "Exceptions",
    "Reservation",
    "most_prompt_tokens",
    "most_written_tokens",
    "prompt_texts",
]

_TOKENS_A_REQUEST = 128  # text of the chat template itself, such as a default system prompt
_TOKENS_A_MESSAGE = 16  # role and separators
_ROUNDING = 1e-9
_LIMITS = ("max_completion_tokens", "max_tokens")
_MULTIPLIERS = ("n", "best_of")  # every completion is billed


def most_prompt_tokens(request: Request) -> int:
    """Bound a request's prompt tokens: a text has at most as many tokens as bytes."""
    return _most_prompt(request, request.body)


def _most_prompt(request: Request, body: Mapping[str, Any]) -> int:
    messages = len(prompt_texts(body))
    return len(request.content) + _TOKENS_A_REQUEST + _TOKENS_A_MESSAGE * messages


def prompt_texts(body: Mapping[str, Any]) -> list[str]:
    """List the texts of a prompt: its messages, or the one text of the completions API."""
    if "prompt" in body:
        return [body["prompt"]]
    return [str(message["content"]) for message in body["messages"]]


def most_written_tokens(request: Request) -> int | None:
    """Bound a request's completion tokens, including thoughts; None if it sets no limit."""
    return _most_written(request.body)


def _most_written(body: Mapping[str, Any]) -> int | None:
    limits = [body[name] for name in _LIMITS if name in body]
    # Some servers take a negative limit for none.
    if not limits or not all(map(_is_positive, limits)):
        return None
    draws = [body[name] for name in _MULTIPLIERS if _is_positive(body.get(name))]
    most: int = max(limits) * max([1, *draws])
    return most


def _is_positive(value: Any) -> bool:
    return type(value) is int and value > 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """The reserved cost of one request.

    Attributes:
        amount: in USD; 0 without a limit.
        most_prompt: upper bound on prompt tokens.
        most_written: upper bound on completion tokens; None if there is none.
        fewest_prompt: lower bound on prompt tokens.
    """

    amount: float
    most_prompt: int
    most_written: int | None
    fewest_prompt: int


@dataclass(slots=True)
class Exceptions:
    """Requests of one kind whose cost is not the server's claim.

    Attributes:
        count: number of requests.
        cost: their counted cost in USD.
        first: the reason for the first of them, as text.
    """

    count: int = 0
    cost: float = 0.0
    first: str = ""

    def add(self, cost: float, why: str = "") -> None:
        self.count += 1
        self.cost += cost
        self.first = self.first or why


@dataclass(slots=True)
class _Ratio:
    """The largest ratio so far of counted to reserved tokens; at least 1."""

    prompt: float = 1.0
    written: float = 1.0


@dataclass
class Budget:
    """The cost of a run, and its limit. Belongs to one event loop.

    Attributes:
        price: of a token.
        limit: USD for this run; None for no limit.
        has_journal: whether answers are kept for the next run.
        spent: USD; never decreases.
        answers: number of answers.
        unbelieved: answers whose usage is not plausible; their full reservation counts.
        exceeding: answers with more tokens than requested.
        lost: requests without an answer that may be billed; their full reservation counts.
    """

    price: Price
    limit: float | None = None
    has_journal: bool = True
    spent: float = field(default=0.0, init=False)
    answers: int = field(default=0, init=False)
    unbelieved: Exceptions = field(default_factory=Exceptions, init=False)
    exceeding: Exceptions = field(default_factory=Exceptions, init=False)
    lost: Exceptions = field(default_factory=Exceptions, init=False)
    _ratio: _Ratio = field(default_factory=_Ratio, init=False)
    _reserved: float = field(default=0.0, init=False)
    _in_flight: int = field(default=0, init=False)
    _width: int = field(default=1, init=False)  # requests that may be in flight
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _settled: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _is_stopped: bool = field(default=False, init=False)

    async def reserve(self, request: Request) -> Reservation:
        """Reserve the maximum cost of a request; wait while open reservations may still shrink.

        Raises:
            BudgetError: it does not fit, and no reservation is open.
            UnaskedError: the run was stopped.
            UsageError: there is a limit, and the request has no token limit.
        """
        needed = self._measure(request)
        if self.limit is None:
            return needed
        async with self._turn:  # first come, first served
            await self._find_room(needed, self.limit)
            return self._reserve(needed)

    def reserve_at_once(self, request: Request, *, is_sent: bool = False) -> Reservation:
        """Reserve the maximum cost of a request of a batch, without waiting.

        Args:
            request: the request.
            is_sent: whether it has been sent already; then it is reserved in any case.

        Raises:
            BudgetError: it does not fit now.
            UsageError: there is a limit, and the request has no token limit.
        """
        needed = self._measure(request)
        if self.limit is None:
            return needed
        if not is_sent and not self._fits(needed, self.limit):
            raise self._exhausted(needed, self.limit)
        return self._reserve(needed)

    def _measure(self, request: Request) -> Reservation:
        """Bound the tokens of a request; nothing is reserved yet."""
        body = request.body
        most_prompt, most_written = _most_prompt(request, body), _most_written(body)
        fewest = sum(map(fewest_tokens, prompt_texts(body)))
        if self.limit is not None and most_written is None:
            message = "--max-cost needs to know how long an answer can be"
            raise UsageError(message, hint="add --max-tokens N")
        return Reservation(0.0, most_prompt, most_written, fewest)

    def _amount(self, needed: Reservation) -> float:
        """Price the bounds of a request by the current ratios, in USD."""
        written = (needed.most_written or 0) * self._ratio.written
        return self.price.cost(needed.most_prompt * self._ratio.prompt, written)

    def _fits(self, needed: Reservation, limit: float) -> bool:
        return self.spent + self._reserved + self._amount(needed) <= limit

    def _reserve(self, needed: Reservation) -> Reservation:
        amount = self._amount(needed)
        self._reserved += amount
        self._in_flight += 1
        return replace(needed, amount=amount)

    async def _find_room(self, needed: Reservation, limit: float) -> None:
        """Wait until the cost fits, by the current ratios."""
        while not self._is_stopped:
            if self._fits(needed, limit) and self._in_flight < self._width:
                return
            if not self._in_flight:
                self.stop()
                raise self._exhausted(needed, limit)
            self._settled.clear()
            await self._settled.wait()
        raise UnaskedError

    def settle(self, reservation: Reservation, answer: Mapping[str, Any]) -> None:
        """Replace a reservation by the cost of the answer.

        Args:
            reservation: of its request.
            answer: the chat completion; its contents are not trusted.
        """
        # Count the claim if it is plausible, else the full reservation.
        claim = claim_of(answer)
        doubt = claim.doubt(reservation.fewest_prompt)
        prompt, written = self._in_full(reservation, claim) if doubt else _claimed(claim)
        cost = self.price.cost(prompt, written)
        self.answers += 1
        self.spent += cost
        if doubt:
            self.unbelieved.add(cost, doubt)
        # An answer within its reservation lets more requests start; an excess restarts from one.
        if self._keeps_to(reservation, prompt, written):
            self._width += 1  # one more per answer doubles it each round
        else:
            self.exceeding.add(cost)
            self._width = 1
        self.release(reservation)

    def settle_lost(self, reservation: Reservation) -> None:
        """Count the full reservation of a request whose answer was lost, as it may be billed."""
        cost = self._amount(reservation)
        self.spent += cost
        self.lost.add(cost)
        self.release(reservation)

    def release(self, reservation: Reservation) -> None:
        """Release a reservation; the request itself costs nothing more."""
        if self.limit is None:
            return
        self._reserved -= reservation.amount
        self._in_flight -= 1
        if not self._in_flight:
            self._reserved = 0.0  # discard rounding errors
        self._settled.set()

    def stop(self) -> None:
        """Refuse further reservations. Must be called in the loop's thread."""
        self._is_stopped = True
        self._settled.set()

    def lines(self) -> list[str]:
        """Format the cost, and the part of it that is not the server's count."""
        limit = "" if self.limit is None else f" of ${self.limit:,.4f}"
        lines = [f"${self.spent:,.4f}{limit} spent"]
        if self.unbelieved.count:
            lines.append(
                f"the usage of {self.unbelieved.count:,} of {self.answers:,} answers is not "
                f"believable ({self.unbelieved.first}): they count in full, "
                f"${self.unbelieved.cost:,.4f}"
            )
        if self.lost.count:
            lines.append(
                f"{self.lost.count:,} requests without an answer may be billed: they count "
                f"in full, ${self.lost.cost:,.4f}"
            )
        if self.exceeding.count:
            lines.append(
                f"{self.exceeding.count:,} answers took more tokens than was asked for: "
                f"${self.exceeding.cost:,.4f}; later reservations were raised by as much"
            )
        return lines

    def _in_full(self, reservation: Reservation, claim: Claim) -> tuple[float, float]:
        """Return the tokens that count for an answer whose usage is not plausible."""
        most = (reservation.most_written or 0) * self._ratio.written
        written = max(most, claim.likely_written, claim.written or 0)
        prompt = max(reservation.most_prompt * self._ratio.prompt, claim.prompt or 0)
        return prompt, written

    def _keeps_to(self, reservation: Reservation, prompt: float, written: float) -> bool:
        """Compare counted with reserved tokens, and update the largest ratios."""
        if reservation.most_written is None:
            return True
        worst = self._ratio
        worst.prompt = max(worst.prompt, prompt / reservation.most_prompt)
        worst.written = max(worst.written, written / reservation.most_written)
        cost = self.price.cost(prompt, written)
        return self.limit is None or cost <= reservation.amount * (1 + _ROUNDING)

    def _exhausted(self, needed: Reservation, limit: float) -> BudgetError:
        message = (
            f"the budget is used up: ${self.spent:.4f} of ${limit:.4f} spent, "
            f"and the next request may cost ${self._amount(needed):.4f}"
        )
        hint = "run it again to go on: answers are in the journal, and each run has its own budget"
        if not self.has_journal:
            hint = "leave out --no-journal, so that the next run goes on; or raise --max-cost"
        if not self.spent:
            hint = "raise --max-cost, or lower --max-tokens"
        return BudgetError(message, hint=hint)


def _claimed(claim: Claim) -> tuple[float, float]:
    return float(claim.prompt or 0), float(claim.written or 0)
