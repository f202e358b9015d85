from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import binomtest, ttest_rel

from mitools.study.plan import Study
from mitools.study.results import Verdict
from mitools.study.tables import Name, build_tables, cells_of, compare_cells, sizes_of
from tests.study.studies import MINIMAL, results_of, write_study

BETTER, WORSE = [1] * 9 + [0], [1] * 3 + [0] * 7


def study_of(folder: Path, seeds: int = 1, grid: str = "") -> Study:
    text = MINIMAL.replace("sizes = [4, 8]", grid).replace("seeds = 2", f"seeds = {seeds}")
    return write_study(folder, text)


def test_a_mean_is_over_seeds_and_records(tmp_path: Path) -> None:
    study = study_of(tmp_path, 2)
    results = results_of(study, {("dss", 0): [1, 1, 1, 0], ("dss", 1): [1, 0, 0, 0]}, ece=0.25)
    cell = build_tables(study, results)["cells"][0]
    assert (cell["objective"], cell["answer"], cell["runs"], cell["seeds"]) == (
        *("dss", "default"),
        *(2, 2),
    )
    assert cell["figures"]["accuracy"]["value"] == 0.5
    assert cell["figures"]["accuracy"]["by_seed"] == [0.75, 0.25]
    low, high = cell["figures"]["accuracy"]["ci95"]
    assert 0 <= low < 0.25 < 0.75 < high <= 1
    assert cell["figures"]["ece"] == {"value": 0.25, "ci95": [0.25, 0.25], "n": 2}
    assert cell["step_seconds"] == 0.5


