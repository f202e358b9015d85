from __future__ import annotations

import math
import random

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from mitools.evaluate.simulators.logit import CandidateSets, candidate_log_probs, fit_weights
from mitools.evaluate.simulators.models import (
    INPUT_WEIGHTS,
    SMOOTHING,
    CandidateSimulator,
    LabelSimulator,
    TermWeigher,
    term_weights,
    word_pairs,
)

FOLDS = np.arange(60) % 5


def texts(target: np.ndarray, seed: int = 0) -> list[str]:
    """Noise, and a word that tells two targets of three."""
    rng = random.Random(seed)
    words = ("yes", "no", "perhaps")
    return [
        f"{words[label if rng.random() < 0.8 else 0]} {rng.choice('uvw')} {rng.choice('xyz')}"
        for label in target
    ]


TARGET = np.random.default_rng(0).integers(0, 3, 60)
LABELS = LabelSimulator(term_weights(texts(TARGET), word_pairs), FOLDS, 3)
TOLD = term_weights(texts(TARGET, 1), word_pairs)


def test_rationales_that_are_alike_are_fitted_without_a_warning(
    recwarn: pytest.WarningsRecorder,
) -> None:
    target = np.arange(60) % 3
    alike = term_weights(["it is what it is"] * 60, word_pairs)
    simulator = LabelSimulator(term_weights(texts(target), word_pairs), FOLDS, 3)
    simulator.guess(target, sees_input=False, rationales=alike)
    assert [str(one.message) for one in recwarn] == []


def candidates(
    seed: int = 0, gold: np.ndarray | None = None
) -> tuple[CandidateSimulator, np.ndarray, np.ndarray]:
    """Give a simulator, rationales that mark the target eight times in ten, and the target."""
    rng = np.random.default_rng(seed)
    sets = CandidateSets(rng.integers(2, 6, size=60))
    target = rng.integers(0, sets.sizes) if gold is None else gold
    told = np.zeros((int(sets.sizes.sum()), 2))
    told[sets.starts + target, 0] = rng.random(60) < 0.8
    inputs = rng.normal(size=(len(told), 2))
    return CandidateSimulator(inputs, FOLDS, sets, "a logit"), told, target


def test_terms_are_weighed_by_tf_idf_and_rows_have_unit_length() -> None:
    weights = TermWeigher(["a b", "a c c", "b"], str.split)(["a b", "c", ""]).toarray()
    # a and b are in two of three texts each, c in one only
    assert weights[0] == pytest.approx([math.sqrt(0.5)] * 2)
    assert not weights[1:].any()


def test_weights_are_those_of_a_plain_loop() -> None:
    rng = random.Random(3)
    said = [" ".join(rng.choices("abcdefgh", k=rng.randrange(1, 9))) for _ in range(30)]
    terms = [word_pairs(text) for text in said]
    known = sorted({term for row in terms for term in row if sum(term in r for r in terms) > 1})
    found = term_weights(said, word_pairs).toarray()
    assert found.shape == (30, len(known))
    for row, weights in zip(terms, found, strict=True):
        rarities = [math.log(31 / (1 + sum(term in r for r in terms))) + 1 for term in known]
        plain = [
            (1 + math.log(row.count(term))) * rarity if term in row else 0.0
            for term, rarity in zip(known, rarities, strict=True)
        ]
        length = math.sqrt(sum(value**2 for value in plain)) or 1.0
        assert weights == pytest.approx([value / length for value in plain])


def test_texts_without_a_shared_term_have_no_columns() -> None:
    assert term_weights(["a", "b", ""], str.split).shape == (3, 0)


def test_labels_are_guessed_by_models_that_never_saw_the_item() -> None:
    guesses = LABELS.guess(TARGET, sees_input=True, rationales=TOLD)
    features = sp.hstack([LABELS.inputs, TOLD]).tocsr()
    for item in (0, 17, 42):
        others = FOLDS[item] != FOLDS
        model = LogisticRegression(tol=1e-8, max_iter=10_000).fit(features[others], TARGET[others])
        chances = (1 - SMOOTHING) * model.predict_proba(features[item])[0] + SMOOTHING / 3
        assert guesses.bits[item] == pytest.approx(math.log2(chances[TARGET[item]]), abs=0.02)
        assert guesses.is_right[item] == (chances.argmax() == TARGET[item])


