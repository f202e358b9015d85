from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.evaluate.measures.labels import ACCURACY, accuracy, macro_f1, rate
from mitools.evaluate.measures.statistics import clustered_interval, wilson_interval

NAMES = ("contradiction", "entailment", "neutral")
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([*NAMES, None])), min_size=1)


def slow_macro_f1(pairs: list[tuple[str, str | None]]) -> float:
    scores = []
    for name in NAMES:
        hits = sum(gold == given == name for gold, given in pairs)
        size = sum(gold == name for gold, _ in pairs) + sum(given == name for _, given in pairs)
        if size:
            scores.append(2 * hits / size)
    return sum(scores) / len(scores)


def test_a_rate_is_a_share_with_wilsons_interval() -> None:
    metric = rate(ACCURACY, 8, 10, empty="-")
    assert (metric.value, metric.n, metric.status) == (0.8, 10, "ok")
    assert metric.ci95 == pytest.approx((0.490162, 0.943318), abs=1e-6)


def test_a_rate_of_nothing_is_undefined_and_says_why() -> None:
    metric = rate(ACCURACY, 0, 0, empty="no gold")
    assert (metric.status, metric.reason, metric.value) == ("undefined", "no gold", None)


def test_accuracy_without_groups_is_a_rate() -> None:
    found = accuracy(3, 4, [])
    assert (found.value, found.n, found.ci95) == (0.75, 4, wilson_interval(3, 4))
    assert "groups" not in found.details


def test_records_of_a_group_are_one_unit_of_the_interval_of_accuracy() -> None:
    pairs = [(2, 2), (0, 2), (2, 2), (0, 2)]  # both right, or both wrong
    found = accuracy(5, 9, [*pairs, (1, 1)])
    assert (found.value, found.n, found.details["groups"]) == (5 / 9, 9, 5)
    assert found.ci95 == clustered_interval(5, 9, pairs)  # a group of one is a record alone
    assert found.ci95 is not None
    low, high = wilson_interval(5, 9) or (0, 0)
    assert found.ci95[0] < low
    assert found.ci95[1] > high
    assert accuracy(2, 2, [(2, 2)]).ci95 is None


def test_accuracy_of_nothing_is_undefined() -> None:
    assert accuracy(0, 0, []).reason == "no record has a gold label"


def test_macro_f1_by_hand() -> None:
    # a: 2·2 / (3 + 2) = 0.8; b: 2·1 / (1 + 2) = 2/3
    confusion = {("a", "a"): 2, ("a", "b"): 1, ("b", "b"): 1}
    metric = macro_f1(confusion, seed=0)
    assert metric.value == pytest.approx((0.8 + 2 / 3) / 2)
    assert metric.n == 4
    assert metric.ci95 is not None
    assert metric.ci95[0] < metric.value < metric.ci95[1]


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_macro_f1_equals_a_plain_loop(pairs: list[tuple[str, str | None]]) -> None:
    assert macro_f1(Counter(pairs), seed=0).value == pytest.approx(slow_macro_f1(pairs))


def test_an_answer_outside_the_set_misses_gold_and_accuses_no_label() -> None:
    assert macro_f1({("a", "a"): 1, ("a", None): 1}, seed=0).value == pytest.approx(2 / 3)


def test_duplicated_records_keep_macro_f1() -> None:
    once = {("a", "a"): 2, ("a", "b"): 1, ("b", None): 3}
    twice = {cell: 2 * n for cell, n in once.items()}
    assert macro_f1(once, seed=0).value == pytest.approx(macro_f1(twice, seed=0).value)


def test_a_label_that_a_resample_lacks_does_not_lower_it() -> None:
    _, high = macro_f1({("a", "a"): 3, ("b", "a"): 1}, seed=0).ci95 or (0, 0)
    assert high == 1  # of "a" alone, which was always right; b counted as missed would make it 0.5


def test_macro_f1_where_all_is_right_has_no_interval_of_no_width() -> None:
    assert macro_f1({("a", "a"): 1, ("b", "b"): 1}, seed=0).ci95 is None


def test_macro_f1_of_nothing_is_undefined() -> None:
    assert macro_f1({}, seed=0).status == "undefined"


def test_macro_f1_of_one_record_has_no_interval() -> None:
    assert macro_f1({("a", "a"): 1}, seed=0).ci95 is None
