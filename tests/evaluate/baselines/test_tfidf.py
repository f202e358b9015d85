from __future__ import annotations

import numpy as np

from mitools.evaluate.baselines.protocol import Problem
from mitools.evaluate.baselines.tfidf import TermFeatures


def test_a_choice_has_its_terms_its_likeness_its_length_and_its_place() -> None:
    problem = Problem("1", "Is it the red door?", "choice", ("the red door", "a cup"))
    features = TermFeatures()
    features.fit([problem])
    rows = features.of_choices([problem]).toarray()
    likeness, length, places = rows[:, -11:-9], rows[:, -9], rows[:, -8:]
    assert (likeness[0] > likeness[1]).all()
    assert np.allclose(length, np.log1p([3, 2]))
    assert places.tolist() == np.eye(8)[:2].tolist()


def test_the_ninth_place_has_no_mark() -> None:
    problem = Problem("1", "Which?", "choice", tuple(f"choice {n}" for n in range(9)))
    features = TermFeatures()
    features.fit([problem])
    assert features.of_choices([problem]).toarray()[-1, -8:].sum() == 0
