from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel

from mitools.evaluate.measures.comparison import clusters_of, difference_of_means
from mitools.evaluate.measures.statistics import clustered_interval
from mitools.study.plan import Study
from mitools.study.results import Result, Verdict
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


def in_groups(results: list[Result], size: int) -> list[Result]:
    """Name a group for each ``size`` records that follow one another."""
    found = []
    for one in results:
        verdicts = {
            name: replace(verdict, group=f"g{place // size}")
            for place, (name, verdict) in enumerate(one.verdicts.items())
        }
        found.append(replace(one, verdicts=verdicts))
    return found


def tables_of(folder: Path, rows: dict[tuple[str, int], list[int]], size: int) -> dict[str, Any]:
    seeds = 1 + max(seed for _, seed in rows)
    study = study_of(folder, seeds)
    return build_tables(study, in_groups(results_of(study, rows), size))


def repeated(row: list[int], times: int) -> list[int]:
    return [hit for hit in row for _ in range(times)]


def test_records_of_a_group_are_one_unit(tmp_path: Path) -> None:
    """Twelve groups whose records are right or wrong together had the p of 120 records: 2e-12."""
    right = {"dss": [1] * 4 + [0] * 8, "label": [1] * 8 + [0] * 4}
    alone = tables_of(tmp_path, {(name, 0): row for name, row in right.items()}, 1)
    rows = {(name, 0): repeated(row, 10) for name, row in right.items()}
    (found,), (single,) = tables_of(tmp_path, rows, 10)["comparisons"], alone["comparisons"]
    assert (found["scope"], found["groups"], found["records"]) == ("groups", 12, 120)
    assert found["p_value"] == pytest.approx(single["p_value"], abs=0.01)
    assert found["ci95"] == pytest.approx(single["ci95"], abs=0.01)
    assert found["smallest_detectable"] == pytest.approx(single["smallest_detectable"])
    accuracy = tables_of(tmp_path, rows, 10)["cells"][0]["figures"]["accuracy"]
    assert (accuracy["n"], accuracy["groups"]) == (120, 12)
    known = clustered_interval(40, 120, [(10, 10)] * 4 + [(0, 10)] * 8)
    assert accuracy["ci95"] == pytest.approx(known)
    assert "groups" not in single
    assert "groups" not in alone["cells"][0]["figures"]["accuracy"]


