"""The split of a whole run: read all records, decide, then give them out.

What a record's split depends on:

- By hash, where sizes need not be exact and duplicates do not matter: on its own key, as
  :class:`Splitter` has it.
- Otherwise on its unit, a group or a cluster of duplicates, which is never divided. A split that a
  record already has is kept, unless it is to be drawn again; the others of its unit follow it
  there, and the fractions are of the records in all other units. Where a unit already lies in
  several splits, they follow most of it.
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
from mitools.split.assign import normalized_input, position, split_key
from mitools.split.contamination import Read, Studied, find_leaks, read_inputs
from mitools.split.draw_splits import LEFT_OUT, Drawing
from mitools.split.options import SplitOptions
from mitools.split.report import Duplicates, Report
from mitools.split.spool import Progress, RecordSpool
from mitools.split.units import Units, joined_units, units_by_place

__all__ = ["Division", "divide"]

_NONE = -1
_MISSING = "(none)"


@dataclass(frozen=True)
class Division:
    """A run that has been split.

    Attributes:
        splits: [N] the index of each record's split; negative where the subset is without it.
        twins: [N] equal for duplicates; negative for a record without input; empty if not sought.
    """

    spool: RecordSpool
    splits: NDArray[np.int8]
    twins: NDArray[np.int64]
    report: Report

    def __iter__(self) -> Iterator[Record]:
        """Give the records out, in the order in which they came."""
        for record, code in zip(self.spool, self.splits.tolist(), strict=True):
            if code != LEFT_OUT:
                yield {**record, "split": SPLITS[code]}

    def clusters(self) -> list[list[str]]:
        """Name the records of each cluster of duplicates, in the order of their first ones."""
        found = [rows for rows in _grouped(self.twins) if len(rows) > 1]
        return [[self.spool[row]["id"] for row in rows] for rows in sorted(found)]


@dataclass
class _Facts:
    """What is kept of each record in memory: some numbers.

    Attributes:
        places: where its key was hashed to.
        texts: a hash of its normalized input; 0 where it has none; empty where nobody asks.
        given: the index of the split it had; negative where it had none.
        strata: the number of its value of the field; empty without one.
        numbers: of the values, in the order in which they came.
    """

    places: array[int] = field(default_factory=lambda: array("Q"))
    texts: array[int] = field(default_factory=lambda: array("Q"))
    given: array[int] = field(default_factory=lambda: array("b"))
    strata: array[int] = field(default_factory=lambda: array("q"))
    numbers: dict[str, int] = field(default_factory=dict)


def divide(
    records: Iterable[Record],
    plan: SplitOptions,
    spool: RecordSpool,
    progress: Progress,
    read: Read = read_inputs,
) -> Division:
    """Read all records, and decide on the split of each.

    Args:
        spool: an empty one, which the records go into.
        read: gives the records of a file to compare with.

    Raises:
        MissingExtraError: near-duplicates need a package that is not installed.
        OutputError: there is no room for the records.
        MissingFieldError: no record has the field to stratify by.
        SourceError, DataError: a file to compare with cannot be read.
    """
    _check_installed(plan)
    facts = _read(records, plan, spool, progress)
    units = units_by_place(np.frombuffer(facts.places, dtype=np.uint64))
    texts = np.frombuffer(facts.texts, dtype=np.uint64)
    twins = np.zeros(0, dtype=np.int64)
    if plan.dedup is not None:
        twins = _twins(texts, plan, spool, progress)
        units = joined_units(units, twins)
    values, strata = _strata(facts, plan.seed)
    drawing = Drawing(units, np.frombuffer(facts.given, dtype=np.int8), strata, plan)
    all_splits = drawing.splits()
    splits = drawing.without_rest(all_splits)
    found = None
    if plan.against:
        run = Studied(spool, splits, units.of_record, texts)
        found = find_leaks(run, plan.against, plan.ngram_words, progress, read)
    report = Report(
        fractions=plan.fractions,
        sizes=drawing.sizes(all_splits),
        left_out=int((splits == LEFT_OUT).sum()),
        is_exact=plan.sizes_are_exact,
        stratify=plan.stratify,
        strata=drawing.stratum_sizes(all_splits, values) if plan.stratify else None,
        straddling=drawing.straddling,
        followers=int(drawing.is_follower.sum()),
        duplicates=_duplicates(twins, units, plan) if plan.dedup else None,
        contamination=found,
    )
    return Division(spool, splits, twins, report)


def _check_installed(plan: SplitOptions) -> None:
    if plan.dedup == "near" and importlib.util.find_spec("datasketch") is None:
        hint = 'run "pip install mitools[dedup]"'
        raise MissingExtraError("--dedup near needs the package datasketch", hint=hint)


def _read(
    records: Iterable[Record], plan: SplitOptions, spool: RecordSpool, progress: Progress
) -> _Facts:
    facts = _Facts()
    needs_texts = plan.dedup is not None or bool(plan.against)
    with progress("reading", None) as update:
        for record in records:
            spool.add(record)
            facts.places.append(position(split_key(record), plan.seed))
            split = None if plan.reassign else record.get("split")
            facts.given.append(_NONE if split is None else SPLITS.index(split))
            if needs_texts:
                facts.texts.append(_text_hash(record))
            if plan.stratify is not None:
                name = _value_name(get_path(record, plan.stratify))
                facts.strata.append(facts.numbers.setdefault(name, len(facts.numbers)))
            update(1, "")
    spool.flush()
    if set(facts.numbers) == {_MISSING}:
        message = f'no record has a value in field "{plan.stratify}"'
        raise MissingFieldError(message, hint="name another field after --stratify")
    return facts


def _text_hash(record: Record) -> int:
    text = record.get("input")
    # Not by the seed: which inputs are the same is no matter of chance.
    return 0 if text is None else position(normalized_input(text), 0)


def _value_name(value: Any) -> str:
    if value is None:
        return _MISSING
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _strata(facts: _Facts, seed: int) -> tuple[list[str], NDArray[np.int64]]:
    """Number the values again, so that the order of the records leaves no trace.

    Returns:
        The values, and [N] the number of each record's.
    """
    if not facts.strata:
        return [], np.zeros(len(facts.places), dtype=np.int64)
    values = sorted(facts.numbers, key=lambda value: (position(value, seed), value))
    renumbered = np.zeros(len(values), dtype=np.int64)
    renumbered[[facts.numbers[value] for value in values]] = np.arange(len(values))
    return values, renumbered[np.frombuffer(facts.strata, dtype=np.int64)]


def _twins(
    texts: NDArray[np.uint64], plan: SplitOptions, spool: RecordSpool, progress: Progress
) -> NDArray[np.int64]:
    """Give records with the same input, or nearly the same, the same number."""
    distinct, first, numbers = np.unique(texts, return_index=True, return_inverse=True)
    labels = np.arange(len(distinct))
    if plan.dedup == "near":
        from mitools.split.near import NearDuplicates

        def text_of(number: int) -> str:
            return normalized_input(spool[int(first[number])]["input"])

        near = NearDuplicates(len(distinct), text_of, plan.nearness)
        is_first = np.zeros(len(texts), dtype=np.bool_)
        is_first[first] = True
        is_first &= texts != 0
        for row, record in spool.numbered("fingerprinting", progress):
            if is_first[row]:
                near.add(int(numbers[row]), normalized_input(record["input"]))
        with progress("comparing", near.bands) as update:
            labels = near.clusters(lambda: update(1, ""))
    return np.where(texts == 0, _NONE, labels[numbers])


def _grouped(labels: NDArray[np.int64]) -> list[list[int]]:
    """List the rows of each label that is not negative."""
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] >= 0]
    starts = np.flatnonzero(np.diff(labels[order])) + 1
    return [rows.tolist() for rows in np.split(order, starts) if len(rows)]


def _duplicates(twins: NDArray[np.int64], units: Units, plan: SplitOptions) -> Duplicates:
    _, counts = np.unique(twins[twins >= 0], return_counts=True)
    several = counts[counts > 1]
    united = units.joined[units.joined > 1]
    return Duplicates(
        threshold=plan.nearness.threshold if plan.dedup == "near" else None,
        clusters=len(several),
        records=int(several.sum()),
        largest=int(several.max(initial=0)),
        joined=int((united - 1).sum()),
        largest_unit=int(np.bincount(units.of_record).max()),
    )