def test_the_input_has_the_weight_at_which_it_tells_most_by_itself() -> None:
    told = LABELS.for_target(TARGET)
    assert told.weight > 1

    def bits(weight: float) -> float:
        features = LABELS.inputs.toarray() * weight
        found = []
        for fold in range(5):
            held = fold == FOLDS
            model = LogisticRegression(tol=1e-8, max_iter=10_000)
            model.fit(features[~held], TARGET[~held])
            chances = (1 - SMOOTHING) * model.predict_proba(features[held]) + SMOOTHING / 3
            found += np.log2(chances[np.arange(held.sum()), TARGET[held]]).tolist()
        return float(np.mean(found))

    assert told.weight == max(INPUT_WEIGHTS, key=bits)
    alone = told.guess(TARGET, sees_input=True, rationales=None)
    assert alone.bits.mean() == pytest.approx(bits(told.weight), abs=0.005)


@pytest.mark.parametrize("weight", INPUT_WEIGHTS)
def test_a_weight_is_a_factor_of_the_features_of_the_input(weight: float) -> None:
    heavy = LabelSimulator(LABELS.inputs, FOLDS, 3, weight)
    found = heavy.guess(TARGET, sees_input=True, rationales=TOLD)
    features = sp.hstack([LABELS.inputs * weight, TOLD]).tocsr()
    others = FOLDS != 0
    model = LogisticRegression(tol=1e-8, max_iter=10_000).fit(features[others], TARGET[others])
    chances = (1 - SMOOTHING) * model.predict_proba(features[~others]) + SMOOTHING / 3
    expected = np.log2(chances[np.arange(12), TARGET[~others]])
    assert found.bits[~others] == pytest.approx(expected, abs=0.05)


def test_an_input_that_tells_nothing_keeps_its_weight() -> None:
    noise = term_weights(texts(np.zeros(60, dtype=int), 5), word_pairs)
    for inputs in (noise, term_weights([""] * 60, word_pairs)):
        assert LabelSimulator(inputs, FOLDS, 3).for_target(TARGET).weight == 1
    simulator, _, target = candidates()
    assert simulator.for_target(target) is simulator


def test_a_label_that_was_never_taught_costs_a_finite_amount() -> None:
    target = np.where(FOLDS == 0, 2, TARGET % 2)
    bits = LABELS.guess(target, sees_input=True, rationales=None).bits
    assert bits[FOLDS == 0] == pytest.approx(math.log2(SMOOTHING / 3))


def test_one_class_only_is_guessed_without_a_model() -> None:
    guesses = LABELS.guess(np.zeros(60, dtype=int), sees_input=True, rationales=TOLD)
    assert guesses.is_right.all()
    assert guesses.bits == pytest.approx(math.log2(1 - SMOOTHING + SMOOTHING / 3))


