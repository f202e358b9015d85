"""How a trained student answers: chosen when the last step is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mitools.asking.answering import WAYS, settle
from mitools.asking.named import mention_of
from mitools.asking.readings import has_both
from mitools.asking.weight import count_right, fit_readings, read_records
from mitools.bounds import OWN
from mitools.records import parse_line
from mitools.student.protocol import can_conclude
from mitools.train.drawn import draw

if TYPE_CHECKING:
    from datasets import Dataset

    from mitools.student.codec import Codec
    from mitools.student.local import LocalStudent

__all__ = ["FEWEST_RECORDS", "WEIGHT_RECORDS", "choose_answer"]

WEIGHT_RECORDS = 200
"""The most validation records that the weight of the two readings is fitted on: each costs a
rationale, and the weight is one number. They are drawn by :func:`mitools.train.drawn.draw`."""

FEWEST_RECORDS = 10
"""With fewer records that determine it, no weight is saved, and the first reading answers alone."""

_LEAST_SHARE = 0.5
"""With fewer of the teacher's rationales that name a choice, those of the student are not asked."""


def choose_answer(
    student: LocalStudent, rows: Dataset, note: Callable[[str], None]
) -> dict[str, Any]:
    """Choose how a student answers, and fit the weight of its two readings, on validation records.

    Both are saved with the student, so that each stage answers in the same way. A student that
    gives no label behind its rationale reads one in what the rationale names, where records have
    choices; the weight is saved, and makes both readings the default, if this one adds to the
    predict pass. A student that does give that label answers with the choice that its
    rationale names, where records have choices, unless this is right less often on these records
    than both readings.

    Args:
        student: the trained student.
        rows: validation records; see :mod:`mitools.train.tokenized`.
        note: receives what is done and what was found, one sentence each.

    Returns:
        ``answer_weight`` with ``value`` and ``fitted_on``, and ``answer``, fields of the student's
        metadata. Empty for a student with one reading, where fewer than :data:`FEWEST_RECORDS`
        records determine the weight, and where the second reading adds nothing.
    """
    if not has_both(student.metadata):
        return {}
    concludes = can_conclude(student.metadata)

    def read() -> Iterator[dict[str, Any]]:
        for line, ids in zip(rows["record"], rows["rationale_target"], strict=True):
            record = parse_line(line, bounds=OWN)
            if record["label"] is not None and (concludes or record.get("choices")):
                yield {"id": record["id"], "input": record["input"], "record": record, "ids": ids}

    drawn = list(draw(read, WEIGHT_RECORDS))
    records = [one["record"] for one in drawn]
    names = all(one.get("choices") for one in records) and _name_choices(student.codec, drawn)
    if not concludes and not names:
        return {}
    note(f"fitting the weight of both readings on {len(records):,} validation records")
    pairs = read_records(student, records)
    fit = fit_readings(pairs)
    if fit.records < FEWEST_RECORDS:
        few = f"{fit.records} of these records determine it, fewer than {FEWEST_RECORDS}"
        note(f'{few}, so the first reading answers alone unless "--answer" asks for both')
        return {}
    found: dict[str, Any] = {}
    if concludes or fit.adds:
        found["answer_weight"] = {"value": fit.weight, "fitted_on": fit.records}
    ways = [way for way in WAYS if (concludes or way != "conclude") and (names or way != "named")]
    right = {way: count_right(pairs, way, fit) for way in ways}
    if concludes and names and right["named"] >= right["both"]:
        found["answer"] = "named"
    default, _ = settle(None, 1, None, {**student.metadata, **found})
    counts = ", ".join(f"{way} {count:,}" for way, count in right.items())
    note(f'of these records, right by "--answer": {counts}; {default} is the default')
    return found


def _name_choices(codec: Codec, drawn: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether most of the teacher's rationales name a choice, as the student's will."""
    named = sum(mention_of(one["record"], codec.decode(one["ids"])) is not None for one in drawn)
    return bool(drawn) and named >= _LEAST_SHARE * len(drawn)
