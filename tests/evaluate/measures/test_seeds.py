from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mitools.evaluate.measures.seeds import SeedTest, compare_paired_seeds, compare_seeds

OURS, THEIRS = np.array([0.31, 0.35, 0.30, 0.36]), np.array([0.29, 0.28, 0.33])


def test_paired_seeds_are_compared_by_scipys_t_test() -> None:
    found = compare_paired_seeds(OURS[:3] - THEIRS)
    assert found.p == pytest.approx(stats.ttest_rel(OURS[:3], THEIRS).pvalue)


def test_seeds_that_are_not_paired_are_compared_by_welchs_test() -> None:
    for ours, theirs in ((OURS, THEIRS), (THEIRS, OURS)):
        known = stats.ttest_ind(ours, theirs, equal_var=False).pvalue
        assert compare_seeds(ours, theirs).p == pytest.approx(known)


def test_a_single_run_is_taken_to_spread_as_the_other_side() -> None:
    for ours, theirs in ((OURS, THEIRS[:1]), (THEIRS[:1], OURS)):
        known = stats.ttest_ind(ours, theirs, equal_var=True).pvalue
        assert compare_seeds(ours, theirs).p == pytest.approx(known)


def test_one_side_without_a_spread_leaves_that_of_the_other() -> None:
    even = np.array([0.25, 0.25, 0.25])
    known = stats.ttest_1samp(OURS, 0.25).pvalue
    assert compare_seeds(OURS, even).p == pytest.approx(known)


def test_seeds_that_do_not_spread_have_the_p_of_their_order() -> None:
    for count, known in ((2, 2 / 6), (3, 2 / 20), (5, 2 / 252)):
        same, other = np.full(count, 0.3), np.full(count, 0.1 + 0.2 + 0.1)
        found = compare_seeds(same, other)
        assert (found.p, found.smallest_detectable) == (pytest.approx(known), None)
        assert compare_seeds(same, same).p == 1
        assert compare_paired_seeds(other - same).p == 2 * 0.5**count
        assert compare_paired_seeds(same - same).p == 1
    assert compare_seeds(np.array([0.4]), np.array([0.3, 0.3])).p == pytest.approx(2 / 3)


@pytest.mark.parametrize("counts", [(3, 3), (8, 8), (4, 1)])
def test_the_smallest_detectable_difference_is_found_in_four_of_five_experiments(
    counts: tuple[int, int],
) -> None:
    rng = np.random.default_rng(0)

    def tested(effect: float) -> SeedTest:
        return compare_seeds(rng.normal(effect, 1, counts[0]), rng.normal(0, 1, counts[1]))

    said = [tested(0).smallest_detectable or 0 for _ in range(150)]
    effect = float(np.sqrt(np.mean(np.square(said))))
    assert np.mean([tested(effect).p < 0.05 for _ in range(250)]) == pytest.approx(0.8, abs=0.08)


def test_what_is_found_depends_on_the_number_of_seeds() -> None:
    """With many seeds it is 2.80 standard errors, as of a test by the normal distribution."""
    for count, errors in ((2, 16.334), (3, 5.653), (5, 3.761), (400, 2.809)):
        differences = np.tile([-1.0, 1.0], count)[:count]
        found = compare_paired_seeds(differences).smallest_detectable
        error = differences.std(ddof=1) / np.sqrt(count)
        assert found == pytest.approx(errors * error, rel=0.001)
