from __future__ import annotations

from array import array

import pytest

from mitools.annotate.options import Price
from mitools.evaluate.baselines.arithmetic import Arithmetic
from mitools.evaluate.baselines.compare import StudentTimes, compare_baselines
from mitools.evaluate.costs.bill import Bill
from mitools.evaluate.costs.figures import Prices, Spent, cost_figures
from mitools.evaluate.costs.meter import Meter
from mitools.evaluate.side_report import baseline_notes, baseline_rows, cost_rows
from tests.evaluate.baselines.test_compare import bench, both

pytestmark = pytest.mark.usefixtures("few_resamples")


def test_baselines_stand_beside_student_and_teacher() -> None:
    made = {**both(), "arithmetic": Arithmetic(0)}
    block = compare_baselines(bench(), made, "auto", 0, StudentTimes(90.0, 0.0125))
    rows = baseline_rows({"baselines": block})
    assert [row[0] for row in rows] == ["student", "majority", "tfidf", "teacher"]
    assert rows[0][1:6] == ("33.3%", "19.2 to 51.2", "", "", "")
    assert rows[0][7:] == ("90.0 s", "12.5 ms")
    assert rows[2][1] == "100.0%"
    assert rows[2][3] == "-66.7 points"
    notes = baseline_notes({"baselines": block})
    assert notes[0] == "baseline majority: the most frequent label"
    assert notes[2] == "baseline arithmetic: it answers equations, and the task is labels"
    assert notes[-1].endswith(
        "learned from 60 of 60 training records; labels: gold where known, else the teacher's"
    )


def test_costs_are_written_in_their_units() -> None:
    meter = Meter(array("d", [0.5] * 10), largest=10, seconds=0.5, tokens=1234)
    bill = Bill(asked=10, counted=10, prompt=5000, completion=1000)
    spent = Spent(meter, None, bill, (2048.0, "process, resident"), 60.0)
    rows = {
        row[0]: row[1:]
        for row in cost_rows({"costs": cost_figures(spent, Prices(Price(1, 10), 2.0))})
    }
    assert rows["latency p50"] == ("500.0 ms", "10 records, in batches of up to 10")
    assert rows["student, USD per 1,000 records"] == ("$0.0278", "10 records")
    assert rows["teacher, USD per 1,000 records"][0] == "$1.50"
    assert rows["break-even records"] == ("33", "$0.0333 training, $0.015 teacher")
    assert rows["peak memory"] == ("2,048 MiB", "process, resident")
    assert "latency p50, one at a time" not in rows


def test_nothing_measured_is_no_row() -> None:
    assert cost_rows({}) == []
    assert baseline_rows({}) == []
    assert baseline_notes({}) == []
