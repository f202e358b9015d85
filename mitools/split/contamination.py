"""Contamination: texts of valid and test records that also occur elsewhere.

The inputs of valid and test records are compared with the inputs of other files (few-shot examples,
a training set), with the inputs and rationales of this run's train records, and with the rationales
of other valid and test records. :mod:`~mitools.split.ngrams` defines when two texts overlap. The
result is a report; no record changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.records import Reader, Record
from mitools.schema import SPLITS, get_path
from mitools.split.ngrams import MOST_TEXTS, NgramIndex, words_of
from mitools.spool import Progress, RecordSpool

__all__ = [
    "ContaminationReport",
    "Leak",
    "PlaceOverlap",
    "ReadInputs",
    "SplitArrays",
    "find_leaks",
    "read_file_inputs",
]

_TRAIN, _VALID, _TEST = range(3)
_NOBODY = -1


@dataclass(frozen=True)
class Leak:
    """A valid or test record whose input overlaps with a text of a place.

    Attributes:
        share: share of its n-grams that occur there, above 0 and at most 1.
        other: the id of the first record there that has one of them.
        words: the first shared n-gram.
    """

    id: str
    split: str
    share: float
    other: str
    words: str


@dataclass(frozen=True)
class PlaceOverlap:
    """The overlaps with one place.

    Attributes:
        place: a file, or a part of the run.
        texts: number of texts there.
        leaks: the overlapping records, the largest share first.
    """

    place: str
    texts: int
    leaks: list[Leak]

    def count(self, split: str) -> int:
        """Count the overlapping records of a split."""
        return sum(leak.split == split for leak in self.leaks)


@dataclass(frozen=True)
class ContaminationReport:
    """The overlaps with all places.

    Attributes:
        ngram_words: words per n-gram.
        records: number of valid and test records with an input, by split.
        wordings: number of ignored n-grams: more than ten texts of the run have each of them.
    """

    ngram_words: int
    records: Mapping[str, int]
    wordings: int
    comparisons: list[PlaceOverlap]


@dataclass(frozen=True)
class SplitArrays:
    """A run with its splits, as arrays.

    Attributes:
        splits: [N] the index of each record's split; negative if the record is left out.
        units: [N] the unit of each record.
        texts: [N] a hash of each record's normalized input; 0 if it has none.
    """

    spool: RecordSpool
    splits: NDArray[np.int8]
    units: NDArray[np.int64]
    texts: NDArray[np.uint64]

    def firsts(self, *splits: int) -> NDArray[np.bool_]:
        """Return [N] whether a record is the first one of these splits with its input."""
        rows = np.flatnonzero(np.isin(self.splits, splits) & (self.texts != 0))
        _, chosen = np.unique(self.texts[rows], return_index=True)
        found = np.zeros(len(self.splits), dtype=np.bool_)
        found[rows[chosen]] = True
        return found


@dataclass
class _NgramOwners:
    """The first records of one place that have each n-gram.

    Attributes:
        first: [G] the number of the first record with an n-gram; -1 if there is none.
        second: [G] the first such record of another unit, if records are compared with their own
            run; -1 if there is none.
        ids: ids of records that are not of the run, by number.
    """

    place: str
    first: NDArray[np.int64]
    second: NDArray[np.int64] | None = None
    texts: int = 0
    ids: dict[int, str] | None = None

    @classmethod
    def empty(cls, place: str, grams: int) -> _NgramOwners:
        return cls(place, np.full(grams, _NOBODY))

    def note(self, grams: NDArray[np.int64], record: int) -> bool:
        """Note a record with these n-grams; return whether it is the first for any of them."""
        new = grams[self.first[grams] == _NOBODY]
        self.first[new] = record
        return bool(len(new))

    def note_of_unit(self, grams: NDArray[np.int64], record: int, units: NDArray[np.int64]) -> None:
        """Note a record of the run; keep the first record of a second unit as well."""
        """Note a record of the run; keep the first record of a second unit as well."""
        if self.second is None:
            self.second = np.full(len(self.first), _NOBODY)
        known = self.first[grams]
        rivals = grams[(known != _NOBODY) & (units[known] != units[record])]
        self.second[rivals[self.second[rivals] == _NOBODY]] = record
        self.note(grams, record)

    def others(
        self, grams: NDArray[np.int64], texts: NDArray[np.int64], units: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return [P] the first record with the n-gram of each pair, of another unit than its own.

        Args:
            grams: [P] the n-gram of each pair.
            texts: [P] the record of each pair.
            units: [N] the unit of each record.
        """
        owners = self.first[grams]
        if self.second is None:
            return owners
        is_own = (owners != _NOBODY) & (units[owners] == units[texts])
        return np.where(is_own, self.second[grams], owners)


ReadInputs = Callable[[str], Iterable[Record]]
"""Returns the records of a file, each with an input."""


