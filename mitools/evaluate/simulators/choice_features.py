"""Features of a text and each of an example's own choices: what the two have in common.

Words, parts of words, and topics: a simulator uses them to guess which choice a question or a
rationale supports. Works on strings, not on records.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize as to_unit_length

from mitools.evaluate.measures.surface import words
from mitools.evaluate.simulators.models import TermWeigher

__all__ = ["ABOUT", "ChoiceSpace", "mention_places"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ABOUT = (
    "conditional logit over the example's own choices on what text and choice have in common "
    "(words, parts of words, topics, mentions, the stated answer), 5-fold cross-fit"
)

_TOPICS = 50
_PART = 4


class ChoiceSpace:
    """Compares texts with choices, by term weights and topics fitted on the questions.

    They are fitted on each input together with all of its choices, never on rationales: a rationale
    joins the words of the question with those of its answer, and the topics would show that to a
    simulator that sees only the input.
    """

    def __init__(self, inputs: Sequence[str], choices: Sequence[Sequence[str]], seed: int) -> None:
        """Learn term weights and topics.

        Args:
            inputs: [n] the questions.
            choices: [n] the choices of each.
            seed: of the search for topics.
        """
        self._choices = choices
        self._sizes = np.array([len(row) for row in choices], dtype=np.int64)
        questions = [" ".join([text, *row]) for text, row in zip(inputs, choices, strict=True)]
        names = sorted({name for row in choices for name in row})
        place = {name: index for index, name in enumerate(names)}
        self._of_row = np.array([place[name] for row in choices for name in row], dtype=np.int64)
        self._weighers = [TermWeigher(questions, analyzer) for analyzer in (words, _parts)]
        self._topics = _topics(self._weighers[0](questions), seed)
        self._offered = self._views(names)

    def _views(self, texts: Sequence[str]) -> list[sp.csr_matrix]:
        weights = [weigher(texts) for weigher in self._weighers]
        if self._topics is None:
            return weights
        return [*weights, sp.csr_matrix(to_unit_length(self._topics.transform(weights[0])))]

    def measure(self, texts: Sequence[str]) -> Floats:
        """Compare each item's text with each of its choices.

        Args:
            texts: [n] any texts.

        Returns:
            [M, 6], or [M, 5] with too few words for topics: cosine of TF-IDF words, of TF-IDF parts
            of words, and of topics; whether the text names the choice, names it last, and names
            only it. All 0 for an empty text.
        """
        rows = np.repeat(np.arange(len(texts)), self._sizes)
        cosines = [
            np.asarray(told[rows].multiply(offered[self._of_row]).sum(axis=1)).ravel()
            for told, offered in zip(self._views(texts), self._offered, strict=True)
        ]
        return np.column_stack([*cosines, self._mentions(texts)])

    def lengths(self) -> Floats:
        """Compute log(1 + number of words) of each choice: [M, 1]."""
        counts = [len(words(name)) for row in self._choices for name in row]
        return np.log1p(np.array(counts, dtype=np.float64))[:, None]

    def _mentions(self, texts: Sequence[str]) -> Floats:
        rows = []
        for text, choices in zip(texts, self._choices, strict=True):
            places = mention_places(text, choices)
            last, named = max(places), sum(place >= 0 for place in places)
            rows += [
                (place >= 0, place >= 0 and place == last, place >= 0 and named == 1)
                for place in places
            ]
        return np.array(rows, dtype=np.float64).reshape(-1, 3)


def mention_places(text: str, choices: Sequence[str]) -> list[int]:
    """Find the last mention of each choice in a text, in words from its start; -1 without one."""
    tokens = words(text)
    places = []
    for choice in choices:
        named = words(choice)
        size, last = len(named), -1
        for start in range(len(tokens) - size + 1) if named else ():
            if tokens[start : start + size] == named:
                last = start + size
        places.append(last)
    return places


def _parts(text: str) -> list[str]:
    """Cut words into overlapping parts of four letters, ends marked; inflections share most."""
    parts = []
    for word in words(text):
        marked = f"^{word}$"
        parts += [marked[start : start + _PART] for start in range(max(1, len(marked) - _PART + 1))]
    return parts


def _topics(weights: sp.csr_matrix, seed: int) -> TruncatedSVD | None:
    """Fit the topics of the questions: latent semantic analysis."""
    size = min(_TOPICS, min(weights.shape) - 1)
    if size < 2:
        return None
    # Questions that are all alike have no variance, whose share nobody reads here.
    with np.errstate(invalid="ignore"):
        return TruncatedSVD(size, random_state=seed).fit(weights)
