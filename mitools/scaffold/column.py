"""What is known about one column of a data set, from its first rows."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mitools.errors import DataError
from mitools.sources.answers import as_text, is_code, path_to_text, read_choices, shortened
from mitools.sources.templates import after, before
from mitools.tasks import task_named

__all__ = ["BEHIND_HASHES", "MOST_LABELS", "Column"]

MOST_LABELS = 200
"""The most different labels that are taken as a fixed set."""

_MOST_VALUES = 1000
_LONGEST_VALUE = 200
_MOSTLY = 0.9
_DIGITS = re.compile(r"[\d\s.,()+*/^%$€£=−×÷-]+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
BEHIND_HASHES = "after('####')"
"""The filter of an answer that stands behind ``####`` at the end, as in GSM8K."""

_STATED: Mapping[str, Callable[[str], str]] = {
    BEHIND_HASHES: lambda text: after(text, "####"),
    "after('boxed{') | before('}')": lambda text: (
        before(after(text, "boxed{"), "}") if "boxed{" in text else text
    ),
}
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}\b.*|\d{1,2}[./]\d{1,2}[./]\d{2,4}\b.*")


@dataclass
class Column:
    """Counts over the values of a column that are not blank.

    Attributes:
        filled: number of values.
        numbers: of these, numbers and arithmetic expressions.
        lists: of these, lists of texts that may be choices.
        nested: of these, lists and objects, also of other kinds.
        characters: total length of the others; ``longest`` is the longest of them.
        words: total number of their words.
        values: how often each value occurs, for the first different ones that are short.
        has_more: whether there are more different values than ``values`` holds.
        stated: the answers that texts state behind a mark, by the template filters that take them
            out, such as those in ``\\boxed{}``.
        path: of the first text in the first list or object, such as ``text.0``.
        classes: the names of its classes, where the file has them.
    """

    name: str
    filled: int = 0
    numbers: int = 0
    lists: int = 0
    nested: int = 0
    characters: int = 0
    longest: int = 0
    words: int = 0
    values: Counter[str] = field(default_factory=Counter)
    has_more: bool = False
    stated: dict[str, Column] = field(default_factory=dict)
    path: str = ""
    classes: tuple[str, ...] = ()

    def add(self, value: Any) -> None:
        """Count one value."""
        if isinstance(value, list | Mapping) or _is_written_list(value):
            self._add_nested(value)
            return
        text = as_text(value, self.name)
        if text is None:
            return
        self.filled += 1
        self.characters += len(text)
        self.longest = max(self.longest, len(text))
        self.words += _count_words(text)
        self.numbers += _is_number(value, text)
        if text in self.values or (len(self.values) < _MOST_VALUES and len(text) <= _LONGEST_VALUE):
            self.values[text] += 1
        else:
            self.has_more = True
        for filters, take in _STATED.items():
            answer = take(text)
            if answer != text:
                self.stated.setdefault(filters, Column(self.name)).add(answer)

    def _add_nested(self, value: Any) -> None:
        if not value:
            return
        self.path = self.path or path_to_text(value)
        self.filled += 1
        self.nested += 1
        with contextlib.suppress(DataError):
            choices = read_choices(value)
            self.lists += choices is not None and len(choices.offered) > 1

    def states(self) -> tuple[str, Column] | None:
        """Return the filters that take an answer out of most texts, and the answers; else None."""
        for filters, answers in self.stated.items():
            if answers.filled >= _MOSTLY * max(1, self.filled):
                return filters, answers
        return None

    @property
    def are_numbers(self) -> bool:
        return self.numbers >= _MOSTLY * max(1, self.filled)

    @property
    def are_choices(self) -> bool:
        return self.lists >= _MOSTLY * max(1, self.filled)

    @property
    def are_texts(self) -> bool:
        return self.filled > 0 and not self.nested and not self.are_numbers

    @property
    def are_unique(self) -> bool:
        """Whether no value occurs twice, as far as values were kept."""
        return self.filled > 1 and all(count == 1 for count in self.values.values())

    @property
    def varies(self) -> bool:
        """Whether there are at least two different values."""
        return self.has_more or len(self.values) > 1

    @property
    def is_count(self) -> bool:
        """Whether the values count the rows: whole numbers, each one more than another."""
        if not self.are_unique or not all(value.isdecimal() for value in self.values):
            return False
        numbers = sorted(map(int, self.values))
        return numbers[-1] - numbers[0] == len(numbers) - 1

    @property
    def are_codes(self) -> bool:
        """Whether all values are letters or whole numbers, which may stand for choices."""
        return self.are_labels and all(map(is_code, self.labels))

    @property
    def mean_words(self) -> float:
        return self.words / max(1, self.filled - self.nested)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its classes in their order, else its values, sorted."""
        return self.classes or tuple(sorted(self.values))

    @property
    def are_labels(self) -> bool:
        """Whether few short values occur again and again."""
        different = len(self.values)
        if self.classes and self.filled and not self.nested:
            return len(self.classes) <= MOST_LABELS
        return (
            not self.nested
            and not self.has_more
            and 2 <= different <= MOST_LABELS
            and self.filled >= 2 * different
            and self.mean_words <= 6
        )

    def describe(self) -> str:
        """Say in a few words what the values are."""
        if not self.filled:
            return "empty"
        if self.are_choices:
            return "lists of texts"
        if self.nested:
            return "lists or objects"
        if self.are_labels:
            labels = self.labels
            shown = ", ".join(shortened(value, 24) for value in labels[:4])
            more = ", …" if len(labels) > 4 else ""
            kind = "classes" if self.classes else "different values"
            return f"{len(labels)} {kind}: {shown}{more}"
        if self.are_numbers:
            return "numbers or expressions"
        mean = round(self.characters / self.filled)
        kind = "different texts" if self.are_unique else "texts"
        return f"{kind} of {mean:,} characters on average"


def _count_words(text: str) -> int:
    """Count words; in scripts without spaces between them, two characters are one."""
    words = len(text.split())
    return words if text.isascii() else max(words, len(_UNSPACED.findall(text)) // 2)


def _is_written_list(value: Any) -> bool:
    """Tell whether a text is a list of choices in JSON."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return False
    try:
        return read_choices(value) is not None
    except DataError:
        return False


def _is_number(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return True
    is_like_one = len(text) <= _LONGEST_VALUE and _DIGITS.fullmatch(text)
    if not is_like_one or _DATE.fullmatch(text.strip()):
        return False
    return task_named("equation").is_valid(text)
