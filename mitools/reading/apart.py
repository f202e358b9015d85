"""Choices that differ only in what a normalized text leaves out, such as ``AA`` and ``Aa``.

Labels are compared by their normalized texts. Where the choices of one record would then be the
same, those are compared as they are written, and all others as ever.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mitools.reading.characters import cased, normalize

__all__ = ["Forms", "forms_among"]


@dataclass(frozen=True)
class Forms:
    """The form of a text among the choices of a record: two with the same form are equal.

    Attributes:
        written: by normalized text, how choices that share it are told apart; empty where no two
            different choices do.
        alike: the first two such choices.
    """

    written: Mapping[str, Callable[[str], str]]
    alike: tuple[str, str] | None = None

    def __call__(self, text: str) -> str:
        form = normalize(text)
        written = self.written.get(form)
        return form if written is None else written(text)

    def is_written(self, text: str) -> bool:
        """Return whether a text has to be compared as it is written."""
        return bool(self.written) and normalize(text) in self.written


_NORMALIZED = Forms({})


def forms_among(choices: Sequence[str] | None) -> Forms:
    """Return the form of texts among some choices; their normalized text where there are none."""
    if not choices:
        return _NORMALIZED
    key = tuple(choices)
    return _kept(key) if sum(map(len, key)) <= _LONGEST_KEPT else _forms_among(key)


def _exact(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _forms_among(choices: tuple[str, ...]) -> Forms:
    if len(set(map(normalize, choices))) == len(choices):
        return _NORMALIZED
    groups: dict[str, dict[str, str]] = {}
    for choice in choices:
        groups.setdefault(normalize(choice), {}).setdefault(_exact(choice), choice)
    written: dict[str, Callable[[str], str]] = {}
    alike: tuple[str, str] | None = None
    for form, group in groups.items():
        if len(group) > 1:
            first, second, *_ = group.values()
            alike = alike or (first, second)
            written[form] = cased if len(set(map(cased, group))) == len(group) else _exact
    return Forms(written, alike) if written else _NORMALIZED


# One record asks many times, and many records have the same set. Long ones are not cached, so that
# memory is bounded.
_LONGEST_KEPT = 1000
_kept = lru_cache(maxsize=512)(_forms_among)
