"""The first records that a proposal gives: whether it works, and how long their texts are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from mitools.errors import EmptyInputError, MitoolsError
from mitools.gold import GoldCheck
from mitools.records import Reader, Record, Rejected
from mitools.scaffold.sample import MOST_ROWS
from mitools.sources.load_records import open_sources, read_parts
from mitools.sources.options import LoadOptions, with_preset

__all__ = ["Trial", "try_mapping"]

_MOST_REJECTED = 0.1
_MOST_RECORDS = 5 * MOST_ROWS  # of all files of a folder


@dataclass
class Trial:
    """What the first records are like.

    Attributes:
        records: number of records.
        rejected: number of rows that give no record; ``problem`` is what is wrong with the first.
        task: of the records.
        choices: of the first record.
        longest: bytes of the longest input, label, rationale and completion, in UTF-8.
        warning: gold labels that the task cannot read.
    """

    records: int
    rejected: int
    problem: MitoolsError | None
    task: str
    choices: tuple[str, ...]
    longest: Mapping[str, int]
    warning: str | None


def try_mapping(path: str, options: LoadOptions) -> Trial:
    """Load the first records of a file.

    Raises:
        UsageError, SourceError: the mapping does not fit the file.
        DataError: too many rows give no record.
    """
    options = replace(with_preset(options), limit=MOST_ROWS)
    options.check()
    problems: list[MitoolsError] = []

    def reject(bad: Rejected) -> None:
        if not problems:
            problems.append(bad.error)

    reader = Reader(needs=("input",), on_reject=reject)
    gold = GoldCheck()
    longest = {"input": 0, "label": 0, "rationale": 0, "completion": 0}
    first: Record = {}
    try:
        read = read_parts(open_sources([path], options), options, reader, gold)
        for record in islice(read, _MOST_RECORDS):
            first = first or record
            for name, most in longest.items():
                text = str(record.get(name) or "")
                longest[name] = max(most, len(text.encode("utf-8", "surrogatepass")))
    except EmptyInputError as exc:  # the problem of the first row tells more
        raise (problems[0] if problems else exc) from exc
    if problems and reader.rejected > _MOST_REJECTED * (reader.count + reader.rejected):
        raise problems[0]
    return Trial(
        records=reader.count,
        rejected=reader.rejected,
        problem=problems[0] if problems else None,
        task=str(first.get("task", "text")),
        choices=tuple(first.get("choices") or ()),
        longest=longest,
        warning=gold.warning(),
    )
