"""Money: what requests may cost, what they did cost, and that a limit is never passed.

Before a request is sent, the most that it can cost is reserved; when its usage is known, the
reservation is settled. So what has been spent and what is under way never add up to more than the
limit, however many requests run at once (spending first and counting later overshoots:
BerriAI/litellm#34732).

The server makes the bill, and its usage is only a claim (:mod:`mitools.annotate.client.usage`). A
claim that is not believable counts in full, and so does a request whose answer was lost. A server
that writes more than it was asked for makes every later reservation larger, by the worst ratio
seen. Under a limit, requests start one at a time and double with each round that kept to what was
reserved: the first answer that does not arrives while little is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
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
]

_TOKENS_A_REQUEST = 128  # a chat template's own words, such as a default system prompt
_TOKENS_A_MESSAGE = 16  # role and separators
_ROUNDING = 1e-9
_LIMITS = ("max_completion_tokens", "max_tokens")
_MULTIPLIERS = ("n", "best_of")  # all that is drawn is billed


def most_prompt_tokens(request: Request) -> int:
    """Bound a request's prompt tokens: no tokenizer makes more tokens than there are bytes."""
    return _most_prompt(request, request.body)


def _most_prompt(request: Request, body: Mapping[str, Any]) -> int:
    messages = len(body["messages"])
    return len(request.content) + _TOKENS_A_REQUEST + _TOKENS_A_MESSAGE * messages


def most_written_tokens(request: Request) -> int | None:
    """Bound a request's completion tokens, thoughts included; None where it sets no limit."""
    return _most_written(request.body)


def _most_written(body: Mapping[str, Any]) -> int | None:
    limits = [body[name] for name in _LIMITS if name in body]
    if not limits or not all(map(_is_positive, limits)):  # a negative one means no limit to some
        return None
    draws = [body[name] for name in _MULTIPLIERS if _is_positive(body.get(name))]
    most: int = max(limits) * max([1, *draws])
    return most


def _is_positive(value: Any) -> bool:
    return type(value) is int and value > 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is set aside for one request.

    Attributes:
        amount: in USD; 0 where there is no limit.
        most_prompt: bound on the tokens read.
        most_written: bound on the tokens written; None where there is none.
        fewest_prompt: lower bound on the tokens read.
    """

    amount: float
    most_prompt: int
    most_written: int | None
    fewest_prompt: int


@dataclass(slots=True)
class Exceptions:
    """Requests of one kind that did not go by what the server claimed.

    Attributes:
        count: how many.
        cost: what they count for, in USD.
        first: what was found at the first, for people.
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
    """The worst ratio seen of what was counted to what was reserved, in tokens; at least 1."""

    prompt: float = 1.0
    written: float = 1.0


