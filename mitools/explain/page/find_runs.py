"""Finding the judged runs in a folder: files of records with a student's answers."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from mitools.errors import MitoolsError
from mitools.explain.run_names import run_names
from mitools.explain.summary_file import Summary, read_summary
from mitools.lines import line_rows
from mitools.student.metadata import WORK_SUFFIX

__all__ = ["FoundRun", "find_runs"]

MAX_RUNS = 500
MAX_DEPTH = 6
"""Most runs that are shown, and the depth of folders that are searched."""

_LOOKED_AT = (
    20  # records of a file; a student's answer is in one of them, or the file is not judged
)
_SHARED = ("summary.json", "figures.json")
_NAMED = 'name it after its records, as "mi.json" for "mi.jsonl"'
_RECORDS = re.compile(r"\.jsonl(?:\.gz|\.zst)?$")


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A file of judged records.

    Attributes:
        name: a short name, different from those of the other runs.
        path: of the records.
        summary: that ``mitools eval`` wrote beside them; None without one.
        summary_path: of the summary; empty without one.
        page: path of an HTML page beside the records; empty without one.
    """

    name: str
    path: str
    summary: Summary | None = None
    summary_path: str = ""
    page: str = ""


def find_runs(folder: str, warn: Callable[[str], None] = lambda _text: None) -> list[FoundRun]:
    """Return the judged runs in a folder and the folders in it, by path.

    A summary beside the records has their name (``mi.json`` for ``mi.jsonl``). Where they are the
    only judged file of their folder, it may also be called ``summary.json`` or ``figures.json``. A
    page has their name, or is called ``page.html`` there. Links to folders are not followed.

    Args:
        folder: that is searched.
        warn: receives a warning if there are more than :data:`MAX_RUNS`, and the others are left
            out; and one for each summary that could be of several files.
    """
    paths = list(islice(filter(_is_judged, _record_files(folder)), MAX_RUNS + 1))
    judged = Counter(map(os.path.dirname, paths))
    if len(paths) > MAX_RUNS:
        warn(f"{folder} has more than {MAX_RUNS} runs; those behind {paths[-2]} are left out")
        del paths[MAX_RUNS:]
    for beside, count in judged.items():
        if count > 1:
            for path in filter(_summary_at, _in(beside, *_SHARED)):
                warn(f"{path} is left out: its folder has {count} judged files; {_NAMED}")
    return [
        _found(name, path, is_alone=judged[os.path.dirname(path)] == 1)
        for name, path in zip(run_names(paths), paths, strict=True)
    ]


def _found(name: str, path: str, *, is_alone: bool) -> FoundRun:
    """Return a run with what is beside it; names that several runs could share only if alone."""
    stem, beside = _RECORDS.sub("", path), os.path.dirname(path)
    shared = _in(beside, *_SHARED) if is_alone else []
    summary_path, summary = "", None
    for candidate in (f"{stem}.json", f"{stem}.summary.json", *shared):
        if summary is None and (summary := _summary_at(candidate)) is not None:
            summary_path = candidate
    pages = [f"{stem}.html", *(_in(beside, "page.html") if is_alone else ())]
    page = next(filter(os.path.isfile, pages), "")
    return FoundRun(name, path, summary, summary_path, page)


def _in(folder: str, *names: str) -> list[str]:
    return [os.path.join(folder, name) for name in names]


def _record_files(folder: str) -> Iterator[str]:
    depth = folder.rstrip(os.sep).count(os.sep)
    for place, folders, files in os.walk(folder):
        is_deep = place.count(os.sep) - depth >= MAX_DEPTH
        # A folder of work is of a training that still runs.
        folders[:] = sorted(
            name
            for name in folders
            if not is_deep and not name.startswith(".") and not name.endswith(WORK_SUFFIX)
        )
        for name in sorted(files):
            if _RECORDS.search(name) and not name.startswith("."):
                yield os.path.join(place, name)


def _is_judged(path: str) -> bool:
    """Return whether one of the first records has a student's answer."""
    try:
        return any(
            isinstance(row.parse().get("student"), dict)
            for row in islice(line_rows(path), _LOOKED_AT)
        )
    except (MitoolsError, OSError):
        return False  # not a file of records; the folder may hold anything


def _summary_at(path: str) -> Summary | None:
    if not os.path.isfile(path):
        return None
    try:
        return read_summary(path)
    except MitoolsError:
        return None  # another JSON file, such as the settings of a run