def read_file_inputs(path: str) -> Iterable[Record]:
    """Read the records of a JSON Lines file; each must have an input."""
    return Reader((path,), ("input",))


def find_leaks(
    run: SplitArrays,
    files: Iterable[str],
    ngram_words: int,
    progress: Progress,
    read: ReadInputs = read_file_inputs,
) -> ContaminationReport:
    """Compare the inputs of valid and test with all places.

    Args:
        run: the records and their splits.
        files: files to compare with.
        ngram_words: words per n-gram.
        progress: shows the progress of each pass.
        read: reads the records of a file.

    Raises:
        SourceError, DataError: a file cannot be read, or does not hold records.
    """
    index = _index(run, ngram_words, progress)
    counts = np.bincount(
        index.pair_grams[run.firsts(_VALID, _TEST)[index.pair_texts]], minlength=len(index)
    )
    finds = _search_run(run, index, counts, progress)
    for path in files:
        finds.append(_search_file(path, read(path), index, progress))
    is_wording = counts > MOST_TEXTS
    has_input = run.texts != 0
    return ContaminationReport(
        ngram_words,
        {SPLITS[code]: int((has_input & (run.splits == code)).sum()) for code in (_VALID, _TEST)},
        int(is_wording.sum()),
        [_compare(run, index, found, ~is_wording) for found in finds if found.texts],
    )


def _index(run: SplitArrays, ngram_words: int, progress: Progress) -> NgramIndex:
    index = NgramIndex(ngram_words)
    is_studied = np.isin(run.splits, (_VALID, _TEST)) & (run.texts != 0)
    for number, record in run.spool.numbered("indexing valid and test", progress):
        if is_studied[number]:
            index.add(number, words_of(record["input"]))
    index.close()
    return index


def _search_run(
    run: SplitArrays, index: NgramIndex, counts: NDArray[np.int64], progress: Progress
) -> list[_NgramOwners]:
    """Search the run itself, and add to ``counts`` the texts that have each n-gram."""
    inputs, rationales, others = (
        _NgramOwners.empty(place, len(index))
        for place in ("train inputs", "train rationales", "other records' rationales")
    )
    # Equal inputs count once, or a question asked eleven times would be ignored as a template.
    # Equal inputs count once, or a question asked eleven times would be ignored as a template.
    is_new = run.firsts(_TRAIN)
    for number, record in run.spool.numbered("searching the run", progress):
        is_train = run.splits[number] == _TRAIN
        if is_new[number]:
            grams = index.find(words_of(record["input"]))
            counts[grams] += 1
            inputs.note(grams, number)
        inputs.texts += bool(is_train and run.texts[number])
        for text in _rationales(record) if run.splits[number] >= 0 else ():
            grams = index.find(words_of(text))
            if is_train:
                rationales.note(grams, number)
                rationales.texts += 1
            else:
                others.note_of_unit(grams, number, run.units)
                others.texts += 1
    return [inputs, rationales, others]


def _rationales(record: Record) -> Iterator[str]:
    for path in ("teacher.rationale", "rationale"):
        text: Any = get_path(record, path)
        if text:
            yield text


def _search_file(
    path: str, records: Iterable[Record], index: NgramIndex, progress: Progress
) -> _NgramOwners:
    found = _NgramOwners.empty(path, len(index))
    found.ids = {}
    with progress(f"searching {path}", None) as update:
        for number, record in enumerate(records):
            update(1, "")
            if found.note(index.find(words_of(record["input"])), number):
                found.ids[number] = record["id"]
            found.texts += 1
    return found


def _compare(
    run: SplitArrays, index: NgramIndex, found: _NgramOwners, counts: NDArray[np.bool_]
) -> PlaceOverlap:
    """List the records that share n-grams with a place.

    Args:
        counts: [G] whether an n-gram counts; templates do not.
    """
    grams, texts = index.pair_grams, index.pair_texts
    others = found.others(grams, texts, run.units)
    totals = np.bincount(texts[counts[grams]], minlength=len(run.splits))
    # The pairs (record, n-gram) that occur in the place, in runs of one record each.
    # The pairs (record, n-gram) that occur in the place, in runs of one record each.
    rows = np.flatnonzero((others != _NOBODY) & counts[grams])
    rows = rows[np.argsort(texts[rows], kind="stable")]
    edges = np.flatnonzero(np.diff(texts[rows], prepend=-1, append=-1))
    leaks = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        shared = rows[start:end]
        number, other = int(texts[shared[0]]), int(others[shared].min())
        record = run.spool[number]
        leak = Leak(
            id=record["id"],
            split=SPLITS[run.splits[number]],
            share=float(len(shared) / totals[number]),
            other=run.spool[other]["id"] if found.ids is None else found.ids[other],
            words=index.quote(words_of(record["input"]), grams[shared]),
        )
        leaks.append(leak)
    leaks.sort(key=lambda leak: -leak.share)
    return PlaceOverlap(found.place, found.texts, leaks)
