"""Money: what requests may cost, what they did cost, and that a limit is never passed.

Before a request is sent, the most that it can cost is reserved; when its usage is known, the
reservation is settled. So what has been spent and what is under way never add up to more than the
limit, however many requests run at once (spending first and counting later overshoots:
BerriAI/litellm#34732).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from mitools.annotate.api import UnaskedError
from mitools.annotate.requests import Request
from mitools.errors import BudgetError, UsageError

__all__ = ["Budget", "Price", "Reservation", "most_prompt_tokens", "most_written_tokens"]

_TOKENS_A_REQUEST = 128  # a chat template's own words, such as a default system prompt
_TOKENS_A_MESSAGE = 16  # role and separators


@dataclass(frozen=True)
class Price:
    """USD per million tokens, read and written."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Price so many tokens, in USD."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6

    @classmethod
    def parse(cls, text: str) -> Price:
        """Read ``IN,OUT``.

        Raises:
            ValueError: it is not two prices.
        """
        prompt, completion = (float(part) for part in text.split(","))
        if not (0 <= prompt < float("inf") and 0 <= completion < float("inf")):
            raise ValueError(text)
        return cls(prompt, completion)


def most_prompt_tokens(request: Request) -> int:
    """Bound a request's prompt tokens: no tokenizer makes more tokens than there are bytes."""
    messages = len(request.body["messages"])
    return len(request.content) + _TOKENS_A_REQUEST + _TOKENS_A_MESSAGE * messages


def most_written_tokens(request: Request) -> int | None:
    """Bound a request's completion tokens, thoughts included; None where it sets no limit."""
    for name in ("max_completion_tokens", "max_tokens"):
        if isinstance(request.body.get(name), int):
            return int(request.body[name])
    return None


@dataclass(slots=True)
class Reservation:
    """Money set aside for one request, in USD."""

    amount: float


class Budget:
    """What a run has spent, and may spend. Belongs to one event loop.

    Attributes:
        price: of a token.
        limit: USD for this run; None for no limit.
        spent: USD, as the server counted tokens; a request whose usage is unknown counts in full.
    """

    def __init__(self, price: Price, limit: float | None = None) -> None:
        self.price = price
        self.limit = limit
        self.spent = 0.0
        self._reserved = 0.0
        self._under_way = 0
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()
        self._is_stopped = False

    async def reserve(self, request: Request) -> Reservation:
        """Set aside the most that a request can cost, waiting while others may yet cost less.

        Raises:
            BudgetError: it does not fit, and nothing is under way that could make room.
            UnaskedError: the run was stopped.
            UsageError: there is a limit, and the request has no bound.
        """
        if self.limit is None:
            return Reservation(0.0)
        amount = self._bound(request)
        async with self._turn:  # first come, first served
            while self.spent + self._reserved + amount > self.limit:
                if self._is_stopped:
                    raise UnaskedError
                if not self._under_way:
                    self.stop()
                    raise self._exhausted(self.limit, amount)
                self._settled.clear()
                await self._settled.wait()
            if self._is_stopped:
                raise UnaskedError
            self._reserved += amount
            self._under_way += 1
            return Reservation(amount)

    def settle(self, reservation: Reservation, usage: Mapping[str, int] | None) -> None:
        """Exchange a reservation for what the request did cost; all of it where that is unknown."""
        if usage is not None and {"prompt_tokens", "completion_tokens"} <= usage.keys():
            self.spent += self.price.cost(usage["prompt_tokens"], usage["completion_tokens"])
        else:
            self.spent += reservation.amount
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

    def _bound(self, request: Request) -> float:
        written = most_written_tokens(request)
        if written is None:
            message = "--max-cost needs to know how long an answer can be"
            raise UsageError(message, hint="add --max-tokens N")
        return self.price.cost(most_prompt_tokens(request), written)

    def _exhausted(self, limit: float, amount: float) -> BudgetError:
        message = (
            f"the budget is used up: ${self.spent:.4f} of ${limit:.4f} spent, "
            f"and the next request may cost ${amount:.4f}"
        )
        hint = "run it again to go on: answers are in the journal, and each run has its own budget"
        if not self.spent:
            hint = "raise --max-cost, or lower --max-tokens"
        return BudgetError(message, hint=hint)
