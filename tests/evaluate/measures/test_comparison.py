from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mitools.evaluate.measures import comparison, statistics
from mitools.evaluate.measures.comparison import (
    clusters_of,
    difference_of_means,
    holm,
    mcnemar,
    resampled_means,
    sign_flip,
    smallest_detectable,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


def rows(pairs: list[tuple[bool, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([a for a, _ in pairs], dtype=float), np.array(
        [b for _, b in pairs], dtype=float
    )


def discordant(better: int, worse: int, same: int = 20) -> tuple[np.ndarray, np.ndarray]:
    ours = np.array([1.0] * better + [0.0] * worse + [1.0] * same)
    theirs = np.array([0.0] * better + [1.0] * worse + [1.0] * same)
    return ours, theirs


@given(PAIRS)
def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs(
    pairs: list[tuple[bool, bool]],
) -> None:
    better = sum(a and not b for a, b in pairs)
    count = better + sum(b and not a for a, b in pairs)
    tail = sum(math.comb(count, k) for k in range(min(better, count - better) + 1)) / 2**count
    assert mcnemar(*rows(pairs)) == pytest.approx(min(1.0, 2 * tail))


def test_mcnemar_by_hand() -> None:
    assert mcnemar(*discordant(5, 0)) == 0.0625
    assert mcnemar(*discordant(6, 0)) == 0.03125
    assert mcnemar(*discordant(4, 4)) == 1


def test_the_sign_test_is_scipys_permutation_test() -> None:
    difference = np.random.default_rng(0).normal(0.3, 1, size=40)
    known = stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", n_resamples=9_999, rng=1
    )
    assert sign_flip(difference, 0) == pytest.approx(known.pvalue, abs=0.01)


def test_the_sign_test_equals_all_sign_patterns_where_they_are_few() -> None:
    difference = np.array([0.5, 1.5, -0.25, 2.0, 1.0, 0.75])
    observed = abs(difference.sum())
    patterns = itertools.product((-1, 1), repeat=6)
    exact = sum(abs(np.dot(signs, difference)) >= observed for signs in patterns) / 64
    assert sign_flip(difference, 0) == pytest.approx(exact, abs=0.01)


def test_no_difference_has_p_1() -> None:
    assert sign_flip(np.zeros(5), 0) == 1
    assert sign_flip(np.array([]), 0) == 1


def test_the_paired_bootstrap_is_scipys() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = (rng.random(150) < rate for rate in (0.7, 0.6))
    found = difference_of_means(ours[None].astype(float), theirs[None].astype(float), 0)
    known = stats.bootstrap(
        (ours.astype(float) - theirs,), np.mean, method="percentile", n_resamples=10_000, rng=1
    )
    assert found.ci95 == pytest.approx(known.confidence_interval, abs=0.008)


def test_a_student_does_not_differ_from_itself() -> None:
    row = np.array([[1.0, 0.0, 1.0, 1.0, 0.0]])
    found = difference_of_means(row, row, 0)
    assert (found.value, found.ci95, found.p) == (0, (0, 0), 1)


def test_what_is_alike_on_few_items_may_differ_on_others() -> None:
    # Were 1 - 0.05^(1/3) of the items to differ, three that do not would come up in 5%.
    found = difference_of_means(np.ones((1, 3)), np.ones((1, 3)), 0)
    assert found.details["note"] == (
        "the two are alike on all 3 items: they may still differ on up to 63% of other items"
    )
    assert "up to 3%" in difference_of_means(np.ones((1, 98)), np.ones((1, 98)), 0).details["note"]


def test_a_difference_that_is_the_same_in_every_item_has_no_interval() -> None:
    found = difference_of_means(np.ones((1, 3)), np.zeros((1, 3)), 0)
    assert (found.value, found.ci95) == (1, None)


def test_a_single_run_is_taken_to_differ_by_its_seed_as_the_other_side_does() -> None:
    """A side of one run added no variance of its seed, and one of seven tests was a false alarm."""
    ours, theirs = np.repeat([[0.6], [0.8]], 50, axis=1), np.full((1, 50), 0.5)
    gaps = resampled_means([ours, theirs], 0)
    # The standard error of the mean of 0.6 and 0.8. A single run: the deviations ±0.1, times √2.
    assert gaps[:, 0].std() == pytest.approx(0.1, rel=0.03)
    assert gaps[:, 1].std() == pytest.approx(0.1 * math.sqrt(2), rel=0.03)
    assert gaps[:, 1].mean() == pytest.approx(0.5, abs=0.005)
    assert np.ptp(resampled_means([theirs, theirs], 0)) == pytest.approx(0)


def test_three_runs_against_one_reject_no_more_than_they_should(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comparison, "resamples_for", lambda _n: 500)
    rng, rejected = np.random.default_rng(1), 0
    for _ in range(200):
        difficulty = rng.normal(0, 1.2, 300)

        def runs(count: int, difficulty: np.ndarray = difficulty) -> np.ndarray:
            shift = rng.normal(0, 0.2, count)[:, None]
            return (rng.random((count, 300)) < 1 / (1 + np.exp(-difficulty - shift))).astype(float)

        rejected += difference_of_means(runs(3), runs(1), 0).p < 0.05
    assert rejected / 200 < 0.09


@settings(max_examples=15, deadline=None)
@given(PAIRS)
def test_swapping_the_students_negates_the_difference(pairs: list[tuple[bool, bool]]) -> None:
    ours, theirs = (row[None] for row in rows(pairs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "RESAMPLES", 101)
        patch.setattr(statistics, "_FEWEST_RESAMPLES", 101)
        one, other = difference_of_means(ours, theirs, 0), difference_of_means(theirs, ours, 0)
    assert one.value == -other.value
    assert one.p == other.p
    if one.ci95 and other.ci95:
        assert one.ci95 == pytest.approx((-other.ci95[1], -other.ci95[0]))
    assert (one.details["better"], one.details["worse"]) == (
        other.details["worse"],
        other.details["better"],
    )


def test_what_could_never_be_significant_says_so() -> None:
    ours, theirs = (row[None] for row in discordant(5, 0))
    found = difference_of_means(ours, theirs, 0)
    assert found.p == 0.0625
    assert found.details["note"] == (
        "the two differ on 5 items only: even if all favoured one of them, p would be 0.0625"
    )
    ours, theirs = (row[None] for row in discordant(6, 0))
    assert "note" not in difference_of_means(ours, theirs, 0).details


def test_numbers_are_compared_by_random_signs() -> None:
    rng = np.random.default_rng(0)
    ours = rng.random((1, 60))
    found = difference_of_means(ours, ours + 0.1, 0)
    assert (found.test, found.value) == ("random signs", pytest.approx(-0.1))
    assert found.p < 0.001


def test_several_runs_widen_the_interval_by_how_much_seeds_differ() -> None:
    rng = np.random.default_rng(0)
    items = rng.random(200) < 0.5
    seeds = np.stack([np.where(rng.random(200) < rate, items, 1 - items) for rate in (0.6, 0.95)])
    runs = seeds.astype(float)
    pooled = resampled_means([runs.mean(axis=0, keepdims=True)], 0)[:, 0]
    nested = resampled_means([runs], 0)[:, 0]
    assert nested.std() > pooled.std()
    assert nested.mean() == pytest.approx(runs.mean(), abs=0.01)


def test_the_hierarchical_bootstrap_equals_a_plain_loop_over_the_same_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 50)
    monkeypatch.setattr(statistics, "_FEWEST_RESAMPLES", 50)
    values = np.random.default_rng(1).random((3, 4))
    found = resampled_means([values], 7)[:, 0]
    rng = np.random.default_rng(7)
    items = rng.integers(0, 4, size=(50, 4))
    runs = rng.multinomial(3, [1 / 3] * 3, size=50)
    for mean, drawn, row in zip(found, items, runs, strict=True):
        each = [values[run, drawn].mean() for run in range(3)]
        center = sum(each) / 3
        plain = sum(count * one for count, one in zip(row, each, strict=True)) / 3
        enlarged = center + (plain - center) * math.sqrt(3 / 2)
        assert mean == pytest.approx(min(1.0, enlarged))  # all values are from 0 to 1


def test_several_runs_are_compared_by_the_hierarchical_bootstrap() -> None:
    rng = np.random.default_rng(0)
    weak, strong = ((rng.random((3, 150)) < rate).astype(float) for rate in (0.5, 0.8))
    found = difference_of_means(strong, weak, 0)
    assert found.test == "hierarchical bootstrap and t-test over seeds"
    assert found.details["runs"] == [3, 3]
    assert found.ci95 is not None
    assert 0.1 < found.ci95[0] < found.value < found.ci95[1]
    assert found.p < 0.01


def test_one_item_has_no_interval() -> None:
    found = difference_of_means(np.ones((1, 1)), np.zeros((1, 1)), 0)
    assert (found.value, found.ci95, found.p) == (1, None, 1)


def test_holm_by_hand() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert holm({}) == {}
    assert holm({"a": 0.7, "b": 0.9}) == {"a": 1, "b": 1}


def test_the_smallest_detectable_difference_is_found_in_four_of_five_experiments() -> None:
    rng, n, spread = np.random.default_rng(0), 200, 0.7
    effect = smallest_detectable(spread, n)
    z = rng.normal(effect, spread, size=(4_000, n)).mean(axis=1) / (spread / math.sqrt(n))
    assert (z > 1.96).mean() == pytest.approx(0.8, abs=0.02)
    assert smallest_detectable(math.sqrt(0.5), 200) == pytest.approx(0.1401, abs=1e-4)


def test_items_that_do_not_differ_tell_no_smallest_difference() -> None:
    assert smallest_detectable(0.0, 300) is None
    same = np.tile([0.1, 0.7], (3, 50))
    for runs in (same, same[:1]):
        found = difference_of_means(runs, runs, 0)
        assert (found.value, found.p) == (0, 1)
        assert "smallest_detectable" not in found.details


def test_what_several_seeds_could_find_counts_how_much_they_differ() -> None:
    # The mean of 0.6 and 0.8 has a standard error of 0.1; the items, which do not differ at all,
    # would promise that any difference is found. With one degree of freedom 16.3 errors are.
    ours, theirs = np.repeat([[0.6], [0.8]], 50, axis=1), np.full((2, 50), 0.5)
    found = difference_of_means(ours, theirs, 0)
    assert found.details["smallest_detectable"] == pytest.approx(16.334 * 0.1, rel=0.001)
    alone = difference_of_means(ours[:1], theirs[:1], 0)
    assert "smallest_detectable" not in alone.details  # it has no spread to tell it from


def seeds_of(rates: list[float], n: int = 1_000) -> np.ndarray:
    """One run a rate; the first items are right."""
    return (np.arange(n) < n * np.array(rates)[:, None]).astype(float)


def test_two_seeds_a_side_are_no_proof_where_seeds_differ_as_much_as_sides() -> None:
    """Resampled runs of a side never leave what lies between them, and p was 0.0002."""
    found = difference_of_means(seeds_of([0.70, 0.72]), seeds_of([0.60, 0.66]), 0)
    known = stats.ttest_ind([0.70, 0.72], [0.60, 0.66], equal_var=False).pvalue
    assert found.p == found.details["p_seeds"] == pytest.approx(known)
    assert found.p > 0.05 > found.details["p_bootstrap"]


def test_a_difference_that_the_items_do_not_show_counts_by_the_items() -> None:
    rng = np.random.default_rng(3)
    ours, theirs = (np.tile(rng.random(20) < 0.5, (4, 1)).astype(float) for _ in range(2))
    ours[0, 0], theirs[0, 0] = 1 - ours[0, 0], 1 - theirs[0, 0]
    found = difference_of_means(ours, theirs, 0)
    assert found.p == found.details["p_bootstrap"] > found.details["p_seeds"]


def test_the_interval_over_seeds_has_the_spread_of_the_mean_over_seeds() -> None:
    """Means of S resampled runs spread too little by √(1 - 1/S): of two runs by 29%."""
    for rates in ([0.5, 0.6], [0.4, 0.5, 0.6], [0.3, 0.4, 0.5, 0.6, 0.7]):
        runs = np.repeat(np.array(rates)[:, None], 100, axis=1)
        error = np.std(rates, ddof=1) / math.sqrt(len(rates))
        assert resampled_means([runs], 0)[:, 0].std() == pytest.approx(error, rel=0.03)
        grouped = resampled_means([runs], 0, np.repeat(np.arange(10), 10))[:, 0]
        assert grouped.std() == pytest.approx(error, rel=0.03)


def test_a_mean_over_seeds_stays_a_share() -> None:
    runs = seeds_of([1.0, 0.98, 1.0])
    assert resampled_means([runs], 0).max() == 1
    assert resampled_means([1 - runs], 0).min() == 0
    assert resampled_means([seeds_of([1.0]), runs], 0).max() == 1
    gaps = resampled_means([-runs], 0, limits=(-1.0, 1.0))
    assert gaps.min() == -1
    # Of numbers without an upper end, 0 alone is an end.
    numbers = np.repeat([[0.1], [4.0]], 9, axis=1)
    assert resampled_means([numbers], 0).min() == 0
    assert resampled_means([numbers], 0).max() > 4


@pytest.mark.parametrize(("right", "least"), [(5, "1"), (8, "1"), (15, "0.5"), (40, "0.125")])
def test_with_groups_the_note_counts_groups(right: int, least: str) -> None:
    """It counted items: with 8 in one group that differ it found enough of them."""
    clusters, ours, theirs = np.repeat(np.arange(4), 10), np.ones((1, 40)), np.ones((1, 40))
    theirs[0, :right] = 0
    found = difference_of_means(ours, theirs, 0, clusters)
    groups = -(-right // 10)
    assert found.details["note"] == (
        f"the two differ on {groups} group{'s' * (groups > 1)} only: even if all favoured one of "
        f"them, p would be {least}"
    )
    assert found.p == pytest.approx(float(least), abs=0.02)
    assert (found.details["better"], found.details["worse"]) == (right, 0)


def test_with_enough_groups_that_differ_no_note_is_made() -> None:
    clusters, ours, theirs = np.repeat(np.arange(8), 5), np.ones((1, 40)), np.ones((1, 40))
    theirs[0, :30:5] = 0
    found = difference_of_means(ours, theirs, 0, clusters)
    assert "note" not in found.details
    assert found.p < 0.05


def test_groups_in_which_both_are_right_equally_often_show_no_difference() -> None:
    ours, theirs = np.array([[1.0, 0.0, 1.0, 0.0, 1.0]]), np.array([[0.0, 1.0, 0.0, 1.0, 1.0]])
    found = difference_of_means(ours, theirs, 0, np.array([0, 0, 1, 1, 2]))
    assert (found.p, found.details["better"], found.details["worse"]) == (1, 2, 2)
    assert found.details["note"] == (
        "in every group the two are right equally often: p cannot be below 1"
    )


def test_alike_on_all_items_of_few_groups_is_said_of_groups() -> None:
    found = difference_of_means(np.ones((1, 30)), np.ones((1, 30)), 0, np.repeat(np.arange(3), 10))
    assert found.details["note"] == (
        "the two are alike on all 30 items: they may still differ on up to 63% of other groups"
    )


def test_units_are_numbered_where_items_share_one() -> None:
    assert clusters_of(["b", ("id", 1), "b", "a"]).tolist() == [0, 1, 0, 2]  # type: ignore[union-attr]
    assert clusters_of(["a", "b"]) is None


def test_seeds_alone_reject_no_more_than_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seeds a side found a difference between equals in a quarter of experiments."""
    monkeypatch.setattr(comparison, "resamples_for", lambda _n: 200)
    rng, rejected, covered = np.random.default_rng(1), 0, 0
    for _ in range(200):
        items = rng.random(300)

        def runs(items: np.ndarray = items) -> np.ndarray:
            return (items < 0.7 + 0.05 * rng.standard_normal((2, 1))).astype(float)

        found = difference_of_means(runs(), runs(), 0)
        rejected += found.p < 0.05
        covered += found.ci95 is not None and found.ci95[0] <= 0 <= found.ci95[1]
    assert rejected / 200 <= 0.05
    assert covered / 200 > 0.79


@pytest.mark.slow
def test_several_seeds_find_the_smallest_detectable_difference_in_four_of_five_experiments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 1_000)
    rng = np.random.default_rng(0)

    def runs(rate: float) -> np.ndarray:
        rates = rate + rng.normal(0, 0.03, size=(3, 1)) + difficulty
        return (rng.random((3, 300)) < rates).astype(float)

    found = []
    effect = 0.0
    for number in range(200):
        difficulty = 0.15 * rng.normal(size=300)
        one = difference_of_means(runs(0.7 + effect), runs(0.7), 0)
        found.append(one.p < 0.05 if number >= 50 else one.details["smallest_detectable"])
        if number == 49:
            effect = float(np.mean(found))
    assert np.mean(found[50:]) == pytest.approx(0.8, abs=0.12)
