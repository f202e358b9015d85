"""``mitools split``: assign each record to train, valid or test."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mitools.cli._places import OutputFolder, OutputPath, RecipePath, TypedOption
from mitools.cli._stage import Stage, seed_option, stage
from mitools.errors import EmptyInputError, UsageError
from mitools.files import STDIN
from mitools.records import Record
from mitools.schema import SPLITS

if TYPE_CHECKING:
    from mitools.split.options import SplitOptions
    from mitools.split.report import Report

__all__ = ["command"]

Write = Callable[[Record], None]

_KEY = "group|input|id"

_FILE_OF = {name: f"{name}.jsonl" for name in SPLITS}


def _check_select(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    names = [name.strip() for value in values for name in value.split(",")]
    for name in names:
        if name not in SPLITS:
            raise click.BadParameter(f'"{name}" is none of {", ".join(SPLITS)}')
    return tuple(name for name in SPLITS if name in names) or SPLITS


GROUPS = {
    "Sizes": "--test --valid --exact --stratify --reassign --subsample",
    "Duplicates": "--dedup --threshold --shingle-chars",
    "Overlap": "--against --ngram-words --report",
    "Input and output": "--select --out-dir",
}


@stage("split", groups=GROUPS)
@click.option(
    "--test", default=0.1, show_default=True, metavar="FRACTION", help="Share of the test split."
)
@click.option(
    "--valid", default=0.1, show_default=True, metavar="FRACTION", help="Share of the valid split."
)
@click.option(
    "--reassign", is_flag=True, help="Also move records that have a split; by default they keep it."
)
@click.option("--exact", is_flag=True, help="Make the sizes right to the record.")
@click.option(
    "--stratify",
    metavar="FIELD",
    help="As --exact, and for each value of this field: label, or a dotted path.",
)
@click.option(
    "--dedup",
    type=click.Choice(["exact", "near"]),
    help="Keep records in one split whose inputs are the same, or nearly; nothing is dropped.",
)
@click.option(
    "--threshold",
    default=0.8,
    show_default=True,
    metavar="JACCARD",
    help="How alike inputs are near-duplicates: shared pieces of text out of all.",
)
@click.option(
    "--shingle-chars",
    default=5,
    show_default=True,
    metavar="N",
    help="Characters in a piece.",
)
@click.option(
    "--subsample",
    default=1.0,
    metavar="FRACTION",
    help="Pass on only this share of train; a larger one contains every smaller one.",
)
@click.option(
    "--against",
    multiple=True,
    type=RecipePath(),
    metavar="FILE",
    help="Report which valid and test inputs are in FILE as well, in train or in rationales. "
    "Repeatable.",
)
@click.option(
    "--ngram-words",
    default=13,
    show_default=True,
    metavar="N",
    help="Texts overlap that share N words in a row; a text of 8 to N words, all of them.",
)
@click.option(
    "--report",
    cls=TypedOption,
    type=OutputPath(),
    metavar="FILE",
    help="Write all figures to this file, as JSON.",
)
@click.option(
    "--select",
    multiple=True,
    metavar="SPLIT[,SPLIT]",
    callback=_check_select,
    help="Write only the records of these splits.",
)
@click.option(
    "--out-dir",
    cls=TypedOption,
    type=OutputFolder(_FILE_OF.values(), file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write DIR/train.jsonl, DIR/valid.jsonl and DIR/test.jsonl; stdout only with -o -.",
)
@seed_option
def command(stage: Stage, **options: Any) -> None:
    """Assign each record to train, valid or test.

    The split is decided by a hash of the record's group, or else its input: records of one question
    stay together, and new or reordered records never move an old one.

    --exact, --stratify, --dedup and --against look at all records before the first one leaves, and
    keep them in a temporary file until then (TMPDIR says where). The first three never divide a
    group, whatever that costs in size, and say what it cost; a record without a split goes where
    others of its group already are, and the shares are of the records of all other groups.

    What --against finds is reported and changes nothing, not the exit status either.

    \b
    mitools split records.jsonl --test 0.2 > split.jsonl
    mitools split records.jsonl --select train,valid | mitools train --save runs/first
    mitools split records.jsonl --stratify label --dedup near --out-dir parts/
    mitools split records.jsonl --against examples.jsonl --report leaks.json > split.jsonl
    mitools split records.jsonl --subsample 0.1 | mitools train --save runs/tenth
    """
    plan = _plan(stage, options)
    (_split_twice if plan.reads_twice else _split_once)(stage, plan, options)


def _plan(stage: Stage, options: Mapping[str, Any]) -> SplitOptions:
    from mitools.split import Fractions
    from mitools.split.options import Nearness, SplitOptions

    _refuse_useless(options)
    if STDIN in options["against"] and (not stage.files or STDIN in stage.files):
        raise UsageError("stdin holds the records already", hint="name a file after --against")
    return SplitOptions(
        Fractions(options["test"], options["valid"]),
        is_exact=options["exact"],
        nearness=Nearness(options["threshold"], options["shingle_chars"]),
        **{
            name: options[name]
            for name in (
                "seed",
                "reassign",
                "subsample",
                "stratify",
                "dedup",
                "against",
                "ngram_words",
            )
        },
    )


def _refuse_useless(options: Mapping[str, Any]) -> None:
    """Refuse options, given by hand, that nothing heeds; a recipe's may lie idle."""
    ctx = click.get_current_context()
    needs = {
        "threshold": ("--dedup near", options["dedup"] == "near"),
        "shingle_chars": ("--dedup near", options["dedup"] == "near"),
        "ngram_words": ("--against", bool(options["against"])),
    }
    for name, (needed, is_there) in needs.items():
        if not is_there and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} means nothing without {needed}", hint=f"add {needed}")


