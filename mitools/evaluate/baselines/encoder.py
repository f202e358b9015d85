"""The features of the baseline ``encoder:MODEL``: the vectors of a frozen sentence encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.baselines.linear_head import LinearHead
from mitools.evaluate.baselines.protocol import Problem
from mitools.evaluate.baselines.terms import without_choices

__all__ = ["Encoder", "VectorFeatures", "encoder_baseline", "open_encoder"]

Floats = NDArray[np.float64]


class Encoder(Protocol):
    """Turns texts into vectors.

    Attributes:
        name: for people.
    """

    name: str

    def encode(self, texts: Sequence[str]) -> Any:
        """Encode texts: [n, D] unit vectors."""


def open_encoder(spec: str, device: str | None) -> Encoder:
    """Load a sentence encoder.

    Args:
        spec: a folder, or ``package:NAME``.
        device: a torch device; None means the GPU if available.

    Raises:
        SourceError: there is no usable encoder.
        MissingExtraError: the package is not installed.
    """
    from mitools.student.sentence_encoder import SentenceEncoder

    return SentenceEncoder(spec, device)


def encoder_baseline(encoder: Encoder, seed: int) -> LinearHead:
    """Make the baseline: a linear head on a frozen encoder.

    Args:
        encoder: encodes inputs and choices.
        seed: of the folds that choose the regularization.
    """
    return LinearHead(VectorFeatures(encoder), seed)


class VectorFeatures:
    """The vector of a text; of a choice, also its product with that of the text, by component."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def about(self) -> str:
        return f"vectors of {self._encoder.name}"

    def fit(self, problems: Sequence[Problem]) -> None:
        """Do nothing: the encoder stays as it is."""

    def of_inputs(self, problems: Sequence[Problem]) -> Floats:
        return self._encoded([without_choices(one.input, one.choices) for one in problems])

    def of_choices(self, problems: Sequence[Problem]) -> Floats:
        names = sorted({name for one in problems for name in one.choices})
        place = {name: index for index, name in enumerate(names)}
        asked, vectors = self.of_inputs(problems), self._encoded(names)
        rows = np.array([place[name] for one in problems for name in one.choices], dtype=np.int64)
        owners = np.repeat(np.arange(len(problems)), [len(one.choices) for one in problems])
        # The components of a product of unit vectors are about √D times smaller than theirs.
        products = asked[owners] * vectors[rows] * np.sqrt(vectors.shape[1])
        return np.hstack([vectors[rows], products])

    def _encoded(self, texts: Sequence[str]) -> Floats:
        vectors: Floats = np.asarray(self._encoder.encode(texts), dtype=np.float64)
        return vectors
