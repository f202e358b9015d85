"""The probability of each choice, by scoring: each takes the place of the label in the reply.

Where the teacher wrote "So the answer is (b) sea.", the same reply is scored with ``a``, ``c`` and
so on in the place of ``b``. Where it wrote the words of the choice, the words are replaced. The
text before the label, with the rationale, stays as the teacher wrote it; thoughts outside the reply
are not part of it. So the probabilities are exact, also of choices that are not among the most
probable tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from mitools.annotate.probabilities import DIGITS, Start, find_choice
from mitools.annotate.protocol import Reply
from mitools.annotate.token_logprobs import Token
from mitools.tasks import Answer, forms_among, letter_of

__all__ = ["ScoredTexts", "score", "texts_to_score"]

_LETTERS = 26


@dataclass(frozen=True, slots=True)
class ScoredTexts:
    """The replies that name one choice each.

    Attributes:
        choices: the choice of each text; equal choices with letters of their own stand there twice.
        texts: the replies, at least two and different.
        own: index of the one that the teacher wrote.
    """

    choices: tuple[str, ...]
    texts: tuple[str, ...]
    own: int


def texts_to_score(text: str, answer: Answer, choices: Sequence[str] | None) -> ScoredTexts | None:
    """Write a reply with each choice in the place of the label.

    Args:
        text: the reply.
        answer: what was read in it.
        choices: the possible answers; None if there is no set of them.

    Returns:
        None where there is nothing to score: no choices, or no place of the label.
    """
    if not choices or answer.label is None or answer.place is None:
        return None
    form = forms_among(choices)
    named = [index for index, choice in enumerate(choices) if form(choice) == form(answer.label)]
    start = find_choice(text, answer.place, named, choices)
    if start is None or (start.by_letter and len(choices) > _LETTERS):
        return None
    written = text[start.place : start.end]
    kept = [*range(len(choices))] if start.by_letter else [*_first_of_equal(choices)]
    own = next((i for i, index in enumerate(kept) if _names(written, index, start, named)), None)
    if own is None or len(kept) < 2:
        return None
    forms = _forms(written, choices, kept, choices[kept[own]], start)
    texts = tuple(text[: start.place] + one + text[start.end :] for one in forms)
    return ScoredTexts(tuple(choices[index] for index in kept), texts, own)


def _first_of_equal(choices: Sequence[str]) -> Iterator[int]:
    """Yield the index of each choice, of equal ones that of the first."""
    seen: set[str] = set()
    form_of = forms_among(choices)
    for index, choice in enumerate(choices):
        form = form_of(choice)
        if form not in seen:
            seen.add(form)
            yield index


def _names(written: str, index: int, start: Start, named: Sequence[int]) -> bool:
    if start.by_letter:
        return written.lower() == letter_of(index)
    return index in named


def _forms(
    written: str, choices: Sequence[str], kept: Sequence[int], own: str, start: Start
) -> list[str]:
    """Write each choice as the teacher wrote its own: as a letter or in words, in the same case."""
    if start.by_letter:
        letters = [letter_of(index) for index in kept]
        return [letter.upper() if written.isupper() else letter for letter in letters]
    names = [choices[index] for index in kept]
    if written == own:
        return names
    for change in (str.lower, str.upper, _capitalized):
        if change(own) == written:
            return [change(name) for name in names]
    return [written if name == own else name for name in names]


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def score(texts: ScoredTexts, replies: Sequence[Reply]) -> dict[str, Any]:
    """Compute the probability of each choice from the tokens of the texts.

    Tokens that all texts begin with are left out, and so are those behind the first token that all
    texts have in common again: it shows where the choice ends.

    Args:
        texts: what was scored.
        replies: the reply to each.

    Returns:
        Fields as of :func:`~mitools.annotate.probabilities.answer_probabilities`; ``in_set_mass``
        is the probability of all choices together, behind the words that all of them begin with.
        Empty where the tokens cannot be used.
    """
    rows = [reply.tokens for reply in replies]
    if not all(rows):
        return {}
    log_probs = _log_probs(rows)
    if log_probs is None:
        return {}
    top = max(log_probs)
    weights = [math.exp(one - top) for one in log_probs]
    total = math.fsum(weights)
    shares: dict[str, float] = {}
    for choice, weight in zip(texts.choices, weights, strict=True):
        shares[choice] = shares.get(choice, 0.0) + weight / total
    mass = math.exp(min(0.0, top + math.log(total)))
    return {
        "confidence": round(shares[texts.choices[texts.own]], DIGITS),
        "choices": {choice: round(share, DIGITS) for choice, share in shares.items()},
        "in_set_mass": round(mass, DIGITS),
    }


def _log_probs(rows: Sequence[Sequence[Token]]) -> list[float] | None:
    """Add up the log-probabilities by which the texts differ; None if two texts do not differ."""
    keys = [[(token.text, token.number) for token in row] for row in rows]
    if len({tuple(row) for row in keys}) < len(rows):
        return None
    # The journal does not keep the tokens of the prompt, which are the same.
    known = max(next((i for i, (text, n) in enumerate(row) if text or n), 0) for row in keys)
    first = known + _common([row[known:] for row in keys])
    shortest = min(map(len, rows)) - first
    shared = min(shortest, _common([row[::-1] for row in keys]))
    ends = [len(row) - shared + min(shared, 1) for row in rows]
    return [
        math.fsum(token.log_prob for token in row[first:end])
        for row, end in zip(rows, ends, strict=True)
    ]


def _common(rows: Sequence[Sequence[Any]]) -> int:
    """Count the first items that are the same in all rows."""
    return sum(1 for _ in takewhile(lambda column: len({*column}) == 1, zip(*rows, strict=False)))
