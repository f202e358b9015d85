"""Answer formats: what a label is, how a text states it, and when two labels are the same.

This is the one place that reads labels out of texts; annotate, eval and explain all come here.
Knows strings and choices, no record layout beyond ``task`` and ``choices``, no model, no file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mitools.errors import UsageError
from mitools.expressions import find_expressions, parse_expression

__all__ = [
    "TASK_NAMES",
    "Answer",
    "Task",
    "letter_of",
    "normalize",
    "own_part",
    "task_named",
    "task_of",
]

Choices = Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a completion says: a label (None where none can be read) and the reasons for it."""

    label: str | None
    rationale: str


class Task(Protocol):
    """One answer format."""

    @property
    def name(self) -> str:
        """Its name in records and options."""

    def parse(self, text: str, choices: Choices = None) -> Answer:
        """Read a teacher's completion.

        The label is the answer that the last "the answer is …" states, else a text that is
        nothing but an answer. The rationale is what stands before the sentence of that cue, or
        after it where nothing stands before. An invented next "Q:" ends the completion.
        """

    def is_equal(self, left: str | None, right: str | None) -> bool:
        """Tell whether two labels say the same; None equals nothing, not even None."""

    def is_valid(self, label: str | None, choices: Choices = None) -> bool:
        """Tell whether a label is a possible answer."""

    def state(self, label: str, choices: Choices = None) -> str:
        """Write the sentence that states a label; :meth:`parse` reads it back."""

    def supported(self, rationale: str, choices: Choices = None) -> str | None:
        """Find the label that a rationale argues for, by its words alone; None where it is open."""


