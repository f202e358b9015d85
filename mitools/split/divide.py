"""Splits that depend on the whole run: read all records, decide, then pass them on.

- Without exact sizes and duplicates, a record's split depends on its own key alone, as with
  :class:`HashSplitter`.
- Otherwise it depends on its unit (a group or a cluster of duplicates), which is never divided. A
  record keeps the split it already has, unless it is reassigned. The other records of its unit
  follow it; in a unit that already lies in several splits, they follow the majority. The shares
  apply to the records of all other units.
"""

from __future__ import annotations

import importlib.util
import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.errors import MissingExtraError, MissingFieldError
from mitools.records import Record
from mitools.schema import SPLITS, get_path
from mitools.split.assign_units import LEFT_OUT, UnitAssignment
from mitools.split.by_hash import kept_split, normalized_input, position, split_key
from mitools.split.contamination import ReadInputs, SplitArrays, find_leaks, read_file_inputs
from mitools.split.options import SplitOptions
from mitools.split.report import DuplicateCounts, SplitReport
from mitools.split.units import Units, joined_units, units_by_place
from mitools.spool import Progress, RecordSpool

__all__ = ["DividedRun", "divide"]

_NONE = -1
_MISSING = "(none)"


@dataclass(frozen=True)
class DividedRun:
    """The records of a run with their splits.

    Attributes:
        spool: the records.
        splits: [N] the index of each record's split; negative if it is outside the subset.
        twins: [N] equal numbers for duplicates; negative for a record without input; empty without
            ``dedup``.
        report: the figures.
    """

    spool: RecordSpool
    splits: NDArray[np.int8]
    twins: NDArray[np.int64]
    report: SplitReport

    def __iter__(self) -> Iterator[Record]:
        """Yield the records, in input order."""
        for record, code in zip(self.spool, self.splits.tolist(), strict=True):
            if code != LEFT_OUT:
                yield {**record, "split": SPLITS[code]}

    def clusters(self) -> list[list[str]]:
        """Return the ids of each cluster of duplicates, in the order of their first records."""
        found = [rows for rows in _grouped(self.twins) if len(rows) > 1]
        return [[self.spool[row]["id"] for row in rows] for rows in sorted(found)]


@dataclass
class _RecordFacts:
    """What stays in memory of each record: some numbers.

    Attributes:
        places: the hash of its key.
        texts: a hash of its normalized input; 0 if it has none; empty if not needed.
        given: the index of the split that it already has; negative if it has none.
        strata: the number of its value of the field to stratify by; empty without one.
        numbers: the number of each such value, in input order.
    """

    places: array[int] = field(default_factory=lambda: array("Q"))
    texts: array[int] = field(default_factory=lambda: array("Q"))
    given: array[int] = field(default_factory=lambda: array("b"))
    strata: array[int] = field(default_factory=lambda: array("q"))
    numbers: dict[str, int] = field(default_factory=dict)


def divide(
    records: Iterable[Record],
    options: SplitOptions,
    spool: RecordSpool,
    progress: Progress,
    read: ReadInputs = read_file_inputs,
) -> DividedRun:
    """Read all records and decide on the split of each.

    Args:
        records: the records.
        options: how to split.
        spool: empty; receives the records.
        progress: shows the progress of each pass.
        read: reads the records of a file to compare with.

    Raises:
        MissingExtraError: near-duplicates need a package that is not installed.
        OutputError: there is not enough disk space for the records.
        MissingFieldError: no record has the field to stratify by.
        SourceError, DataError: a file to compare with cannot be read.
    """
    _check_installed(options)
    facts = _read(records, options, spool, progress)
    units = units_by_place(np.frombuffer(facts.places, dtype=np.uint64))
    texts = np.frombuffer(facts.texts, dtype=np.uint64)
    twins = np.zeros(0, dtype=np.int64)
    if options.dedup is not None:
        twins = _twins(texts, options, spool, progress)
        units = joined_units(units, twins)
    values, strata = _strata(facts, options.seed)
    assignment = UnitAssignment(units, np.frombuffer(facts.given, dtype=np.int8), strata, options)
    all_splits = assignment.splits()
    splits = assignment.without_rest(all_splits)
    found = None
    if options.against:
        run = SplitArrays(spool, splits, units.of_record, texts)
        found = find_leaks(run, options.against, options.ngram_words, progress, read)
    report = SplitReport(
        fractions=options.fractions,
        sizes=assignment.sizes(all_splits),
        left_out=int((splits == LEFT_OUT).sum()),
        is_exact=options.has_exact_sizes,
        stratify=options.stratify,
        strata=assignment.stratum_sizes(all_splits, values) if options.stratify else None,
        straddling=assignment.straddling,
        followers=int(assignment.is_follower.sum()),
        reassign_split=options.reassign_split,
        duplicates=_duplicates(twins, units, options) if options.dedup else None,
        contamination=found,
    )
    return DividedRun(spool, splits, twins, report)


