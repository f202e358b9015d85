from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.evaluate.measures.temperature import (
    AnswerRows,
    answers_from,
    fit_temperature,
    mean_nll,
    scaled,
)

CHANCES = st.lists(st.floats(0.01, 1), min_size=2, max_size=5)
ROWS = st.lists(
    CHANCES.flatmap(
        lambda row: st.tuples(
            st.just([p / sum(row) for p in row]),
            st.integers(0, len(row) - 1),
            st.integers(0, len(row) - 1),
        )
    ),
    min_size=1,
    max_size=12,
)
Rows = list[tuple[list[float], int, int]]


def drawn(n: int, sharpness: float, seed: int = 0) -> AnswerRows:
    """AnswerRows whose gold is drawn from p, but that state p ** sharpness."""
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for _ in range(n):
        p = rng.dirichlet([1.0] * 4)
        stated = p**sharpness / (p**sharpness).sum()
        rows.append((stated.tolist(), int(rng.choice(4, p=p)), int(p.argmax())))
    return answers_from(rows)


def slow_nll(rows: Rows, temperature: float) -> float:
    losses = []
    for chances, gold, _ in rows:
        weights = [p ** (1 / temperature) for p in chances]
        losses.append(-math.log(weights[gold] / sum(weights)))
    return sum(losses) / len(losses)


def test_the_scaled_softmax_by_hand() -> None:
    answers = answers_from([([0.8, 0.2], 0, 0), ([0.5, 0.3, 0.2], 1, 0)])
    # p ** (1/2): 0.8944 and 0.4472 make 2/3 and 1/3
    assert np.exp(scaled(answers, 2.0))[:2] == pytest.approx([2 / 3, 1 / 3])
    assert mean_nll(answers, 1.0) == pytest.approx(-(math.log(0.8) + math.log(0.3)) / 2)


@given(ROWS, st.floats(0.2, 20))
def test_the_loss_equals_a_plain_loop(rows: Rows, temperature: float) -> None:
    assert mean_nll(answers_from(rows), temperature) == pytest.approx(slow_nll(rows, temperature))


@given(ROWS, st.floats(0.2, 20))
def test_every_row_adds_up_to_1_and_keeps_its_best_answer(rows: Rows, temperature: float) -> None:
    answers = answers_from(rows)
    chances = np.exp(scaled(answers, temperature))
    for (row, _, _), found in zip(rows, np.split(chances, answers.starts[1:]), strict=True):
        assert found.sum() == pytest.approx(1)
        assert found[int(np.argmax(row))] == found.max()


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 2.5])
def test_the_fit_finds_the_temperature_that_was_hidden(sharpness: float) -> None:
    assert fit_temperature(drawn(3_000, sharpness)) == pytest.approx(sharpness, rel=0.06)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_the_fit_is_the_best_of_a_fine_grid(sharpness: float) -> None:
    answers = drawn(200, sharpness)
    found = fit_temperature(answers)
    grid = np.exp(np.linspace(math.log(0.05), math.log(50), 4_001))
    losses = [mean_nll(answers, float(temperature)) for temperature in grid]
    assert found == pytest.approx(grid[int(np.argmin(losses))], rel=2e-3)
    assert mean_nll(answers, found or 0) <= min(losses) + 1e-12


@settings(deadline=None, max_examples=25)
@given(ROWS)
def test_the_fit_never_makes_the_loss_larger(rows: Rows) -> None:
    answers = answers_from(rows)
    found = fit_temperature(answers)
    if found is not None:
        assert mean_nll(answers, found) <= mean_nll(answers, 1.0) + 1e-6


@pytest.mark.parametrize(
    "rows",
    [
        [([0.6, 0.4], 0, 0)] * 5,  # all right: the colder the better
        [([0.999999, 0.000001], 0, 0)] * 5,
        [([0.6, 0.4], 1, 0)] * 5,  # all wrong: the hotter the better
        [([0.5, 0.5], 1, 0)] * 5,  # no temperature changes anything
        [],
    ],
)
def test_answers_that_set_no_limit_have_no_temperature(rows: Rows) -> None:
    assert fit_temperature(answers_from(rows)) is None


def test_an_impossible_gold_answer_costs_a_finite_amount() -> None:
    answers = answers_from([([1.0, 0.0], 1, 0), ([0.7, 0.3], 0, 0)])
    assert math.isfinite(mean_nll(answers, 1.0))


def test_nothing_costs_nothing() -> None:
    assert mean_nll(answers_from([]), 1.0) == 0
