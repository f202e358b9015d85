"""From calibration records to an operating point, with and without gold."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mitools.evaluate.operating.calibrate import Answers, Calibration, Target, reference_label
from mitools.evaluate.options import EvalOptions
from mitools.operating.point import OperatingPoint
from mitools.records import Record
from mitools.tasks import task_of

TARGET = Target(0.9, 0.1)


def answered(number: int, *, right: bool, confidence: float, **more: Any) -> Record:
    return {
        "id": str(number),
        "input": f"q{number}",
        "task": "equation",
        "label": "1",
        "split": "valid",
        "student": {"label": "1" if right else "2", "confidence": confidence},
        **more,
    }


def mixed(n: int = 100, **more: Any) -> list[Record]:
    """Sure answers that are right, and unsure ones that are wrong."""
    return [
        answered(number, right=number % 2 == 0, confidence=0.9 - 0.5 * (number % 2), **more)
        for number in range(n)
    ]


def choose(records: list[Record], **options: Any) -> tuple[OperatingPoint, list[str]]:
    calibration = Calibration(EvalOptions(target_accuracy=0.9, risk=0.1, **options).roles)
    for record in records:
        calibration.add(record, task_of(record))
    point = calibration.choose(TARGET, Answers(student="abc"))
    return point, calibration.notes


def test_the_point_holds_what_it_was_chosen_on() -> None:
    point, notes = choose(mixed())
    assert (point.threshold, point.records, point.answered, point.right) == (0.9, 100, 50, 50)
    assert (point.target, point.risk, point.student) == (0.9, 0.1, "abc")
    assert (point.reference, point.task, point.calibrated_on) == ("gold", "equation", "valid")
    assert len(point.data_hash) == 32
    assert notes == []
    assert choose(mixed()[::-1])[0] == point
    assert choose(mixed(98))[0].data_hash != point.data_hash


def test_other_records_do_not_count() -> None:
    records = mixed()
    others = [{**record, "split": split} for record in mixed() for split in ("train", "test")]
    assert choose(records + others) == choose(records)


def test_without_gold_the_teacher_is_the_reference_and_this_is_said() -> None:
    records = mixed(label=None, teacher={"label": "1"})
    point, (note,) = choose(records)
    assert (point.reference, point.threshold, point.answered) == ("teacher", 0.9, 50)
    assert "agreement with the teacher, not for accuracy" in note


def test_with_some_gold_only_the_records_with_gold_count() -> None:
    taught = mixed(label=None, teacher={"label": "2"})
    point, notes = choose([*mixed(), *taught])
    assert (point.reference, point.records, notes) == ("gold", 100, [])


def test_gold_that_the_task_cannot_read_is_not_gold() -> None:
    record = answered(0, right=True, confidence=0.9, label="about one")
    assert reference_label(record, task_of(record), "gold") is None
    assert reference_label({**record, "label": "1.0"}, task_of(record), "gold") == "1.0"
    assert reference_label(record, task_of(record), "teacher") is None
    for by, label in (("teacher", "2"), ("student", None)):  # a student is not its own reference
        taught = {**record, "teacher": {"label": "2", "by": by}}
        assert reference_label(taught, task_of(record), "teacher") == label


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], 'no record of the split "valid"'),
        (mixed(label=None), 'no record of the split "valid"'),
        (mixed(10), "too few for 0.9 at risk 0.1; at least 22 answers are needed"),
        (
            [answered(n, right=n % 2 > 0, confidence=0.5) for n in range(80)],
            "40 of 80 answers are right (50.0%), which does not prove it",
        ),
    ],
    ids=["none", "no reference", "too few", "too weak"],
)
def test_why_there_is_no_threshold_and_what_would_help(records: list[Record], words: str) -> None:
    point, (note,) = choose(records)
    assert point.threshold is None
    assert words in note
    assert "add " in note


def test_a_fitted_confidence_is_fitted_on_the_half_that_chooses_nothing() -> None:
    rng = random.Random(1)
    records = [
        answered(n, right=rng.random() < 0.97, confidence=rng.uniform(0.5, 1)) for n in range(400)
    ]
    point, notes = choose(records, confidence="scaled")
    assert notes == []
    assert point.confidence == "scaled"
    assert point.temperature is not None
    assert 150 < point.records < 250
    roles = EvalOptions(target_accuracy=0.9, confidence="scaled").roles
    altered = [
        {**one, "student": {**one["student"], "label": "3"}} if roles.calibrates(one) else one
        for one in records
    ]
    assert choose(altered, confidence="scaled")[0].temperature == point.temperature


def test_a_confidence_that_cannot_be_fitted_is_replaced_by_the_plain_one() -> None:
    point, notes = choose(mixed(30), confidence="combined")
    assert point.confidence == "label"
    assert any('"combined" is replaced by "label": only' in note for note in notes)
    assert not point.rationales  # the plain one reads none


def test_one_record_of_each_group_chooses() -> None:
    single = [answered(n, right=True, confidence=0.9 - n / 1000) for n in range(20)]
    tenfold = [
        {**one, "id": f"{n}-{copy}", "input": f"q{n}, wording {copy}", "group": f"g{n}"}
        for n, one in enumerate(single)
        for copy in range(10)
    ]
    point, notes = choose(tenfold)
    assert point.records == 20
    assert point.threshold is None  # 22 right answers would be needed
    assert "are of 20 groups or repeated inputs" in notes[0]
    assert "accuracy that is promised holds for one record of each" in notes[0]
    assert choose(tenfold[::-1])[0] == point
    assert choose([{**one, "group": None} for one in tenfold])[0].records == 200
    # A record of a group without a label leaves the others of it.
    unlabelled = [{**one, "label": None} if n % 10 else one for n, one in enumerate(tenfold)]
    assert choose(unlabelled)[0].records == 20


def test_groups_of_one_record_change_nothing() -> None:
    point, notes = choose([{**one, "group": f"g{n}"} for n, one in enumerate(mixed())])
    assert (point.threshold, point.records, notes) == (0.9, 100, [])


def test_records_with_the_same_input_choose_as_one() -> None:
    once = [answered(n, right=True, confidence=0.9) for n in range(20)]
    copies = [{**one, "id": f"{n}-{copy}"} for n, one in enumerate(once) for copy in range(3)]
    point, notes = choose(copies)
    assert (point.records, point.threshold) == (20, None)
    assert "the 60 records to choose it on are of 20 groups or repeated inputs" in notes[0]
    assert choose(copies[::-1])[0] == point
    # A group counts before an input, and is not mixed up with an input of its name.
    grouped = [{**one, "group": f"q{n % 30}"} for n, one in enumerate(copies)]
    assert choose(grouped)[0].records == 30
    assert choose([*grouped, *once])[0].records == 50


def test_copies_of_answers_do_not_raise_the_risk() -> None:
    """A student just below the target; each question is there three times."""
    granted = 0
    for seed in range(60):
        rng = random.Random(seed)
        rights = [rng.random() < 0.89 for _ in range(60)]
        records = [
            answered(n, right=right, confidence=0.8)
            for n, right in enumerate(rights)
            for _ in "abc"
        ]
        granted += choose(records)[0].threshold is not None
    assert granted <= 0.1 * 60
