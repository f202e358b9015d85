from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.evaluate.measures import statistics
from mitools.evaluate.measures.statistics import (
    RESAMPLES,
    bootstrap,
    clustered_interval,
    mean_intervals,
    percentile_interval,
    ratio_interval,
    resamples_for,
    spread_interval,
    wilson_interval,
)


def test_wilson_of_8_in_10_is_the_textbook_interval() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4901625, 0.9433178))


def test_wilson_has_width_where_the_bootstrap_has_none() -> None:
    low, high = wilson_interval(20, 20) or (0, 0)
    assert high == 1
    assert low == pytest.approx(20 / (20 + 1.959964**2))
    assert wilson_interval(0, 20) == pytest.approx((0, 1 - low))


def test_wilson_of_nothing_is_none() -> None:
    assert wilson_interval(0, 0) is None


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_within_0_and_1(pair: tuple[int, int]) -> None:
    hits, n = pair
    low, high = wilson_interval(hits, n) or (1, 0)
    assert 0 <= low <= hits / n <= high <= 1


def test_the_bootstrap_equals_a_plain_loop_over_the_same_draws() -> None:
    values = np.array([1.0, 5.0, 9.0])
    found = bootstrap(np.arange(3), 3, lambda counts: counts @ values / 3, seed=4)
    draws = np.random.default_rng(4).integers(0, 3, size=(RESAMPLES, 3))
    plain = [sum(values[index] for index in row) / 3 for row in draws]
    assert found == pytest.approx(plain)


def test_the_block_size_changes_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = np.array([0, 1, 1, 2, 2, 2, 3])

    def spread(counts: np.ndarray) -> np.ndarray:
        return counts.max(axis=1)

    whole = bootstrap(cells, 4, spread, seed=1)
    monkeypatch.setattr(statistics, "_CHUNK", 100)
    assert (bootstrap(cells, 4, spread, seed=1) == whole).all()


def test_resamples_fall_from_10000_to_1000_for_many_items() -> None:
    assert [resamples_for(n) for n in (1, 50_000, 100_000, 10**7)] == [10_000, 10_000, 5_000, 1_000]


def test_mean_intervals_agree_with_the_normal_limit() -> None:
    values = np.random.default_rng(0).normal(3, 2, size=(400, 1))
    ((low, high),) = mean_intervals(values, seed=0)
    margin = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - margin, values.mean() + margin), abs=0.02)


def test_mean_intervals_do_not_depend_on_the_order_of_the_items() -> None:
    values = np.random.default_rng(0).random((30, 2))
    assert mean_intervals(values, seed=0) == mean_intervals(values[::-1].copy(), seed=0)
    assert mean_intervals(values, seed=0) != mean_intervals(values, seed=1)


def test_one_item_has_no_interval() -> None:
    assert mean_intervals(np.ones((1, 2)), seed=0) == [None, None]
    assert ratio_interval(np.ones(1), np.ones(1), seed=0) is None


def test_equal_items_claim_no_interval() -> None:
    values = np.column_stack([np.full(30, 1 / 12), np.arange(30)])
    equal, differing = mean_intervals(values, seed=0)
    assert equal is None
    assert differing is not None
    assert ratio_interval(np.full(30, 1 / 3), np.full(30, 2 / 3), seed=0) is None


def test_a_ratio_interval_resamples_items_and_not_their_parts() -> None:
    parts, wholes = np.array([0.0, 10.0]), np.array([10.0, 10.0])
    assert ratio_interval(parts, wholes, seed=0) == (0, 1)


def test_a_statistic_that_is_mostly_undefined_has_no_interval() -> None:
    assert percentile_interval(np.array([np.nan, np.nan, 1.0])) is None
    assert percentile_interval(np.array([np.nan, 1.0, 1.0])) == (1, 1)


def test_values_that_are_all_alike_have_no_interval() -> None:
    assert spread_interval(np.ones(100)) is None
    assert spread_interval(np.array([np.nan, np.nan, 1.0])) is None
    assert spread_interval(np.array([0.1, 0.1 + 1e-17, 0.3 - 0.2])) is None  # rounding
    assert spread_interval(np.array([0.1, 0.1 + 1e-9])) is not None
    draws = np.linspace(0, 1, 101)
    assert spread_interval(draws) == percentile_interval(draws) == pytest.approx((0.025, 0.975))


def test_items_that_are_groups_of_their_own_have_wilsons_interval_with_students_quantile() -> None:
    found, known = clustered_interval(930, 1000, []), wilson_interval(930, 1000)
    assert found == pytest.approx(known, abs=2e-4)
    assert clustered_interval(930, 1000, [(0, 1)] * 70 + [(1, 1)] * 930) == found


def test_copies_of_an_item_tell_no_more_than_the_item() -> None:
    once = clustered_interval(19, 20, [(n > 0, 1) for n in range(20)])
    tenfold = clustered_interval(190, 200, [(10 * (n > 0), 10) for n in range(20)])
    assert tenfold == pytest.approx(once)
    assert clustered_interval(200, 200, [(10, 10)] * 20) == pytest.approx(
        clustered_interval(20, 20, [])
    )
    assert clustered_interval(200, 200, [(10, 10)] * 20)[1] == 1  # type: ignore[index]


def test_one_group_has_no_interval() -> None:
    assert clustered_interval(3, 10, [(3, 10)]) is None
    assert clustered_interval(1, 1, []) is None


def test_groups_that_balance_each_other_do_not_narrow_the_interval() -> None:
    found = clustered_interval(100, 200, [(1, 2)] * 100)
    low, high = wilson_interval(100, 200) or (0.0, 0.0)
    assert found is not None
    assert found[0] <= low
    assert found[1] >= high


def test_the_interval_covers_where_items_of_a_group_are_alike() -> None:
    """Wilson's, which takes the items as independent, misses in a quarter of the draws."""
    rng, missed, missed_before = np.random.default_rng(0), 0, 0
    for _ in range(400):
        own, shared = rng.random((80, 5)) < 0.7, rng.random(80) < 0.7
        is_copy = rng.random((80, 5)) < np.sqrt(0.5)
        right = np.where(is_copy, shared[:, None], own).sum(axis=1)
        groups, hits = [(int(count), 5) for count in right], int(right.sum())
        low, high = clustered_interval(hits, 400, groups) or (1.0, 0.0)
        missed += not low <= 0.7 <= high
        low, high = wilson_interval(hits, 400) or (1.0, 0.0)
        missed_before += not low <= 0.7 <= high
    assert missed / 400 < 0.08
    assert missed_before / 400 > 0.15
