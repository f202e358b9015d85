"""``mitools train``: teach a small student to answer and to explain."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import click
from click.core import ParameterSource

from mitools.cli._completion import complete_models
from mitools.cli._fields import options_from
from mitools.cli._options import refuse_output, seed_option, task_option
from mitools.cli._places import ModelName, OutputFolder, TypedOption
from mitools.cli._stage import Stage, stage, stdout
from mitools.console import Console, Update
from mitools.files import LineStream, output_errors
from mitools.records import Record
from mitools.train.choices import PRESETS
from mitools.train.options import TrainOptions
from mitools.train.unused import unused_options

__all__ = ["command"]

GROUPS = {
    "Student": "--save --student --order --prefix-position --lora",
    "Objective": "--mi --mi-pool --mi-divergence --mi-critic --mi-same-label --mi-gradient "
    "--mi-temperature --mi-mask-label --mi-hide-input --mi-control --rationale-weights "
    "--alpha --beta --beta-warmup --gamma",
    "Data": "--task --labels-from --rationales-from --rationales --soft-labels "
    "--soft-temperature --soft-weight --agreement-weight --student-answers "
    "--wrong-rationales --unreadable-rationales --max-input-tokens --max-label-tokens "
    "--max-rationale-tokens --cut-targets",
    "Optimization": "--preset --epochs --max-steps --lr --schedule --warmup-steps --weight-decay "
    "--batch-size --micro-batch-size --gradient-checkpointing --precision",
    "Validation": "--eval-every --patience --select-by --eval-on --valid-limit",
    "Run": "--log-to --dry-run --resume --overwrite",
}


def _tracker_names(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    names = (name.strip() for value in values for name in value.split(","))
    return tuple(name for name in names if name)


@stage("train", groups=GROUPS)
@options_from(
    TrainOptions,
    special={
        "save": {"cls": TypedOption, "type": OutputFolder(), "metavar": "DIR"},
        "student": {
            "type": ModelName(),
            "metavar": "MODEL",
            "shell_complete": complete_models,
        },
        "overwrite": {"cls": TypedOption},
        "log_to": {
            "cls": TypedOption,
            "type": str,
            "multiple": True,
            "callback": _tracker_names,
            "show_default": False,
            "metavar": "NAME[,NAME]",
        },
    },
    without=["seed", "task"],
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="Other defaults; paper has those of the official code of arXiv 2403.03348.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show steps, batch shapes and memory, without training."
)
@task_option
@seed_option
def command(stage: Stage, dry_run: bool, **options: Any) -> None:
    """Teach a small student to answer and to explain.

    Trains on the records of the train split, keeps the model that is best on valid, and then passes
    every record on. The test split is read only with --eval-on test, and never selects the model.
    Exit status 130: interrupted, and saved for --resume.

    \b
    mitools train records.jsonl --student google/flan-t5-small --save runs/first
    """
    preset, given = options.pop("preset"), _given(options)
    chosen = TrainOptions.from_preset(preset, **given)
    if not _is_first_process():
        stage.console.quiet = True
    chosen.check()
    for text in unused_options(chosen, given):
        stage.console.warn(text)
    if dry_run:
        _show_estimate(stage, chosen)
    else:
        _train(stage, chosen)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options that the command line or a recipe sets.

    A typed --epochs replaces the --max-steps of a recipe, which would override it.
    """
    ctx = click.get_current_context()
    sources = {name: ctx.get_parameter_source(name) for name in options}
    given = {name: options[name] for name in options if sources[name] != ParameterSource.DEFAULT}
    if sources["epochs"] == ParameterSource.COMMANDLINE != sources["max_steps"]:
        given.pop("max_steps", None)
    return {**given, "save": Path(given["save"])}


def _show_estimate(stage: Stage, options: TrainOptions) -> None:
    refuse_output("--dry-run")
    from mitools.train.dry_run import estimate_training

    with contextlib.closing(_read(stage)) as records:
        rows = estimate_training(records, options, stage.console.note)
    width = max(len(name) for name, _ in rows)
    with output_errors("<stdout>"):
        stdout().write("".join(f"{name:{width}}  {value}\n" for name, value in rows))


def _train(stage: Stage, options: TrainOptions) -> None:
    _await_input(stage, options)
    passes_on = bool(stage.output) or not sys.stdout.isatty()
    with contextlib.closing(_read(stage)) as records, _StepBar(stage.console, options) as bar:
        bar.prepare()
        with contextlib.redirect_stdout(LineStream(stage.console.note)):
            # transformers prints while it is imported, if WANDB_MODE is offline.
            from mitools.train.run import train_student

        def write(records: Iterator[Record]) -> None:
            bar.close()
            with stage.writing() as out:
                out.write_all(records)

        train_student(
            records,
            options,
            bar.show,
            on_start=bar.start,
            on_note=stage.console.note,
            pass_on=write if passes_on else None,
        )


def _await_input(stage: Stage, options: TrainOptions) -> None:
    """Refuse a destination that is taken, then wait for the first record; needs no torch."""
    from mitools.train.work_folder.destination import check_destination

    if _is_first_process():
        check_destination(options)
        stage.await_input()


def _is_first_process() -> bool:
    """Return whether this process reports; of several that train one student, it also reads."""
    return os.environ.get("RANK", "0") == "0"


def _read(stage: Stage) -> Generator[Record, None, None]:
    with stage.reading("input") as records, stage.console.progress("reading") as update:
        for record in records:
            update(1)
            yield record


class _StepBar:
    """The progress of optimizer steps; without a terminal also a line at each validation."""

    def __init__(self, console: Console, options: TrainOptions) -> None:
        self._console = console
        self._log = str(options.work / "log.jsonl")
        self._stack = contextlib.ExitStack()
        self._update: Update | None = None
        self._step = 0
        self._validation: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def prepare(self) -> None:
        """Show the time of what comes before the first step: the model, the tokens."""
        self._stack.enter_context(self._console.progress("preparing", unit=""))(0)

    def start(self, total_steps: int, done: int) -> None:
        self.close()
        progress = self._console.progress(total=total_steps, unit="steps", log=self._log)
        self._update = self._stack.enter_context(progress)
        self._update.skip(done)
        self._step = done
        self._update(0)
        self._update.report()

    def show(self, step: int, logs: Mapping[str, float]) -> None:
        """Show a step; its figures are in nats, the accuracy is from 0 to 1."""
        assert self._update is not None, "on_start is called before the first step"
        shown = [f"{name} {logs[key]:.3f}" for key, name in _FIGURES.items() if key in logs]
        self._update(step - self._step, *shown)
        self._step = step
        validation = {key: value for key, value in logs.items() if key.startswith("eval_")}
        if validation != self._validation:
            self._validation = validation
            self._update.report()


_FIGURES = {
    "eval_accuracy": "valid accuracy",
    "label_loss": "label",
    "rationale_loss": "rationale",
    "conclusion_loss": "conclusion",
    "naming_loss": "naming",
    "mi_loss": "MI",
    "eval_mi_estimate": "MI estimate",
    "eval_mi_shuffled": "shuffled",
}
