"""The figures of runs, and of pairs of runs on the same records."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitools.evaluate.measures.comparison import mcnemar
from mitools.explain.page.find_runs import FoundRun, find_runs
from mitools.explain.page.run_figures import RunFigures, compare_runs_on, read_run
from tests.explain.page.pages import choice


def run_of(folder: Path, name: str, records: list[dict[str, Any]]) -> RunFigures:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return read_run(FoundRun(name, str(path)))


def answered(index: int, label: str) -> dict[str, Any]:
    student = {"label": label, "rationale": f"In the {label}.", "model": "m"}
    return choice(index, split="test", student=student)


def fraction(value: float, n: int) -> dict[str, Any]:
    return {"label": {"accuracy": {"value": value, "status": "ok", "n": n, "unit": "fraction"}}}


def test_figures_are_counted_where_there_is_no_summary(tmp_path: Path) -> None:
    run = run_of(tmp_path, "a", [answered(i, "sea" if i < 3 else "car") for i in range(4)])
    assert (run.records, run.model) == (4, "m")
    assert [figure.value for figure in run.figures] == ["75.0%", "100.0%", "", "", ""]
    assert run.figures[2].reason == "needs a summary"
    assert [run.is_right[name] for name in sorted(run.is_right)] == [True, True, True, False]


def test_a_summary_gives_the_figures(tmp_path: Path) -> None:
    summary: dict[str, Any] = {"records": 4, **fraction(0.75, 4)}
    summary["label"]["accuracy"]["ci95"] = [0.11, 0.99]
    (tmp_path / "a.json").write_text(json.dumps(summary))
    run_of(tmp_path, "a", [answered(i, "sea" if i else "car") for i in range(4)])
    (found,) = find_runs(str(tmp_path))
    run = read_run(found)
    assert (run.figures[0].value, run.warning) == ("75.0%", "")
    assert run.figures[0].between.startswith("11.0 to 99.0")


@pytest.mark.parametrize(
    ("summary", "reason"),
    [
        ({"records": 4, **fraction(0.25, 4)}, "its accuracy is not that of the records in "),
        (fraction(0.7501, 4), "its accuracy is not that of the records in "),
        ({"records": 9, **fraction(0.75, 9)}, "its figures are of 9 records, and "),
    ],
)
def test_a_summary_that_contradicts_the_records_is_refused(
    summary: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(summary))
    run_of(tmp_path, "a", [answered(i, "sea" if i else "car") for i in range(4)])
    (found,) = find_runs(str(tmp_path))
    run = read_run(found)
    assert (run.records, run.figures[0].value) == (4, "75.0%")
    assert run.warning.startswith(f"{tmp_path / 'a.json'} is left out: {reason}")
    assert (run.found.summary, run.found.summary_path) == (None, "")


def test_a_summary_within_its_rounding_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"records": 3, **fraction(0.666667, 3)}))
    run_of(tmp_path, "a", [answered(i, "sea" if i else "car") for i in range(3)])
    (found,) = find_runs(str(tmp_path))
    assert read_run(found).warning == ""


def test_a_summary_is_compared_with_the_records_that_it_counts(tmp_path: Path) -> None:
    right = [answered(i, "sea") for i in range(2)]
    apart = [
        {**answered(2, "car"), "split": "valid", "scores": {"role": "fitting"}},
        {**answered(3, "car"), "scores": {"role": "calibration"}},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"records": 2, **fraction(1.0, 2)}))
    run_of(tmp_path, "a", [*right, *apart])
    (found,) = find_runs(str(tmp_path))
    run = read_run(found)
    assert (run.records, run.left_out, run.warning) == (2, 2, "")
    # "eval --split all" counts all that have no role.
    trained = [{**answered(4, "car"), "split": split} for split in ("train", "valid")]
    (tmp_path / "a.json").write_text(json.dumps({"records": 4, **fraction(0.5, 4)}))
    run_of(tmp_path, "a", [*right, *trained, *apart])
    run = read_run(find_runs(str(tmp_path))[0])
    assert (run.records, run.left_out, run.warning) == (4, 2, "")


def test_train_and_valid_are_left_out_unless_there_is_nothing_else(tmp_path: Path) -> None:
    records = [
        {**answered(i, "car" if i else "sea"), "split": split}
        for i, split in enumerate(("test", "test", "train", "valid", "valid"))
    ]
    run = run_of(tmp_path, "a", records)
    assert (run.records, run.left_out, run.figures[0].value) == (2, 3, "50.0%")
    run = run_of(tmp_path, "b", records[2:])
    assert (run.records, run.left_out, run.figures[0].value) == (3, 0, "0.0%")
    marked = [{**one, "scores": {"role": "fitting"}} for one in records[2:4]]
    run = run_of(tmp_path, "c", [*marked, records[4]])
    assert (run.records, run.left_out) == (1, 2)
    assert run_of(tmp_path, "d", marked).records == 2


def test_records_that_only_fitted_a_parameter_are_left_out(tmp_path: Path) -> None:
    records = [{**answered(i, "sea"), "split": ("valid", "test")[i % 2]} for i in range(6)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    value = {"value": 1.0, "status": "ok", "n": 3, "unit": "fraction"}
    run = read_run(FoundRun("a", str(path), {"records": 3, "label": {"accuracy": value}}))
    assert run.records == len(run.is_right) == 3
    whole = read_run(FoundRun("a", str(path), {"records": 6, "label": {"accuracy": value}}))
    assert whole.records == 6


def test_pairs_are_counted_as_by_a_loop(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    right = rng.random((3, 40)) < [[0.5], [0.7], [0.9]]
    runs = [
        run_of(tmp_path, str(number), [answered(i, "sea" if one[i] else "car") for i in range(40)])
        for number, one in enumerate(right)
    ]
    (pairs,) = compare_runs_on(runs)
    assert (pairs.runs, pairs.n) == ([0, 1, 2], 40)
    for i in range(3):
        for j in range(3):
            assert pairs.gains[i][j] == sum(right[j] & ~right[i])
            expected = mcnemar(right[j].astype(float), right[i].astype(float))
            assert pairs.p_values[i][j] == pytest.approx(expected)
            difference, low, high = pairs.differences[i][j]
            assert difference == pytest.approx(right[j].mean() - right[i].mean())
            assert low <= difference <= high


def test_the_interval_of_a_difference_is_that_of_agresti_and_min(tmp_path: Path) -> None:
    # 10 records, 4 gained and 1 lost: with half a record in each cell, 4.5 and 1.5 of 12.
    first = ["sea"] * 5 + ["car"] * 5
    second = ["sea"] * 4 + ["car"] + ["sea"] * 4 + ["car"]
    runs = [
        run_of(tmp_path, name, [answered(i, label) for i, label in enumerate(labels)])
        for name, labels in (("a", first), ("b", second))
    ]
    (pairs,) = compare_runs_on(runs)
    middle = (4.5 - 1.5) / 12
    spread = 1.959964 * math.sqrt((4.5 + 1.5) / 12 - middle**2) / math.sqrt(12)
    assert pairs.differences[0][1] == pytest.approx((0.3, middle - spread, middle + spread))


def test_runs_on_other_records_are_not_compared(tmp_path: Path) -> None:
    records = [answered(i, "sea") for i in range(4)]
    other = [{**one, "label": "car"} for one in records]
    runs = [run_of(tmp_path, name, found) for name, found in (("a", records), ("b", other))]
    assert compare_runs_on(runs) == []
    again = run_of(tmp_path, "c", records[::-1])  # the order of the records does not matter
    assert [pairs.runs for pairs in compare_runs_on([*runs, again])] == [[0, 2]]


def test_records_with_one_id_all_count_in_any_order(tmp_path: Path) -> None:
    """The last one alone counted: the accuracy of a file depended on the order of its lines."""
    records = [{**answered(i, "sea" if i % 2 else "car"), "id": str(i // 2)} for i in range(8)]
    runs = [run_of(tmp_path, "a", records), run_of(tmp_path, "b", records[::-1])]
    for run in runs:
        assert (run.records, run.figures[0].value, run.repeated) == (8, "50.0%", 4)
    (pairs,) = compare_runs_on(runs)
    assert (pairs.n, pairs.gains) == (8, [[0, 0], [0, 0]])
    assert run_of(tmp_path, "c", [answered(i, "sea") for i in range(3)]).repeated == 0


def test_the_same_record_twice_counts_twice(tmp_path: Path) -> None:
    run = run_of(tmp_path, "a", [answered(0, "sea"), answered(0, "car"), answered(1, "car")])
    assert (run.figures[0].value, run.repeated) == ("33.3%", 1)


def test_records_that_chose_a_threshold_are_left_out_with_and_without_a_summary(
    tmp_path: Path,
) -> None:
    records: list[dict[str, Any]] = [
        {**answered(i, "sea" if i < 3 else "car"), "split": "test"} for i in range(4)
    ]
    for record in records[:2]:
        record["scores"] = {"role": "calibration"}
    run = run_of(tmp_path, "a", records)
    assert (run.records, len(run.is_right), run.figures[0].value) == (2, 2, "50.0%")
    path = tmp_path / "a.jsonl"
    assert read_run(FoundRun("a", str(path), {"records": 2})).records == 2
