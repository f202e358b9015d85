"""The figures of the page, from counted views and summaries."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mitools.explain.build_view import view_of
from mitools.explain.page.figures import FigureSource, provenance_of
from mitools.explain.page.summarize import ViewSummarizer
from mitools.explain.second_student import LabelChanges
from tests.explain.page.pages import choice


def source(runs: int = 2, **more: Any) -> FigureSource:
    """Figures of runs with the answers of :func:`choice`, on 30 records."""
    keys = ["student", "second", "third"][:runs]
    folds = {who: ViewSummarizer(who) for who in keys}
    changes = {who: LabelChanges() for who in keys[1:]}
    for index in range(30):
        others = [choice(index + shift, id=f"cqa-{index:03}") for shift in range(1, runs)]
        view = view_of(choice(index), others=others)
        for who, fold in folds.items():
            fold.add(view, view.side(who), {})
        for who, one in changes.items():
            one.add(view.side(who))
    names = dict(zip(keys, ["mi", "dss", "label"], strict=False))
    return FigureSource(folds, more.get("summaries", {}), Counter(), changes, names, 0)


def test_each_run_has_its_figures_plots_and_changes_under_its_name() -> None:
    found = source(3).context()
    assert found["students"] == {"student": "mi", "second": "dss", "third": "label"}
    assert [figure.who for figure in found["cards"][0].figures] == ["student", "second", "third"]
    assert list(found["plots"]["reliability"]) == ["student", "second", "third"]
    assert [who for who, _, _ in found["plots"]["changes"]] == ["second", "third"]
    _, grid, sentences = found["plots"]["changes"][1]
    assert grid.rows[1][1][0].filter == "change-third=fixed"
    assert sentences[0].startswith("fixed ")


def test_the_main_figures_stay_above_the_records() -> None:
    titles = [card.title for card in source(1).context()["headline"]]
    assert titles[:2] == ["Accuracy", "Consistency"]
    assert "Teacher right" in titles


def test_a_reason_names_the_run() -> None:
    lost = {"value": None, "status": "undefined", "reason": "too few", "n": 0}
    summaries = {"second": {"association": {"cvi_net": lost}}}
    assert ("CVI beyond gold, dss", "too few") in source(summaries=summaries).context()["missing"]


def test_without_a_student_there_is_one_reason() -> None:
    fold = ViewSummarizer("student")
    fold.add(view_of({"id": "a", "input": "?"}), None, {})
    found = FigureSource({"student": fold}, {}, Counter(), {}, {"student": "student"}, 0).context()
    assert [name for name, _ in found["missing"]] == ["All figures of a student"]


def test_provenance_is_text_where_there_is_one() -> None:
    assert provenance_of({"student": {"provenance": {"a": "ä"}}, "second": {}}) == {
        "student": '{\n "a": "\\u00e4"\n}'
    }
