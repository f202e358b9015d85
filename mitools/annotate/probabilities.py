"""The probabilities of a teacher's answers, from the log-probabilities of its tokens.

The reader of the task says where in the completion the label stands. At the token where the label
begins, the server lists the most probable tokens of that position. Each of them is matched with the
choices: with their letters where the answer is a letter, and with the beginnings of their texts.
Where the token that was written begins several choices, the next one is looked at as well. So the
probabilities are those of the answer behind the text before it; a rationale that comes first is
part of that text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mitools.annotate.token_logprobs import Token
from mitools.reading.characters import cased, normalize
from mitools.reading.choices import LETTERS
from mitools.reading.in_place import LONGEST_LABEL, Start, find_choice
from mitools.reading.places import place_within
from mitools.tasks import Answer, forms_among

__all__ = ["DIGITS", "answer_probabilities"]

DIGITS = 6
"""Decimal digits of a probability in a record."""

_MOST_TOKENS = 64  # of one label
_LEAD = re.compile(r"[\s\"'`*_(\[{<:$\\]*")  # what may stand before a label within its token
_SPACE = re.compile(r"\s+")
_BEHIND_LETTER = re.compile(r"[\s)\]}>.:,;*_\"'`]|\Z")


def answer_probabilities(
    tokens: Sequence[Token], text: str, answer: Answer, choices: Sequence[str] | None
) -> dict[str, Any]:
    """Return the probability of an answer and, where there are choices, that of each.

    Args:
        tokens: all tokens that the model wrote, including its thoughts.
        text: the completion that was read.
        answer: what was read in it.
        choices: the possible answers; None if there is no set of them.

    Returns:
        ``confidence``, the probability of the label. With choices also ``choices``, probabilities
        that add up to 1, of which those that the server did not list are 0; and ``in_set_mass``,
        their sum before that. Empty where the label cannot be found among the tokens.
    """
    if not tokens or answer.label is None or answer.closest is None:
        return {}
    written = _Written.of(tokens)
    place = place_within(written.text, text, answer.closest)
    if place is None:
        return {}
    if not choices:
        return _of_text(written, place, answer.label)
    form = forms_among(choices)
    named = [place for place, choice in enumerate(choices) if form(choice) == form(answer.label)]
    start = find_choice(written.text, place, named, choices)
    if start is None:
        return {}
    masses: dict[str, float] = {}
    for choice, mass in zip(choices, _masses(written, start, choices), strict=True):
        masses[choice] = masses.get(choice, 0.0) + mass  # a list may hold a choice twice
    total, own = sum(masses.values()), masses[choices[named[0]]]
    # What the tokens say has to be what was read.
    if total <= 0 or own <= 0:
        return {}
    return {
        "confidence": round(own / total, DIGITS),
        "choices": {choice: round(mass / total, DIGITS) for choice, mass in masses.items()},
        "in_set_mass": round(min(1.0, total), DIGITS),
    }


@dataclass(frozen=True)
class _Written:
    """The tokens of a completion, and where each begins in their text.

    Attributes:
        begins: one place more than there are tokens; the last is the length of the text.
    """

    tokens: Sequence[Token]
    text: str
    begins: Sequence[int]

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> _Written:
        begins = [0]
        for token in tokens:
            begins.append(begins[-1] + len(token.text))
        return cls(tokens, "".join(token.text for token in tokens), begins)

    def token_at(self, place: int) -> int:
        """Return the index of the token with the character at a place."""
        return next(i for i, begin in enumerate(self.begins) if begin > place) - 1


def _of_text(written: _Written, place: tuple[int, int], label: str) -> dict[str, Any]:
    """Return the probability of all tokens of a label, where it first stands in its place.

    Reasons may stand behind it, also in the same sentence: "The answer is 7, because 3 + 4 = 7."
    """
    signs = [re.escape(sign) for sign in label[:LONGEST_LABEL] if not sign.isspace()]
    if not signs or len(label) > LONGEST_LABEL:
        return {}
    words = r"\s*".join(signs)
    patterns = (rf"(?<!\w)(?<!\d[.,]){words}(?!\w|[.,]\d)", words)
    tries = (re.compile(one, re.IGNORECASE).search(written.text, *place) for one in patterns)
    found = next(filter(None, tries), None)
    if found is None:
        return {}
    begin, end = found.span()
    first, last = written.token_at(begin), written.token_at(end - 1)
    log_prob = sum(token.log_prob for token in written.tokens[first : last + 1])
    return {"confidence": round(math.exp(log_prob), DIGITS)}


def _masses(written: _Written, start: Start, choices: Sequence[str]) -> list[float]:
    """Return the probability of each choice at the place where the label begins."""
    keeps_case = bool(forms_among(choices).written)
    forms = [cased(choice) if keeps_case else normalize(choice) for choice in choices]
    masses = [0.0] * len(choices)
    first = written.token_at(start.place)
    behind, weight = "", 1.0
    for index in range(first, min(len(written.tokens), first + _MOST_TOKENS)):
        token = written.tokens[index]
        taken = _grown(behind, token.text, keeps_case=keeps_case)
        going_on = 0.0
        for text, mass in token.alternatives().items():
            piece = _grown(behind, text, keeps_case=keeps_case)
            if piece == taken:
                going_on += mass
            else:
                _share(masses, _matches(piece, forms, start), weight * mass)
        weight *= min(1.0, going_on)
        # A part of a character, or white space, is not yet a beginning.
        matches = _matches(taken, forms, start)
        is_last = index + 1 == len(written.tokens)
        if is_last and taken in forms:
            matches = [forms.index(taken)]
        if taken and (len(matches) < 2 or is_last):
            _share(masses, matches, weight)
            return masses
        behind = taken
    return masses


def _grown(behind: str, text: str, *, keeps_case: bool) -> str:
    """Append a token to what was written of a label, in the form of :func:`normalize`.

    Case is kept where it is all that tells two choices apart.
    """
    if not behind:
        text = text[_lead_end(text) :]
    grown = f"{behind}{text}"
    return _SPACE.sub(" ", grown if keeps_case else grown.casefold())


def _lead_end(text: str) -> int:
    match = _LEAD.match(text)
    return match.end() if match else 0


def _share(masses: list[float], matches: Sequence[int], mass: float) -> None:
    """Add a probability to the choices that a text begins, in equal parts."""
    for index in matches:
        masses[index] += mass / len(matches)


def _matches(piece: str, forms: Sequence[str], start: Start) -> list[int]:
    """Return the choices that a text begins, or names and goes on behind."""
    if not piece:
        return []
    if start.by_letter and _BEHIND_LETTER.match(piece, 1):
        index = ord(piece[0].lower()) - ord("a") if piece[0].isascii() else -1
        if 0 <= index < min(len(forms), LETTERS):
            return [index]
    begun = [i for i, form in enumerate(forms) if form.startswith(piece)]
    if begun:
        return begun
    named = [i for i, form in enumerate(forms) if form and _names(piece, form)]
    longest = max((len(forms[i]) for i in named), default=0)
    return [i for i in named if len(forms[i]) == longest]


def _names(piece: str, form: str) -> bool:
    behind = piece[len(form) : len(form) + 1]
    return piece.startswith(form) and not (behind.isalnum() or behind == "_")
