"""What a run with a student before the teacher is expected to cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mitools.annotate.dry_run import dry_run
from mitools.annotate.options import AnnotateOptions, Price
from mitools.cascade.ask_student import AskingStudent
from mitools.cascade.dry_run import asked_records, expected_lines, may_ask
from mitools.cascade.options import CascadeOptions
from mitools.cascade.sure_answers import SureAnswers
from mitools.records import Record
from tests.cascade.conftest import sums

OPTIONS = AnnotateOptions(model="m", price=Price(1, 1), max_tokens=50)


def lines(
    records: list[Record], cascade: CascadeOptions, options: AnnotateOptions = OPTIONS
) -> list[str]:
    done = dry_run(records, options, lambda record: may_ask(record, cascade))
    return expected_lines(done, cascade)


def test_the_coverage_of_the_operating_point_scales_the_estimate(folder: Path) -> None:
    own, theirs = lines(sums(40), CascadeOptions(student=str(folder)))
    assert own == (
        "the student answers about 75.0% of the rows by itself (its operating point, 200 records)"
    )
    assert theirs.startswith("about 10 rows go to the teacher: about 10 calls, $")
    whole = dry_run(sums(40), OPTIONS).estimate.expected.cost(OPTIONS.price)
    assert whole is not None
    assert theirs.endswith(f"${whole / 4:,.4f} expected")


def test_what_is_not_known_is_said(folder: Path) -> None:
    [line] = lines(sums(4), CascadeOptions(student=str(folder), threshold=0.5))
    assert line.endswith("--threshold is not known before it is asked")
    (folder / "operating_point.json").unlink()
    [line] = lines(sums(4), CascadeOptions(student=str(folder)))
    assert line.endswith("has no operating point, so its share is not known")
    assert lines(sums(4), CascadeOptions()) == []


def test_a_choice_counts_the_records_without_an_answer() -> None:
    records = [*sums(10), *({**record, "teacher": {"label": "1"}} for record in sums(5, 50))]
    [line] = lines(records, CascadeOptions(random=4))
    assert line.startswith("4 of these rows are chosen: about 4 calls, $")
    [line] = lines(records, CascadeOptions(random=99))
    assert line.startswith("10 of these rows are chosen: about 10 calls")
    assert lines(records[10:], CascadeOptions(random=4)) == [
        "every record has an answer: nothing is chosen"
    ]


def test_a_limit_counts_the_records_that_a_run_reads() -> None:
    answered = [{**record, "teacher": {"label": "1"}} for record in sums(5, 50)]
    options = replace(OPTIONS, limit=7)
    [line] = lines([*answered, *sums(10)], CascadeOptions(random=4), options)
    assert line.startswith("2 of these rows are chosen: about 2 calls, $")


@pytest.mark.parametrize(("limit", "numbers"), [(None, [1, 3, 5]), (4, [1, 3])])
def test_the_records_for_the_teacher_alone(
    asking: AskingStudent, limit: int | None, numbers: list[int]
) -> None:
    options = AnnotateOptions(model="m", limit=limit)
    found = asked_records(SureAnswers(asking, 2), sums(6), options)
    assert [record["id"] for record in found] == [f"r{number}" for number in numbers]
