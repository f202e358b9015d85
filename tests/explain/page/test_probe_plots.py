"""Plots of panels: where marks go, and that anybody's file makes none or a sound one."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.explain.page.probe_plots import ScorePlot, TracePlot, probe_plot
from tests.explain.figures import metric, probed


def test_noise_is_followed_level_by_level() -> None:
    plot = probe_plot(probed(), "probes.robustness")
    assert isinstance(plot, TracePlot)
    assert [trace.name for trace in plot.traces] == ["accuracy", "consistency", "label unchanged"]
    accuracy = plot.traces[0]
    assert [(point.x, round(point.y, 6)) for point in accuracy.points] == [
        (0.0, 0.9),
        (0.5, 0.8),
        (1.0, 0.7),
    ]
    assert accuracy.points[0].interval == (0.4, 0.6)
    assert accuracy.line.startswith(f"M{plot.axes.x(0):g} {plot.axes.y(0.9):g}L")


def test_a_cut_rationale_is_followed_share_by_share() -> None:
    plot = probe_plot(probed(), "association.rationale_editing")
    assert isinstance(plot, TracePlot)
    assert [(point.x, point.y) for point in plot.traces[0].points] == [(0, 0), (0.5, 0.5), (1, 1)]
    assert plot.is_x_share


def test_scores_are_counted() -> None:
    plot = probe_plot(probed(), "judge")
    assert isinstance(plot, ScorePlot)
    assert [n for _, _, n in plot.bars] == [1, 1, 2, 4, 2]


def test_what_a_level_leaves_undefined_is_left_out() -> None:
    levels = [
        {"sigma": 0, "accuracy": metric(0.5)},
        {"sigma": 1, "accuracy": metric(None, status="undefined", ci95=None)},
        {"sigma": 2, "accuracy": metric(0.25, ci95=None)},
    ]
    plot = probe_plot({"probes": {"robustness": {"by_sigma": levels}}}, "probes.robustness")
    assert isinstance(plot, TracePlot)
    assert [(p.x, p.interval) for p in plot.traces[0].points] == [(0, (0.4, 0.6)), (2, None)]


@pytest.mark.parametrize(
    "levels",
    [
        None,
        [],
        "abc",
        {"sigma": 1},
        [3, None, [], {}],
        [{"sigma": "1", "accuracy": metric()}],
        [{"sigma": 0, "accuracy": metric()}],
        [{"sigma": -1, "accuracy": metric()}],
        [{"sigma": 1, "accuracy": 0.5}],
        [{"sigma": 1, "accuracy": metric(7.0)}],
    ],
)
def test_what_is_no_curve_makes_no_plot(levels: Any) -> None:
    assert probe_plot({"probes": {"robustness": {"by_sigma": levels}}}, "probes.robustness") is None


@pytest.mark.parametrize(
    "counts",
    [None, [], {}, {"1": 1}, dict.fromkeys("12345", "x"), dict.fromkeys("12345", 0), {"5": -1}],
)
def test_what_are_no_counts_makes_no_plot(counts: Any) -> None:
    assert probe_plot({"judge": {"score": metric(by_score=counts)}}, "judge") is None


def test_other_blocks_have_no_plot() -> None:
    assert probe_plot(probed(), "probes.cue") is None
