"""What a study found, as Markdown and JSON; made of the stored runs, and made again at any time."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mitools.errors import DataError
from mitools.evaluate.measures.seeds import ENOUGH_SEEDS
from mitools.files import atomic_output
from mitools.study.learning_curve import draw_learning_curves
from mitools.study.plan import Study, runs_of
from mitools.study.results import read_results
from mitools.study.tables import build_tables, sizes_of

__all__ = ["as_markdown", "write_report"]

_COLUMNS = {
    "accuracy": "accuracy %",
    "consistency": "consistency %",
    "cvi_net": "CVI_net bits",
    "wordless": "without a word %",
    "ece": "ECE",
}
_SHARES = ("accuracy", "consistency", "wordless")
_DRAWN = ("accuracy", "consistency")


def write_report(study: Study, out: Path) -> str:
    """Write ``report.md``, ``report.json`` and the learning curves; give the Markdown.

    Args:
        out: the study's folder.

    Raises:
        DataError: no run is complete, or a stored run is damaged.
        OutputError: the folder cannot be written.
    """
    results = list(read_results(study, out / "runs"))
    if not results:
        command = f"mitools study {shlex.quote(str(study.path))} --out {shlex.quote(str(out))}"
        raise DataError(f"{out} holds no complete run", hint=f'make some: "{command}"')
    total = sum(1 for _ in runs_of(study))
    names = {one.run.name for one in results}
    tables = {"runs": len(names), "runs_of": total, **build_tables(study, results)}
    pictures = []
    for figure in _DRAWN:
        if (picture := draw_learning_curves(tables["cells"], figure)) is not None:
            pictures.append(f"{figure}.svg")
            with atomic_output(out / pictures[-1]) as stream:
                stream.write(picture)
    with atomic_output(out / "report.json") as stream:
        json.dump(tables, stream, indent=2, allow_nan=False)
        stream.write("\n")
    text = as_markdown(tables, pictures)
    with atomic_output(out / "report.md") as stream:
        stream.write(text)
    return text


def as_markdown(tables: Mapping[str, Any], pictures: Sequence[str] = ()) -> str:
    """Render tables, one for each size, and the comparisons.

    Args:
        tables: from :func:`~mitools.study.tables.build_tables`, with ``runs`` and ``runs_of``.
        pictures: files to show, beside the Markdown.
    """
    lines = [f"{tables['runs']} of {tables['runs_of']} runs are complete.", ""]
    lines += [f"![{name.removesuffix('.svg')} by training records]({name})" for name in pictures]
    for size in sizes_of(tables):
        lines += ["", f"## {_size(size)}", "", *_cell_table(tables["cells"], size)]
        compared = [one for one in tables["comparisons"] if one["size"] == size]
        if compared:
            lines += ["", *_comparison_table(compared)]
    family = len(tables["comparisons"])
    if family:
        tests = f"{family} comparison{'s' * (family != 1)}"
        lines += [
            "",
            f"Differences are in points of accuracy, in pairs of the same seed and record; "
            f"p is adjusted for {tests} (Holm). LDD is the least difference that a "
            "test at 5% finds in 80% of such studies. With one seed, p speaks for other records "
            "and not for other seeds.",
        ]
    for sentence in (_of_groups(tables["cells"]), _of_few_seeds(tables["cells"])):
        if sentence:
            lines += ["", sentence]
    return "\n".join((*lines, ""))


def _of_groups(cells: Sequence[Mapping[str, Any]]) -> str | None:
    units = [cell["figures"].get("accuracy", {}).get("groups") for cell in cells]
    if not (found := max(filter(None, units), default=None)):
        return None
    return (
        f"The test records are of {found:,} groups (field group): intervals of accuracy, "
        "differences, LDD and p take the groups as units, not the records."
    )


def _of_few_seeds(cells: Sequence[Mapping[str, Any]]) -> str | None:
    if not any(1 < cell["seeds"] < ENOUGH_SEEDS for cell in cells):
        return None
    return (
        f"With fewer than {ENOUGH_SEEDS} seeds, intervals of accuracy and differences are "
        "too narrow where seeds differ much; p and LDD take the number of seeds into account."
    )


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _size(size: int | None) -> str:
    return "All training records" if size is None else f"{size:,} training records"


def _cell_table(cells: Sequence[Mapping[str, Any]], size: int | None) -> Iterator[str]:
    yield f"| objective | answer | seeds | {' | '.join(_COLUMNS.values())} | step ms |"
    yield f"|---|---|{'---:|' * (len(_COLUMNS) + 2)}"
    for cell in cells:
        if cell["size"] == size:
            figures = [_figure(name, cell["figures"].get(name)) for name in _COLUMNS]
            step = cell["step_seconds"]
            time = "–" if step is None else f"{1000 * step:.0f}"
            names = f"{cell['objective']} | {cell['answer']} | {cell['seeds']}"
            yield f"| {names} | {' | '.join(figures)} | {time} |"


def _figure(name: str, found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "–"
    scale, digits = (100, 1) if name in _SHARES else (1, 3)
    value = f"{scale * found['value']:.{digits}f}"
    if found["ci95"] is None:
        return value
    low, high = (f"{scale * one:.{digits}f}" for one in found["ci95"])
    return f"{value} [{low}, {high}]"


def _comparison_table(comparisons: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| objective | answer | against | difference | LDD | p (Holm) | p speaks for |"
    yield "|---|---|---|---:|---:|---:|---|"
    for one in comparisons:
        gap = f"{100 * one['difference']:+.1f}"
        if one["ci95"] is not None:
            gap += " [{:+.1f}, {:+.1f}]".format(*(100 * end for end in one["ci95"]))
        least = "–"
        if one["smallest_detectable"] is not None:
            least = f"{100 * one['smallest_detectable']:.1f}"
        names = f"{one['objective']} | {one['answer']} | {one['baseline']}"
        tail = f"{one['p_holm']:.2g} | {one['scope']}, {_seeds(one['seeds'])}"
        yield f"| {names} | {gap} | {least} | {tail} |"
