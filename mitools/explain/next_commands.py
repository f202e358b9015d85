"""The commands that are of use next, with real names of files, ready to paste."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mitools.errors import MitoolsError
from mitools.explain.options import ExplainOptions
from mitools.explain.run_names import base_name
from mitools.explain.summary_file import is_number, read_summary
from mitools.files import STDIN
from mitools.records import read_records

__all__ = ["MOST", "Found", "NextCommand", "next_commands"]

MOST = 3
"""Most commands."""

_MOST_FILES = 20
_MOST_SUMMARY_BYTES = 20_000_000
_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst")


@dataclass(frozen=True)
class NextCommand:
    """A command, and what it shows."""

    command: str
    about: str


@dataclass(frozen=True)
class Found:
    """Counts of what there is to see.

    Attributes:
        records: records that were read.
        evaluated: those of the test split, or without a split.
        wrong: those with a wrong label.
        inconsistent: those whose rationale supports another answer than their label.
        disagreeing: those whose label differs from the teacher's.
        has_confidences: whether there are confidences to sort by.
        first_id: the id of the first record.
    """

    records: int = 0
    evaluated: int = 0
    wrong: int = 0
    inconsistent: int = 0
    disagreeing: int = 0
    has_confidences: bool = False
    first_id: str = ""


def next_commands(
    files: Sequence[str], options: ExplainOptions, found: Found, summary: str | None = None
) -> list[NextCommand]:
    """Return the commands that are of use next for these files; none for stdin.

    Args:
        files: the files that were read.
        options: of the run; the student and the task are passed on.
        found: what there is to see.
        summary: the summary of the figures; by default the file beside the records that
            ``eval --summary`` wrote for them, if there is one.
    """
    if not files or STDIN in files:
        return []
    start = ["mitools", "explain", *map(_typed, files), *_asked(options)]
    ranked = [
        _mistakes(found),
        _page(files, found, summary),
        *_comparisons(files[0], found),
        _inconsistent(found),
        _disagreeing(found),
    ]
    return [
        NextCommand(shlex.join([*start, *words]), about)
        for words, about in islice((one for one in ranked if one), MOST)
    ]


Words = tuple[list[str], str]


def _typed(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path


def _asked(options: ExplainOptions) -> Iterator[str]:
    if options.student is not None:
        yield from ("--student", options.student)
        if options.answer is not None:
            yield from ("--answer", options.answer)
    if options.task is not None:
        yield from ("--task", options.task)


def _mistakes(found: Found) -> Words | None:
    sort = ["--sort", "confidence"] if found.has_confidences else []
    if found.wrong:
        count = f"the {found.wrong:,} wrong answer{'s' * (found.wrong != 1)}"
        about = f"{count}, the most confident first" if sort else count
        return ["--wrong", *sort, *(["--reverse"] if sort else [])], about
    return ([*sort, "--limit", "10"], "the ten least confident answers") if sort else None


def _page(files: Sequence[str], found: Found, summary: str | None) -> Words:
    path = Path(files[0])
    stem = str(path.with_name(base_name(path.name)))
    page = f"{stem}.html" if len(files) == 1 else "page.html"
    figures = summary or _summary_beside(f"{stem}.json", found)
    about = "a page with figures, plots and all records, for a browser"
    return [*(["--summary", _typed(figures)] if figures else []), "--html", _typed(page)], about


def _summary_beside(path: str, found: Found) -> str | None:
    """Return the path if the file is a summary of these records."""
    if not _is_plain_file(Path(path), _MOST_SUMMARY_BYTES):
        return None
    try:
        records = read_summary(path).get("records")
    except MitoolsError:
        return None
    return path if is_number(records) and records in (found.records, found.evaluated) else None


def _is_plain_file(path: Path, most_bytes: int | None = None) -> bool:
    try:
        facts = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and (most_bytes is None or facts.st_size <= most_bytes)


def _comparisons(path: str, found: Found) -> Iterator[Words]:
    """Yield the comparison with the newest file of the folder that begins with the same record."""
    here = Path(path)
    try:
        near = [one for one in here.parent.iterdir() if one.name.endswith(_ENDINGS)]
    except OSError:
        return
    others = [one for one in near if one.name != here.name and _is_plain_file(one)]
    for other in sorted(others, key=lambda one: (-one.stat().st_mtime, one.name))[:_MOST_FILES]:
        if _begins_with(str(other), found.first_id):
            name = base_name(other.name)
            yield ["--vs", _typed(str(other)), "--changed"], f"what changes in {name}"
            return


def _begins_with(path: str, first_id: str) -> bool:
    try:
        record = next(iter(read_records(path)), {})
    except (MitoolsError, OSError):
        return False
    return bool(record.get("student")) and str(record.get("id", "")) == first_id


def _inconsistent(found: Found) -> Words | None:
    if not found.inconsistent:
        return None
    are = "s that support" if found.inconsistent != 1 else " that supports"
    return ["--inconsistent"], f"the {found.inconsistent:,} rationale{are} another answer"


def _disagreeing(found: Found) -> Words | None:
    return (["--disagree"], "answers that differ from the teacher's") if found.disagreeing else None
