"""Teachers without a network: completions from a file or from the records, and the demo's rules.

Completions that others published are parsed in the same way as live ones.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from typing import IO, Any

from mitools.annotate.client.sqlite_text import from_sqlite, to_sqlite
from mitools.annotate.protocol import Problem, Question, Reply
from mitools.bounds import DEFAULTS
from mitools.errors import InvalidFieldError, MissingFieldError, SourceError, TeacherError, Where
from mitools.files import input_errors, open_input
from mitools.lines import cut_lines, line_rows, too_long

__all__ = ["DemoTeacher", "FieldTeacher", "ReplayTeacher"]

_NEXT_SAMPLE = 1_000_003  # added to the seed for each sample; far from usual seeds
_HINT = "each row needs an id and a completion"


class _Immediate:
    """A teacher that answers every question without waiting."""

    resamples = 0
    is_immediate = True

    def recall(self, question: Question) -> Reply:
        raise NotImplementedError

    async def ask(self, question: Question) -> Reply:
        return self.recall(question)

    def stop(self) -> None:
        pass

    async def close(self) -> None:
        pass


class FieldTeacher(_Immediate):
    """Reads the completion from each record's field ``completion``: a text, or a list of texts."""

    def __init__(self, model: str = "replay") -> None:
        self._model = model

    def recall(self, question: Question) -> Reply:
        given = question.record.get("completion")
        completions = given if isinstance(given, list) else [given]
        texts = [text for text in completions if isinstance(text, str)]
        if question.sample < len(texts):
            return Reply(text=texts[question.sample], model=self._model)
        return Reply(model=self._model, problem=Problem("missing", _missing(given, texts)))


def _missing(given: Any, texts: list[str]) -> str:
    if given is None:
        return 'the record has no field "completion"'
    if not texts:
        return 'the field "completion" holds neither a text nor a list of texts'
    count = "1 text" if len(texts) == 1 else f"{len(texts):,} texts"
    return f'the field "completion" holds {count}, fewer than are asked for'


class ReplayTeacher(_Immediate):
    """Looks up completions by the record's id in a file of JSON Lines, CSV or TSV.

    Several rows with the same id are several samples.
    """

    def __init__(self, path: str, model: str = "replay") -> None:
        """Index the file on disk, as it may be larger than memory.

        Raises:
            SourceError: it cannot be read.
            DataError: a row has no id or completion.
        """
        self._path = path
        self._model = model
        # The name "" gives a temporary file that is deleted when the connection closes.
        self._index = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._index.execute("CREATE TABLE completions (id TEXT, text TEXT)")
        self._index.execute("BEGIN")
        self._index.executemany("INSERT INTO completions VALUES (?, ?)", _rows(path))
        self._index.execute("CREATE INDEX by_id ON completions (id)")
        self._index.execute("COMMIT")

    def recall(self, question: Question) -> Reply:
        query = "SELECT text FROM completions WHERE id = ? ORDER BY rowid LIMIT 1 OFFSET ?"
        name = to_sqlite(question.record["id"])
        row = self._index.execute(query, (name, question.sample)).fetchone()
        if row is None:
            problem = Problem("missing", f"{self._path} has no completion for this id")
            return Reply(model=self._model, problem=problem)
        return Reply(text=from_sqlite(row[0]), model=self._model)

    async def close(self) -> None:
        self._index.close()


class DemoTeacher(_Immediate):
    """Solves the built-in demo's problems by rule, a share of them wrongly.

    Each sample errs independently; a question with a hint is answered correctly.
    """

    def __init__(self, seed: int, error_rate: float) -> None:
        self._seed = seed
        self._error_rate = error_rate

    def recall(self, question: Question) -> Reply:
        from mitools.demo import solve

        seed = self._seed + _NEXT_SAMPLE * question.sample
        error_rate = 0.0 if question.hint is not None else self._error_rate
        try:
            text = solve(question.record["input"], seed, error_rate)
        except TeacherError as exc:
            return Reply(model="demo", problem=Problem("unknown", str(exc)))
        return Reply(text=text, model="demo")


def _rows(path: str) -> Iterator[tuple[str | bytes, str | bytes]]:
    for where, row in _tables(path):
        for name in ("id", "completion"):
            if row.get(name) is None:
                raise MissingFieldError(f'field "{name}" is missing', where=where, hint=_HINT)
        if not isinstance(row["completion"], str):
            raise InvalidFieldError('field "completion" must be a string', where=where, hint=_HINT)
        yield to_sqlite(str(row["id"])), to_sqlite(row["completion"])


def _tables(path: str) -> Iterator[tuple[Where, dict[str, Any]]]:
    plain = path.removesuffix(".gz").removesuffix(".zst")
    if not plain.endswith((".csv", ".tsv")):
        for line in line_rows(path):
            yield line.where, line.parse()
        return
    csv.field_size_limit(DEFAULTS.line_bytes)  # the bound of a line is that of a cell
    dialect = "excel-tab" if plain.endswith(".tsv") else "excel"
    try:
        with open_input(path) as stream, input_errors(path):
            rows = csv.DictReader(_table_lines(stream, path), dialect=dialect)
            for row in rows:
                yield Where(path, rows.line_num), row
    except csv.Error as exc:
        raise SourceError(f"cannot read {path}: {exc}", hint="check the file") from exc


def _table_lines(stream: IO[bytes], path: str) -> Iterator[str]:
    """Yield the lines of a table as text; none is longer than the bound."""
    for number, (raw, rest) in enumerate(cut_lines(stream), start=1):
        where = Where(path, number)
        if rest is not None:
            raise too_long(where, DEFAULTS)
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as exc:
            raise SourceError(f"{where} is not UTF-8", hint="convert it with iconv") from exc
