"""The entry point of the stage: records in, the same records with their splits out."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mitools.records import Record
from mitools.split.by_hash import HashSplitter
from mitools.split.options import SplitOptions
from mitools.split.report import SplitReport, as_json, check_selected, report_of
from mitools.spool import Progress, RecordSpool, no_progress

if TYPE_CHECKING:
    from mitools.split.contamination import ReadInputs
    from mitools.split.divide import DividedRun

__all__ = ["SplitRun", "split_records"]


def split_records(
    records: Iterable[Record],
    options: SplitOptions | None = None,
    *,
    progress: Progress = no_progress,
    read: ReadInputs | None = None,
) -> SplitRun:
    """Assign each record to train, valid or test, as ``mitools split`` does.

    By a hash alone, records are passed on one by one. With ``exact``, ``stratify``, ``dedup`` or
    ``against``, all records are first read into a temporary file.

        >>> records = [{"id": str(number), "input": f"question {number}"} for number in range(10)]
        >>> run = split_records(records, SplitOptions(test=0.2, exact=True))
        >>> [record["id"] for record in run if record["split"] == "test"]
        ['0', '4']
        >>> run.report.sizes["train"].records
        7

    Args:
        records: the records to split; each has a ``group``, an ``input`` or an ``id``.
        options: how to split; the defaults of :class:`SplitOptions` if None.
        progress: shows how far each pass over the records is.
        read: reads the records of a file of ``against``; by default as JSON Lines.

    Yields:
        Each record of the selected splits with its field ``split``, in input order. The iterator
        has the report on the splits as its attribute ``report``.

    Raises:
        MissingFieldError: a record has no key, or no record has the field to stratify by.
        MissingExtraError: near-duplicates need a package that is not installed.
        EmptyInputError: no record is in the selected splits.
        OutputError: there is not enough disk space for the temporary file.
        SourceError, DataError: a file of ``against`` cannot be read.
    """
    return SplitRun(records, options or SplitOptions(), progress, read)


class SplitRun(Iterator[Record]):
    """Iterator over the records with their splits; made by :func:`split_records`.

    The temporary file is deleted with this object, or when it is left as a context manager.

    Attributes:
        options: how the records are split.
    """

    def __init__(
        self,
        records: Iterable[Record],
        options: SplitOptions,
        progress: Progress = no_progress,
        read: ReadInputs | None = None,
    ) -> None:
        self.options = options
        self._records = records
        self._progress = progress
        self._read = read
        self._report: SplitReport | None = None
        self._divided: DividedRun | None = None
        self._resources = contextlib.ExitStack()
        self._output = self._in_two_passes() if options.reads_twice else self._in_one_pass()

    @property
    def report(self) -> SplitReport:
        """The sizes of the splits and what else was found.

        Raises:
            ValueError: it is not known yet. By a hash alone it is known after the last record;
                otherwise before the first one, and after :meth:`read_all`.
        """
        if self._report is None:
            raise ValueError("the report is known when the records have been read")
        return self._report

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values, as ``mitools split --report`` writes it."""
        return as_json(self.report, self._divided.clusters() if self._divided else ())

    def read_all(self) -> None:
        """Read all records and decide on their splits; nothing if a hash alone decides."""
        if not self.options.reads_twice or self._divided is not None:
            return
        from mitools.split.contamination import read_file_inputs
        from mitools.split.divide import divide

        spool = self._resources.enter_context(RecordSpool())
        read = self._read or read_file_inputs
        self._divided = divide(self._records, self.options, spool, self._progress, read)
        self._report = self._divided.report

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        return next(self._output)

    def _in_one_pass(self) -> Generator[Record]:
        options = self.options
        splitter = HashSplitter(
            options.fractions, options.seed, options.reassigned, options.subsample
        )
        for record in splitter.split(self._records):
            if record["split"] in options.select:
                yield record
        self._report = report_of(splitter, options.reassign_split)
        check_selected(self._report, options.select)

    def _in_two_passes(self) -> Generator[Record]:
        self.read_all()
        assert self._divided is not None
        check_selected(self.report, self.options.select)
        with self._progress("writing", len(self._divided.spool)) as update:
            for record in self._divided:
                if record["split"] in self.options.select:
                    yield record
                update(1, "")

    def close(self) -> None:
        """Delete the temporary file, if there is one. No records follow."""
        self._output.close()
        self._resources.close()

    def __enter__(self) -> SplitRun:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()