_CUE = re.compile(
    r"""
    [a#\\] (?:  # a set of first letters is found faster than alternatives
        (?<=\b.)nswer(?:\s+to\s[^.:?\n]{1,80}?)? (?:\s+is\b(?!\s+not\b)|\s*:)
        | (?<=\#)\#{3} | (?<=\\)boxed(?=\{)
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
# What may stand before "answer" and belongs to the cue, from right to left.
_QUALIFIERS = {"final", "correct", "best", "right"}
_DETERMINERS = {"the", "my", "our"}
_CONNECTIVES = {"so", "thus", "therefore", "hence", "and", "then"}
_LAST_WORD = re.compile(r"(?<!\w)(\w+)([\s,]*)\Z")
_LONGEST_WORD_BEFORE_CUE = 24  # with what stands after it
_NEXT_QUESTION = re.compile(r"\n\s*(?:Q|Question)\s*(?::|\Z)")
_FILLER = re.compile(r"[\W_]*(?:so|thus|therefore|hence|and|then)?[\W_]*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?][\"')\]*]*\s+|\n+")
_MARKUP = re.compile(
    r"\*\*(?!\s*[\d(])|(?<![\d)\s])\*\*|`|\\[()\[\]]|\$(?!\d)|\\(?:text|mathrm|boxed)\s*(?=\{)|[{}]"
)


def own_part(text: str) -> str:
    """Drop an invented next question, and the ``A:`` that a completion may begin with."""
    text = re.sub(r"^\s*A(?:nswer)?\s*:\s*(?=\S.*\banswer\b)", "", text, flags=re.DOTALL)
    for match in _NEXT_QUESTION.finditer(text):
        if text[: match.start()].strip():
            return text[: match.start()].strip()
    return text.strip()


def _parse(
    text: str, read: Callable[[str], str | None], read_bare: Callable[[str], str | None]
) -> Answer:
    """Find the cue, hand what follows it to ``read``, and take the rest as the rationale.

    A text without a cue goes to ``read_bare``, which must accept it only where it is an answer
    and nothing else.
    """
    text = own_part(text)
    cues = list(_CUE.finditer(text))
    if not cues:
        label = read_bare(_MARKUP.sub("", text).strip())
        return Answer(label, text if label is None else "")
    cue = cues[-1]
    begin = _begin(text, cue)
    tail = text[cue.end() :].lstrip(" \t\n:*_")
    answer, _, rest = tail.partition("\n")
    label = read(_MARKUP.sub("", answer).strip())
    starts = [0, *(match.end() for match in _SENTENCE_END.finditer(text, 0, begin))]
    rationale = text[: starts[-1]].strip()
    if not rationale:
        after = [match.end() for match in _SENTENCE_END.finditer(answer)][:1]
        rationale = f"{answer[after[0] :] if after else ''}\n{rest}".strip()
    rationale = rationale or text[:begin].strip(" ,;\n")
    return Answer(label, "" if _FILLER.fullmatch(rationale) else rationale)


def _begin(text: str, cue: re.Match[str]) -> int:
    """Tell where a cue begins, with the words that lead up to it: ``So, the correct answer is``."""
    begin = cue.start()
    if text[begin] not in "aA":
        return begin
    allowed = _QUALIFIERS | _DETERMINERS | _CONNECTIVES
    while match := _LAST_WORD.search(text, max(0, begin - _LONGEST_WORD_BEFORE_CUE), begin):
        word = match[1].casefold()
        is_close = word in _CONNECTIVES or match[2].isspace()
        if word not in allowed or not is_close:
            break
        if word not in _QUALIFIERS:
            allowed = _CONNECTIVES
        begin = match.start()
    return begin


def _first_sentence(text: str) -> str:
    end = _SENTENCE_END.search(text)
    return (text[: end.start()] if end else text).strip().strip("\"'").rstrip(".!").strip("\"' ")


def normalize(text: str) -> str:
    """Reduce a label to what matters: case, white space, quotes and a final period do not."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_QUOTES)
    return " ".join(text.split()).strip("\"' .")


_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_ARTICLE = re.compile(r"^(?:an?|the) ")


def _loosened(text: str) -> str:
    """Also forgive articles, apostrophes, hyphens and inner spaces: ``vet's office``."""
    return re.sub(r"[\W_]", "", _ARTICLE.sub("", normalize(text)))


def letter_of(index: int) -> str:
    """Letter of a choice: 0 is ``a``."""
    return chr(ord("a") + index)


@dataclass(frozen=True)
class _Choice:
    """One of the record's choices, stated by letter, by its text, or by both."""

    name: str = "choice"

    def parse(self, text: str, choices: Choices = None) -> Answer:
        return _parse(
            text,
            lambda answer: _read_choice(answer, choices),
            lambda answer: _read_bare_choice(answer, choices),
        )

    def is_equal(self, left: str | None, right: str | None) -> bool:
        return left is not None and right is not None and normalize(left) == normalize(right)

    def is_valid(self, label: str | None, choices: Choices = None) -> bool:
        if not label:
            return False
        return choices is None or any(self.is_equal(label, choice) for choice in choices)

    def state(self, label: str, choices: Choices = None) -> str:
        for index, choice in enumerate(choices or ()):
            if self.is_equal(label, choice):
                return f"So the answer is ({letter_of(index)}) {choice}."
        return f"So the answer is {label}."

    def supported(self, rationale: str, choices: Choices = None) -> str | None:
        answer = self.parse(rationale, choices)
        if answer.label is not None or not choices:
            return answer.label
        sentences = [part for part in _SENTENCE_END.split(rationale) if part.strip()]
        for text in (*sentences[-1:], rationale):
            mentioned = _mentions(text, choices)
            if mentioned:
                return mentioned[0] if len(mentioned) == 1 else None
        return None


_LETTER = re.compile(
    r"^(?:either\s+)?(?:(?:choice|option)\s+)?(?:\(\s*([A-Za-z])\s*\)|([A-Za-z])\s*(?:[):]|\.(?=\s)))"
)
_BARE_LETTER = re.compile(r"^(?:(?:choice|option)\s+)?\(?([A-Za-z])\)?[.!]?$", re.IGNORECASE)
_ANOTHER_LETTER = re.compile(r"(?:\b(?:or|and)|[,/&])\s*\([A-Za-z]\)")


def _read_choice(answer: str, choices: Choices) -> str | None:
    """Tell which choice an answer means.

    The letter decides, unless the words after it are exactly another choice: a teacher reasons
    in words and looks the letter up, so there the letter is the slip. An answer that names several
    ("either (a) … or (c) …") has not decided, and neither do we.
    """
    if not choices:
        return _first_sentence(answer) or None
    letter = _LETTER.match(answer) or _BARE_LETTER.match(answer)
    if letter is None:
        return _choice_by_words(answer, choices)
    index = ord(next(filter(None, letter.groups())).lower()) - ord("a")
    lettered = choices[index] if index < len(choices) else None
    words = re.split(r"\.\s", answer[letter.end() :], maxsplit=1)[0]
    if _ANOTHER_LETTER.search(words):
        return None
    exact = [choice for choice in choices if normalize(choice) == normalize(words)]
    if exact and (lettered is None or normalize(lettered) != normalize(exact[0])):
        return exact[0]
    return lettered


def _read_bare_choice(answer: str, choices: Choices) -> str | None:
    if _BARE_LETTER.match(answer) or (_LETTER.match(answer) and "\n" not in answer):
        return _read_choice(answer, choices)
    for choice in choices or ():
        if normalize(choice) == normalize(answer):
            return choice
    return None


def _choice_by_words(answer: str, choices: Sequence[str]) -> str | None:
    sentence = _first_sentence(answer)
    for same in (normalize, _loosened):
        for choice in choices:
            if same(choice) and same(choice) in (same(sentence), same(answer)):
                return choice
    mentioned = _mentions(sentence, choices)
    return mentioned[0] if len({normalize(choice) for choice in mentioned}) == 1 else None


def _mentions(text: str, choices: Sequence[str]) -> list[str]:
    """List the different choices that a text names, in order; ``sea`` in ``sea world`` is none."""
    distinct = {normalize(choice): choice for choice in reversed(choices) if normalize(choice)}
    shown = normalize(text)
    # Compiling a pattern costs more than looking; most choices are nowhere in the text.
    ordered = sorted((form for form in distinct if form in shown), key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w){re.escape(form)}(?:e?s)?(?!\w)" for form in ordered)
    found: dict[str, None] = {}
    for match in re.finditer(pattern, shown) if pattern else ():
        form = next(form for form in ordered if match[0].startswith(form))
        found[form] = None
    return [distinct[form] for form in found]


@dataclass(frozen=True)
class _Labels(_Choice):
    """One of a fixed set that each record carries in its ``choices``."""

    name: str = "labels"

    def state(self, label: str, choices: Choices = None) -> str:
        return f"So the answer is {label}."


@dataclass(frozen=True)
class _Text:
    """Any short text."""

    name: str = "text"

    def parse(self, text: str, choices: Choices = None) -> Answer:
        return _parse(text, lambda answer: _first_sentence(answer) or None, _read_bare_text)

    def is_equal(self, left: str | None, right: str | None) -> bool:
        return left is not None and right is not None and normalize(left) == normalize(right)

    def is_valid(self, label: str | None, choices: Choices = None) -> bool:
        return bool(label and normalize(label))

    def state(self, label: str, choices: Choices = None) -> str:
        return f"The answer is {label}."

    def supported(self, rationale: str, choices: Choices = None) -> str | None:
        return self.parse(rationale).label if _CUE.search(rationale) else None


def _read_bare_text(answer: str) -> str | None:
    """Take one line of one sentence; anything longer is reasoning that reached no answer."""
    is_short = "\n" not in answer and _SENTENCE_END.search(answer) is None
    return (_first_sentence(answer) or None) if is_short else None


@dataclass(frozen=True)
class _Equation:
    """An arithmetic expression or a number; equal where the exact values are."""

    name: str = "equation"

    def parse(self, text: str, choices: Choices = None) -> Answer:
        return _parse(text, _read_equation, _read_bare_equation)

    def is_equal(self, left: str | None, right: str | None) -> bool:
        if left is None or right is None:
            return False
        first, second = parse_expression(left), parse_expression(right)
        return first is not None and second is not None and first.value == second.value

    def is_valid(self, label: str | None, choices: Choices = None) -> bool:
        return label is not None and parse_expression(label) is not None

    def state(self, label: str, choices: Choices = None) -> str:
        found = parse_expression(label)
        return f"The answer is {found.bracketed() if found else label}."

    def supported(self, rationale: str, choices: Choices = None) -> str | None:
        label = self.parse(rationale).label if _CUE.search(rationale) else None
        if label is not None:
            return label
        found = [expression.text for expression in find_expressions(rationale)]
        return found[-1] if found else None


# A unit says nothing about the value; these words do.
_UNIT = re.compile(
    r"(?<=[\d)])((?:\s+(?!(?:and|or|to|plus|minus|times|over|hundred|thousand|million|billion"
    r"|dozens?|percent|half)\b)[A-Za-z]{2,})+)(?=\s*(?:[^\w\s]|$))"
)


def _read_equation(answer: str) -> str | None:
    sentence = re.split(r"\.(?=\s)", answer, maxsplit=1)[0]
    sentence = re.sub(r"^[A-Za-z]\s*=\s*(?=[\d($-])", "", sentence.replace("\\", "").strip(" .!"))
    if len(sentence) > 400:
        return None
    found = parse_expression(sentence) or parse_expression(_UNIT.sub("", sentence))
    return found.text if found else None


def _read_bare_equation(answer: str) -> str | None:
    found = parse_expression(answer)
    return found.text if found else None


_TASKS: dict[str, Task] = {task.name: task for task in (_Choice(), _Labels(), _Equation(), _Text())}

TASK_NAMES = tuple(_TASKS)


def task_named(name: str) -> Task:
    """Look a task up.

    Raises:
        UsageError: there is no such task.
    """
    if name not in _TASKS:
        raise UsageError(f'no task "{name}"', hint=f"tasks: {', '.join(_TASKS)}")
    return _TASKS[name]


def task_of(record: Mapping[str, Any], override: str | None = None) -> Task:
    """Decide a record's task: the override, else what it says, else choice where it has choices."""
    name = override or record.get("task") or ("choice" if record.get("choices") else "text")
    return task_named(name)