def _split_once(stage: Stage, plan: SplitOptions, options: Mapping[str, Any]) -> None:
    from mitools.split import Splitter
    from mitools.split.report import as_json, report_of

    splitter = Splitter(plan.fractions, plan.seed, plan.reassign, plan.subsample)
    with _figures(options["report"]) as write_figures:
        with stage.reading(_KEY) as records, _writing(stage, options) as write:
            for record in splitter.split(records):
                if record["split"] in options["select"]:
                    write(record)
            report = report_of(splitter)
            _check_selected(report, options["select"])
        write_figures(as_json(report))
    _show(stage, report)


def _split_twice(stage: Stage, plan: SplitOptions, options: Mapping[str, Any]) -> None:
    from mitools.split.report import as_json
    from mitools.split.run import divide
    from mitools.split.spool import RecordSpool

    with RecordSpool() as spool, _writing(stage, options) as write:
        with _figures(options["report"]) as write_figures:
            with stage.reading(_KEY) as records:
                division = divide(
                    records, plan, spool, stage.console.progress, partial(_records_of, stage)
                )
            _check_selected(division.report, options["select"])
            if options["report"]:
                write_figures(as_json(division.report, division.clusters()))
        _show(stage, division.report)
        with stage.console.progress("writing", len(spool)) as update:
            for record in division:
                if record["split"] in options["select"]:
                    write(record)
                update(1, "")


def _records_of(stage: Stage, path: str) -> Iterator[Record]:
    """Read another file, by the rules for invalid lines that hold for the input."""
    with replace(stage, files=(path,)).reading("input") as records:
        yield from records


@contextlib.contextmanager
def _figures(path: str | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Open the file for the figures; that it cannot be written shows before the work."""
    from mitools.files import atomic_output

    if path is None:
        yield lambda _figures: None
        return
    with atomic_output(path) as stream:

        def write_figures(figures: Mapping[str, Any]) -> None:
            stream.write(json.dumps(figures, indent=2, allow_nan=False) + "\n")

        yield write_figures


@contextlib.contextmanager
def _writing(stage: Stage, options: Mapping[str, Any]) -> Iterator[Write]:
    """Open everything that a record is written to."""
    from mitools.files import output_errors
    from mitools.parts import atomic_parts
    from mitools.records import Writer

    folder: Path | None = options["out_dir"]
    with contextlib.ExitStack() as stack:
        parts: dict[str, Writer] = {}
        if folder is not None:
            names = [_FILE_OF[name] for name in options["select"]]
            _warn_of_others(stage, folder, names)
            streams = stack.enter_context(atomic_parts(folder, "split", names))
            parts = {
                name: Writer(streams[_FILE_OF[name]], flush=False) for name in options["select"]
            }
        out = None
        if folder is None or stage.output is not None:
            out = stack.enter_context(stage.writing())

        def write(record: Record) -> None:
            if parts:
                with output_errors(str(folder)):  # or it would be blamed on the output beside it
                    parts[record["split"]].write(record)
            if out is not None:
                out.write(record)

        yield write


def _warn_of_others(stage: Stage, folder: Path, names: list[str]) -> None:
    """Say which parts of an earlier split will lie beside the new ones."""
    for name in _FILE_OF.values():
        if name not in names and (folder / name).exists():
            stage.console.warn(f"{folder / name} is of an earlier split, and stays")


def _check_selected(report: Report, select: tuple[str, ...]) -> None:
    if not any(report.written(name) for name in select):
        sizes = ", ".join(f"{report.written(name):,} {name}" for name in SPLITS)
        hint = f"raise --{select[0]}" if select[0] != "train" else "lower --test or --valid"
        raise EmptyInputError(f"no record is selected ({sizes})", hint=hint)


def _show(stage: Stage, report: Report) -> None:
    from mitools.split.report import leak_table, notes, size_table, strata_table, warnings

    stage.console.table(f"{report.total:,} records", *size_table(report))
    if report.strata:
        stage.console.table(f"by {report.stratify}", *strata_table(report))
    if report.contamination is not None:
        words = report.contamination.ngram_words
        title = f"texts of valid and test elsewhere, by {words} words in a row"
        stage.console.table(title, *leak_table(report.contamination))
    for line in notes(report):
        stage.console.note(line)
    for line in warnings(report):
        stage.console.warn(line)
