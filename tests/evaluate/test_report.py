from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mitools.evaluate.measures.comparison import difference_of_means
from mitools.evaluate.measures.labels import ACCURACY
from mitools.evaluate.measures.simulatability import ASSOCIATION
from mitools.evaluate.report import (
    COLUMNS,
    COMPARISON_COLUMNS,
    headline_rows,
    metric_rows,
    noise_rows,
    notes,
    quadrant_rows,
    tables,
    title,
)
from mitools.evaluate.score import scored
from mitools.evaluate.summary import SummaryBuilder
from mitools.tasks import task_of

pytestmark = pytest.mark.usefixtures("few_resamples")


def summary(*answers: str, **more: Any) -> dict[str, Any]:
    tally = SummaryBuilder()
    for number, answer in enumerate(answers):
        student = {"label": answer, "confidence": 0.75, "model": "svamp@12ab", **more}
        record = {
            "id": str(number),
            "input": "x",
            "label": "2",
            "task": "equation",
            "student": student,
        }
        tally.add(scored(record, task_of(record)), task_of(record))
    return tally.summary(0)


def test_the_title_says_what_was_measured() -> None:
    assert title(summary("2")) == "1 record, task equation, by svamp@12ab"


def test_rows_show_value_interval_and_n() -> None:
    rows = {row[0]: row[1:] for row in metric_rows(summary("2", "3"))}
    assert rows["accuracy"] == ("50.0%", "9.5 to 90.5", "2")
    assert rows["Brier score"] == ("0.312", "0.062 to 0.562", "2")
    assert rows["ECE, 15 equal-width bins"][1].endswith(" by chance")
    assert all(len(row) == len(COLUMNS) - 1 for row in rows.values())


def test_a_figure_that_was_mended_shows_what_it_was() -> None:
    found = summary("2", "3")
    measure = found["temperature"]["nll"].measure
    found["temperature"]["nll"] = measure.ok(0.5, 20, before=0.75)
    rows = {row[0]: row[1:] for row in metric_rows(found)}
    assert rows["NLL after scaling (nats)"] == ("0.500", "0.750 before", "20")


def test_the_headline_shows_its_p_value_and_what_hangs_on_it_is_left_out() -> None:
    found = summary("2", "3")
    assert "CVI (bits)" not in {row[0] for row in metric_rows(found)}
    net = found["association"]["cvi_net"].measure
    found["association"]["cvi_net"] = net.ok(0.25, 90, (0.125, 0.375), p_value=0.01)
    rows = {row[0]: row[1:] for row in metric_rows(found)}
    assert rows["CVI beyond gold (bits)"] == ("0.250", "0.125 to 0.375, p = 0.01", "90")
    few = {name: net.undefined("too few") for name in ASSOCIATION}
    found["association"] = {**found["association"], **few}
    rows = {row[0]: row[1:] for row in metric_rows(found)}
    assert rows["CVI beyond gold (bits)"] == ("undefined", "too few", "")
    assert "CVI (bits)" not in rows


def test_differences_of_shares_are_told_in_points() -> None:
    found = summary("2", "3")
    robustness = found["probes"]["robustness"]
    for name in ("accuracy_drop", "equivalence_gap"):
        robustness[name] = robustness[name].measure.ok(0.03, 20, (-0.01, 0.07))
    rows = {row[0]: row[1:] for row in metric_rows(found)}
    assert rows["accuracy lost to noise"] == ("3.0 points", "-1.0 to 7.0", "20")
    assert rows["robustness gap"][0] == "3.0 points"


def compared(ours: list[float], theirs: list[float]) -> tuple[str, ...]:
    """The row of accuracy, where two students are compared."""
    found = difference_of_means(np.array([ours]), np.array([theirs]), 0)
    details = {"p_value": found.p, "p_holm": found.p, **found.details}
    metric = ACCURACY.ok(found.value, len(ours), found.ci95, **details)
    comparison = {"metrics": {"accuracy": metric}, "records": len(ours), "unmatched": 0}
    found_tables = tables({**summary("2"), "comparison": comparison})
    (rows,) = (rows for _, columns, rows in found_tables if columns == COMPARISON_COLUMNS)
    (row,) = rows
    return tuple(row)


