"""Where the marks of plots go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.explain.page.curves import reliability_with_null, risk_curve
from mitools.explain.page.plots import (
    HEAT_LEVELS,
    MAX_LABELS,
    Axes,
    change_grid,
    confusion_grid,
    permutation_plot,
    quadrant_grid,
    reliability_plot,
    risk_plot,
)

AXES = Axes(width=100, height=100, left=10, right=10, top=10, bottom=10)


def test_axes_run_to_the_right_and_upwards() -> None:
    assert (AXES.x(0), AXES.x(1), AXES.y(0), AXES.y(1)) == (10, 90, 90, 10)
    assert AXES.path([(0, 0), (0.5, 1)]) == "M10 90L50 10"


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_ticks_are_round_few_and_inside(low: float, span: float) -> None:
    ticks = Axes(x_range=(low, low + span)).ticks()
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[0], rtol=1e-6)


def test_the_usual_ticks_are_quarters() -> None:
    assert AXES.ticks() == [0, 0.25, 0.5, 0.75, 1]


def test_a_bin_outside_chance_is_marked_as_such() -> None:
    confidence = np.array([0.9] * 100 + [0.5] * 100)
    rows = reliability_with_null(confidence, np.arange(200) % 2 == 0, seed=0)
    found = reliability_plot(rows)
    assert found is not None
    assert [(one.n, one.share, one.is_outside) for one in found] == [
        (100, 1.0, False),
        (100, 1.0, True),
    ]
    assert reliability_plot([]) is None


def test_curves_share_their_axes_and_stay_inside() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(300)
    curves = {
        "student": risk_curve(confidence, rng.random(300) < confidence),
        "second": risk_curve(confidence, np.ones(300, dtype=bool)),
        "nobody": [],
    }
    plot = risk_plot(curves)
    assert plot is not None
    assert [curve.who for curve in plot.curves] == ["student", "second"]
    assert [round(mark.coverage, 2) for mark in plot.curves[0].marks] == [0.5, 0.8, 0.9, 0.95]
    numbers = [
        float(number)
        for text in (plot.least, *(path for c in plot.curves for path in (c.line, c.band)))
        for point in text.strip("MZ").split("L")
        for number in point.split()[1:]
    ]
    axes = plot.axes
    assert min(numbers) >= axes.top - 0.1
    assert max(numbers) <= axes.height - axes.bottom + 0.1
    assert risk_plot({"student": []}) is None


def test_a_student_without_errors_has_a_flat_curve() -> None:
    plot = risk_plot({"student": risk_curve(np.ones(9), np.ones(9, dtype=bool))})
    assert plot is not None
    assert plot.curves[0].overall == 0


def test_quadrants_filter_by_their_two_properties() -> None:
    grid = quadrant_grid({(True, "student"): 8, (False, "gold"): 2, (False, "none"): 1})
    assert grid is not None
    assert grid.columns == ("its own answer", "gold", "another", "none")
    counts = {name: [cell.n for cell in cells] for name, cells in grid.rows}
    assert counts == {"right": [8, 0, 0, 0], "wrong": [0, 2, 0, 1]}
    wrong = dict(grid.rows)["wrong"]
    assert wrong[1].filter == "right=wrong&supports=gold"
    assert (wrong[0].heat, wrong[1].heat) == (0, HEAT_LEVELS // 2)
    assert grid.total == 11


def test_without_any_supported_answer_there_is_no_map() -> None:
    assert quadrant_grid({}) is None
    assert quadrant_grid({(True, "none"): 5, (False, "none"): 2}) is None


def test_changes_make_four_cells() -> None:
    grid = change_grid({"fixed": 3, "both_right": 4})
    assert grid is not None
    assert [[cell.n for cell in cells] for _, cells in grid.rows] == [[4, 0], [3, 0]]
    assert grid.rows[0][1][1].filter == "change-second=broken"
    assert [[cell.is_good for cell in cells] for _, cells in grid.rows] == [
        [True, False],
        [True, None],
    ]
    assert change_grid({}) is None


def test_a_confusion_matrix_has_gold_by_rows_and_room_for_invalid_answers() -> None:
    grid = confusion_grid({("a&b", "a&b"): 5, ("a&b", None): 2, ("c", "a&b"): 1})
    assert grid is not None
    assert grid.columns == ("a&b", "c", "no valid label")
    assert [(name, [cell.n for cell in cells]) for name, cells in grid.rows] == [
        ("a&b", [5, 0, 2]),
        ("c", [1, 0, 0]),
    ]
    assert grid.rows[0][1][0].filter == "gold=a%26b&given=a%26b"
    assert grid.rows[0][1][2].filter == "gold=a%26b&given=%E2%88%85"
    assert confusion_grid({}) is None


def test_of_very_many_labels_the_most_frequent_are_shown_and_the_rest_counted() -> None:
    cells = {(f"label {index:02}", f"label {index:02}"): 100 - index for index in range(30)}
    grid = confusion_grid(cells)
    assert grid is not None
    assert len(grid.rows) == len(grid.columns) == MAX_LABELS
    assert grid.left_out == sum(100 - index for index in range(MAX_LABELS, 30))


def association(values: list[float], observed: float) -> dict[str, object]:
    net = {"status": "ok", "value": 0.1, "permuted_cvi": values, "observed_cvi": observed}
    return {"association": {"cvi_net": net}}


def test_permutations_make_a_histogram_beside_what_was_observed() -> None:
    values = [0.01 * index for index in range(99)]
    plot = permutation_plot(association(values, 1.5))
    assert plot is not None
    assert sum(n for _, _, n in plot.bars) == plot.n == 99
    assert plot.mean == pytest.approx(0.49)
    low, high = plot.axes.x_range
    assert low < 0
    assert high > plot.observed == 1.5


def test_equal_permutations_still_make_a_plot() -> None:
    plot = permutation_plot(association([0.0, 0.0], 0.0))
    assert plot is not None
    assert sum(n for _, _, n in plot.bars) == 2


@pytest.mark.parametrize("summary", [{}, {"association": None}, {"association": {"cvi_net": {}}}])
def test_without_permutations_there_is_no_plot(summary: dict[str, object]) -> None:
    assert permutation_plot(summary) is None
