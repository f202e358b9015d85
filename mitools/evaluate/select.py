"""Select the records to evaluate: those of one split, and those that only fit a parameter.

Gold labels that the task cannot read, ids that come twice and records without a split are counted
on the way, for warnings at the end of the pass.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mitools.errors import DataError, EmptyInputError, InvalidFieldError
from mitools.evaluate.options import EvalOptions
from mitools.gold import GoldCheck, with_known_labels
from mitools.records import Record, Reject, dump_line
from mitools.schema import get_path

__all__ = ["Selection"]


class Selection:
    """Selects records, and counts what the others are.

    Attributes:
        gold: counts the gold labels that the task cannot read.
    """

    def __init__(
        self,
        options: EvalOptions,
        metadata: Callable[[], Mapping[str, Any]] | None = None,
        on_taught: Callable[[Record], None] = lambda _record: None,
    ) -> None:
        """Prepare to select.

        Args:
            options: how to evaluate.
            metadata: returns the metadata of the student; None where the records hold answers.
            on_taught: receives each record of the training split that is not evaluated.
        """
        self.gold = GoldCheck(options.task)
        self._options = options
        self._metadata = metadata
        self._on_taught = on_taught
        self._splits: Counter[str | None] = Counter()
        self._ids: set[bytes] = set()
        self._repeated: Counter[str] = Counter()
        self._content = hashlib.sha256()

    def settle(self, options: EvalOptions) -> None:
        """Take the options with the student's way of answering in them."""
        self._options = options

    def select(self, records: Iterable[Record], reject: Reject) -> Iterator[Record]:
        """Yield the records to evaluate; those without choices get the student's label set.

        Args:
            records: what to evaluate.
            reject: called with each record that cannot be evaluated, and the reason.
        """
        if self._metadata is not None and self._options.split in (None, "all"):
            records = self._hashed(records)
        for record in with_known_labels(records, self._metadata, self._options.task):
            split = record.get("split")
            self._splits[split] += 1
            if self._options.selects(record):
                try:
                    self._note_id(str(record.get("id", "")))
                except InvalidFieldError as exc:
                    reject(record, exc)
                else:
                    self.gold.add(record)
                    yield record
            elif split == "train":
                self._on_taught(record)

    def _hashed(self, records: Iterable[Record]) -> Iterator[Record]:
        """Hash the records as ``train`` does, to recognize those that it was given."""
        for record in records:
            self._content.update(dump_line(record).encode("utf-8", "surrogatepass"))
            yield record

    def _note_id(self, name: str) -> None:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if digest in self._ids:
            if self._options.unique_ids:
                hint = "give each shard once, and shards of one split"
                raise InvalidFieldError(f'id "{name}" comes twice', hint=hint)
            self._repeated[name] += 1
        self._ids.add(digest)

    def repetition(self) -> str | None:
        """Return a warning about ids that come twice; None if there are none."""
        if not self._repeated:
            return None
        name, count = next(iter(self._repeated)), sum(self._repeated.values())
        return f'{_records(count)} with an id seen before (such as "{name}"); all count'

    def without_split(self) -> str | None:
        """Return a warning about records without a split; None where it is not needed.

        ``train`` learns from such records, so the student may have seen them. Otherwise they need
        no warning, unless others have a split.
        """
        count = self._splits[None]
        if count and self._are_trained_on():
            hint = 'run "mitools split" before "mitools train"'
            seen = f"the student was trained on the {_records(count)} without a split"
            return f"{seen}, so the figures are not of new ones; {hint}"
        if self._options.split is not None or not count or len(self._splits) == 1:
            return None
        return f'{_records(count)} without a split; counted with the split "test"'

    def _are_trained_on(self) -> bool:
        """Return whether the student was trained with exactly these records as input."""
        if self._metadata is None:
            return False
        return bool(get_path(self._metadata(), "data.sha256") == self._content.hexdigest())

    def nothing_selected(self) -> DataError:
        """Return the error for a pass without a record of the split."""
        if not self._splits:
            return EmptyInputError("the input has no records", hint="check what is piped in")
        there = {name: count for name, count in self._splits.items() if name is not None}
        if not there:
            hint = 'run "mitools split" first, or evaluate everything: "--split all"'
            name = self._options.split
            return EmptyInputError(f'no record has a split, so none is in "{name}"', hint=hint)
        counts = ", ".join(f"{name}: {count:,}" for name, count in sorted(there.items()))
        hint = f'choose one that is there: "--split {max(there, key=there.__getitem__)}"'
        name = self._options.split or "test"
        return EmptyInputError(f'no record is in the split "{name}" ({counts})', hint=hint)


def _records(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"
