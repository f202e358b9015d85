from __future__ import annotations

import numpy as np

from mitools.evaluate.baselines.terms import Terms, without_choices


def test_rows_have_length_one_and_texts_without_a_known_term_are_zero() -> None:
    terms = Terms(["the red door", "a blue door 7"])
    words, parts = terms.views(["red door", "§§", "7"])
    assert np.allclose([abs(words[0]).power(2).sum(), words[1].nnz], [1, 0])
    assert words[2].nnz == 1  # a single digit is a word
    assert parts[0].nnz > 0
    assert terms.weights(["red door"]).shape[1] == words.shape[1] + parts.shape[1]


def test_texts_without_any_term_have_no_features() -> None:
    assert Terms([]).weights(["a", "b"]).shape == (2, 0)
    assert Terms(["", " "]).weights(["a"]).shape == (1, 0)


def test_lines_that_list_the_choices_are_left_out() -> None:
    text = "Where do cats sleep?\nChoices:\n(a) On a mat\n b. in water\n3) nowhere\non a mat or so"
    kept = without_choices(text, ["on a mat", "In water", "nowhere"])
    assert kept == "Where do cats sleep?\nChoices:\non a mat or so"
    assert without_choices("on a mat?", []) == "on a mat?"
