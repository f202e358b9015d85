"""Answers of a student and of its export, compared.

Both decode greedily. The texts must be equal for a share of the records, and where they are, the
probabilities of the whole texts must be close.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mitools.errors import StudentError
from mitools.export.protocol import Reply
from mitools.student.layout import Purpose
from mitools.student.local import LocalStudent
from mitools.student.protocol import Generation

__all__ = ["EXACT", "QUANTIZED", "Agreement", "Tolerance", "check_agreement", "compare"]


@dataclass(frozen=True)
class Tolerance:
    """How much an export may differ.

    Attributes:
        share_equal: smallest share of records with equal texts, from 0 to 1.
        mean_difference: largest mean of the differences of probability, from 0 to 1.
        largest_difference: largest difference of probability, from 0 to 1.
    """

    share_equal: float
    mean_difference: float
    largest_difference: float

    def widened(self, slack: float) -> Tolerance:
        """Allow a further difference of probability."""
        return replace(
            self,
            mean_difference=self.mean_difference + slack,
            largest_difference=self.largest_difference + slack,
        )


EXACT = Tolerance(1.0, 1e-3, 1e-3)
"""Of weights in float32: other kernels add in another order."""

QUANTIZED = Tolerance(0.9, 0.05, 1.0)
"""Of rounded weights: labels that were close calls may change."""


@dataclass(frozen=True)
class Agreement:
    """How alike a student and its export answered.

    Attributes:
        records: number of records.
        equal: number of records with equal texts.
        mean_difference: mean difference of the probability of equal texts; 0 if there are none.
        largest_difference: largest of these differences.
        first_difference: input, text of the student and text of the export where they first differ.
    """

    records: int
    equal: int
    mean_difference: float
    largest_difference: float
    first_difference: tuple[str, str, str] | None

    def within(self, tolerance: Tolerance) -> bool:
        return (
            self.equal >= tolerance.share_equal * self.records
            and self.mean_difference <= tolerance.mean_difference
            and self.largest_difference <= tolerance.largest_difference
        )

    def __str__(self) -> str:
        return (
            f"{self.equal} of {self.records} answers are equal, with probabilities that differ by "
            f"{self.mean_difference:.2g} on average and by at most {self.largest_difference:.2g}"
        )

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "first_difference"}


def compare(
    student: LocalStudent,
    texts: Sequence[str],
    replies: Sequence[Reply],
    purpose: Purpose,
) -> Agreement:
    """Compare an export's replies with the student's.

    Args:
        texts: the inputs.
        replies: of the export, in their order.
        purpose: the task that was asked.
    """
    ask = student.generate_labels if purpose == "label" else student.generate_rationales
    expected = ask(texts)
    equal = [i for i, reply in enumerate(replies) if reply.text == expected[i].text]
    wanted = _log_probs(student, texts, replies, expected, purpose)
    gaps = [abs(math.exp(wanted[i]) - math.exp(replies[i].log_prob)) for i in equal]
    differing = sorted(set(range(len(texts))) - set(equal))
    first = None
    if differing:
        place = differing[0]
        first = (texts[place], expected[place].text, replies[place].text)
    return Agreement(
        records=len(texts),
        equal=len(equal),
        mean_difference=sum(gaps) / len(gaps) if gaps else 0.0,
        largest_difference=max(gaps, default=0.0),
        first_difference=first,
    )


def _log_probs(
    student: LocalStudent,
    texts: Sequence[str],
    replies: Sequence[Reply],
    expected: Sequence[Generation],
    purpose: Purpose,
) -> list[float]:
    """Return the student's log-probabilities, without end tokens where the export left them out."""
    found = [generation.log_prob for generation in expected]
    bare = [
        i
        for i, reply in enumerate(replies)
        if not reply.counts_end and not expected[i].is_truncated  # which has no end token either
    ]
    codec = student.codec
    prompts = [ids for ids, _ in codec.encode_prompts(purpose, [texts[i] for i in bare])]
    targets = codec.encode_targets(purpose, [expected[i].text for i in bare])
    bodies = [ids if is_cut else ids[:-1] for ids, is_cut in targets]
    for place, score in zip(bare, student.score_targets(prompts, bodies), strict=True):
        found[place] = score
    return found


def check_agreement(agreement: Agreement, tolerance: Tolerance, title: str) -> None:
    """Refuse an export that answers differently.

    Raises:
        StudentError: it is not within the tolerance.
    """
    if agreement.within(tolerance):
        return
    message = f"the export to {title} answers differently: {agreement}"
    if agreement.first_difference:
        text, wanted, found = (_short(part) for part in agreement.first_difference)
        message += f'; for "{text}" the student answers "{wanted}", the export "{found}"'
    hint = "nothing was written; choose another target, or quantize less"
    raise StudentError(message, hint=hint)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