def test_the_units_are_those_of_the_evaluation(tmp_path: Path) -> None:
    right = {"dss": [1] * 12 + [0] * 18, "label": [1] * 22 + [0] * 8}
    found = tables_of(tmp_path, {(name, 0): row for name, row in right.items()}, 4)
    order = sorted(range(30), key=str)  # of the records' ids
    ours, theirs = (np.array(right[name], dtype=float)[None, order] for name in ("label", "dss"))
    known = difference_of_means(ours, theirs, 0, clusters_of([place // 4 for place in order]))
    (one,) = found["comparisons"]
    assert one["p_value"] == pytest.approx(known.p, rel=1e-5)
    assert one["ci95"] == pytest.approx(known.ci95, rel=1e-5)


def test_groups_are_the_units_of_several_seeds_too(tmp_path: Path) -> None:
    rows = {("dss", seed): repeated([1] * 4 + [0] * 8, 10) for seed in range(6)}
    rows |= {("label", seed): repeated([1] * 8 + [0] * 4, 10) for seed in range(6)}
    for seed in range(6):
        rows["label", seed][seed] = 0
    apart, grouped = (tables_of(tmp_path, rows, size) for size in (1, 10))
    (one,), (found,) = apart["comparisons"], grouped["comparisons"]
    assert one["p_records"] < 0.001 < 0.05 < found["p_records"] == found["p_value"]
    assert (one["scope"], found["scope"]) == ("records and seeds", "groups and seeds")
    assert found["p_seeds"] == one["p_seeds"]

    def width(interval: list[float]) -> float:
        return interval[1] - interval[0]

    assert width(found["ci95"]) > 2.5 * width(one["ci95"])
    few, many = (table["cells"][0]["figures"]["accuracy"]["ci95"] for table in (grouped, apart))
    assert width(few) > 2.5 * width(many)


def test_groups_of_one_record_change_nothing(tmp_path: Path) -> None:
    for seeds in (1, 3):
        study = study_of(tmp_path, seeds)
        rows = {("dss", seed): BETTER for seed in range(seeds)}
        rows |= {("label", seed): WORSE[seed:] + WORSE[:seed] for seed in range(seeds)}
        results = results_of(study, rows)
        assert build_tables(study, in_groups(results, 1)) == build_tables(study, results)


def test_one_group_shows_nothing_of_others(tmp_path: Path) -> None:
    rows = {("dss", seed): BETTER for seed in range(3)}
    rows |= {("label", seed): WORSE[seed:] + WORSE[:seed] for seed in range(3)}
    for seeds in (1, 3):
        found = tables_of(tmp_path, {key: row for key, row in rows.items() if key[1] < seeds}, 10)
        (one,) = found["comparisons"]
        assert (one["ci95"], one["smallest_detectable"], one["p_value"]) == (None, None, 1)
        assert [cell["figures"]["accuracy"]["ci95"] for cell in found["cells"]] == [None, None]


def test_the_groups_of_all_folds_count(tmp_path: Path) -> None:
    study = study_of(tmp_path, 1, "folds = 2")
    results = in_groups(results_of(study, {("dss", 0): [1, 0, 1, 0]}), 2)
    results[1] = replace(  # another record that has no gold label, and one that has no group
        results[1],
        verdicts={
            ("r9", "", 0): Verdict(None, True, "g0"),
            ("r100", "", 0): Verdict(True, True, "g0"),
            ("r101", "", 0): Verdict(True, True),
        },
    )
    (cell,) = cells_of(study, results).values()
    records = sorted(cell.correct[0])
    assert [name[0] for name in records] == ["r0", "r1", "r100", "r101", "r2", "r3"]
    assert cell.clusters(records).tolist() == [0, 0, 0, 1, 2, 2]


def test_intervals_of_few_seeds_have_the_spread_of_the_mean_over_seeds(tmp_path: Path) -> None:
    """They were narrower by a factor of √(1 - 1/S), of three seeds 18%."""
    rates = (4, 8, 12)
    study = study_of(tmp_path, 3)
    rows = {("dss", seed): [0] * 200 for seed in range(3)}
    rows |= {
        ("label", seed): ([1] * rate + [0] * (20 - rate)) * 10 for seed, rate in enumerate(rates)
    }
    tables = build_tables(study, results_of(study, rows))
    (found,), (_, accuracy) = (
        tables["comparisons"],
        [cell["figures"]["accuracy"] for cell in tables["cells"]],
    )
    # The lowest draw that counts is that of three times the lowest seed: 0.4 - 0.2 * √(3/2).
    assert found["ci95"] == pytest.approx([0.4 - 0.245, 0.4 + 0.245], abs=0.04)
    assert accuracy["ci95"] == pytest.approx(found["ci95"], abs=0.01)
    # The t-test over three seeds needs more than the normal distribution promises: 5.65 errors.
    error = 0.2 / 3**0.5
    assert found["smallest_detectable"] == pytest.approx(5.653 * error, rel=0.001)


def test_sizes_are_in_their_order(tmp_path: Path) -> None:
    study = study_of(tmp_path, 1, "sizes = [8, 4]")
    tables = build_tables(study, results_of(study, {("dss", 0): BETTER}))
    assert sizes_of(tables) == [4, 8]


def test_no_result_makes_empty_tables(tmp_path: Path) -> None:
    assert build_tables(study_of(tmp_path), []) == {"cells": [], "comparisons": []}
