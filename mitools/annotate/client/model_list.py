"""The endpoint's list of models: their names, and when a model is shut down.

The list is only requested for hints and warnings, is bounded in size and time, and may be missing.
"""

from __future__ import annotations

import datetime
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mitools.annotate.client.faults import Fault
from mitools.annotate.client.server_words import short_line
from mitools.annotate.client.transport import Transport

__all__ = ["ModelList", "shutdown_date", "suggest"]

_PATH = "/models"
_MOST_BYTES = 4 << 20
_TIMEOUT_SECONDS = 10.0
_MOST_NAMES = 2000
_MOST_SHOWN = 10
_LONGEST_NAME = 100

# OpenRouter: expiration_date; Mistral: deprecation; Azure: deprecation.inference in seconds; …
_ENDING = re.compile(r"shut_?down|deprecat|retire|sunset|expir|end_of_life", re.IGNORECASE)


class ModelList:
    """The list of models of one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def entries(self) -> list[Mapping[str, Any]]:
        """Request the list; empty if the endpoint has none, or if it is not readable."""
        try:
            response = await self._transport.get(_PATH, _MOST_BYTES, _TIMEOUT_SECONDS)
            listed = json.loads(response.text) if response.is_success else None
        except (Fault, ValueError, RecursionError):
            return []
        if isinstance(listed, Mapping):
            listed = listed.get("data") or listed.get("models")
        if not isinstance(listed, list):
            return []
        return [entry for entry in listed[:_MOST_NAMES] if isinstance(entry, Mapping)]


def _name(entry: Mapping[str, Any]) -> str:
    names = (entry.get(key) for key in ("id", "name", "model"))
    return next((name for name in names if isinstance(name, str)), "")


def suggest(model: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """Format the names of the models, similar ones first; empty if none is listed."""
    names = [name for name in map(_name, entries) if name]
    if not names:
        return ""
    short = {name[:_LONGEST_NAME] for name in names}
    close = difflib.get_close_matches(model[:_LONGEST_NAME], short, n=3, cutoff=0.5)
    shown = [*close, *(name for name in names if name not in close)][:_MOST_SHOWN]
    listed = ", ".join(short_line(name, _LONGEST_NAME) for name in shown)
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return f"the endpoint has {listed}{more}"


def shutdown_date(model: str, entries: Sequence[Mapping[str, Any]]) -> datetime.date | None:
    """Find the day on which a model is shut down; None if the list has none."""
    entry = next((entry for entry in entries if _name(entry) == model), None)
    return None if entry is None else min(_dates(entry), default=None)


def _dates(entry: Mapping[str, Any]) -> Iterator[datetime.date]:
    for key, value in entry.items():
        if isinstance(key, str) and _ENDING.search(key[:_LONGEST_NAME]):
            for part in value.values() if isinstance(value, Mapping) else [value]:
                date = _date(part)
                if date is not None:
                    yield date


def _date(value: Any) -> datetime.date | None:
    """Read a date from ISO 8601 or from seconds since 1970."""
    try:
        if isinstance(value, str):
            return datetime.date.fromisoformat(value[:10])
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return datetime.datetime.fromtimestamp(value, datetime.UTC).date()
    except (ValueError, OverflowError, OSError):
        pass
    return None
