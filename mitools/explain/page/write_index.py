"""Writing the index of a folder of runs: one table, with comparisons, and links to pages."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from mitools.errors import MitoolsError, SourceError
from mitools.evaluate.catalog import FIGURES
from mitools.explain.options import ExplainOptions
from mitools.explain.page.find_runs import FoundRun, find_runs
from mitools.explain.page.render import render_page
from mitools.explain.page.rows import safe_json
from mitools.explain.page.run_figures import COLUMNS, RunFigures, compare_runs_on, read_run
from mitools.explain.page.write import write_page
from mitools.files import atomic_output, output_errors
from mitools.records import read_records

__all__ = ["write_index"]

_INDEX = "index.html"


def write_index(
    folder: str,
    path: str,
    *,
    warn: Callable[[str], None] = lambda _text: None,
    progress: Callable[[int], None] = lambda _count: None,
) -> int:
    """Write an HTML index of the judged runs in a folder, as ``explain FOLDER --html`` does.

    Args:
        folder: searched for files of judged records, also in the folders in it.
        path: a file ``.html`` for the index alone, which links to the pages beside the records; any
            other path is a folder, which gets ``index.html`` and a page for each run.
        warn: receives warnings, one sentence each.
        progress: called with 1 after each run.

    Returns:
        Number of runs.

    Raises:
        SourceError: the folder has no judged run.
        OutputError: a file cannot be written.
    """
    left_out: list[str] = []
    found = find_runs(folder, left_out.append)
    if not found:
        hint = 'judge records with "mitools eval --student DIR -o FILE"'
        raise SourceError(f"{folder} has no file with a student's answers", hint=hint)
    has_pages = not path.endswith((".html", ".htm"))
    target = os.path.join(path, _INDEX) if has_pages else path
    if has_pages:
        with output_errors(path):
            os.makedirs(path, exist_ok=True)
    for text in left_out:
        warn(text)
    runs, links = [], []
    names = _file_names(found)
    for one, name in zip(found, names, strict=True):
        run = _read(one)
        page = one.page
        if has_pages and run.figures:  # it could be read
            page = os.path.join(path, name)
            _write_page_of(run.found, page, warn)
        if run.warning:
            warn(run.warning)
        if run.repeated:
            plural = "s" if run.repeated > 1 else ""
            text = f"{run.repeated:,} record{plural} with an id seen before; all count"
            warn(f"{one.path}: {text}")
        runs.append(run)
        links.append(_link(page, os.path.dirname(target)) if page else "")
        progress(1)
    with atomic_output(target) as stream:
        for piece in render_page("index.html", _context(folder, runs, links, left_out)):
            stream.write(piece)
    return len(runs)


def _read(found: FoundRun) -> RunFigures:
    """Read a run; one that cannot be read is listed with the reason."""
    try:
        return read_run(found)
    except MitoolsError as exc:
        return RunFigures(found, warning=str(exc))


def _write_page_of(found: FoundRun, page: str, warn: Callable[[str], None]) -> None:
    summaries = {} if found.summary is None else {"student": found.summary}

    def warn_of(text: str) -> None:
        warn(f"{found.path}: {text}")

    write_page(
        page,
        read_records(found.path),
        ExplainOptions(),
        summaries=summaries,
        source=found.path,
        warn=warn_of,
    )


def _file_names(found: list[FoundRun]) -> list[str]:
    """Return a file name for each run's page: distinct, also where case does not count."""
    names: list[str] = []
    taken = {_INDEX}
    for one in found:
        plain = re.sub(r"[^\w.-]+", "-", one.name).strip("-.")[:100] or "run"
        name, number = f"{plain}.html", 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}.html"
        taken.add(name.lower())
        names.append(name)
    return names


def _link(page: str, folder: str) -> str:
    """Return the address of a page, relative to the folder of the index."""
    with contextlib.suppress(ValueError):  # another drive
        page = os.path.relpath(page, folder or ".")
    address = quote(page.replace(os.sep, "/"), errors="surrogateescape")
    # A first part with a colon would be read as a scheme.
    return address if os.path.isabs(page) else f"./{address}"


def _context(
    folder: str, runs: list[RunFigures], links: list[str], left_out: list[str]
) -> dict[str, Any]:
    pairs = compare_runs_on(runs)
    # A column that no run has a value for is left out.
    shown = [
        i for i in range(len(COLUMNS)) if any(run.figures and run.figures[i].value for run in runs)
    ]
    groups = {index: number for number, pair in enumerate(pairs) for index in pair.runs}
    return {
        "version": version("mitools"),
        "folder": folder,
        "columns": [_title(COLUMNS[i]) for i in shown],
        "runs": list(_rows(runs, links, groups, shown)),
        "groups": len(pairs),
        "warnings": [*left_out, *(run.warning for run in runs if run.warning)],
        "config": Markup(
            safe_json(
                {
                    "runs": [{"name": run.found.name, "path": run.found.path} for run in runs],
                    "groups": [asdict(pair) for pair in pairs],
                }
            )
        ),
    }


def _title(path: str) -> str:
    title = FIGURES[path].title
    return title[0].upper() + title[1:]


def _rows(
    runs: list[RunFigures], links: list[str], groups: dict[int, int], shown: list[int]
) -> Iterator[dict[str, Any]]:
    for index, (run, link) in enumerate(zip(runs, links, strict=True)):
        figures = [run.figures[i] for i in shown] if run.figures else []
        yield {
            "index": index,
            "run": run,
            "figures": figures,
            "link": link,
            "group": groups.get(index),
        }
