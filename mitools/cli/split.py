"""``mitools split``: assign each record to train, valid or test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._stage import Stage, seed_option, stage
from mitools.errors import EmptyInputError
from mitools.records import Record
from mitools.schema import SPLITS

if TYPE_CHECKING:
    from mitools.split import Splitter

__all__ = ["command"]

Write = Callable[[Record], None]


def _check_select(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    names = [name.strip() for value in values for name in value.split(",")]
    for name in names:
        if name not in SPLITS:
            raise click.BadParameter(f'"{name}" is none of {", ".join(SPLITS)}')
    return tuple(name for name in SPLITS if name in names) or SPLITS


@stage("split")
@click.option(
    "--test", default=0.1, show_default=True, metavar="FRACTION", help="Share of the test split."
)
@click.option(
    "--valid", default=0.1, show_default=True, metavar="FRACTION", help="Share of the valid split."
)
@click.option(
    "--reassign", is_flag=True, help="Also move records that have a split; by default they keep it."
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
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write DIR/train.jsonl, DIR/valid.jsonl and DIR/test.jsonl; stdout only with -o -.",
)
@seed_option
def command(
    stage: Stage,
    test: float,
    valid: float,
    seed: int,
    **options: Any,
) -> None:
    """Assign each record to train, valid or test.

    The split is decided by a hash of the record's group, or else its input: records of one question
    stay together, and new or reordered records never move an old one.

    \b
    mitools split records.jsonl --test 0.2 > split.jsonl
    mitools split records.jsonl --select train,valid | mitools train --save runs/first
    mitools split records.jsonl --out-dir parts/
    """
    from mitools.split import Fractions, Splitter

    splitter = Splitter(Fractions(test, valid), seed, options["reassign"])
    with (
        stage.reading("group|input|id") as records,
        _writing(stage, options["select"], options["out_dir"]) as write,
    ):
        for record in splitter.split(records):
            if record["split"] in options["select"]:
                write(record)
        _check_selected(splitter, options["select"])
    _report(stage, splitter)


@contextlib.contextmanager
def _writing(stage: Stage, select: tuple[str, ...], folder: Path | None) -> Iterator[Write]:
    """Open everything that a record is written to."""
    from mitools.files import atomic_output, output_errors
    from mitools.records import Writer

    with contextlib.ExitStack() as stack:
        parts: dict[str, Writer] = {}
        if folder is not None:
            with output_errors(str(folder)):
                folder.mkdir(parents=True, exist_ok=True)
            for name in select:
                stream = stack.enter_context(atomic_output(folder / f"{name}.jsonl"))
                parts[name] = Writer(stream, flush=False)
        out = None
        if folder is None or stage.output is not None:
            out = stack.enter_context(stage.writing())

        def write(record: Record) -> None:
            if parts:
                parts[record["split"]].write(record)
            if out is not None:
                out.write(record)

        yield write


def _check_selected(splitter: Splitter, select: tuple[str, ...]) -> None:
    found = splitter.assigned + splitter.kept
    if not any(found[name] for name in select):
        sizes = ", ".join(f"{found[name]:,} {name}" for name in SPLITS)
        hint = f"raise --{select[0]}" if select[0] != "train" else "lower --test and --valid"
        raise EmptyInputError(f"no record is selected ({sizes})", hint=hint)


def _report(stage: Stage, splitter: Splitter) -> None:
    found = splitter.assigned + splitter.kept
    total = found.total()
    rows = [
        (name, f"{found[name]:,}", f"{found[name] / total:.1%}", f"{splitter.kept[name]:,}")
        for name in SPLITS
    ]
    stage.console.table(f"{total:,} records", ("split", "records", "share", "had it already"), rows)
    if splitter.kept and not splitter.assigned:
        stage.console.note('every record kept the split it had; "--reassign" would draw anew')
    for name in ("test", "valid"):
        if getattr(splitter.fractions, name) and not found[name]:
            stage.console.warn(f"no record is in {name}: there are too few")
