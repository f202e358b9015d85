from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mitools.evaluate.simulators.equation_features import (
    MOST_NUMBERS,
    candidates_in,
    input_features,
    numbers_in,
    place_of,
    told_features,
)

PEARS = "Ann has 84 pears in 2 boxes."


def test_two_numbers_have_their_values_and_four_operations() -> None:
    found = {one.value: (one.signs, one.places) for one in candidates_in(PEARS)}
    assert found == {
        Fraction(84): ("", (0,)),
        Fraction(2): ("", (1,)),
        Fraction(86): ("+", (0, 1)),
        Fraction(82): ("-", (0, 1)),
        Fraction(168): ("*", (0, 1)),
        Fraction(42): ("/", (0, 1)),
        Fraction(1, 42): ("/", (1, 0)),
    }


def test_two_operations_join_three_numbers_and_give_whole_values_only() -> None:
    found = candidates_in("7 and 3 and 2")
    values = {one.value for one in found if len(one.signs) == 2}
    assert {Fraction(12), Fraction(20), Fraction(8), Fraction(23)} <= values
    assert all(value.denominator == 1 and value >= 0 for value in values)
    assert len({one.value for one in found}) == len(found)


def test_a_text_without_numbers_has_no_candidates_and_many_numbers_are_capped() -> None:
    assert candidates_in("no number here") == []
    many = candidates_in(" ".join(str(number) for number in range(1, 30)))
    assert max(place for one in many for place in one.places) < MOST_NUMBERS


def test_a_division_by_zero_is_no_candidate() -> None:
    assert all(one.signs != "/" or one.places == (1, 0) for one in candidates_in("5 of 0"))


def test_numbers_are_read_with_decimals_and_thousands() -> None:
    assert numbers_in("1,200 pears at 2.5 each") == [Fraction(1200), Fraction(5, 2)]


@pytest.mark.parametrize(
    ("label", "signs"), [("( 84.0 / 2.0 )", "/"), ("86", "+"), ("2 * 84", "*"), ("84", "")]
)
def test_a_label_is_found_by_its_value(label: str, signs: str) -> None:
    found = candidates_in(PEARS)
    place = place_of(label, found)
    assert place is not None
    assert found[place].signs == signs


@pytest.mark.parametrize("label", ["99", "many", "__import__('os')", "9**9**9", "(" * 300])
def test_a_label_that_no_candidate_has_is_nowhere(label: str) -> None:
    assert place_of(label, candidates_in(PEARS)) is None


def told(rationale: str) -> dict[str, list[float]]:
    found = candidates_in(PEARS)
    rows = told_features([rationale], [found])
    return {str(one.value): row.tolist() for one, row in zip(found, rows, strict=True)}


def test_what_a_rationale_works_out_and_supports_is_told_of_that_candidate_alone() -> None:
    rows = told("Half of 84 is 84 / 2 = 42.")
    assert rows.pop("42") == [1, 1, 0]
    assert all(row == [0, 0, 0] for row in rows.values())


def test_the_cue_says_what_is_supported_and_expressions_what_is_worked_out() -> None:
    rows = told("84 + 2 = 86 is too much. The answer is (84 / 2).")
    assert rows["86"] == [1, 0, 0]
    assert rows["42"] == [1, 1, 0]


def test_a_last_number_counts_where_there_is_no_expression() -> None:
    assert told("There are 84, so each box holds 42.")["42"] == [0, 0, 1]


def test_an_empty_rationale_tells_nothing() -> None:
    assert not any(any(row) for row in told("").values())


def test_inputs_describe_every_candidate() -> None:
    texts = [PEARS, "7 and 3 and 2"] * 4
    made = [candidates_in(text) for text in texts]
    features = input_features(texts, made, seed=0)
    assert features.shape == (sum(map(len, made)), 26)
    assert np.isfinite(features).all()
    first = dict(zip([str(one.value) for one in made[0]], features.tolist(), strict=False))
    # + - * /, then topics, then: bare, two operations, in order, first, last, whole
    assert first["42"][:4] == [0, 0, 0, 1]
    assert first["42"][-6:] == [0, 0, 1, 1, 1, 1]
    assert first["84"][-6:] == [1, 0, 1, 1, 0, 1]
    assert first["1/42"][-6:] == [0, 0, 0, 1, 1, 0]


def test_texts_that_differ_in_numbers_alone_raise_no_warning() -> None:
    texts = [f"Ann has {n} pears and gets {n + 1}" for n in range(9)]
    features = input_features(texts, [candidates_in(text) for text in texts], seed=0)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("size", [201, 4_400])
def test_a_run_of_digits_longer_than_an_expression_is_no_number(size: int) -> None:
    """Python refuses to read more than 4,300 digits."""
    long = "9" * size
    assert numbers_in(f"She has 3 and {long} or {long}.5 and 7.") == [3, 7]
    assert told_features([f"She has {long}"], [candidates_in("3 and 4")]).sum() == 0
