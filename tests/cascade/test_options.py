"""Options of a student before the teacher, and what does not go together."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.cascade.options import CascadeOptions
from mitools.errors import UsageError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"least_sure": 3, "random": 3, "student": "x"}, "--least-sure and --random exclude"),
        ({"random": 3, "student": "x"}, "--random chooses records without a student"),
        ({"least_sure": 3}, "--least-sure needs a student"),
        ({"spreads": False, "random": 3}, "--no-spread is for --least-sure"),
        ({"threshold": 0.5}, "--threshold needs a student"),
        ({"student_price": 1.0}, "--student-price needs a student"),
        ({"student": "x", "least_sure": 3, "threshold": 0.5}, "so it needs no --threshold"),
        ({"student": "x", "threshold": 1.5}, "--threshold must be between 0 and 1, not 1.5"),
        ({"student": "x", "threshold": float("nan")}, "--threshold must be between 0 and 1"),
        ({"student": "x", "least_sure": 0}, "--least-sure must be at least 1, not 0"),
        ({"random": 0}, "--random must be at least 1, not 0"),
        ({"student": "x", "batch_size": 0}, "--batch-size must be at least 1, not 0"),
        ({"student": "x", "tokens_per_batch": 0}, "--tokens-per-batch must be at least 1"),
        ({"student": "x", "student_price": -1.0}, "--student-price must be at least 0, not -1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CascadeOptions(**given).check()


def test_what_the_options_ask_for() -> None:
    plain = CascadeOptions()
    plain.check()
    assert (plain.answers, plain.chosen) == (False, None)
    sure = CascadeOptions(student="x", threshold=0.5, student_price=0.4)
    sure.check()
    assert (sure.answers, sure.chosen) == (True, None)
    least = CascadeOptions(student="x", least_sure=5)
    least.check()
    assert (least.answers, least.chosen) == (False, 5)
    assert CascadeOptions(random=7).chosen == 7
