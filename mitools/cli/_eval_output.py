"""What ``mitools eval`` writes: the judged records, the summary, and the figures for people."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from mitools.cli._stage import abandon_stdout
from mitools.errors import UsageError
from mitools.files import STDOUT, atomic_output

if TYPE_CHECKING:
    from mitools.console import Console
    from mitools.evaluate.run import Evaluation
    from mitools.records import Record, Writer

__all__ = ["JudgedOutput", "save_summary", "show_figures", "summary_file"]


class JudgedOutput:
    """Writes judged records to the output.

    A reader that stops reading ends the stage, as in every stage. Where a summary was asked for,
    only the writing of records ends.
    """

    def __init__(self, out: Writer, *, outlives_reader: bool) -> None:
        self._out: Writer | None = out
        self._outlives_reader = outlives_reader

    def write(self, record: Record) -> None:
        if self._out is None:
            return
        try:
            self._out.write(record)
        except BrokenPipeError:
            if not self._outlives_reader:
                raise
            abandon_stdout()
            self._out = None


@contextlib.contextmanager
def summary_file(path: str | None) -> Iterator[IO[str] | None]:
    """Open the summary before any record is read: a wrong path must not cost an evaluation.

    Raises:
        UsageError: the path is stdout, which carries the records.
    """
    if path is None:
        yield None
    elif path == STDOUT:
        raise UsageError("stdout carries the records", hint='name a file: "--summary FILE"')
    else:
        with atomic_output(path) as stream:
            yield stream


def save_summary(
    figures: Mapping[str, Any], file: IO[str] | None, run: Evaluation, files: Mapping[str, Any]
) -> None:
    """Write the summary, where one was asked for.

    Args:
        figures: of one run or of several.
        file: the open summary; None writes nothing.
        run: the first of the runs, for its student and options.
        files: the options that name files, for the provenance.
    """
    if file is None:
        return
    from mitools.evaluate.provenance import with_provenance

    document = with_provenance(figures, run.opened, {**run.options.as_json(), **files})
    json.dump(document, file, indent=2, ensure_ascii=False, allow_nan=False)
    file.write("\n")


def show_figures(console: Console, figures: Mapping[str, Any], *, is_full: bool) -> None:
    """Show the tables of the figures, and the notes on them."""
    from mitools.evaluate import report

    for title, columns, rows in report.tables(figures, is_full=is_full):
        console.table(title, columns, rows)
    for note in report.notes(figures, is_full=is_full):
        console.note(note)
