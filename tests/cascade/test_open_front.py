"""What stands before the teacher, by the options."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.annotate.notices import Notices
from mitools.annotate.options import AnnotateOptions
from mitools.cascade.open_front import open_front
from mitools.cascade.options import CascadeOptions
from mitools.cascade.selection import Selection
from mitools.cascade.sure_answers import SureAnswers
from mitools.errors import UsageError
from mitools.operating.point import OperatingPoint

TEACHER = AnnotateOptions(teacher="demo")


def test_the_options_choose_the_front(folder: Path) -> None:
    assert open_front(CascadeOptions(), TEACHER) is None
    at_random = open_front(CascadeOptions(random=3), TEACHER)
    assert isinstance(at_random, Selection)
    assert at_random.student is None
    assert isinstance(open_front(CascadeOptions(student=str(folder)), TEACHER), SureAnswers)
    with pytest.raises(UsageError):
        open_front(CascadeOptions(least_sure=3), TEACHER)


def test_the_least_sure_need_no_operating_point(folder: Path) -> None:
    (folder / "operating_point.json").unlink()
    front = open_front(CascadeOptions(student=str(folder), least_sure=3), TEACHER)
    assert isinstance(front, Selection)
    assert front.student is not None


def test_a_point_about_the_teacher_says_so(folder: Path) -> None:
    OperatingPoint(target=0.9, risk=0.1, threshold=0.8, reference="teacher").save(folder)
    notes: list[str] = []
    open_front(CascadeOptions(student=str(folder)), TEACHER, Notices(notes.append))
    assert notes == ["the operating point states agreement with the teacher, not accuracy"]
    open_front(CascadeOptions(student=str(folder), threshold=0.5), TEACHER, Notices(notes.append))
    assert len(notes) == 1


@pytest.mark.parametrize(("threshold", "expected"), [(None, 1), (0.5, 0)])
def test_the_task_is_compared_where_the_threshold_is_that_of_the_point(
    folder: Path, threshold: float | None, expected: int
) -> None:
    warnings: list[str] = []
    cascade = CascadeOptions(student=str(folder), threshold=threshold)
    front = open_front(cascade, TEACHER, Notices(on_warning=warnings.append))
    assert front is not None
    assert len([*front.route(iter([{"id": "1", "input": "2 and 3?", "task": "text"}]))]) == 1
    assert len(warnings) == expected