@dataclass
class Budget:
    """What a run has spent, and may spend. Belongs to one event loop.

    Attributes:
        price: of a token.
        limit: USD for this run; None for no limit.
        spent: USD. It never decreases.
        answers: how many answers came.
        unbelieved: those whose usage is not believable; they count in full.
        exceeding: those that took more tokens than was asked for.
        lost: requests without an answer, on which the server may have worked.
    """

    price: Price
    limit: float | None = None
    spent: float = field(default=0.0, init=False)
    answers: int = field(default=0, init=False)
    unbelieved: Exceptions = field(default_factory=Exceptions, init=False)
    exceeding: Exceptions = field(default_factory=Exceptions, init=False)
    lost: Exceptions = field(default_factory=Exceptions, init=False)
    _ratio: _Ratio = field(default_factory=_Ratio, init=False)
    _reserved: float = field(default=0.0, init=False)
    _under_way: int = field(default=0, init=False)
    _width: int = field(default=1, init=False)  # requests that may be under way
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _settled: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _is_stopped: bool = field(default=False, init=False)

    async def reserve(self, request: Request) -> Reservation:
        """Set aside the most that a request can cost, waiting while others may yet cost less.

        Raises:
            BudgetError: it does not fit, and nothing is under way that could make room.
            UnaskedError: the run was stopped.
            UsageError: there is a limit, and the request has no bound.
        """
        body = request.body
        most_prompt, most_written = _most_prompt(request, body), _most_written(body)
        fewest = sum(fewest_tokens(str(message["content"])) for message in body["messages"])
        if self.limit is None:
            return Reservation(0.0, most_prompt, most_written, fewest)
        if most_written is None:
            message = "--max-cost needs to know how long an answer can be"
            raise UsageError(message, hint="add --max-tokens N")
        async with self._turn:  # first come, first served
            amount = await self._find_room(most_prompt, most_written, self.limit)
            self._reserved += amount
            self._under_way += 1
            return Reservation(amount, most_prompt, most_written, fewest)

    async def _find_room(self, prompt: int, written: int, limit: float) -> float:
        """Wait for room; gives the amount to reserve, by the ratios that hold by then."""
        while not self._is_stopped:
            amount = self.price.cost(prompt * self._ratio.prompt, written * self._ratio.written)
            fits = self.spent + self._reserved + amount <= limit
            if fits and self._under_way < self._width:
                return amount
            if not self._under_way:
                self.stop()
                raise self._exhausted(limit, amount)
            self._settled.clear()
            await self._settled.wait()
        raise UnaskedError

    def settle(self, reservation: Reservation, answer: Mapping[str, Any]) -> None:
        """Exchange a reservation for what an answer did cost.

        Args:
            reservation: of its request.
            answer: the chat completion, whatever is in it.
        """
        claim = claim_of(answer)
        doubt = claim.doubt(reservation.fewest_prompt)
        prompt, written = self._in_full(reservation, claim) if doubt else _claimed(claim)
        cost = self.price.cost(prompt, written)
        self.answers += 1
        self.spent += cost
        if doubt:
            self.unbelieved.add(cost, doubt)
        if self._keeps_to(reservation, prompt, written):
            self._width += 1  # by one for each, so it doubles each round
        else:
            self.exceeding.add(cost)
            self._width = 1
        self.release(reservation)

    def settle_lost(self, reservation: Reservation) -> None:
        """Count a request in full whose answer was lost: the server may have done the work."""
        written = (reservation.most_written or 0) * self._ratio.written
        cost = self.price.cost(reservation.most_prompt * self._ratio.prompt, written)
        self.spent += cost
        self.lost.add(cost)
        self.release(reservation)

    def release(self, reservation: Reservation) -> None:
        """Give a reservation back: the request cost nothing."""
        if self.limit is None:
            return
        self._reserved -= reservation.amount
        self._under_way -= 1
        if not self._under_way:
            self._reserved = 0.0  # no rounding error outlives the requests
        self._settled.set()

    def stop(self) -> None:
        """Reserve nothing more. Call it in the loop's thread."""
        self._is_stopped = True
        self._settled.set()

    def lines(self) -> list[str]:
        """Say what was spent, and what of it does not rest on the server's own count."""
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
                f"{self.lost.count:,} requests without an answer may be on the bill: they count "
                f"in full, ${self.lost.cost:,.4f}"
            )
        if self.exceeding.count:
            lines.append(
                f"{self.exceeding.count:,} answers took more tokens than was asked for: "
                f"${self.exceeding.cost:,.4f}; later reservations were raised by as much"
            )
        return lines

    def _in_full(self, reservation: Reservation, claim: Claim) -> tuple[float, float]:
        """Give the tokens that count for an answer whose usage is not believable."""
        most = (reservation.most_written or 0) * self._ratio.written
        written = max(most, claim.likely_written, claim.written or 0)
        prompt = max(reservation.most_prompt * self._ratio.prompt, claim.prompt or 0)
        return prompt, written

    def _keeps_to(self, reservation: Reservation, prompt: float, written: float) -> bool:
        """Compare what counts with what was asked for; keep the worst ratios."""
        if reservation.most_written is None:
            return True
        worst = self._ratio
        worst.prompt = max(worst.prompt, prompt / reservation.most_prompt)
        worst.written = max(worst.written, written / reservation.most_written)
        cost = self.price.cost(prompt, written)
        return self.limit is None or cost <= reservation.amount * (1 + _ROUNDING)

    def _exhausted(self, limit: float, amount: float) -> BudgetError:
        message = (
            f"the budget is used up: ${self.spent:.4f} of ${limit:.4f} spent, "
            f"and the next request may cost ${amount:.4f}"
        )
        hint = "run it again to go on: answers are in the journal, and each run has its own budget"
        if not self.spent:
            hint = "raise --max-cost, or lower --max-tokens"
        return BudgetError(message, hint=hint)


def _claimed(claim: Claim) -> tuple[float, float]:
    return float(claim.prompt or 0), float(claim.written or 0)