def test_empty_rationales_are_guessed_by_the_shares_of_the_labels() -> None:
    target = (np.arange(60) // 5) % 4 // 3  # of every fold's twelve, three are 1
    empty = term_weights([""] * 60, word_pairs)
    assert LABELS.is_empty(empty)
    guesses = LABELS.guess(target, sees_input=False, rationales=empty)
    shares = (1 - SMOOTHING) * np.array([0.75, 0.25]) + SMOOTHING / 3
    assert guesses.bits == pytest.approx(np.log2(shares[target]))


@pytest.mark.parametrize("kind", ["labels", "candidates"])
def test_empty_rationales_add_exactly_nothing(kind: str) -> None:
    if kind == "labels":
        simulator, empty, target = LABELS, term_weights([""] * 60, word_pairs), TARGET
    else:
        simulator, told, target = candidates()  # type: ignore[assignment]
        empty = np.zeros_like(told)
    alone = simulator.guess(target, sees_input=True, rationales=None)
    both = simulator.guess(target, sees_input=True, rationales=empty)
    assert (alone.bits == both.bits).all()


@pytest.mark.parametrize("simulator", [LABELS, candidates()[0]], ids=["labels", "candidates"])
def test_a_simulator_that_sees_nothing_is_a_mistake(simulator: LabelSimulator) -> None:
    with pytest.raises(ValueError, match="see something"):
        simulator.guess(TARGET, sees_input=False, rationales=None)


def test_candidates_are_guessed_by_models_that_never_saw_the_item() -> None:
    simulator, told, target = candidates()
    guesses = simulator.guess(target, sees_input=True, rationales=told)
    features = np.hstack([simulator.inputs, told])
    for item in (0, 17, 42):
        others, rows = simulator.sets.select(FOLDS[item] != FOLDS)
        weights = fit_weights(features[rows], others, target[FOLDS[item] != FOLDS])
        logs = candidate_log_probs(features, weights, simulator.sets)
        start, size = simulator.sets.starts[item], simulator.sets.sizes[item]
        chances = (1 - SMOOTHING) * np.exp(logs[start : start + size]) + SMOOTHING / size
        assert guesses.bits[item] == pytest.approx(math.log2(chances[target[item]]))
        assert guesses.is_right[item] == (chances.argmax() == target[item])


def test_rationales_of_labels_are_dealt_out_within_gold() -> None:
    marked = sp.csr_matrix(np.arange(60, dtype=float)[:, None] + 1)
    permuted = LABELS.permute(marked, TARGET, np.random.default_rng(0)).toarray().ravel() - 1
    assert sorted(permuted) == list(range(60))
    assert (TARGET[permuted.astype(int)] == TARGET).all()
    assert (permuted != np.arange(60)).mean() > 0.8


def test_rationales_of_candidates_are_dealt_out_by_role() -> None:
    simulator, _, gold = candidates()
    starts, sizes = simulator.sets.starts, simulator.sets.sizes
    told = np.zeros((int(sizes.sum()), 1))
    told[starts + gold, 0] = np.arange(60) + 1  # of gold, by item
    other = (gold + 1) % sizes
    told[starts + other, 0] = -(np.arange(60) + 1.0)  # of one other, likewise
    permuted = simulator.permute(told, gold, np.random.default_rng(0))
    source = permuted[starts + gold, 0]
    assert sorted(source) == list(range(1, 61))
    for item, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        rest = np.delete(permuted[start : start + size, 0], gold[item])
        assert sorted(rest) == [-source[item], *[0] * (size - 2)]


def test_a_rationale_that_speaks_of_more_candidates_than_there_are_keeps_the_strongest() -> None:
    simulator = CandidateSimulator(
        np.zeros((6, 1)), np.zeros(2, int), CandidateSets(np.array([4, 2])), ""
    )
    told = np.array([[1.0], [2.0], [4.0], [3.0], [9.0], [0.0]])
    seen = set()
    for seed in range(20):
        permuted = simulator.permute(told, np.array([0, 0]), np.random.default_rng(seed))[:, 0]
        if permuted[4] == 1:
            assert permuted[5] == 4
            assert sorted(permuted[1:4]) == [0, 0, 0]
        else:
            assert sorted(permuted[1:4]) == [2, 3, 4]
        seen.add(permuted[4])
    assert seen == {1, 9}


def test_to_be_with_gold_is_to_see_it() -> None:
    simulator, told, target = candidates()
    assert LABELS.with_gold() is LABELS
    with pytest.raises(ValueError, match="no gold"):
        simulator.with_gold()
    seeing = CandidateSimulator(simulator.inputs, FOLDS, simulator.sets, "", gold=told).with_gold()
    expected = simulator.guess(target, sees_input=True, rationales=told)
    assert (seeing.guess(target, sees_input=True, rationales=None).bits == expected.bits).all()
