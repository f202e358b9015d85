"""``mitools split``: assign each record to train, valid or test."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._options import seed_option, typed
from mitools.cli._places import OutputFolder, OutputPath, RecipePath, TypedOption
from mitools.cli._stage import Stage, stage
from mitools.errors import UsageError
from mitools.files import STDIN
from mitools.records import Record
from mitools.schema import SPLITS
from mitools.split.options import DEDUP_MODES, SplitOptions

if TYPE_CHECKING:
    from mitools.split.report import SplitReport

__all__ = ["command"]

Write = Callable[[Record], None]

_KEY = "group|input|id"

_FILE_OF = {name: f"{name}.jsonl" for name in SPLITS}


@dataclass(frozen=True)
class _Places:
    """Where the command writes to, beside stdout.

    Attributes:
        report: a JSON file for the figures.
        folder: receives one file for each selected split.
    """

    report: str | None
    folder: Path | None


def _split_names(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Split lists at commas, and sort known names."""
    names = {name.strip(): None for value in values for name in value.split(",")}
    known = [name for name in SPLITS if name in names]
    return (*known, *(name for name in names if name not in SPLITS)) or SplitOptions.select


GROUPS = {
    "Sizes": "--test --valid --exact --stratify --reassign --reassign-split --subsample",
    "Duplicates": "--dedup --threshold --shingle-chars",
    "Overlap": "--against --ngram-words",
    "Input and output": "--select --out-dir --report",
}


