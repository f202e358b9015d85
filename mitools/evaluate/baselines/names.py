"""The names of the baselines, as people type them. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from mitools.errors import UsageError

__all__ = ["ARITHMETIC", "ENCODER", "MAJORITY", "NAMES", "TFIDF", "UNTRAINED", "name_baselines"]

MAJORITY = "majority"
TFIDF = "tfidf"
ARITHMETIC = "arithmetic"
ENCODER = "encoder:"
"""Followed by a folder, or by ``package:NAME``."""
UNTRAINED = "untrained"
ALL = "all"

NAMES = (MAJORITY, TFIDF, ARITHMETIC, f"{ENCODER}MODEL", UNTRAINED, ALL)

_NEED_NO_MODEL = (MAJORITY, TFIDF, ARITHMETIC)


def name_baselines(given: Iterable[str]) -> tuple[str, ...]:
    """List the baselines that were asked for, each once; ``all`` is those that need no model.

    Raises:
        UsageError: there is no such baseline.
    """
    names: dict[str, None] = {}
    for name in given:
        if name == ALL:
            names |= dict.fromkeys(_NEED_NO_MODEL)
        elif name in (*_NEED_NO_MODEL, UNTRAINED) or name.removeprefix(ENCODER) not in ("", name):
            names[name] = None
        else:
            hint = f"use one of {', '.join(NAMES)}"
            raise UsageError(f'no baseline "{name}"', hint=hint)
    return tuple(names)
