"""The probability of each choice, by scoring: each takes the place of the label in the reply.

Where the teacher wrote "So the answer is (b) sea.", the same reply is scored with ``a``, ``c`` and
so on in the place of ``b``. Where it wrote the words of the choice, the words are replaced. The
text before the label, with the rationale, stays as the teacher wrote it; thoughts outside the reply
are not part of it. So the probabilities are exact, also of choices that are not among the most
probable tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from mitools.annotate.probabilities import DIGITS
from mitools.annotate.protocol import Reply
from mitools.annotate.token_logprobs import Token
from mitools.reading.in_place import InPlace

__all__ = ["score"]


def score(texts: InPlace, replies: Sequence[Reply]) -> dict[str, Any]:
    """Compute the probability of each choice from the tokens of the texts.

    Tokens that all texts begin with are left out, and so are those behind the first token that all
    texts have in common again: it shows where the choice ends.

    Args:
        texts: the reply with each choice in the place of its label.
        replies: what was returned for each of its texts.

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
