"""Panels: what probes, a judge and comparisons found, in words."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.evaluate.judge import judging
from mitools.evaluate.measures.simulatability import RATIONALE_EDITING
from mitools.evaluate.outcomes import MEASURES
from mitools.evaluate.probes.run import unasked_probes
from mitools.explain.cards import by_reason
from mitools.explain.panels import Panel, panels
from tests.explain.figures import metric, missing, probed, unprobed


def panel_named(title: str, summary: dict[str, Any]) -> Panel:
    return next(one for one in panels({"student": summary})[0] if one.title == title)


def told(panel: Panel) -> dict[str, tuple[str, str, str]]:
    return {row.name: (f.value, f.between, f.n) for row in panel.rows for f in row.figures}


def test_a_probe_has_value_interval_and_n() -> None:
    noise = panel_named("Noise in the input", probed())
    assert told(noise)["accuracy lost to noise"] == ("3.1 points", "-1.0 to 5.2", "n 200")
    cue = panel_named("Suggested wrong answer", probed())
    assert told(cue)["accuracy change by the cue"] == (
        "-25.0 points",
        "-30.0 to -20.0",
        "n 200",
    )
    words = panel_named("Attribution", probed())
    assert told(words)["attribution ρ above null"][0] == "+0.123"


def test_what_is_not_determined_has_its_reason() -> None:
    put_in = panel_named("Inserted word", probed())
    assert [(row.figures[0].value, row.figures[0].reason) for row in put_in.rows] == [
        ("0.0%", ""),
        ("", "none of 8 insertions changes a label"),
    ]


def test_a_judge_is_named_and_its_scores_counted() -> None:
    judge = panel_named("LLM judge", probed())
    assert told(judge)["judge's score"] == ("3.50 of 5", "3.20 to 3.80", "n 10")
    assert judge.notes == ("by gpt-x, shown 10 of 200 records",)
    assert judge.counts == (1, 1, 2, 4, 2)
    assert "judge prefers this student" not in told(judge)


def test_what_nobody_asked_for_is_missing_and_says_how_to_ask() -> None:
    shown, unknown = panels({"student": unprobed()})
    assert shown == []
    assert {one.name: one.is_unasked for one in unknown} == {
        "Noise in the input": True,
        "Attribution": True,
        "Inserted word": True,
        "Suggested wrong answer": True,
        "LLM judge": True,
    }
    assert any("--probe robustness" in one.reason for one in unknown)


def test_what_does_not_apply_is_missing_with_one_reason_for_all() -> None:
    why = "the student was trained to answer, not to explain"
    shown, unknown = panels({"student": unprobed("not_applicable", why)})
    assert shown == []
    found = dict((reason, names) for names, reason in by_reason(unknown) if reason == why)
    assert found == {
        why: "Noise in the input · Attribution · Inserted word · Suggested wrong answer"
    }
    assert [one.is_unasked for one in unknown] == [False] * 4 + [True]


def test_a_block_without_any_value_gives_each_reason_where_they_differ() -> None:
    cue = {
        "followed": missing("undefined", "no label could be suggested"),
        "accuracy_change": missing("undefined", "no record has a gold label"),
    }
    shown, unknown = panels({"student": {"probes": {"cue": cue}}})
    assert [row.figures[0].reason for row in shown[0].rows] == [
        "no label could be suggested",
        "no record has a gold label",
    ]
    assert unknown == []


def test_a_comparison_says_both_sides_and_p_after_holm() -> None:
    accuracy = metric(
        0.005, ci95=[-0.055, 0.06], ours=0.295, theirs=0.29, p_value=0.75, p_holm=1.0, note="few"
    )
    summary = {"comparison": {"records": 200, "unmatched": 3, "metrics": {"accuracy": accuracy}}}
    compared = panel_named("Compared with the baseline", summary)
    assert told(compared)["accuracy"] == (
        "+0.5 points",
        "-5.5 to +6.0, p = 0.750, 1.000 after Holm",
        "n 200",
    )
    assert compared.rows[0].beside == "29.0% → 29.5%; few"
    assert compared.notes == (
        "on 200 records that all runs have",
        "3 records are not in all runs and are left out",
    )


def test_several_runs_are_listed() -> None:
    summary = {"seeds": {"accuracy": metric(0.3, by_run=[0.29, 0.31])}}
    assert panel_named("Over training runs", summary).rows[0].beside == "by run: 29.0%, 31.0%"


def test_two_students_share_a_row_and_one_without_is_said_to_be_so() -> None:
    shown, unknown = panels({"student": probed(), "second": unprobed()})
    assert all({f.who for row in one.rows for f in row.figures} == {"student"} for one in shown)
    assert "Noise in the input, second" in [one.name for one in unknown]
    _, unknown = panels({"student": unprobed(), "second": unprobed()})
    assert "Noise in the input" in [one.name for one in unknown]
    shown, _ = panels({"student": probed(), "second": probed()})
    assert [figure.who for figure in shown[0].rows[0].figures] == ["student", "second"]


def test_a_summary_without_these_blocks_makes_no_panel() -> None:
    assert panels({"student": {"label": {"accuracy": metric()}}}) == ([], [])


def every_measure() -> dict[str, set[str]]:
    return {
        **{f"probes.{name}": set(block) for name, block in unasked_probes().items()},
        "association.rationale_editing": set(RATIONALE_EDITING),
        "judge": set(judging.MEASURES),
        "comparison.metrics": set(MEASURES),
        "seeds": set(MEASURES),
    }


@pytest.mark.parametrize("path", every_measure())
def test_a_panel_shows_every_measure_that_eval_has(path: str) -> None:
    keys = every_measure()[path]
    summary: dict[str, Any] = {key: metric() for key in keys}
    for name in reversed(path.split(".")):
        summary = {name: summary}
    (panel,), _ = panels({"student": summary})
    assert panel.path == path
    assert len(panel.rows) == len(keys)