def test_one_seed_is_compared_by_mcnemar(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    results = results_of(study, {("dss", 0): BETTER, ("label", 0): WORSE})
    found = build_tables(study, results)["comparisons"]
    assert [(one["objective"], one["baseline"]) for one in found] == [("label", "dss")]
    assert found[0]["difference"] == pytest.approx(-0.6)
    assert found[0]["p_value"] == pytest.approx(binomtest(0, 6).pvalue)
    assert (found[0]["scope"], found[0]["seeds"], found[0]["records"]) == ("records", 1, 10)
    assert found[0]["ci95"][0] < -0.6 < found[0]["ci95"][1] < 0


def test_with_several_seeds_the_larger_p_of_records_and_seeds_counts(tmp_path: Path) -> None:
    study = study_of(tmp_path, 6)
    rows = {("dss", seed): WORSE * 10 for seed in range(6)}
    rows |= {("label", seed): (BETTER if seed else WORSE) * 10 for seed in range(6)}
    cells = cells_of(study, results_of(study, rows))
    ours, theirs = (cells[Name(name, "default", None)] for name in ("label", "dss"))
    found = compare_cells(ours, theirs, seed=0)
    assert found is not None
    assert found["scope"] == "records and seeds"
    assert found["p_records"] < 0.001
    assert found["p_seeds"] == pytest.approx(ttest_rel([0.9] * 5 + [0.3], [0.3] * 6).pvalue)
    assert found["p_value"] == found["p_seeds"]


def test_seeds_that_all_differ_by_the_same_have_the_p_of_their_signs(tmp_path: Path) -> None:
    study = study_of(tmp_path, 3)
    rows = {("dss", seed): WORSE for seed in range(3)}
    rows |= {("label", seed): BETTER for seed in range(3)}
    found = build_tables(study, results_of(study, rows))["comparisons"]
    assert found[0]["p_seeds"] == 2 / 2**3


def test_swapping_the_sides_changes_the_sign_alone(tmp_path: Path) -> None:
    study = study_of(tmp_path, 2)
    rows = {("dss", 0): BETTER, ("dss", 1): WORSE, ("label", 0): WORSE, ("label", 1): WORSE}
    cells = cells_of(study, results_of(study, rows))
    one, other = (cells[Name(name, "default", None)] for name in ("dss", "label"))
    forth, back = compare_cells(one, other, 0), compare_cells(other, one, 0)
    assert forth is not None
    assert back is not None
    assert forth["difference"] == -back["difference"] == pytest.approx(0.3)
    assert forth["p_value"] == back["p_value"]
    assert forth["smallest_detectable"] == pytest.approx(back["smallest_detectable"])
    same = compare_cells(one, one, 0)
    assert same is not None
    assert (same["difference"], same["p_value"], same["ci95"]) == (0, 1, None)


def test_a_comparison_uses_the_seeds_that_both_have(tmp_path: Path) -> None:
    study = study_of(tmp_path, 3)
    rows = {("dss", 0): WORSE, ("dss", 1): WORSE, ("label", 1): BETTER, ("label", 2): WORSE}
    found = build_tables(study, results_of(study, rows))["comparisons"]
    assert [(one["seeds"], one["difference"]) for one in found] == [(1, pytest.approx(0.6))]
    apart = {("dss", 0): WORSE, ("label", 1): WORSE}
    assert build_tables(study, results_of(study, apart))["comparisons"] == []


def test_p_values_are_adjusted_for_all_comparisons_and_baselines_are_compared_once(
    tmp_path: Path,
) -> None:
    text = MINIMAL.replace("sizes = [4, 8]", 'baselines = ["dss", "label"]')
    study = write_study(tmp_path, text.replace("seeds = 2", "seeds = 1") + "[objectives.third]\n")
    rows = {("dss", 0): BETTER, ("label", 0): WORSE, ("third", 0): BETTER}
    found = build_tables(study, results_of(study, rows))["comparisons"]
    assert [(one["objective"], one["baseline"]) for one in found] == [
        ("dss", "label"),
        ("third", "dss"),
        ("third", "label"),
    ]
    assert found[0]["p_value"] == found[2]["p_value"] < found[1]["p_value"] == 1
    assert [one["p_holm"] for one in found] == [
        pytest.approx(3 * found[0]["p_value"]),
        1,
        pytest.approx(3 * found[0]["p_value"]),
    ]


def test_the_folds_of_a_seed_are_one_row_and_count_when_all_are_there(tmp_path: Path) -> None:
    study = study_of(tmp_path, 2, "folds = 2")
    results = results_of(study, {("dss", 0): [1, 0], ("dss", 1): [1, 1]})
    whole = cells_of(study, results)[Name("dss", "default", None)]
    assert whole.runs == 4
    assert [sorted(row.values()) for row in whole.correct.values()] == [[0, 0, 1, 1], [1] * 4]
    partial = cells_of(study, results[:-1])[Name("dss", "default", None)]
    assert list(partial.correct) == [0]


def test_records_of_one_id_all_count_in_whichever_fold_they_are(tmp_path: Path) -> None:
    study = study_of(tmp_path, 1, "folds = 2")
    first, second = results_of(study, {("dss", 0): [1, 0]})
    right, wrong = Verdict(True, True), Verdict(False, True)
    folds = [
        replace(first, verdicts={("1", "what", 0): right, ("1", "why", 0): wrong}),
        replace(second, verdicts={("1", "what", 0): wrong, ("1", "who", 0): right}),
    ]
    (cell,) = cells_of(study, folds).values()
    assert cell.correct[0] == {
        ("1", "what", 0): 1,
        ("1", "why", 0): 0,
        ("1", "what", 1): 0,
        ("1", "who", 0): 1,
    }


def test_sizes_are_in_their_order(tmp_path: Path) -> None:
    study = study_of(tmp_path, 1, "sizes = [8, 4]")
    tables = build_tables(study, results_of(study, {("dss", 0): BETTER}))
    assert sizes_of(tables) == [4, 8]


def test_no_result_makes_empty_tables(tmp_path: Path) -> None:
    assert build_tables(study_of(tmp_path), []) == {"cells": [], "comparisons": []}