def _check_installed(options: SplitOptions) -> None:
    if options.dedup == "near" and importlib.util.find_spec("datasketch") is None:
        hint = 'run "pip install mitools[dedup]"'
        raise MissingExtraError("--dedup near needs the package datasketch", hint=hint)


def _read(
    records: Iterable[Record], options: SplitOptions, spool: RecordSpool, progress: Progress
) -> _RecordFacts:
    facts = _RecordFacts()
    needs_texts = options.dedup is not None or bool(options.against)
    with progress("reading", None) as update:
        for record in records:
            spool.add(record)
            facts.places.append(position(split_key(record), options.seed))
            split = kept_split(record, options.reassigned)
            facts.given.append(_NONE if split is None else SPLITS.index(split))
            if needs_texts:
                facts.texts.append(_text_hash(record))
            if options.stratify is not None:
                name = _value_name(get_path(record, options.stratify))
                facts.strata.append(facts.numbers.setdefault(name, len(facts.numbers)))
            update(1, "")
    spool.flush()
    if set(facts.numbers) == {_MISSING}:
        message = f'no record has a value in field "{options.stratify}"'
        raise MissingFieldError(message, hint="name another field with --stratify")
    return facts


def _text_hash(record: Record) -> int:
    text = record.get("input")
    # Without the seed: which inputs are equal does not depend on it.
    return 0 if text is None else position(normalized_input(text), 0)


def _value_name(value: Any) -> str:
    if value is None:
        return _MISSING
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _strata(facts: _RecordFacts, seed: int) -> tuple[list[str], NDArray[np.int64]]:
    """Renumber the values, so that the result does not depend on the order of the records.

    Returns:
        The values, and [N] the number of each record's value.
    """
    if not facts.strata:
        return [], np.zeros(len(facts.places), dtype=np.int64)
    values = sorted(facts.numbers, key=lambda value: (position(value, seed), value))
    renumbered = np.zeros(len(values), dtype=np.int64)
    renumbered[[facts.numbers[value] for value in values]] = np.arange(len(values))
    return values, renumbered[np.frombuffer(facts.strata, dtype=np.int64)]


def _twins(
    texts: NDArray[np.uint64], options: SplitOptions, spool: RecordSpool, progress: Progress
) -> NDArray[np.int64]:
    """Return [N] equal numbers for records with equal or similar inputs."""
    distinct, first, numbers = np.unique(texts, return_index=True, return_inverse=True)
    labels = np.arange(len(distinct))
    if options.dedup == "near":
        from mitools.split.near_duplicates import NearDuplicates

        def text_of(number: int) -> str:
            return normalized_input(spool[int(first[number])]["input"])

        near = NearDuplicates(len(distinct), text_of, options.near_duplicates)
        # One signature for each distinct text, taken from its first record.
        is_first = np.zeros(len(texts), dtype=np.bool_)
        is_first[first] = True
        is_first &= texts != 0
        for row, record in spool.numbered("computing signatures", progress):
            if is_first[row]:
                near.add(int(numbers[row]), normalized_input(record["input"]))
        with progress("comparing", near.bands) as update:
            labels = near.clusters(lambda: update(1, ""))
    return np.where(texts == 0, _NONE, labels[numbers])


def _grouped(labels: NDArray[np.int64]) -> list[list[int]]:
    """Return the rows of each label that is not negative."""
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] >= 0]
    starts = np.flatnonzero(np.diff(labels[order])) + 1
    return [rows.tolist() for rows in np.split(order, starts) if len(rows)]


def _duplicates(twins: NDArray[np.int64], units: Units, options: SplitOptions) -> DuplicateCounts:
    _, counts = np.unique(twins[twins >= 0], return_counts=True)
    several = counts[counts > 1]
    united = units.joined[units.joined > 1]
    return DuplicateCounts(
        threshold=options.threshold if options.dedup == "near" else None,
        clusters=len(several),
        records=int(several.sum()),
        largest=int(several.max(initial=0)),
        joined=int((united - 1).sum()),
        largest_unit=int(np.bincount(units.of_record).max()),
    )
