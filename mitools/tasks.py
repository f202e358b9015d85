"""Answer formats: what a label is, how a text states it, and when two labels are the same.

annotate, eval and explain all read labels through this module; :mod:`mitools.reading` does the
reading. Of a record only ``task`` and ``choices`` are used here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mitools.errors import UsageError
from mitools.expressions import find_placed_expressions, parse_expression
from mitools.reading import Answer, How, Support, own_text, read_completion
from mitools.reading.answer import Choices
from mitools.reading.apart import Forms, forms_among
from mitools.reading.characters import normalize
from mitools.reading.choices import ChoiceReader, letter_of
from mitools.reading.numbers import EquationReader
from mitools.reading.options import mentions, place_of
from mitools.reading.sentences import last_sentence
from mitools.reading.texts import TextReader

__all__ = [
    "TASK_NAMES",
    "Answer",
    "How",
    "Support",
    "Task",
    "forms_among",
    "letter_of",
    "normalize",
    "own_part",
    "read_answer",
    "task_named",
    "task_of",
]

_CHOICES = ChoiceReader(letters_first=True)
_LABELS = ChoiceReader(letters_first=False)
_EQUATIONS = EquationReader()
_TEXTS = TextReader()
_NO_CHOICES = forms_among(None)
_AS_ANY = How()
# A rationale states its label by a cue or on a line; Task.supported reads its last sentence itself.
_AS_STATED = How(loosest="line")
_AS_CUED = How(loosest="cue")


class Task(Protocol):
    """One answer format."""

    @property
    def name(self) -> str:
        """Its name in records and options."""

    def parse(self, text: str, choices: Choices = None, how: How = _AS_ANY) -> Answer:
        """Read a teacher's completion.

        Args:
            text: the completion, with thoughts or without.
            choices: the possible answers, if the record has some.
            how: how loosely to read, and the input that was asked about.

        Returns:
            The label, if its place in the text is clear and names one possible answer, and the
            rationale; see :mod:`mitools.reading`.
        """

    def is_equal(self, left: str | None, right: str | None) -> bool:
        """Return whether two labels are equal; None equals nothing, not even None."""

    def form(self, label: str) -> str:
        """Return what equal labels have in common: a normalized text, or an exact value."""

    def is_valid(self, label: str | None, choices: Choices = None) -> bool:
        """Return whether a label is a possible answer."""

    def state(self, label: str, choices: Choices = None) -> str:
        """Return the sentence that states a label; :meth:`parse` reads it back."""

    def supported(self, rationale: str, choices: Choices = None) -> str | None:
        """Return the label that a rationale argues for; None if that is unclear."""

    def find_support(self, rationale: str, choices: Choices = None) -> Support | None:
        """Return the label of :meth:`supported` with the place of the words that decided."""


def own_part(text: str) -> str:
    """Remove thoughts, chat tokens and an invented next example from a completion."""
    return own_text(text)


@dataclass(frozen=True)
class _Choice:
    """One of the record's choices, stated by letter, by its text, or by both.

    Attributes:
        among: the form by which labels are compared; that of the record's choices, where some of
            them have the same normalized text.
    """

    name: str = "choice"
    _reader: ChoiceReader = _CHOICES
    among: Forms = _NO_CHOICES

    def parse(self, text: str, choices: Choices = None, how: How = _AS_ANY) -> Answer:
        answer = read_completion(text, choices, self._reader, how)
        return self._as_stated(text, choices, how, answer) if choices else answer

    def _as_stated(self, text: str, choices: Sequence[str], how: How, answer: Answer) -> Answer:
        """Prefer a choice that the last sentence states exactly as :meth:`state` writes it.

        This reads back a choice of any text, also one that looks like several answers, a thought
        or the header of a next example.
        """
        shown, form = text.rstrip(), forms_among(choices)
        if not shown.endswith("."):
            return answer
        for choice in choices:
            is_read = answer.label is not None and form(answer.label) == form(choice)
            if is_read or not shown.endswith(f"{choice}."):
                continue
            sentence = self.state(choice, choices)
            own = own_text(text, how, choices, self._reader)
            survives = own.endswith(sentence) or own_text(sentence) != sentence
            if normalize(choice) and shown.endswith(sentence) and survives:
                begin = len(shown) - len(sentence)
                return Answer(choice, shown[:begin].strip(), "cue", (begin, len(shown)))
        return answer

    def is_equal(self, left: str | None, right: str | None) -> bool:
        return left is not None and right is not None and self.form(left) == self.form(right)

    def form(self, label: str) -> str:
        return self.among(label)

    def is_valid(self, label: str | None, choices: Choices = None) -> bool:
        if not label:
            return False
        if choices is None:
            return True
        form = forms_among(choices)
        return form(label) in map(form, choices)

    def state(self, label: str, choices: Choices = None) -> str:
        form = forms_among(choices)
        for index, choice in enumerate(choices or ()):
            if form(label) == form(choice):
                return f"So the answer is ({letter_of(index)}) {choice}."
        return f"So the answer is {label}."

    def supported(self, rationale: str, choices: Choices = None) -> str | None:
        return _label_of(self.find_support(rationale, choices))

    def find_support(self, rationale: str, choices: Choices = None) -> Support | None:
        stated = _stated(self.parse(rationale, choices, _AS_STATED))
        if stated is not None or not choices:
            return stated
        begin, sentence = last_sentence(rationale)
        for start, text in ((begin, sentence), (0, rationale)):
            mentioned = mentions(text, choices, within=True)
            if mentioned:
                place = place_of(mentioned[0], rationale, start, choices)
                found = Support(mentioned[0], place)
                return found if len(mentioned) == 1 else None
        return None


@dataclass(frozen=True)
class _Labels(_Choice):
    """One of a fixed set that each record carries in its ``choices``."""

    name: str = "labels"
    _reader: ChoiceReader = _LABELS

    def state(self, label: str, choices: Choices = None) -> str:
        return f"So the answer is {label}."


@dataclass(frozen=True)
class _Text:
    """Any short text."""

    name: str = "text"
    _reader: TextReader = _TEXTS

    def parse(self, text: str, choices: Choices = None, how: How = _AS_ANY) -> Answer:
        return read_completion(text, choices, self._reader, how)

    def is_equal(self, left: str | None, right: str | None) -> bool:
        return left is not None and right is not None and normalize(left) == normalize(right)

    def form(self, label: str) -> str:
        return normalize(label)

    def is_valid(self, label: str | None, choices: Choices = None) -> bool:
        return bool(label and normalize(label))

    def state(self, label: str, choices: Choices = None) -> str:
        return f"The answer is {label}."

    def supported(self, rationale: str, choices: Choices = None) -> str | None:
        return _label_of(self.find_support(rationale, choices))

    def find_support(self, rationale: str, choices: Choices = None) -> Support | None:
        return _stated(self.parse(rationale, None, _AS_CUED))


@dataclass(frozen=True)
class _Equation:
    """An arithmetic expression or a number; two are equal if their exact values are."""

    name: str = "equation"
    _reader: EquationReader = _EQUATIONS

    def parse(self, text: str, choices: Choices = None, how: How = _AS_ANY) -> Answer:
        return read_completion(text, choices, self._reader, how)

    def is_equal(self, left: str | None, right: str | None) -> bool:
        if left is None or right is None:
            return False
        first, second = parse_expression(left), parse_expression(right)
        return first is not None and second is not None and first.value == second.value

    def form(self, label: str) -> str:
        expression = parse_expression(label)
        return label if expression is None else f"{expression.value}"

    def is_valid(self, label: str | None, choices: Choices = None) -> bool:
        return label is not None and parse_expression(label) is not None

    def state(self, label: str, choices: Choices = None) -> str:
        found = parse_expression(label)
        return f"The answer is {found.bracketed() if found else label}."

    def supported(self, rationale: str, choices: Choices = None) -> str | None:
        return _label_of(self.find_support(rationale, choices))

    def find_support(self, rationale: str, choices: Choices = None) -> Support | None:
        stated = _stated(self.parse(rationale, None, _AS_CUED))
        if stated is not None:
            return stated
        found = None
        for expression, begin, end in find_placed_expressions(rationale):
            found = Support(expression.text, (begin, end))
        return found


def _stated(answer: Answer) -> Support | None:
    return None if answer.label is None else Support(answer.label, answer.place)


def _label_of(support: Support | None) -> str | None:
    return None if support is None else support.label


_TASKS: dict[str, Task] = {task.name: task for task in (_Choice(), _Labels(), _Equation(), _Text())}

TASK_NAMES = tuple(_TASKS)


def task_named(name: str, choices: Choices = None) -> Task:
    """Return the task with a name.

    Args:
        name: one of :data:`TASK_NAMES`.
        choices: those of the record whose labels are compared. Where two of them differ only in
            case, quotes or the like, these two are compared exactly.

    Raises:
        UsageError: there is no such task.
    """
    if name not in _TASKS:
        raise UsageError(f'no task "{name}"', hint=f"tasks: {', '.join(_TASKS)}")
    task = _TASKS[name]
    if isinstance(task, _Choice) and (among := forms_among(choices)).written:
        return replace(task, among=among)
    return task


def read_answer(text: str, task: str = "text", choices: Choices = None) -> Answer:
    """Read the label and the rationale out of a completion, as ``annotate`` does.

    Args:
        text: the completion, as the model wrote it.
        task: one of :data:`TASK_NAMES`.
        choices: the possible labels, for the tasks ``choice`` and ``labels``.

    Returns:
        The answer; its label is None if the text does not state one clearly.

    Raises:
        UsageError: there is no such task.

    >>> read_answer("She has 3 + 4 apples. The answer is 7.", "equation").label
    '7'
    """
    return task_named(task).parse(text, choices)


def task_of(record: Mapping[str, Any], override: str | None = None) -> Task:
    """Return a record's task: the override, else its own, else ``choice`` if it has choices."""
    name = override or record.get("task") or ("choice" if record.get("choices") else "text")
    return task_named(name, record.get("choices"))
