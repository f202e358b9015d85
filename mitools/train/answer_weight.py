"""The weight of a trained student's two readings, fitted when the last step is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mitools.asking.named import mention_of
from mitools.asking.readings import has_both
from mitools.asking.weight import fit_student
from mitools.bounds import OWN
from mitools.records import parse_line
from mitools.student.protocol import can_conclude
from mitools.train.drawn import draw

if TYPE_CHECKING:
    from datasets import Dataset

    from mitools.student.codec import Codec
    from mitools.student.local import LocalStudent

__all__ = ["FEWEST_RECORDS", "WEIGHT_RECORDS", "fit_answer_weight"]

WEIGHT_RECORDS = 200
"""The most validation records that the weight of the two readings is fitted on: each costs a
rationale, and the weight is one number. They are drawn by :func:`mitools.train.drawn.draw`."""

FEWEST_RECORDS = 10
"""With fewer records that determine it, no weight is saved, and the first reading answers alone."""

_LEAST_SHARE = 0.5
"""With fewer of the teacher's rationales that name a choice, those of the student are not asked."""


def fit_answer_weight(
    student: LocalStudent, rows: Dataset, note: Callable[[str], None]
) -> dict[str, Any] | None:
    """Fit the weight of the two readings on validation records.

    It is saved with the student, so that each stage answers with the same one. A student that
    gives no label behind its rationale reads one in what the rationale names, where records have
    choices; that weight is only saved if this reading adds to the predict pass.

    Args:
        student: the trained student.
        rows: validation records; see :mod:`mitools.train.tokenized`.
        note: receives what is done and what was found, one sentence each.

    Returns:
        ``value`` and ``fitted_on``; None for a student with one reading, where fewer than
        :data:`FEWEST_RECORDS` records determine the weight, and where the second reading adds
        nothing.
    """
    if not has_both(student.metadata):
        return None
    concludes = can_conclude(student.metadata)

    def read() -> Iterator[dict[str, Any]]:
        for line, ids in zip(rows["record"], rows["rationale_target"], strict=True):
            record = parse_line(line, bounds=OWN)
            if record["label"] is not None and (concludes or record.get("choices")):
                yield {"id": record["id"], "input": record["input"], "record": record, "ids": ids}

    drawn = list(draw(read, WEIGHT_RECORDS))
    if not concludes and not _name_choices(student.codec, drawn):
        return None
    records = [one["record"] for one in drawn]
    note(f"fitting the weight of both readings on {len(records):,} validation records")
    fit = fit_student(student, records)
    if fit.records < FEWEST_RECORDS:
        few = f"{fit.records} of these records determine it, fewer than {FEWEST_RECORDS}"
        note(f'{few}, so the first reading answers alone unless "--answer" asks for both')
        return None
    if not concludes and not fit.adds:
        note("on these records the choices that rationales name add nothing to the label")
        return None
    if not concludes:
        note('the choices that rationales name add to the label: "--answer both" weighs them')
    return {"value": fit.weight, "fitted_on": fit.records}


def _name_choices(codec: Codec, drawn: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether most of the teacher's rationales name a choice, as the student's will."""
    named = sum(mention_of(one["record"], codec.decode(one["ids"])) is not None for one in drawn)
    return bool(drawn) and named >= _LEAST_SHARE * len(drawn)
