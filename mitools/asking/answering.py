"""Ways of answering by their names, and how one is chosen: no work, no numpy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mitools.errors import StudentError, UsageError

__all__ = ["EVEN", "PREDICT", "WAYS", "Answering", "Way", "draw_seed", "settle"]

Way = Literal["predict", "conclude", "both", "named"]
WAYS: tuple[Way, ...] = get_args(Way)

EVEN = 0.5
"""λ where nothing determines it."""


@dataclass(frozen=True, slots=True)
class Answering:
    """How answers are found.

    Attributes:
        way: the reading that the label comes from; ``named`` takes the label that the rationale
            names, ``both`` weighs the predict pass against the reading behind the rationale, or
            against what the rationale names where the student has no label behind it.
        draws: K, number of rationales that a label is read behind, or that name one; 1 takes the
            greedy rationale, more are drawn.
        weight: λ of ``both``, from 0 to 1; None fits it on the validation records.
        seed: seed of the draws.
    """

    way: Way = "predict"
    draws: int = 1
    weight: float | None = None
    seed: int = 0

    def check(self) -> None:
        """Check that the options of answering are valid and go together.

        Raises:
            UsageError: they do not; the message names the option.
        """
        if self.way not in WAYS:
            raise UsageError(f'--answer must be one of {", ".join(WAYS)}, not "{self.way}"')
        if self.draws < 1:
            raise UsageError(f"--draws must be at least 1, not {self.draws}")
        if self.weight is not None and not 0 <= self.weight <= 1:
            raise UsageError(f"--answer-weight must be between 0 and 1, not {self.weight:g}")
        if self.way == "predict" and self.draws > 1:
            hint = 'add "--answer named", "--answer conclude" or "--answer both"'
            raise UsageError("--draws needs answers that come from rationales", hint=hint)
        if self.way in ("predict", "named") and self.weight is not None:
            hint = 'add "--answer both"'
            raise UsageError("--answer-weight needs labels read after a rationale", hint=hint)


PREDICT = Answering()


def settle(
    way: Way | None, draws: int, weight: float | None, metadata: Mapping[str, Any]
) -> tuple[Way, float | None]:
    """Choose what a user left open about how a student answers.

    Args:
        way: None means the one that training chose; else both readings where training saved their
            weight, otherwise the predict pass: with a weight that few records determine, both can
            be worse than one.
        draws: K, number of rationales that a label is read behind.
        weight: λ of ``both``; None means the one that is saved with the student. It was fitted with
            one rationale a record, so it applies to ``draws = 1`` only.
        metadata: of the student.

    Returns:
        The way, and λ; None where it is not known.

    Raises:
        StudentError: training chose a way that is not known here.
    """
    saved = metadata.get("answer_weight")
    if way is None:
        way = metadata.get("answer") or ("predict" if saved is None else "both")
        if way not in WAYS:
            raise StudentError(
                f"the student answers by {way!r}, which this mitools does not know",
                hint='upgrade: "pip install -U mitools", or name a way: "--answer predict"',
            )
    if way == "both" and weight is None and draws == 1 and saved is not None:
        weight = float(saved["value"])
    return way, weight


def draw_seed(seed: int, record_id: str, number: int) -> int:
    """Return the seed of one draw of one record, whatever stands beside it: 0 to 2⁶³ - 1."""
    text = f"{seed}\0{number}\0{record_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1
