from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from mitools.evaluate.baselines import class_model
from mitools.evaluate.baselines.class_model import ClassModel, choose


def data(n: int = 60, width: int = 200) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = np.arange(n) % 3
    features = rng.random((n, width)) * (rng.random((n, width)) < 0.1)
    features[np.arange(n), target] = 2.0
    return sp.csr_matrix(features), target, np.arange(n) // 3 % 3


def test_a_class_with_a_mark_of_its_own_is_found() -> None:
    features, target, folds = data()
    model = ClassModel(features[:45], target[:45], folds[:45], 3)
    chances = model.chances(features[45:])
    assert (chances.argmax(axis=1) == target[45:]).all()
    assert np.allclose(chances.sum(axis=1), 1)


def test_the_space_of_the_rows_changes_no_probability() -> None:
    features, target, folds = data()
    model = ClassModel(features, target, folds, 3)
    plain = LogisticRegression(C=model.strength, max_iter=2000, tol=1e-8).fit(features, target)
    assert np.allclose(model.chances(features), plain.predict_proba(features), atol=2e-3)


def test_labels_of_one_record_each_are_fitted_without_a_warning(
    recwarn: pytest.WarningsRecorder,
) -> None:
    target = np.arange(60) % 40
    ClassModel(np.eye(60), target, np.arange(60) % 3, 40)
    assert [str(one.message) for one in recwarn] == []


def test_noise_gets_the_strongest_penalty() -> None:
    rng = np.random.default_rng(1)
    model = ClassModel(rng.standard_normal((90, 20)), rng.integers(0, 2, 90), np.arange(90) % 3, 2)
    assert model.strength is not None
    assert model.strength <= 0.01


def test_one_class_or_no_feature_gives_the_shares() -> None:
    one = ClassModel(np.ones((4, 2)), np.zeros(4, dtype=np.int64), np.arange(4) % 3, 2)
    assert one.strength is None
    assert one.chances(np.ones((1, 2))).tolist() == [[1.0, 0.0]]
    none = ClassModel(sp.csr_matrix((4, 0)), np.array([0, 1, 1, 1]), np.arange(4) % 3, 2)
    assert none.chances(sp.csr_matrix((1, 0))).tolist() == [[0.25, 0.75]]


def test_a_class_that_one_fold_alone_holds_does_no_harm() -> None:
    features = np.eye(6)
    model = ClassModel(features, np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 0, 1, 2, 2]), 2)
    assert model.chances(features).shape == (6, 2)


def test_the_search_ends_at_the_first_worse_value() -> None:
    tried: list[float] = []

    def held_out(value: float, held: np.ndarray) -> np.ndarray:
        tried.append(value)
        return np.full(int(held.sum()), -abs(value - 2.0))

    assert choose((1.0, 2.0, 3.0, 4.0), np.zeros(5, dtype=np.int64), held_out) == 2.0
    assert tried == [1.0, 2.0, 3.0]


def test_the_grid_ascends() -> None:
    assert tuple(sorted(class_model.GRID)) == class_model.GRID
