"""The facts at the top of a page."""

from __future__ import annotations

from mitools.explain.build_view import view_of
from mitools.explain.page.facts import RecordFacts, compared
from mitools.explain.second_student import LabelChanges
from tests.explain.page.pages import choice


def test_tasks_splits_and_unusual_students_are_told() -> None:
    facts = RecordFacts()
    for index in range(3):
        facts.add(view_of(choice(index)), {"trained": ["label"], "order": "rationale-label"})
    assert list(facts.lines()) == [
        ("task", "choice"),
        ("splits", "valid, test"),
        ("student trained on", "label only"),
        ("student decodes", "rationale, then label"),
    ]


def test_a_comparison_is_told_with_its_interval() -> None:
    changes = LabelChanges()
    assert list(compared(changes, 0)) == []
    changes.counts.update(fixed=9, broken=1, both_right=10)
    first, second = compared(changes, 0)
    assert first.startswith("fixed 9, broken 1, both right 10, both wrong 0; exact McNemar p = ")
    assert second.startswith("accuracy +40.0 points (+")
    assert "detectable" in second


def test_equal_students_promise_no_smallest_difference() -> None:
    changes = LabelChanges()
    changes.counts.update(both_right=10, both_wrong=5)
    _, second, note = compared(changes, 0)
    assert second == "accuracy +0.0 points (+0.0 to +0.0) on 15 records"
    assert note.startswith("the two are alike on all 15 items")
