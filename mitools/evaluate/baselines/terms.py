"""TF-IDF features of texts: words and word pairs, and parts of words."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from mitools.tasks import normalize

__all__ = ["ABOUT", "Terms", "without_choices"]

Floats = NDArray[np.float64]

ABOUT = "TF-IDF of words, word pairs and 2 to 4 characters"

_MOST_TERMS = 50_000
"""Terms of each kind, the most frequent first."""

_LONGEST_TEXT = 20_000
"""Characters of a text that are read."""

_MARKER = re.compile(r"^\W*(?:\w{1,2}[).:\]]\s*)?")


class Terms:
    """Weights of the terms of texts, fitted on some texts."""

    def __init__(self, texts: Sequence[str], *, parts: bool = True) -> None:
        """Learn the terms and their weights.

        Args:
            texts: to learn from.
            parts: whether parts of words are terms too.
        """
        kinds = (
            TfidfVectorizer(
                token_pattern=r"\b\w+\b",
                ngram_range=(1, 2),
                sublinear_tf=True,
                max_features=_MOST_TERMS,
            ),
            TfidfVectorizer(
                analyzer="char_wb",
                ngram_range=(2, 4),
                sublinear_tf=True,
                max_features=_MOST_TERMS,
            ),
        )
        cut = [text[:_LONGEST_TEXT] for text in texts]
        self._weighers = [kind for kind in kinds[: 1 + parts] if _fitted(kind, cut)]

    def views(self, texts: Sequence[str]) -> list[sp.csr_matrix]:
        """Compute the weights of each kind of term: [n, V] each, of length 1, or 0 for no term."""
        cut = [text[:_LONGEST_TEXT] for text in texts]
        if not cut:  # which transform refuses
            return [sp.csr_matrix((0, len(weigher.vocabulary_))) for weigher in self._weighers]
        return [sp.csr_matrix(weigher.transform(cut)) for weigher in self._weighers]

    def weights(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Compute the weights of both kinds side by side: [n, V]."""
        views = self.views(texts)
        return sp.csr_matrix(sp.hstack(views)) if views else sp.csr_matrix((len(texts), 0))


def _fitted(weigher: TfidfVectorizer, texts: Sequence[str]) -> bool:
    """Fit on texts; return False where they hold no term of this kind."""
    analyze = weigher.build_analyzer()
    if not any(analyze(text) for text in texts):
        return False
    weigher.fit(texts)
    return True


def without_choices(text: str, choices: Sequence[str]) -> str:
    """Remove the lines that list the choices: all of them would resemble the input alike."""
    names = {normalize(name) for name in choices}
    lines = text[:_LONGEST_TEXT].splitlines()
    return "\n".join(line for line in lines if normalize(_MARKER.sub("", line)) not in names)