@stage("split", groups=GROUPS)
@click.option(
    "--test",
    default=SplitOptions.test,
    show_default=True,
    metavar="FRACTION",
    help="Share of the test split.",
)
@click.option(
    "--valid",
    default=SplitOptions.valid,
    show_default=True,
    metavar="FRACTION",
    help="Share of the validation split.",
)
@click.option("--reassign", is_flag=True, help="Reassign records that already have a split.")
@click.option(
    "--reassign-split",
    type=click.Choice(SPLITS),
    help="Reassign only the records of this split: for data that comes as train and test, train "
    "with --test 0 takes the validation records out of train.",
)
@click.option("--exact", is_flag=True, help="Exact split sizes, instead of sizes in expectation.")
@click.option(
    "--stratify",
    metavar="FIELD",
    help="Field whose values keep their shares in every split: label, or a dotted path. "
    "Implies --exact.",
)
@click.option(
    "--dedup",
    type=click.Choice(DEDUP_MODES),
    help="Keep records with equal (exact) or similar (near) inputs in one split.",
)
@click.option(
    "--threshold",
    default=SplitOptions.threshold,
    show_default=True,
    metavar="JACCARD",
    help="Least Jaccard similarity of near-duplicate inputs.",
)
@click.option(
    "--shingle-chars",
    default=SplitOptions.shingle_chars,
    show_default=True,
    metavar="N",
    help="Characters per shingle of near-duplicate inputs.",
)
@click.option(
    "--subsample",
    default=SplitOptions.subsample,
    metavar="FRACTION",
    help="Share of the train records to write. Larger subsets contain smaller ones.",
)
@click.option(
    "--against",
    multiple=True,
    type=RecipePath(),
    metavar="FILE",
    help="File to compare valid and test inputs with, besides train inputs and rationales. "
    "Repeatable.",
)
@click.option(
    "--ngram-words",
    default=SplitOptions.ngram_words,
    show_default=True,
    metavar="N",
    help="Words per n-gram that overlapping texts share; all words of a text of 8 to N.",
)
@click.option(
    "--report",
    cls=TypedOption,
    type=OutputPath(),
    metavar="FILE",
    help="JSON file for all figures.",
)
@click.option(
    "--select",
    multiple=True,
    metavar="SPLIT[,SPLIT]",
    callback=_split_names,
    help="Splits to write. [default: all]",
)
@click.option(
    "--out-dir",
    cls=TypedOption,
    type=OutputFolder(_FILE_OF.values(), file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder for train.jsonl, valid.jsonl and test.jsonl; stdout only with -o -.",
)
@seed_option
def command(stage: Stage, **params: Any) -> None:
    """Assign each record to train, valid or test.

    A record keeps the split that it has. For the others, a hash of the record's group (mitools load
    --map group=FIELD), or else of its input, decides. So records of one question stay together, and
    new or reordered records do not change the others. If some records of a question have a split,
    only --exact lets the others follow them.

    --exact, --stratify, --dedup and --against first read all records into a temporary file (see
    TMPDIR). The first three never divide a group; records without a split follow those of their
    group that have one. The report shows the difference from the requested sizes.

    --against reports overlaps and changes neither the records nor the exit status.

    \b
    mitools split records.jsonl --test 0.2 > split.jsonl
    mitools split records.jsonl --select train,valid | mitools train --save runs/first
    mitools split records.jsonl --stratify label --dedup near --out-dir parts/
    mitools split records.jsonl --against examples.jsonl --report leaks.json > split.jsonl
    mitools split records.jsonl --subsample 0.1 | mitools train --save runs/tenth
    """
    places = _Places(params.pop("report"), params.pop("out_dir"))
    options = SplitOptions(**params)
    options.check(typed(asdict(options)))
    if STDIN in options.against and (not stage.files or STDIN in stage.files):
        raise UsageError("stdin is already the input", hint="name a file with --against")
    (_split_in_two_passes if options.reads_twice else _split_in_one_pass)(stage, options, places)


def _split_in_one_pass(stage: Stage, options: SplitOptions, places: _Places) -> None:
    from mitools.split.run import split_records

    with _figures(places.report) as write_figures:
        with stage.reading(_KEY) as records, _writing(stage, options, places) as write:
            run = split_records(records, options)
            for record in run:
                write(record)
        write_figures(run.as_json)
    _show(stage, run.report)


def _split_in_two_passes(stage: Stage, options: SplitOptions, places: _Places) -> None:
    from mitools.split.report import check_selected
    from mitools.split.run import split_records

    with contextlib.ExitStack() as stack:
        write = stack.enter_context(_writing(stage, options, places))
        with _figures(places.report) as write_figures:
            with stage.reading(_KEY) as records:
                progress, read = stage.console.progress, partial(_records_of, stage)
                run = split_records(records, options, progress=progress, read=read)
                stack.enter_context(run)
                run.read_all()
            check_selected(run.report, options.select)
            write_figures(run.as_json)
        _show(stage, run.report)
        for record in run:
            write(record)


def _records_of(stage: Stage, path: str) -> Iterator[Record]:
    """Read another file, with the same handling of invalid lines as the input."""
    with replace(stage, files=(path,)).reading("input") as records:
        yield from records


@contextlib.contextmanager
def _figures(path: str | None) -> Iterator[Callable[[Callable[[], Mapping[str, Any]]], None]]:
    """Open the file for the figures before the work, so that a wrong path fails at once."""
    from mitools.files import atomic_output

    if path is None:
        yield lambda _figures: None
        return
    with atomic_output(path) as stream:

        def write_figures(figures: Callable[[], Mapping[str, Any]]) -> None:
            stream.write(json.dumps(figures(), indent=2, allow_nan=False) + "\n")

        yield write_figures


@contextlib.contextmanager
def _writing(stage: Stage, options: SplitOptions, places: _Places) -> Iterator[Write]:
    """Open all outputs for records."""
    from mitools.parts import atomic_parts
    from mitools.records import Writer

    folder = places.folder
    with contextlib.ExitStack() as stack:
        parts: dict[str, Writer] = {}
        if folder is not None:
            names = [_FILE_OF[name] for name in options.select]
            _refuse_loss(stage, folder, names)
            _warn_of_others(stage, folder, names)
            streams = stack.enter_context(atomic_parts(folder, "split", names))
            parts = {name: Writer(streams[_FILE_OF[name]], flush=False) for name in options.select}
        out = None
        if folder is None or stage.output is not None:
            out = stack.enter_context(stage.writing())

        def write(record: Record) -> None:
            if parts:
                parts[record["split"]].write(record)
            if out is not None:
                out.write(record)

        yield write


def _refuse_loss(stage: Stage, folder: Path, names: list[str]) -> None:
    """Refuse a run that reads some of the files that it replaces: the records of others are lost.

    Raises:
        UsageError: naming one of the others.
    """
    read = {os.path.realpath(file) for file in stage.files if file != STDIN}
    if not any(os.path.realpath(folder / name) in read for name in names):
        return
    others = [name for name in names if os.path.realpath(folder / name) not in read]
    lost = next((path for name in others if _has_content(path := folder / name)), None)
    if lost is not None:
        kept = ",".join(name for name, file in _FILE_OF.items() if file in {*names} - {lost.name})
        hint = f'read it too, name another folder, or leave it as it is: "--select {kept}"'
        raise UsageError(f"{lost} would be replaced, and its records are not read", hint=hint)


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _warn_of_others(stage: Stage, folder: Path, names: list[str]) -> None:
    """Warn of files of an earlier split that stay beside the new ones."""
    for name in _FILE_OF.values():
        if name not in names and (folder / name).exists():
            stage.console.warn(f"{folder / name} is from an earlier split and is not changed")


def _show(stage: Stage, report: SplitReport) -> None:
    from mitools.split.report import leak_table, notes, size_table, strata_table, warnings

    stage.console.table(f"{report.total:,} records", *size_table(report))
    if report.strata:
        stage.console.table(f"by {report.stratify}", *strata_table(report))
    if report.contamination is not None:
        words = report.contamination.ngram_words
        title = f"overlaps of valid and test inputs, by n-grams of {words} words"
        stage.console.table(title, *leak_table(report.contamination))
    for line in notes(report):
        stage.console.note(line)
    for line in warnings(report):
        stage.console.warn(line)
