from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from mitools.errors import MissingExtraError, SourceError
from mitools.evaluate.baselines.encoder import VectorFeatures, open_encoder
from mitools.evaluate.baselines.protocol import Problem


class LetterEncoder:
    """Counts pairs of letters: enough of an encoder to tell words apart."""

    name = "letters"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        rows = np.zeros((len(texts), 128))
        for row, text in zip(rows, texts, strict=True):
            for a, b in itertools.pairwise(text):
                row[(31 * ord(a) + ord(b)) % 128] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def test_a_choice_has_its_vector_and_its_product_with_the_text() -> None:
    problem = Problem("1", "is it a cat?\n(a) a cat\n(b) a dog", "choice", ("a cat", "a dog"))
    features = VectorFeatures(LetterEncoder()).of_choices([problem])
    asked, cat, dog = LetterEncoder().encode(["is it a cat?", "a cat", "a dog"])
    assert features.shape == (2, 256)
    assert np.allclose(features[:, :128], [cat, dog])
    # The lines of the choices are not part of the text.
    assert np.allclose(features[:, 128:], np.array([asked * cat, asked * dog]) * np.sqrt(128))


def test_an_encoder_that_is_not_there_is_refused() -> None:
    with pytest.raises(SourceError, match="is not a sentence encoder"):
        open_encoder("/nowhere", None)
    with pytest.raises(MissingExtraError):
        open_encoder("package:no_such_encoder_anywhere", None)
