"""Sends one request once: its cost is reserved before, counted afterwards, and its answer parsed.

Faults are raised as they are; ``endpoint`` decides what they mean and whether to send again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitools.annotate.client.budget import Budget, Reservation
from mitools.annotate.client.completion import (
    NoCompletionError,
    UnfinishedError,
    parse_completion,
    parse_scored,
    shorten_scored,
)
from mitools.annotate.client.faults import Fault, sort_in_body, sort_status
from mitools.annotate.client.requests import Request
from mitools.annotate.client.transport import Transport

__all__ = ["Admission", "Sender"]


@dataclass(frozen=True, slots=True)
class Admission:
    """The permission to send one request now.

    Attributes:
        at: loop time at which it was given.
        reservation: the reserved cost; None without a budget.
    """

    at: float
    reservation: Reservation | None


class Sender:
    """Sends requests, each within the budget."""

    def __init__(
        self, transport: Transport, timeout_seconds: float, budget: Budget | None = None
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            transport: sends the bytes.
            timeout_seconds: for one request, from sending to the last byte.
            budget: counts and limits the cost; None for neither.
        """
        self._transport = transport
        self._timeout_seconds = timeout_seconds
        self._budget = budget

    async def admit(self, request: Request) -> Admission:
        """Wait until a request may be sent; it must be sent at once, or withdrawn.

        Raises:
            BudgetError: its cost does not fit into the budget.
            UnaskedError: the run was stopped.
        """
        reservation = None if self._budget is None else await self._budget.reserve(request)
        return Admission(asyncio.get_running_loop().time(), reservation)

    async def send(self, request: Request, admission: Admission) -> tuple[str, Mapping[str, Any]]:
        """Send a request and count its cost; returns the response's text and its JSON.

        Raises:
            Fault: there was no answer.
        """
        budget, reservation = self._budget, admission.reservation
        if budget is None or reservation is None:
            return await self._post(request)
        try:
            raw, answer = await self._post(request)
        except Fault as exc:
            if exc.is_maybe_billed:
                budget.settle_lost(reservation)
            else:
                budget.release(reservation)
            raise
        except BaseException:
            budget.settle_lost(reservation)
            raise
        budget.settle(reservation, answer)
        return raw, answer

    def stop(self) -> None:
        """Admit no further request. Must be called in the loop's thread."""
        if self._budget is not None:
            self._budget.stop()

    async def _post(self, request: Request) -> tuple[str, Mapping[str, Any]]:
        secrets = self._transport.secrets
        response = await self._transport.post(request.path, request.content, self._timeout_seconds)
        if not response.is_success:
            raise sort_status(
                response.status, response.reason, response.headers, response.text, secrets
            )
        try:
            if request.said is None:
                return response.text, parse_completion(response.text)
            answer = parse_scored(response.text)
            return shorten_scored(response.text, answer, request.said), answer
        except NoCompletionError as exc:
            is_begun = isinstance(exc, UnfinishedError)
            why, headers = str(exc), response.headers
            fault = sort_in_body(why, exc.words, headers, secrets, is_begun=is_begun)
            fault.body = secrets.mask(response.text)
            raise fault from exc
