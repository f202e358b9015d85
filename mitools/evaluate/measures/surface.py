"""Properties of a rationale that need no reference: empty, truncated, repeated, copied.

Works on strings, not on records.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from mitools.evaluate.measures.labels import rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.statistics import mean_intervals, ratio_interval
from mitools.reading.scripts import words_pattern

__all__ = ["MEASURES", "Surface", "copied_share", "mentions", "repeated_share", "words"]

MEASURES: Mapping[str, Measure] = {
    "empty": Measure(
        "empty rationales",
        "fraction",
        higher_is_better=False,
        about="Share of rationales without any text.",
    ),
    "truncated": Measure(
        "truncated rationales",
        "fraction",
        higher_is_better=False,
        about="Share of rationales that reached the length limit before the end token.",
    ),
    "repeated_4grams": Measure(
        "repeated 4-grams",
        "fraction",
        higher_is_better=False,
        about="Share of a rationale's 4-grams that occur in it before; mean over rationales of "
        "four words or more.",
    ),
    "copied_4grams": Measure(
        "4-grams copied from input",
        "fraction",
        higher_is_better=None,
        about="Share of a rationale's 4-grams that occur in the input; mean over rationales of "
        "four words or more.",
    ),
    "label_mention": Measure(
        "rationales naming the label",
        "fraction",
        higher_is_better=None,
        about="Share of rationales that contain the student's own label.",
    ),
    "steps_right": Measure(
        "correct arithmetic steps",
        "fraction",
        higher_is_better=True,
        about="Share of all stated arithmetic steps, such as 2 + 3 = 5, that are right.",
    ),
}
"""The interval of ``steps_right`` resamples rationales, not steps."""

N = 4
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?"
_TOKEN = re.compile(rf"{_NUMBER}|[^\W\d_]+|[-+*/×÷]")
_LETTER = r"[^\W\d_]"
_NO_FRACTION = re.compile(r"\.0+$")


def words(text: str) -> list[str]:
    """Split into lower-case words, numbers (``84.0`` and ``84`` alike) and operators.

    In languages without spaces between words, each letter is a word.
    """
    pattern = _TOKEN if text.isascii() else _token_of_any_script()
    tokens = pattern.findall(text.lower())
    return [_NO_FRACTION.sub("", token.replace(",", "")) for token in tokens]


@cache
def _token_of_any_script() -> re.Pattern[str]:
    return re.compile(rf"{_NUMBER}|{words_pattern(_LETTER)}|[-+*/×÷]")


def _ngrams(tokens: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(tokens[start:] for start in range(N)), strict=False))


def repeated_share(text: str) -> float | None:
    """Share of a text's 4-grams that occur in it before; None below four words."""
    grams = _ngrams(words(text))
    return 1 - len(set(grams)) / len(grams) if grams else None


def copied_share(text: str, source: str) -> float | None:
    """Share of a text's 4-grams that occur in ``source``; None below four words."""
    grams, known = _ngrams(words(text)), set(_ngrams(words(source)))
    return sum(gram in known for gram in grams) / len(grams) if grams else None


def mentions(text: str, label: str | None) -> bool:
    """Tell whether a text names a label in whole words; parentheses and ``.0`` do not matter."""
    named, tokens = words(label or ""), words(text)
    if not named:
        return False
    size = len(named)
    return any(tokens[start : start + size] == named for start in range(len(tokens) - size + 1))


@dataclass
class Surface:
    """Fold rationales; a few small numbers of each are kept."""

    n: int = 0
    _empty: int = 0
    _ended: int = 0
    _truncated: int = 0
    _mention: int = 0
    _repeated: array[float] = field(default_factory=lambda: array("d"))
    _copied: array[float] = field(default_factory=lambda: array("d"))
    _steps: array[int] = field(default_factory=lambda: array("q"))
    _steps_right: array[int] = field(default_factory=lambda: array("q"))

    def add(
        self, text: str, source: str, *, is_truncated: bool | None, mentions_label: bool
    ) -> None:
        """Add one rationale; ``is_truncated`` is None where that is not known."""
        self.n += 1
        self._empty += not text.strip()
        self._mention += mentions_label
        if is_truncated is not None:
            self._ended += 1
            self._truncated += is_truncated
        repeated, copied = repeated_share(text), copied_share(text, source)
        if repeated is not None and copied is not None:
            self._repeated.append(repeated)
            self._copied.append(copied)

    def add_steps(self, stated: int, right: int) -> None:
        """Add the arithmetic steps of one rationale; one without steps is left out."""
        if stated:
            self._steps.append(stated)
            self._steps_right.append(right)

    def metrics(self, seed: int) -> dict[str, Metric]:
        none = "no record has a rationale by the student"
        unknown = none if not self.n else "no rationale says whether it was cut off"
        return {
            "empty": rate(MEASURES["empty"], self._empty, self.n, empty=none),
            "truncated": rate(MEASURES["truncated"], self._truncated, self._ended, empty=unknown),
            **self._shares(seed, none),
            "label_mention": rate(MEASURES["label_mention"], self._mention, self.n, empty=none),
            "steps_right": self._steps_metric(seed, none),
        }

    def _shares(self, seed: int, none: str) -> dict[str, Metric]:
        names, n = ("repeated_4grams", "copied_4grams"), len(self._repeated)
        if not n:
            reason = f"no rationale has {N} words" if self.n else none
            return {name: MEASURES[name].undefined(reason) for name in names}
        table = np.column_stack([np.frombuffer(self._repeated), np.frombuffer(self._copied)])
        intervals = mean_intervals(table, seed)
        means = np.sort(table, axis=0).mean(axis=0)
        return {
            name: MEASURES[name].ok(float(mean), n, interval)
            for name, mean, interval in zip(names, means, intervals, strict=True)
        }

    def _steps_metric(self, seed: int, none: str) -> Metric:
        measure, stated = MEASURES["steps_right"], sum(self._steps)
        if not stated:
            return measure.undefined("no rationale states an arithmetic step" if self.n else none)
        right = np.array(self._steps_right, dtype=np.float64)
        steps = np.array(self._steps, dtype=np.float64)
        interval = ratio_interval(right, steps, seed)
        return measure.ok(float(right.sum() / stated), stated, interval, rationales=len(steps))
