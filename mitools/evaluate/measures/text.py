"""Similarity to a reference rationale: BLEU, chrF, ROUGE-L, length ratio, embedding cosine.

Overlap measures plausibility only: a rationale may use other words, or copy the reference and
support another answer. Works on strings, not on records. The only module that imports
``sacrebleu``.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from mitools.evaluate.measures.metric import Interval, Measure, Metric
from mitools.evaluate.measures.statistics import bootstrap, mean_intervals, spread_interval
from mitools.reading.scripts import count_letters, find_words

__all__ = ["MEASURES", "Overlap", "Similarity", "longest_common_subsequence", "rouge_l"]

MEASURES: Mapping[str, Measure] = {
    "bleu": Measure(
        "BLEU",
        "points",
        higher_is_better=True,
        about="Corpus BLEU of sacreBLEU against the reference rationales, 0 to 100; each is split "
        "by the tokenizer for its script.",
    ),
    "chrf": Measure(
        "chrF",
        "points",
        higher_is_better=True,
        about="Corpus chrF of sacreBLEU against the reference rationales, 0 to 100.",
    ),
    "rouge_l": Measure(
        "ROUGE-L",
        "F1",
        higher_is_better=True,
        about="Mean ROUGE-L F1 of each rationale and its reference rationale.",
    ),
    "length_ratio": Measure(
        "length ratio",
        "ratio",
        higher_is_better=None,
        about="Tokens of the rationales divided by tokens of the reference rationales.",
    ),
    "embedding": Measure(
        "embedding cosine",
        "cosine",
        higher_is_better=True,
        about="Mean cosine of the embeddings of each rationale and its reference, -1 to 1, by a "
        "sentence encoder. Compare only figures of one encoder.",
    ),
}
"""Encoders differ in the cosine of unrelated texts: compare ``embedding`` for one encoder only."""

_COUNTED = ("bleu", "chrf", "rouge_l", "length_ratio")
_PAIRS_AT_ONCE = 64

_BLEU_STATS = 10  # length, reference length, matches and totals of 1- to 4-grams
_CHRF_STATS = 18  # written, reference and matching n-grams of 1 to 6 characters


def longest_common_subsequence(left: list[str], right: list[str]) -> int:
    """Compute the length of the longest common subsequence, one row of the table at once.

    Source: Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004.
    """
    places: dict[str, int] = {}  # for each word, a bit for each position in ``left``
    for index, word in enumerate(left):
        places[word] = places.get(word, 0) | 1 << index
    full = (1 << len(left)) - 1
    row = full  # a cleared bit is a position where the length grows by one
    for word in right:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & full
    return len(left) - row.bit_count()


def rouge_l(text: str, reference: str) -> float:
    """Compute ROUGE-L F1, 0 to 1; 0 where either side has no word.

    Equals the ``rouge-score`` package without stemming on ASCII text. On other text it keeps
    letters that the package drops, so that Cyrillic and accented words count; in languages without
    spaces between words, each letter is a word.
    """
    words, expected = find_words(text.lower()), find_words(reference.lower())
    if not words or not expected:
        return 0.0
    return 2 * longest_common_subsequence(words, expected) / (len(words) + len(expected))


Tokenizer = Literal["13a", "zh", "char"]


def tokenizer_for(reference: str) -> Tokenizer:
    """Choose sacreBLEU's tokenizer by the script of most letters of a reference.

    ``zh`` for Chinese; ``char`` for other scripts without spaces between words, such as Japanese
    and Thai; else ``13a``, sacreBLEU's own choice.
    """
    letters, unspaced, chinese = count_letters(reference)
    if 2 * unspaced <= letters:
        return "13a"
    return "zh" if chinese == unspaced else "char"


class Similarity(Protocol):
    """Compares texts by meaning; :mod:`mitools.student.sentence_encoder` implements it."""

    name: str

    def similarities(self, texts: Sequence[str], references: Sequence[str]) -> list[float]:
        """Compute the similarity of each text and its reference: from -1 to 1."""


@dataclass
class Overlap:
    """Fold pairs of a rationale and its reference; about 30 numbers a pair are kept, and no text.

    Attributes:
        similarity: compares by meaning; None means no such comparison.
    """

    similarity: Similarity | None = None

    _counts: array[int] = field(default_factory=lambda: array("i"))
    _rouge: array[float] = field(default_factory=lambda: array("d"))
    _bleu: dict[Tokenizer, BLEU] = field(default_factory=dict)
    _tokenized: Counter[Tokenizer] = field(default_factory=Counter)
    _chrf: CHRF = field(default_factory=CHRF)
    _pairs: list[tuple[str, str]] = field(default_factory=list)
    _cosines: array[float] = field(default_factory=lambda: array("d"))

    def add(self, text: str, reference: str) -> None:
        """Add one pair; an empty text counts, with no overlap."""
        for scorer in (self._bleu_for(tokenizer_for(reference)), self._chrf):
            # The same statistics that sacrebleu's own significance tests keep of a segment; a test
            # compares the result with corpus_score.
            self._counts.extend(scorer._extract_corpus_statistics([text], [[reference]])[0])
        self._rouge.append(rouge_l(text, reference))
        if self.similarity is not None:
            self._pairs.append((text, reference))
            if len(self._pairs) == _PAIRS_AT_ONCE:
                self._compare()

    def _bleu_for(self, tokenizer: Tokenizer) -> BLEU:
        self._tokenized[tokenizer] += 1
        if tokenizer not in self._bleu:
            # force: no warning about rationales that end in " ."
            self._bleu[tokenizer] = BLEU(tokenize=tokenizer, force=True)
        return self._bleu[tokenizer]

    def _compare(self) -> None:
        if self.similarity is not None and self._pairs:
            texts, references = zip(*self._pairs, strict=True)
            # Padding changes the last digits; the grouping into batches must not change figures.
            cosines = self.similarity.similarities(texts, references)
            self._cosines.extend(round(cosine, 5) for cosine in cosines)
            self._pairs.clear()

    def _embedding(self, seed: int) -> Metric:
        measure = MEASURES["embedding"]
        if self.similarity is None:
            return measure.skipped('no sentence encoder was named ("--embedding")')
        self._compare()
        cosines = np.sort(np.frombuffer(self._cosines))
        (interval,) = mean_intervals(cosines[:, None], seed)
        encoder = self.similarity.name
        return measure.ok(float(cosines.mean()), len(cosines), interval, encoder=encoder)

    def metrics(self, seed: int, *, empty: str) -> dict[str, Metric]:
        """Compute every measure; all undefined, for reason ``empty``, without pairs."""
        n = len(self._rouge)
        if not n:
            return {name: measure.undefined(empty) for name, measure in MEASURES.items()}
        counts = np.frombuffer(self._counts, dtype=np.intc).reshape(n, -1)
        table = np.column_stack([counts, np.frombuffer(self._rouge)])
        table = table[np.lexsort(table.T[::-1])]
        values = self._scores(table.sum(axis=0, keepdims=True))[0] / [1, 1, n, 1]
        intervals: list[Interval | None] = [None] * len(_COUNTED)
        if n > 1:
            draws = bootstrap(np.arange(n), n, lambda drawn: self._scores(drawn @ table), seed)
            intervals = [spread_interval(column) for column in (draws / [1, 1, n, 1]).T]
        (most, _), *_ = self._tokenized.most_common()
        signatures = {"bleu": self._bleu[most], "chrf": self._chrf}
        metrics = {}
        for name, value, interval in zip(_COUNTED, values, intervals, strict=True):
            if np.isnan(value):
                metrics[name] = MEASURES[name].undefined("the references hold no token", n)
                continue
            scorer = signatures.get(name)
            details: dict[str, Any] = {"signature": str(scorer.get_signature())} if scorer else {}
            if name == "bleu" and len(self._tokenized) > 1:
                details["tokenizers"] = dict(sorted(self._tokenized.items()))
            metrics[name] = MEASURES[name].ok(float(value), n, interval, **details)
        return {**metrics, "embedding": self._embedding(seed)}

    def _scores(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn sums [R, 29] into BLEU, chrF, summed ROUGE-L and length ratio [R, 4]."""
        bleu, chrf = sums[:, :_BLEU_STATS].tolist(), sums[:, _BLEU_STATS:-1].tolist()
        written, expected = sums[:, 0], sums[:, 1]
        scorer = next(iter(self._bleu.values()))  # the same for all tokenizers
        nowhere = np.full_like(written, np.nan)
        return np.column_stack(
            [
                [scorer._compute_score_from_stats(row).score for row in bleu],
                [self._chrf._compute_score_from_stats(row).score for row in chrf],
                sums[:, -1],
                np.divide(written, expected, out=nowhere, where=expected > 0),
            ]
        )
