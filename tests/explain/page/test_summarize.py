"""Figures of a page: those of eval, computed or taken over."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

import mitools.explain.page.summarize as figures
from mitools.evaluate.measures.metric import as_json
from mitools.evaluate.score import scored
from mitools.evaluate.summary import SummaryBuilder
from mitools.explain.build_view import view_of
from mitools.explain.cards import cards
from mitools.explain.page.summarize import ViewSummarizer, doubts
from mitools.explain.summary_file import load_summary, metric_at, metrics_in
from mitools.tasks import task_of
from tests.explain.page.pages import choice, nli


def fold(records: list[dict[str, Any]]) -> ViewSummarizer:
    found = ViewSummarizer("student")
    for record in records:
        view = view_of(record)
        found.add(view, view.student, record.get("student") or {})
    return found


@functools.cache
def tally_of(name: str) -> dict[str, Any]:
    return tally(CHOICES if name == "choice" else LABELS)


def tally(records: list[dict[str, Any]]) -> dict[str, Any]:
    found = SummaryBuilder()
    for record in records:
        task = task_of(record)
        found.add(scored(record, task), task)
    summary: dict[str, Any] = as_json(found.summary(seed=0))
    return summary


CHOICES = [choice(index) for index in range(60)]
LABELS = [nli(index) for index in range(48)] + [nli(48, "maybe")]


@pytest.mark.parametrize("name", ["choice", "labels"])
def test_what_is_computed_is_what_eval_writes(name: str) -> None:
    ours = fold(CHOICES if name == "choice" else LABELS).summary(seed=0)
    theirs = tally_of(name)
    compared = 0
    for path, metric in metrics_in(ours):
        expected = metric_at(theirs, path)
        if expected is not None:
            assert {key: expected[key] for key in metric} == metric, path
            compared += 1
    assert compared >= 10


def test_above_a_size_there_are_the_same_values_without_resampled_intervals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = fold(CHOICES).summary(seed=0)["calibration"]
    monkeypatch.setattr(figures, "MAX_RESAMPLED", 10)
    quick = fold(CHOICES).summary(seed=0)["calibration"]
    assert quick.keys() == whole.keys()
    for name, metric in quick.items():
        assert metric["value"] == pytest.approx(whole[name]["value"], rel=1e-5), name
        assert ("null95" in metric) != ("no_interval" in metric)


def test_where_every_answer_is_right_ranking_is_undefined_at_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "MAX_RESAMPLED", 0)
    records = [choice(index) for index in (1, 2, 4)]
    assert fold(records).summary(seed=0)["calibration"]["auroc"]["status"] == "undefined"


def test_the_confusion_matrix_is_that_of_eval() -> None:
    found = fold(LABELS).confusion
    assert [
        {"gold": gold, "given": given, "n": n}
        for (gold, given), n in sorted(
            found.items(), key=lambda cell: (cell[0][0], cell[0][1] or "")
        )
    ] == tally_of("labels")["confusion"]


def test_a_summary_stands_in_for_what_would_be_computed() -> None:
    given = {"calibration": {"mine": {"value": 1, "status": "ok"}}, "extra": 3}
    found = fold(CHOICES).summary(0, given)
    assert found["calibration"] == given["calibration"]
    assert metric_at(found, "label.accuracy") is not None
    assert metric_at(found, "teacher.agrees") is not None


def test_without_a_student_the_teacher_alone_is_judged() -> None:
    records = [{**choice(index), "student": None} for index in range(4)]
    found = fold(records)
    assert not found.has_answers
    assert list(found.summary(0)) == ["teacher"]
    ((card,), _) = cards({"student": found.summary(0)})
    assert (card.title, card.figures[0].value, card.figures[0].who) == (
        "Teacher right",
        "100.0%",
        "teacher",
    )


def test_students_go_by_their_own_names() -> None:
    assert fold(CHOICES).name == "student@0123456789ab"
    assert fold([choice(1, student={"label": "sea"})]).name == "student"
    mixed = [choice(1), choice(2, student={"label": "sea", "model": "other"}), choice(4)]
    assert fold(mixed).name == "student@0123456789ab and others"


# Figures of eval


def test_a_summary_of_eval_is_read_whole() -> None:
    summary = tally_of("choice")
    assert load_summary(json.dumps(summary).encode(), "figures.json") == summary


def test_figures_of_other_records_are_doubted() -> None:
    summary, own = tally_of("choice"), fold(CHOICES)
    assert list(doubts(summary, own, 60)) == []
    assert list(doubts(summary, fold(CHOICES[:20]), 20)) == [
        "the figures are of 60 records; this page has 20"
    ]
    others = fold([choice(3 * index) for index in range(60)])
    (doubt,) = doubts(summary, others, 60)
    assert "not of these records" in doubt
    assert list(doubts({}, own, 60)) == []
