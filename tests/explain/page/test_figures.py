"""Figures of a page: those of eval, computed or taken over."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

import mitools.explain.page.figures as figures
from mitools.errors import DataError
from mitools.evaluate.score import scored
from mitools.evaluate.summary import Tally, as_json
from mitools.explain.cards import all_figures, cards
from mitools.explain.judge import view_of
from mitools.explain.page.figures import Fold, doubts
from mitools.explain.summaries import load_summary, metric_at, metrics_in
from mitools.tasks import task_of
from tests.explain.page.pages import choice, nli


def fold(records: list[dict[str, Any]]) -> Fold:
    found = Fold("student")
    for record in records:
        view = view_of(record)
        found.add(view, view.student, record.get("student") or {})
    return found


@functools.cache
def tally_of(name: str) -> dict[str, Any]:
    return tally(CHOICES if name == "choice" else LABELS)


def tally(records: list[dict[str, Any]]) -> dict[str, Any]:
    found = Tally()
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


# Summaries from elsewhere


def metric(**more: Any) -> dict[str, Any]:
    return {"value": 0.5, "ci95": [0.4, 0.6], "n": 9, "status": "ok", "reason": None, **more}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not valid JSON"),
        (b"\xff", "is not valid JSON"),
        (b"[" * 99_999, "is not valid JSON"),
        (b"[]", "is no summary of a student"),
        (b"3", "is no summary of a student"),
        (b"{}", "is no summary of a student"),
        (b'{"id": "x", "input": "?"}', "is no summary of a student"),
        (json.dumps({"a": {"b": metric(value="1")}}).encode(), '"a.b.value" is no figure'),
        (json.dumps({"a": {"b": metric(value=True)}}).encode(), '"a.b.value" is no figure'),
        (json.dumps({"a": metric(ci95=[1])}).encode(), '"a.ci95" is no figure'),
        (json.dumps({"a": metric(null95=[None, 1])}).encode(), '"a.null95" is no figure'),
        (
            json.dumps({"a": metric(permuted_cvi=[1, "x"])}).encode(),
            '"a.permuted_cvi" is no figure',
        ),
        (json.dumps({"a": metric(value=float("nan"))}).encode(), '"a.value" is no figure'),
    ],
)
def test_what_is_no_summary_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_summary(text, "figures.json")


def test_a_summary_of_eval_is_read_whole() -> None:
    summary = tally_of("choice")
    assert load_summary(json.dumps(summary).encode(), "figures.json") == summary


def test_figures_of_other_records_are_doubted() -> None:
    summary, own = tally_of("choice"), fold(CHOICES)
    assert list(doubts(summary, own, 60)) == []
    assert list(doubts(summary, fold(CHOICES[:20]), 20)) == [
        "the figures are those of 60 records; this page holds 20"
    ]
    others = fold([choice(3 * index) for index in range(60)])
    (doubt,) = doubts(summary, others, 60)
    assert "not those of these records" in doubt
    assert list(doubts({}, own, 60)) == []


# Cards


def test_a_card_says_value_interval_and_n() -> None:
    summary = {"label": {"accuracy": metric(unit="fraction", higher_is_better=True)}}
    ((card,), _) = cards({"student": summary})
    (figure,) = card.figures
    assert (card.title, card.direction) == ("Accuracy", "higher is better")
    assert (figure.value, figure.between, figure.n) == ("50.0%", "40.0 to 60.0", "n 9")
    assert figure.strip is not None
    assert (figure.strip.value, figure.strip.interval) == (50.0, (40.0, 60.0))


def test_a_band_of_chance_and_a_p_value_are_said() -> None:
    summary = {
        "calibration": {
            "ece_width": metric(unit="fraction", value=0.1, ci95=None, null95=[0.02, 0.08])
        },
        "association": {"cvi_net": metric(unit="bits", p_value=0.0004, value=-0.01)},
    }
    (net, ece), _ = cards({"student": summary})
    assert ece.figures[0].between == "2.0 to 8.0 by chance"
    assert ece.figures[0].strip is not None
    assert ece.figures[0].strip.null == (16.0, 64.0)
    assert (net.figures[0].value, net.figures[0].between) == (
        "-0.010 bits",
        "0.400 to 0.600, p < 0.001",
    )
    assert net.figures[0].strip is None


def test_two_students_share_a_card() -> None:
    first = {"label": {"accuracy": metric(unit="fraction")}}
    second = {"label": {"accuracy": metric(unit="fraction", value=0.75)}}
    ((card,), _) = cards({"student": first, "second": second})
    assert [(figure.who, figure.value) for figure in card.figures] == [
        ("student", "50.0%"),
        ("second", "75.0%"),
    ]


def test_a_measure_that_is_undefined_makes_no_card_and_says_why() -> None:
    summary = {
        "label": {"accuracy": metric(status="undefined", value=None, reason="no gold")},
        "calibration": {"auroc": metric(status="not_applicable", value=None, reason="never")},
    }
    found, missing = cards({"student": summary})
    assert found == []
    assert [(one.name, one.reason) for one in missing] == [
        ("Accuracy", "no gold"),
        ("AUROC", "never"),
    ]


def test_every_metric_is_listed_with_its_status_and_reason() -> None:
    summary = {
        "records": 3,
        "a": {"b_c": {"d": metric(unit="points")}},
        "e": metric(status="not_applicable", value=None, reason="it is so"),
    }
    rows = all_figures({"student": summary, "second": {"e": metric(unit="ratio")}})
    assert [(name, [(one.value, one.reason) for one in found]) for name, found in rows] == [
        ("a › b c › d", [("0.5", ""), ("", "")]),
        ("e", [("", "not applicable: it is so"), ("0.500", "")]),
    ]