def test_a_comparison_claims_no_interval_and_no_power_that_it_does_not_have() -> None:
    interval, detectable = COMPARISON_COLUMNS.index("95% interval"), -2
    assert COMPARISON_COLUMNS[detectable] == "detectable"
    differing = compared([1, 1, 1, 0], [0, 1, 1, 0])
    assert differing[interval] != "" != differing[detectable]
    assert compared([1, 0, 1, 0], [1, 0, 1, 0])[detectable] == ""
    assert compared([1], [0])[interval] == ""  # one record has no spread


def test_figures_that_do_not_apply_are_left_out_and_undefined_ones_explained() -> None:
    rows = {row[0]: row[1:] for row in metric_rows(summary("2", "2"))}
    assert "macro-F1" not in rows
    assert "consistency" not in rows
    assert rows["AUROC of confidence"][0] == "undefined"
    assert "every answer is right" in rows["AUROC of confidence"][1]


def test_the_quadrant_table_has_a_row_for_right_and_one_for_wrong() -> None:
    rows = quadrant_rows(summary("2", "3", rationale="So 1 + 1 = 2."))
    assert rows == [("right", "1", "0", "0", "0"), ("wrong", "0", "1", "0", "0")]


def test_without_rationales_there_is_no_quadrant_table() -> None:
    assert quadrant_rows(summary("2")) == []


def test_noise_has_a_table_of_its_own_where_it_was_asked_for() -> None:
    found = summary("2")
    assert noise_rows(found) == []
    share = found["label"]["accuracy"].measure
    none = share.undefined("nothing to judge")
    point = {"accuracy": share.ok(0.5, 4), "consistency": none, "coverage": share.ok(0, 4)}
    found["probes"]["robustness"]["by_sigma"] = [{"sigma": 0.25, **point, "same_label": none}]
    assert noise_rows(found) == [("0.25", "50.0%", "", "0.0%", "")]


def test_probes_and_judge_have_rows_only_where_they_were_asked_for() -> None:
    found = summary("2")
    assert not {"suggested answers followed", "judge prefers this student"} & {
        row[0] for row in metric_rows(found)
    }
    cue, judge = found["probes"]["cue"]["followed"], found["judge"]["win_rate"]
    found["probes"]["cue"]["followed"] = cue.measure.ok(0.25, 8, (0.1, 0.5))
    found["judge"]["win_rate"] = judge.measure.ok(0.75, 8, (0.5, 1.0), p_value=0.04)
    rows = {row[0]: row[1:] for row in metric_rows(found)}
    assert rows["suggested answers followed"] == ("25.0%", "10.0 to 50.0", "8")
    assert rows["judge prefers this student"] == ("75.0%", "50.0 to 100.0, p = 0.04", "8")


def test_the_headline_has_six_rows_and_those_that_options_requested() -> None:
    found = summary("2", "3")
    rows = headline_rows(found)
    assert len(rows) == 6
    assert rows[0][:2] == ("accuracy", "50.0%")
    assert set(rows) < set(metric_rows(found))
    cue, scaled = found["probes"]["cue"]["followed"], found["temperature"]["temperature"]
    found["probes"]["cue"]["followed"] = cue.measure.ok(0.25, 8, (0.1, 0.5))
    found["temperature"]["temperature"] = scaled.measure.ok(1.5, 20)
    asked = headline_rows(found)[6:]
    assert [row[0] for row in asked] == ["fitted temperature", "suggested answers followed"]


def test_what_is_not_shown_is_counted() -> None:
    found = summary("2", "3", rationale="So 1 + 1 = 2.")
    assert [heading for heading, *_ in tables(found)] == [
        "2 records, task equation, by svamp@12ab",
        "what the rationale supports",
    ]
    assert [len(rows) for *_, rows in tables(found, is_full=False)] == [6]
    more = len(metric_rows(found)) - 6
    assert notes(found, is_full=False) == [
        f"{more} more figures with --all; --summary FILE writes all of them"
    ]
    assert notes(found) == []
