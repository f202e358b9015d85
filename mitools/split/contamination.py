"""Where texts of valid and test records turn up that should not: a report, which changes nothing.

Inputs of valid and test records are looked up in the inputs of other files (few-shot examples, a
training set), in the inputs of this run's train records, in their rationales, and in the rationales
of other valid and test records. What counts as the same text is :mod:`overlap`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.records import Reader, Record
from mitools.schema import SPLITS, get_path
from mitools.split.overlap import MOST_TEXTS, NgramIndex, words_of
from mitools.split.spool import Progress, RecordSpool

__all__ = [
    "Contamination",
    "Leak",
    "PlaceOverlap",
    "Read",
    "Studied",
    "find_leaks",
    "read_inputs",
]

_TRAIN, _VALID, _TEST = range(3)
_NOBODY = -1


@dataclass(frozen=True)
class Leak:
    """A valid or test record with a text that another place has as well.

    Attributes:
        share: of its n-grams how many are there, above 0 and at most 1.
        other: the id of the first record there that has one of them.
        words: the first n-gram that they share.
    """

    id: str
    split: str
    share: float
    other: str
    words: str


@dataclass(frozen=True)
class PlaceOverlap:
    """What was found in one place.

    Attributes:
        place: where: a file, or a part of the run.
        texts: how many texts were looked at there.
        leaks: what is there, the worst first.
    """

    place: str
    texts: int
    leaks: list[Leak]

    def count(self, split: str) -> int:
        return sum(leak.split == split for leak in self.leaks)


@dataclass(frozen=True)
class Contamination:
    """What was found in all places.

    Attributes:
        ngram_words: words in an n-gram.
        records: how many records of valid and test have an input, by split.
        wordings: n-grams that did not count, since more than ten texts of the run have them.
    """

    ngram_words: int
    records: Mapping[str, int]
    wordings: int
    comparisons: list[PlaceOverlap]


@dataclass(frozen=True)
class Studied:
    """A run that has been split.

    Attributes:
        splits: [N] the index of each record's split; negative where it was left out.
        units: [N] what each record stays together with.
        texts: [N] a hash of each record's normalized input; 0 where it has none.
    """

    spool: RecordSpool
    splits: NDArray[np.int8]
    units: NDArray[np.int64]
    texts: NDArray[np.uint64]

    def firsts(self, *splits: int) -> NDArray[np.bool_]:
        """[N] whether a record is the first of these splits with its input."""
        rows = np.flatnonzero(np.isin(self.splits, splits) & (self.texts != 0))
        _, chosen = np.unique(self.texts[rows], return_index=True)
        found = np.zeros(len(self.splits), dtype=np.bool_)
        found[rows[chosen]] = True
        return found


@dataclass
class _Finds:
    """Which n-grams were found in one place.

    Attributes:
        first: [G] the number of the first record that has an n-gram; -1 where none has.
        second: [G] the first of another unit than that, where a record must not meet itself.
        ids: names of records that are not of the run.
    """

    place: str
    first: NDArray[np.int64]
    second: NDArray[np.int64] | None = None
    texts: int = 0
    ids: dict[int, str] | None = None

    @classmethod
    def nothing(cls, place: str, grams: int) -> _Finds:
        return cls(place, np.full(grams, _NOBODY))

    def note(self, grams: NDArray[np.int64], record: int) -> bool:
        """Note who has these n-grams; true where somebody is the first."""
        new = grams[self.first[grams] == _NOBODY]
        self.first[new] = record
        return bool(len(new))

    def note_of_unit(self, grams: NDArray[np.int64], record: int, units: NDArray[np.int64]) -> None:
        if self.second is None:
            self.second = np.full(len(self.first), _NOBODY)
        known = self.first[grams]
        rivals = grams[(known != _NOBODY) & (units[known] != units[record])]
        self.second[rivals[self.second[rivals] == _NOBODY]] = record
        self.note(grams, record)

    def others(
        self, grams: NDArray[np.int64], texts: NDArray[np.int64], units: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """[P] who has the n-gram of each pair, not counting the unit that it belongs to."""
        found = self.first[grams]
        if self.second is None:
            return found
        is_own = (found != _NOBODY) & (units[found] == units[texts])
        return np.where(is_own, self.second[grams], found)


Read = Callable[[str], Iterable[Record]]
"""Give the records of a file, each with an input."""


def read_inputs(path: str) -> Iterable[Record]:
    return Reader((path,), ("input",))


def find_leaks(
    run: Studied,
    files: Iterable[str],
    ngram_words: int,
    progress: Progress,
    read: Read = read_inputs,
) -> Contamination:
    """Look the inputs of valid and test up in all places.

    Raises:
        SourceError, DataError: a file cannot be read, or holds something else than records.
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
    return Contamination(
        ngram_words,
        {SPLITS[code]: int((has_input & (run.splits == code)).sum()) for code in (_VALID, _TEST)},
        int(is_wording.sum()),
        [_compare(run, index, found, ~is_wording) for found in finds if found.texts],
    )


def _index(run: Studied, ngram_words: int, progress: Progress) -> NgramIndex:
    index = NgramIndex(ngram_words)
    is_studied = np.isin(run.splits, (_VALID, _TEST)) & (run.texts != 0)
    for number, record in run.spool.numbered("indexing valid and test", progress):
        if is_studied[number]:
            index.add(number, words_of(record["input"]))
    index.close()
    return index


def _search_run(
    run: Studied, index: NgramIndex, counts: NDArray[np.int64], progress: Progress
) -> list[_Finds]:
    """Search the run itself, and count in how many texts each n-gram is."""
    inputs, rationales, others = (
        _Finds.nothing(place, len(index))
        for place in ("train inputs", "train rationales", "other records' rationales")
    )
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
) -> _Finds:
    found = _Finds.nothing(path, len(index))
    found.ids = {}
    with progress(f"searching {path}", None) as update:
        for number, record in enumerate(records):
            update(1, "")
            if found.note(index.find(words_of(record["input"])), number):
                found.ids[number] = record["id"]
            found.texts += 1
    return found


def _compare(
    run: Studied, index: NgramIndex, found: _Finds, counts: NDArray[np.bool_]
) -> PlaceOverlap:
    """Say which records have n-grams that were found.

    Args:
        counts: [G] whether an n-gram counts.
    """
    grams, texts = index.pair_grams, index.pair_texts
    others = found.others(grams, texts, run.units)
    totals = np.bincount(texts[counts[grams]], minlength=len(run.splits))
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
