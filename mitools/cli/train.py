"""``mitools train``: teach a small student to answer and to explain."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._places import ModelName, OutputFolder, TypedOption
from mitools.cli._stage import Stage, seed_option, stage
from mitools.console import Update
from mitools.records import Record

if TYPE_CHECKING:
    from mitools.train.options import TrainOptions
    from mitools.train.run import TrainingRun
    from mitools.train.work_folder.resume import Finished

__all__ = ["command"]

GROUPS = {
    "Student": "--save --student --order --prefix-position --lora",
    "Objective": "--mi --mi-pool --mi-divergence --mi-critic --mi-same-label --mi-gradient --alpha "
    "--beta --beta-warmup",
    "Data": "--task --labels-from --rationales-from --rationales --soft-labels --agreement-weight "
    "--wrong-rationales --max-input-tokens --max-label-tokens --max-rationale-tokens",
    "Optimization": "--preset --epochs --max-steps --lr --schedule --warmup-steps --weight-decay "
    "--batch-size --micro-batch-size --precision",
    "Validation": "--eval-every --patience --select-by --valid-limit",
    "Run": "--dry-run --resume --overwrite",
}


@stage("train", groups=GROUPS)
@click.option(
    "--save",
    cls=TypedOption,
    required=True,
    type=OutputFolder(),
    metavar="DIR",
    help="The student's folder; it appears when done.",
)
@click.option(
    "--student",
    type=ModelName(),
    default="google/flan-t5-small",
    show_default=True,
    metavar="MODEL",
    help="What to start from: a folder or Hub name (T5, Flan-T5, SmolLM2 …), FILE.gguf, "
    "encoder:MODEL, package:NAME, or scratch[:SIZE].",
)
@click.option(
    "--order",
    type=click.Choice(["separate", "label-rationale", "rationale-label"]),
    default="separate",
    show_default=True,
    help="Two passes; or one with both texts, the label or the rationale first.",
)
@click.option(
    "--prefix-position",
    type=click.Choice(["before", "after"]),
    default="before",
    show_default=True,
    help="Where a causal student's task prefix stands; after the input, both tasks read it once.",
)
@click.option(
    "--lora",
    type=click.IntRange(1),
    metavar="RANK",
    help="Train low-rank adapters in place of the weights; they are merged when saved.",
)
@click.option(
    "--mi",
    type=click.Choice(["none", "paper", "maxpool", "infonce", "jsd", "nwj", "ba"]),
    default="none",
    show_default=True,
    help="The MI term: none (DSS); as in the paper's code; masked and normalized; against other "
    "records' rationales (infonce, jsd, nwj); or predicted from the rationale (ba).",
)
@click.option(
    "--mi-pool",
    type=click.Choice(["max", "mean", "logsumexp"]),
    default="max",
    show_default=True,
    help="How maxpool and ba make one distribution of all positions.",
)
@click.option(
    "--mi-divergence",
    type=click.Choice(["ce", "kl", "jsd"]),
    default="ce",
    show_default=True,
    help="How maxpool compares the label's distribution to the rationale's.",
)
@click.option(
    "--mi-critic",
    type=click.Choice(["states", "vocabulary"]),
    default="states",
    show_default=True,
    help="What infonce, jsd and nwj score pairs by: decoder states, or words.",
)
@click.option(
    "--mi-same-label",
    type=click.Choice(["mask", "positive"]),
    default="mask",
    show_default=True,
    help="What records with the same label are to each other there: left out, or right pairs.",
)
@click.option(
    "--mi-gradient",
    type=click.Choice(["auto", "both", "rationale"]),
    default="auto",
    show_default=True,
    help="Which side the MI term moves; auto is both in infonce, jsd and nwj, else the rationale.",
)
@click.option(
    "--alpha", type=float, default=0.5, show_default=True, help="Weight of the label task."
)
@click.option("--beta", type=float, default=0.1, show_default=True, help="Weight of the MI term.")
@click.option(
    "--beta-warmup",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Steps over which --beta grows from 0.",
)
@click.option(
    "--preset",
    type=click.Choice(["paper"]),
    help="Other defaults: paper is the published settings (10,000 steps of 64 records).",
)
@click.option("--epochs", type=float, default=3.0, show_default=True, help="Passes over the data.")
@click.option("--max-steps", type=click.IntRange(1), help="Optimizer steps; overrides --epochs.")
@click.option(
    "--lr",
    "learning_rate",
    type=float,
    help="Peak learning rate.  [default: 1e-4; 1e-3 for scratch and --lora]",
)
@click.option(
    "--schedule",
    type=click.Choice(["linear", "cosine", "constant"]),
    default="linear",
    show_default=True,
    help="How the learning rate falls.",
)
@click.option(
    "--warmup-steps",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Steps to the peak.",
)
@click.option(
    "--weight-decay", type=float, default=0.0, show_default=True, help="AdamW's weight decay."
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=16, show_default=True, help="Records a step."
)
@click.option(
    "--micro-batch-size",
    type=click.IntRange(1),
    help="Records a forward pass; by default the batch, on a CPU what fits its caches.",
)
@click.option(
    "--max-input-tokens",
    type=click.IntRange(8),
    default=512,
    show_default=True,
    help="Longest input.",
)
@click.option(
    "--max-label-tokens",
    type=click.IntRange(2),
    default=64,
    show_default=True,
    help="Longest label.",
)
@click.option(
    "--max-rationale-tokens",
    type=click.IntRange(2),
    default=256,
    show_default=True,
    help="Longest rationale.",
)
@click.option(
    "--labels-from",
    type=click.Choice(["auto", "gold", "teacher"]),
    default="auto",
    show_default=True,
    help="Whose labels to learn; auto is gold where known.",
)
@click.option(
    "--rationales-from",
    type=click.Choice(["auto", "teacher", "human"]),
    default="auto",
    show_default=True,
    help="Whose rationales to learn; auto is the teacher's where there is one.",
)
@click.option(
    "--rationales",
    type=click.Choice(["one", "sample", "min"]),
    default="one",
    show_default=True,
    help="Of several in teacher.samples: the teacher's own, a new one each pass, or the easiest.",
)
@click.option(
    "--soft-labels", is_flag=True, help="Draw each pass's label from the votes in teacher.samples."
)
@click.option(
    "--agreement-weight",
    type=float,
    default=1.0,
    show_default=True,
    help="What a rationale counts whose teacher missed gold, 0 to 1.",
)
@click.option(
    "--wrong-rationales",
    is_flag=True,
    help="Set labels against samples that missed gold as well; for infonce, jsd and nwj.",
)
@click.option(
    "--eval-every", type=click.IntRange(1), help="Steps between validations.  [default: an epoch]"
)
@click.option(
    "--patience", type=click.IntRange(1), help="Stop after so many validations without a new best."
)
@click.option(
    "--select-by",
    type=click.Choice(["accuracy", "label-loss"]),
    default="accuracy",
    show_default=True,
    help="What the best model is the best in, on the validation records.",
)
@click.option(
    "--valid-limit",
    type=click.IntRange(1),
    default=500,
    show_default=True,
    help="Validation records used.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="auto is bf16 autocast where the device multiplies in it.",
)
@click.option(
    "--task",
    type=click.Choice(["choice", "labels", "equation", "text"]),
    help="Overrides the records' task.",
)
@click.option(
    "--dry-run", is_flag=True, help="Read and tokenize, say what training would take, and stop."
)
@click.option("--resume", is_flag=True, help="Go on with the run that was interrupted.")
@click.option(
    "--overwrite",
    cls=TypedOption,
    is_flag=True,
    help="Replace a student or an unfinished run.",
)
@seed_option
def command(stage: Stage, save: str, **options: Any) -> None:
    """Teach a small student to answer and to explain.

    Trains on the records of the train split, keeps the model that is best on valid, never looks at
    test, and then passes every record on. Exit status 130: interrupted, and saved for --resume.

    \b
    mitools train records.jsonl --student google/flan-t5-small --save runs/first
    """
    from mitools.train.options import TrainOptions

    if options.pop("dry_run"):
        _show_plan(stage, options)
        return
    chosen = TrainOptions(save=Path(save), **_with_preset(options))
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


def _show_plan(stage: Stage, options: dict[str, Any]) -> None:
    """Prepare a run where it is in nobody's way, and say what it would take."""
    import tempfile

    from mitools.train.options import TrainOptions
    from mitools.train.work_folder.resume import Finished

    with tempfile.TemporaryDirectory(prefix="mitools-") as folder:
        aside = {**_with_preset(options), "resume": False, "overwrite": False}
        chosen = TrainOptions(save=Path(folder) / "student", **aside)
        chosen.check()
        run = _prepare(stage, chosen)
        assert not isinstance(run, Finished)
        stage.console.table("training would take", ["", ""], run.plan())


def _is_first() -> bool:
    """Tell whether this process speaks, reads and writes for all that train together."""
    return os.environ.get("RANK", "0") == "0"


def _with_preset(options: dict[str, Any]) -> dict[str, Any]:
    """Let a preset fill what neither the command line nor a recipe says."""
    from click.core import ParameterSource

    from mitools.train.options import PRESETS

    ctx = click.get_current_context()
    preset = PRESETS.get(options.pop("preset") or "", {})
    unsaid = {
        name: value
        for name, value in preset.items()
        if ctx.get_parameter_source(name) == ParameterSource.DEFAULT
    }
    return {**options, **unsaid}


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
        "mi_loss": "MI",
        "eval_accuracy": "valid",
        "eval_mi_estimate": "says",
        "eval_mi_shuffled": "shuffled",
    }
    return "  ".join(f"{short} {logs[name]:.3f}" for name, short in names.items() if name in logs)
