"""Combining the two readings of a student: averages over draws, the pool, and its weight."""

from __future__ import annotations

import math
import random
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.asking.answering import draw_seed
from mitools.asking.combine import Candidates, average_draws, fit_weight, pool

Record = tuple[Candidates, list[bool]]
LOGS = st.floats(-30, 0)


def logs(*chances: float) -> tuple[float, ...]:
    return tuple(math.log(one) if one else -math.inf for one in chances)


def record(predicted: tuple[float, ...], concluded: tuple[float, ...], gold: int = 0) -> Record:
    labels = tuple("abcdefgh"[: len(predicted)])
    is_gold = [place == gold for place in range(len(labels))]
    return Candidates(labels, logs(*predicted), logs(*concluded)), is_gold


def slow_nll(records: list[Record], weight: float, sharpness: float = 1.0) -> float:
    """Mean -ln of gold's share of (p^λ · q^(1-λ))^sharpness, one record at a time."""
    total = 0.0
    for candidates, is_gold in records:
        shares = [
            (math.exp(p) ** weight * math.exp(q) ** (1 - weight)) ** sharpness
            for p, q in zip(candidates.predicted, candidates.concluded, strict=True)
        ]
        gold = sum(share for share, is_it in zip(shares, is_gold, strict=True) if is_it)
        total -= math.log(gold / sum(shares))
    return total / len(records)


def test_draws_are_averaged_as_probabilities() -> None:
    # (0.2 + 0.6) / 2 = 0.4 and (0.1 + 0) / 2 = 0.05; the mean of the logarithms would be 0.346.
    found = average_draws([logs(0.2, 0.1), logs(0.6, 0.0)])
    assert [math.exp(one) for one in found] == pytest.approx([0.4, 0.05])


def test_one_draw_is_its_own_average_and_none_is_an_error() -> None:
    assert average_draws([(-1.25, -math.inf)]) == (-1.25, -math.inf)
    assert average_draws([(-math.inf,), (-math.inf,)]) == (-math.inf,)
    with pytest.raises(ValueError, match="no draws"):
        average_draws([])
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        average_draws([(-1.0, -2.0), (-1.0,)])


def test_an_average_of_tiny_probabilities_does_not_vanish() -> None:
    assert average_draws([(-2000.0,), (-2000.0,)]) == pytest.approx((-2000.0,))


