"""Sends one request once: within the budget and the limits per minute; its answer is parsed.

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
from mitools.annotate.client.rate_limit import RateLimit, Ticket
from mitools.annotate.client.requests import Request
from mitools.annotate.client.transport import Transport

__all__ = ["Admission", "Sender"]


@dataclass(frozen=True, slots=True)
class Admission:
    """The permission to send one request now.

    Attributes:
        at: loop time at which it was given.
        reservation: the reserved cost; None without a budget.
        ticket: its place in the limits per minute; None without them.
    """

    at: float
    reservation: Reservation | None = None
    ticket: Ticket | None = None


class Sender:
    """Sends requests, each within the budget and the limits per minute."""

    def __init__(
        self,
        transport: Transport,
        timeout_seconds: float,
        budget: Budget | None = None,
        rate_limit: RateLimit | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            transport: sends the bytes.
            timeout_seconds: for one request, from sending to the last byte.
            budget: counts and limits the cost; None for neither.
            rate_limit: limits requests and tokens per minute; None for neither.
        """
        self._transport = transport
        self._timeout_seconds = timeout_seconds
        self._budget = budget
        self._rate_limit = rate_limit

    async def admit(self, request: Request) -> Admission:
        """Wait until a request may be sent; it must be sent at once, or withdrawn.

        Raises:
            BudgetError: its cost does not fit into the budget.
            UnaskedError: the run was stopped.
        """
        reservation = None if self._budget is None else await self._budget.reserve(request)
        ticket: Ticket | None = None
        if self._rate_limit is not None:  # last, so that no other wait follows
            try:
                ticket = await self._rate_limit.admit(request)
            except BaseException:  # also where it is cancelled
                self._release(reservation)
                raise
        return Admission(asyncio.get_running_loop().time(), reservation, ticket)

    def withdraw(self, admission: Admission) -> None:
        """Give back the cost and the place of a request that is not sent."""
        self._release(admission.reservation)
        if self._rate_limit is not None and admission.ticket is not None:
            self._rate_limit.withdraw(admission.ticket)

    async def send(self, request: Request, admission: Admission) -> tuple[str, Mapping[str, Any]]:
        """Send a request and count its cost; returns the response's text and its JSON.

        Raises:
            Fault: there was no answer.
        """
        budget, reservation = self._budget, admission.reservation
        try:
            raw, answer = await self._post(request)
        except BaseException as exc:
            if budget is not None and reservation is not None:
                if isinstance(exc, Fault) and not exc.is_maybe_billed:
                    budget.release(reservation)
                else:
                    budget.settle_lost(reservation)
            raise
        if budget is not None and reservation is not None:
            budget.settle(reservation, answer)
        if self._rate_limit is not None and admission.ticket is not None:
            self._rate_limit.settle(admission.ticket, answer)
        return raw, answer

    def count(self) -> None:
        """Count a request that another sends, and that is not for a completion."""
        if self._rate_limit is not None:
            self._rate_limit.count()

    def stop(self) -> None:
        """Admit no further request. Must be called in the loop's thread."""
        if self._budget is not None:
            self._budget.stop()
        if self._rate_limit is not None:
            self._rate_limit.stop()

    def _release(self, reservation: Reservation | None) -> None:
        if self._budget is not None and reservation is not None:
            self._budget.release(reservation)

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
