"""Answers of a student and of its export, compared.

Both decode greedily. The texts must be equal for a share of the records, and where they are, the
probabilities must be close: those of whole labels, and those per token of rationales.

A rationale has many tokens, and a single close call between two of them changes all that follow. So
rationales may also differ where that is rare for each token: the share of equal texts would fall
with their length, whatever the export is like.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from mitools.errors import StudentError
from mitools.export.options import Quantization
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
        tokens_to_differ: smallest number of tokens, up to the first that differs, for each
            rationale that differs.
    """

    share_equal: float
    mean_difference: float
    largest_difference: float
    tokens_to_differ: int

    def widened(self, slack: float) -> Tolerance:
        """Allow a further difference of probability."""
        return replace(
            self,
            mean_difference=self.mean_difference + slack,
            largest_difference=self.largest_difference + slack,
        )


EXACT = Tolerance(1.0, 1e-3, 1e-3, 1000)
"""Of weights in float32: other kernels add in another order."""

QUANTIZED = Tolerance(0.9, 0.05, 1.0, 50)
"""Of rounded weights: labels and tokens that were close calls may change."""


@dataclass(frozen=True)
class Agreement:
    """How alike a student and its export answered one task.

    Attributes:
        records: number of records.
        equal: number of records with equal texts.
        mean_difference: mean difference of the probability of equal texts, of rationales per token;
            0 if there are none.
        largest_difference: largest of these differences.
        first_difference: input, text of the student and text of the export where they first differ.
        task: what was asked for.
        tokens: number of tokens compared: of each text, up to the first that differs.
        also: the same of the student's other task, if it was trained.
    """

    records: int
    equal: int
    mean_difference: float
    largest_difference: float
    first_difference: tuple[str, str, str] | None
    task: Purpose = "label"
    tokens: int = 0
    also: tuple[Agreement, ...] = ()

    def within(self, tolerance: Tolerance) -> bool:
        """Tell whether the texts of this task are alike enough."""
        differing = self.records - self.equal
        is_rare = self.task == "rationale" and (
            differing * tolerance.tokens_to_differ <= self.tokens
        )
        return (
            (is_rare or self.equal >= tolerance.share_equal * self.records)
            and self.mean_difference <= tolerance.mean_difference
            and self.largest_difference <= tolerance.largest_difference
        )

    def __str__(self) -> str:
        texts, what = _TEXTS[self.task]
        found = (
            f"{self.equal} of {self.records} {texts} are equal, with {what} that differ by "
            f"{self.mean_difference:.2g} on average and by at most {self.largest_difference:.2g}"
        )
        return "; ".join([found, *map(str, self.also)])

    def as_json(self) -> dict[str, Any]:
        """Return the figures, and those of the other task as ``also``."""
        left_out = ("first_difference", "also")
        found = {name: value for name, value in vars(self).items() if name not in left_out}
        return found | {"also": [one.as_json() for one in self.also]}


_TEXTS: dict[Purpose, tuple[str, str]] = {
    "label": ("answers", "probabilities"),
    "rationale": ("rationales", "probabilities per token"),
}


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
    gaps = []
    for i in equal:
        length = max(1, replies[i].tokens) if purpose == "rationale" else 1
        pair = (wanted[i] / length, replies[i].log_prob / length)
        gaps.append(abs(math.exp(pair[0]) - math.exp(pair[1])))
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
        task=purpose,
        tokens=sum(expected[i].tokens for i in equal)
        + sum(
            _count_to_differ(student, purpose, expected[i].text, replies[i].text) for i in differing
        ),
    )


def _count_to_differ(student: LocalStudent, purpose: Purpose, wanted: str, found: str) -> int:
    """Count the tokens of two texts up to the first that differs, and with it."""
    both = [ids for ids, _ in student.codec.encode_targets(purpose, [wanted, found])]
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(*both, strict=False)))) + 1


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


def check_agreement(
    agreement: Agreement, tolerance: Tolerance, title: str, quantize: Quantization = "none"
) -> None:
    """Refuse an export that answers differently.

    Args:
        agreement: of one task.
        tolerance: what is allowed.
        title: name of the runtime.
        quantize: type of the weights; the hint says what else to choose.

    Raises:
        StudentError: it is not within the tolerance.
    """
    if agreement.within(tolerance):
        return
    message = f"the export to {title} answers differently: {agreement}"
    if agreement.first_difference:
        text, wanted, found = (_short(part) for part in agreement.first_difference)
        verb = "answers" if agreement.task == "label" else "explains"
        message += f'; for "{text}" the student {verb} "{wanted}", the export "{found}"'
    raise StudentError(message, hint=f"nothing was written; {_INSTEAD[quantize]}")


_INSTEAD: dict[Quantization, str] = {
    "none": 'choose another target with "--to"',
    "float16": 'use "--quantize none", or choose another target with "--to"',
    "int8": 'use "--quantize float16" or "--quantize none", or choose another target with "--to"',
}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
