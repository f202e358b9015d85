"""``mitools train``: teach a small student to answer and to explain."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mitools.cli._fields import options_from
from mitools.cli._options import seed_option, task_option
from mitools.cli._places import ModelName, OutputFolder, TypedOption
from mitools.cli._stage import Stage, stage
from mitools.console import Update
from mitools.records import Record
from mitools.train.choices import PRESETS
from mitools.train.options import TrainOptions

if TYPE_CHECKING:
    from mitools.train.run import TrainingRun
    from mitools.train.work_folder.resume import Finished

__all__ = ["command"]

GROUPS = {
    "Student": "--save --student --order --prefix-position --lora",
    "Objective": "--mi --mi-pool --mi-divergence --mi-critic --mi-same-label --mi-gradient "
    "--mi-temperature --mi-mask-label --mi-hide-input --mi-control --alpha --beta --gamma "
    "--beta-warmup",
    "Data": "--task --labels-from --rationales-from --rationales --soft-labels --agreement-weight "
    "--wrong-rationales --max-input-tokens --max-label-tokens --max-rationale-tokens",
    "Optimization": "--preset --epochs --max-steps --lr --schedule --warmup-steps --weight-decay "
    "--batch-size --micro-batch-size --precision",
    "Validation": "--eval-every --patience --select-by --valid-limit",
    "Run": "--dry-run --resume --overwrite",
}


@stage("train", groups=GROUPS)
@options_from(
    TrainOptions,
    special={
        "save": {"cls": TypedOption, "type": OutputFolder(), "metavar": "DIR"},
        "student": {"type": ModelName(), "metavar": "MODEL"},
        "overwrite": {"cls": TypedOption},
    },
    without=["seed", "task"],
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="Other defaults; paper is the published configuration (10,000 steps of 64 records).",
)
@click.option(
    "--dry-run", is_flag=True, help="Show steps, batch shapes and memory, without training."
)
@task_option
@seed_option
def command(stage: Stage, dry_run: bool, **options: Any) -> None:
    """Teach a small student to answer and to explain.

    Trains on the records of the train split, keeps the model that is best on valid, never looks at
    test, and then passes every record on. Exit status 130: interrupted, and saved for --resume.

    \b
    mitools train records.jsonl --student google/flan-t5-small --save runs/first
    """
    chosen = TrainOptions.from_preset(options.pop("preset"), **_given(options))
    if dry_run:
        _show_plan(stage, chosen)
        return
    if _is_first():
        chosen.check()
    run = _prepare(stage, chosen)
    _train(stage, run)
    try:
        if _is_first() and (stage.output or not sys.stdout.isatty()):
            with stage.writing() as out:
                out.write_all(run.spool)
    finally:
        run.clean()


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options that the command line or a recipe sets."""
    ctx = click.get_current_context()
    given = {
        name: value
        for name, value in options.items()
        if ctx.get_parameter_source(name) != ParameterSource.DEFAULT
    }
    return {**given, "save": Path(given["save"])}


def _show_plan(stage: Stage, chosen: TrainOptions) -> None:
    """Prepare a run where it is in nobody's way, and say what it would take."""
    import tempfile

    from mitools.train.work_folder.resume import Finished

    with tempfile.TemporaryDirectory(prefix="mitools-") as folder:
        save = Path(folder) / "student"
        chosen = dataclasses.replace(chosen, save=save, resume=False, overwrite=False)
        chosen.check()
        run = _prepare(stage, chosen)
        assert not isinstance(run, Finished)
        stage.console.table("training would take", ["", ""], run.plan())


def _is_first() -> bool:
    """Tell whether this process speaks, reads and writes for all that train together."""
    return os.environ.get("RANK", "0") == "0"


def _prepare(stage: Stage, chosen: TrainOptions) -> TrainingRun | Finished:
    from mitools.gold import with_label_sets
    from mitools.train.run import prepare

    if not _is_first():
        stage.console.quiet = True
        return prepare(iter(()), chosen, stage.console.note)
    with stage.reading("input") as records, stage.console.progress("reading") as update:
        known = with_label_sets(records, chosen.task)
        return prepare(_counted(known, update), chosen, stage.console.note)


def _train(stage: Stage, run: TrainingRun | Finished) -> None:
    from mitools.train.run import TrainingRun

    if not isinstance(run, TrainingRun):
        stage.console.note(f"{run.options.save} is trained already; passing its records on")
        return
    with stage.console.progress("training", run.total_steps, "steps") as update:
        done = 0

        def show(step: int, logs: Mapping[str, float]) -> None:
            nonlocal done
            update(step - done, _losses(logs))
            done = step

        metrics = run.execute(show)
    found = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in metrics.items())
    stage.console.note(f"saved {run.options.save} ({found})")


def _counted(records: Iterable[Record], update: Update) -> Iterator[Record]:
    for record in records:
        update(1, "")
        yield record


def _losses(logs: Mapping[str, float]) -> str:
    names = {
        "label_loss": "label",
        "rationale_loss": "rationale",
        "conclusion_loss": "conclusion",
        "mi_loss": "MI",
        "eval_accuracy": "valid",
        "eval_mi_estimate": "says",
        "eval_mi_shuffled": "shuffled",
    }
    return "  ".join(f"{short} {logs[name]:.3f}" for name, short in names.items() if name in logs)
