from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from mitools.evaluate.baselines.pair_model import PairModel
from mitools.evaluate.simulators.logit import CandidateSets, fit_weights


def data(n: int = 60) -> tuple[np.ndarray, CandidateSets, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = 2 + np.arange(n) % 3
    sets, chosen = CandidateSets(sizes), np.arange(n) % 2
    features = rng.standard_normal((int(sizes.sum()), 4))
    features[sets.starts + chosen, 0] += 3.0
    return features, sets, chosen, np.arange(n) % 3


def test_the_choice_with_the_larger_feature_is_found() -> None:
    features, sets, chosen, folds = data()
    model = PairModel(sp.csr_matrix(features), sets, chosen, folds)
    chances = model.chances(features, sets)
    assert np.allclose(np.add.reduceat(chances, sets.starts), 1)
    right = chances[sets.starts + chosen]
    assert (right > 0.5).mean() > 0.9


def test_the_minimum_is_that_of_newtons_method() -> None:
    features, sets, chosen, folds = data()
    model = PairModel(features, sets, chosen, folds)
    scale = np.sqrt(model.strength)  # Newton's method here has a penalty of 1
    newton = fit_weights(features * scale, sets, chosen) * scale
    assert np.allclose(model._weights, newton, atol=0.02)


def test_no_problem_has_no_chances() -> None:
    features, sets, chosen, folds = data()
    model = PairModel(features, sets, chosen, folds)
    assert model.chances(features[:0], CandidateSets(np.array([], dtype=np.int64))).shape == (0,)


def test_one_fold_for_all_still_fits() -> None:
    features, sets, chosen, folds = data(6)
    model = PairModel(features, sets, chosen, np.zeros_like(folds))
    assert np.isfinite(model.chances(features, sets)).all()