@given(st.lists(st.lists(LOGS, min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_order_of_the_draws_changes_no_average(rows: list[list[float]]) -> None:
    found = average_draws(rows)
    assert average_draws(rows[::-1]) == pytest.approx(found)
    for column, one in zip(zip(*rows, strict=True), found, strict=True):
        assert min(column) - 1e-9 <= one <= max(column) + 1e-9


def test_the_pool_is_a_weighted_mean_of_logarithms() -> None:
    candidates, _ = record((0.64, 0.04), (0.01, 0.25))
    # √(0.64 · 0.01) = 0.08 and √(0.04 · 0.25) = 0.1.
    assert [math.exp(one) for one in pool(candidates, 0.5)] == pytest.approx([0.08, 0.1])
    assert pool(candidates, 1.0) == pytest.approx(candidates.predicted)
    assert pool(candidates, 0.0) == pytest.approx(candidates.concluded)


def test_an_impossible_answer_is_impossible_unless_its_reading_has_no_weight() -> None:
    candidates, _ = record((0.0, 0.5), (0.5, 0.0))
    assert pool(candidates, 0.5) == (-math.inf, -math.inf)
    assert pool(candidates, 0.0) == (math.log(0.5), -math.inf)
    assert pool(candidates, 1.0) == (-math.inf, math.log(0.5))


@given(st.lists(st.tuples(LOGS, LOGS), min_size=1, max_size=8), st.floats(0, 1))
def test_pooled_distributions_add_up_to_at_most_one(
    scores: list[tuple[float, float]], weight: float
) -> None:
    sums = [math.fsum(math.exp(pair[side]) for pair in scores) for side in (0, 1)]
    normal = [tuple(pair[side] - math.log(sums[side]) for pair in scores) for side in (0, 1)]
    candidates = Candidates(tuple(map(str, range(len(scores)))), *normal)
    assert math.fsum(map(math.exp, pool(candidates, weight))) <= 1 + 1e-9


def test_the_weight_goes_to_the_reading_that_knows() -> None:
    sure, unsure = (0.9, 0.1), (0.1, 0.9)
    found = fit_weight([record(sure, unsure)] * 40).weight
    assert found == nearest_to_half([record(sure, unsure)] * 40)
    assert found > 0.75
    assert fit_weight([record(unsure, sure)] * 40).weight == pytest.approx(1 - found)


def test_few_records_leave_both_readings_their_weight() -> None:
    # Three records: 3 · ln 2 = 2.08 nats at λ = ½ and -3 · ln 0.9 = 0.32 at λ = 1, less than 1.92
    # apart. A fourth one, and ½ is ruled out: 2.77 and 0.42.
    known = record((0.9, 0.1), (0.1, 0.9))
    assert fit_weight([known] * 3).weight == 0.5
    assert fit_weight([known] * 4).weight == nearest_to_half([known] * 4) > 0.5


def random_records(seed: int, count: int, side: int) -> list[Record]:
    """Make records of which one reading mostly knows gold."""
    rng = random.Random(seed)
    records = []
    for _ in range(count):
        size = rng.randint(2, 5)
        rows = [[rng.random() + 0.01 for _ in range(size)] for _ in range(2)]
        gold = max(range(size), key=rows[side].__getitem__)
        gold = gold if rng.random() < 0.9 else rng.randrange(size)
        records.append(record(*(tuple(one / sum(row) for one in row) for row in rows), gold))
    return records


def nearest_to_half(records: list[Record], steps: int = 100) -> float:
    """Find the λ nearest to ½ within 1.92 nats of the best, with the slow loss."""
    sharpness = [step / 100 for step in range(101)]
    losses = {
        step / steps: len(records) * min(slow_nll(records, step / steps, one) for one in sharpness)
        for step in range(steps + 1)
    }
    likely = [one for one, loss in losses.items() if loss <= min(losses.values()) + 1.92]
    return min(likely, key=lambda one: abs(one - 0.5))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_weight_is_the_one_of_the_slow_loss(seed: int) -> None:
    records = random_records(seed, 40, side=0)
    found = fit_weight(records)
    assert found.weight == pytest.approx(nearest_to_half(records, steps=20), abs=0.05)
    assert found.weight > 0.5
    assert fit_weight(records[::-1]) == found


def too_sure(reading: tuple[float, ...], power: float) -> tuple[float, ...]:
    raised = [one**power for one in reading]
    return tuple(one / sum(raised) for one in raised)


def test_the_weight_minimizes_the_slow_loss_at_its_best_temperature() -> None:
    rng = random.Random(1)
    records = []
    for candidates, is_gold in random_records(2, 60, side=1):
        # Both readings are too sure by the same power; the loss at temperature 1 misleads.
        rows = [tuple(map(math.exp, row)) for row in (candidates.predicted, candidates.concluded)]
        gold = is_gold.index(True) if rng.random() < 0.7 else rng.randrange(len(is_gold))
        records.append(record(too_sure(rows[0], 6), too_sure(rows[1], 6), gold))
    found = fit_weight(records).weight
    assert found == pytest.approx(nearest_to_half(records, steps=20), abs=0.05)
    assert found < 0.5


def test_a_reading_that_is_too_sure_keeps_the_weight_of_what_it_tells() -> None:
    # The second reading is right in 6 of 10 records and always at 0.999; the first one knows
    # nothing, and says so. Likelihood at temperature 1 would leave the second no weight.
    sure, wrong = (0.999, 0.0005, 0.0005), (0.0005, 0.999, 0.0005)
    faint = (0.34, 0.33, 0.33)
    records = [record(faint, sure)] * 18 + [record(faint, wrong)] * 12
    assert slow_nll(records, 1.0) < slow_nll(records, 0.0)
    weight = fit_weight(records).weight
    pooled = [max(range(3), key=pool(one, weight).__getitem__) for one, _ in records]
    assert weight == 0.5
    assert pooled == [0] * 18 + [1] * 12


def test_readings_that_tell_nothing_have_the_same_weight() -> None:
    # Both are wrong everywhere: at any temperature the best is to count every answer the same.
    assert fit_weight([record((0.1, 0.9), (0.2, 0.8))] * 300).weight == 0.5


def test_readings_that_agree_leave_the_weight_in_the_middle() -> None:
    records = [record((0.7, 0.3), (0.35, 0.15)), record((0.2, 0.8), (0.1, 0.4))] * 50
    found = fit_weight(records)
    assert (found.weight, found.records) == (0.5, 100)


def test_records_that_determine_nothing_do_not_count() -> None:
    without_gold = record((0.9, 0.1), (0.1, 0.9), gold=5)
    single = record((0.3,), (0.4,))
    assert fit_weight([]).weight == 0.5
    found = fit_weight([without_gold, single])
    assert (found.weight, found.records) == (0.5, 0)
    telling = record((0.1, 0.9), (0.9, 0.1))
    assert fit_weight([without_gold, telling, single]) == fit_weight([telling])
    assert fit_weight([telling]).records == 1


def test_several_spellings_of_gold_count_together() -> None:
    # Together 0.8 in the first reading and 0.5 in the second; apart, 0.4 and 0.5.
    candidates = Candidates(("a", "A", "b"), logs(0.4, 0.4, 0.2), logs(0.49, 0.01, 0.5))
    together = [(candidates, [True, True, False])] * 200
    apart = [(candidates, [True, False, False])] * 200
    found = [fit_weight(records).weight for records in (together, apart)]
    assert found == [nearest_to_half(together), nearest_to_half(apart)]
    assert found[0] > found[1]


def test_an_impossible_gold_leaves_its_reading_no_weight() -> None:
    found = fit_weight([record((0.0, 1.0), (0.6, 0.4))] * 100)
    assert found.weight < 0.01


@settings(max_examples=15)
@given(st.lists(st.tuples(LOGS, LOGS), min_size=2, max_size=5))
def test_the_order_of_the_candidates_changes_no_weight(scores: list[tuple[float, float]]) -> None:
    labels = tuple(map(str, range(len(scores))))
    weights = set()
    for order in list(permutations(range(len(scores))))[:4]:
        one = Candidates(
            labels,
            tuple(scores[place][0] for place in order),
            tuple(scores[place][1] for place in order),
        )
        weights.add(fit_weight([(one, [place == 0 for place in order])] * 100).weight)
    assert len(weights) == 1


def test_seeds_of_draws_differ_by_seed_record_and_number() -> None:
    seeds = {draw_seed(a, b, c) for a in (0, 1) for b in ("1", "11", "ü\ud800") for c in (0, 1, 11)}
    assert len(seeds) == 2 * 3 * 3
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert draw_seed(3, "x", 2) == draw_seed(3, "x", 2)


def test_the_second_reading_adds_where_the_predict_pass_alone_is_ruled_out() -> None:
    # λ = 1 costs ln 2 a record, λ = 0 ln (1 / 0.9): 0.588 less, and 1.92 after 4 of them.
    telling = record((0.5, 0.5), (0.9, 0.1))
    assert not fit_weight([telling] * 3).adds
    assert fit_weight([telling] * 4).adds
    assert not fit_weight([]).adds


def test_records_with_one_reading_twice_do_not_count() -> None:
    telling, same = record((0.5, 0.5), (0.9, 0.1)), record((0.2, 0.8), (0.2, 0.8))
    assert fit_weight([same] * 9).records == 0
    assert fit_weight([same, telling, same] * 5) == fit_weight([telling] * 5)


@pytest.mark.parametrize("second", [(0.1, 0.9), (0.5, 0.5), (0.7, 0.3)])
def test_a_reading_that_misleads_or_tells_what_is_known_adds_nothing(
    second: tuple[float, ...],
) -> None:
    known = [record((0.7, 0.3), second, gold=int(number % 10 > 6)) for number in range(400)]
    assert not fit_weight(known).adds


def test_a_reading_by_chance_seldom_adds() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        chances = rng.dirichlet([1.0, 1.0, 1.0], size=(60, 2))
        golds = [rng.choice(3, p=first) for first, _ in chances]
        found.append(
            fit_weight(
                [
                    record((*a,), (*b,), int(gold))
                    for (a, b), gold in zip(chances, golds, strict=True)
                ]
            ).adds
        )
    assert sum(found) <= 6  # of 60, each with a probability of at most 5%
