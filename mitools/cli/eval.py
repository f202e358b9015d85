"""``mitools eval``: measure a student."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._annotate_options import parse_price
from mitools.cli._eval_options import RunFiles, eval_options
from mitools.cli._eval_output import JudgedOutput, save_summary, show_figures, summary_file
from mitools.cli._judge import judging, measuring, pass_records, probing
from mitools.cli._options import (
    answer_options,
    batch_size_option,
    device_option,
    seed_option,
    student_option,
    task_option,
    tokens_per_batch_option,
)
from mitools.cli._places import BaselineName, ModelName, OutputPath, RecipePath, TypedOption
from mitools.cli._stage import Stage, stage
from mitools.evaluate.baselines.names import NAMES
from mitools.evaluate.operating.roles import CALIBRATED_ON
from mitools.evaluate.options import EVALUATED_SPLITS, EvalOptions, JudgeOptions
from mitools.evaluate.probes import PROBES
from mitools.evaluate.simulators import SIMULATORS
from mitools.operating.confidence import CONFIDENCES
from mitools.records import Record
from mitools.student.layout import PRECISIONS

if TYPE_CHECKING:
    from mitools.asking.predict import OpenedStudent
    from mitools.evaluate.measures.text import Similarity
    from mitools.evaluate.run import Evaluation

__all__ = ["command"]

GROUPS = {
    "Student": "--student --rationales --decode --batch-size --tokens-per-batch --device "
    "--precision",
    "Ways of answering": "--answer --draws --answer-weight",
    "Records": "--split --task",
    "Operating point": "--target-accuracy --risk --confidence --calibrate-on",
    "Measures": "--by --temperature --simulator --permutations --embedding",
    "Baselines": "--baseline",
    "Costs": "--price --student-price --latency-records",
    "Probes": "--probe --probe-records",
    "Judge": "--judge --judge-url --judge-journal --judge-records",
    "Several runs": "--compare --seeds --merge",
    "Input and output": "--summary --all",
}

DEFAULTS = EvalOptions()


@stage("eval", groups=GROUPS)
@student_option
@click.option(
    "--split",
    type=click.Choice(EVALUATED_SPLITS),
    help="Split to evaluate; other records are dropped.  "
    "[default: test, and records without a split]",
)
@task_option
@click.option(
    "--summary",
    cls=TypedOption,
    metavar="FILE",
    type=OutputPath(),
    help="File for all figures, as JSON.",
)
@click.option(
    "--all",
    "is_full",
    is_flag=True,
    help="Print all figures, not only the main ones and those that other options request.",
)
@click.option(
    "--rationales/--no-rationales",
    default=DEFAULTS.rationales,
    show_default=True,
    help="Whether rationales are asked for and judged.",
)
@answer_options("the student's; fitted on valid if it has none")
@click.option(
    "--decode",
    is_flag=True,
    help="Also decode a label where choices are scored; answers by the predict pass.",
)
@click.option(
    "--by",
    metavar="FIELD",
    multiple=True,
    help="Field of the records, or a dotted path: show the main figures for each of its values; "
    "repeatable.",
)
@click.option(
    "--temperature",
    is_flag=True,
    help="Fit a temperature on the records of the valid split.",
)
@click.option(
    "--target-accuracy",
    type=float,
    metavar="SHARE",
    help="Choose a confidence threshold whose answers have at least this accuracy, such as 0.95, "
    "and save it with the student.",
)
@click.option(
    "--risk",
    type=float,
    default=DEFAULTS.risk,
    show_default=True,
    metavar="SHARE",
    help="Probability of a threshold with an accuracy below the target.",
)
@click.option(
    "--confidence",
    type=click.Choice(CONFIDENCES),
    default=DEFAULTS.confidence,
    show_default=True,
    help="Confidence to compare with the threshold.",
)
@click.option(
    "--calibrate-on",
    type=click.Choice(CALIBRATED_ON),
    default=DEFAULTS.calibrate_on,
    show_default=True,
    help="Records that choose the threshold: the valid ones, or half of the test records.",
)
@click.option(
    "--simulator",
    type=click.Choice(SIMULATORS),
    default=DEFAULTS.simulator,
    show_default=True,
    help="Simulator that measures the association of rationale and label.",
)
@click.option(
    "--permutations",
    type=click.IntRange(min=0),
    default=DEFAULTS.permutations,
    show_default=True,
    metavar="N",
    help="Most permutations for the chance baseline of the association.",
)
@click.option(
    "--baseline",
    type=BaselineName(),
    metavar=f"[{'|'.join(NAMES)}]",
    multiple=True,
    help="Baseline to compare with, fitted on the training records of the input; repeatable. all "
    "is the first three.",
)
@click.option(
    "--price",
    metavar="IN,OUT",
    callback=parse_price,
    help="Price of the teacher in USD per million input and output tokens.",
)
@click.option(
    "--student-price",
    type=float,
    metavar="USD",
    help="Price of the student's machine in USD per hour.",
)
@click.option(
    "--latency-records",
    type=click.IntRange(min=0),
    default=DEFAULTS.latency_records,
    show_default=True,
    metavar="N",
    help="Records to ask again one at a time, to measure latency without batches.",
)
@click.option(
    "--probe",
    type=click.Choice(PROBES),
    multiple=True,
    help="Intervention on what the student reads; repeatable.",
)
@click.option(
    "--probe-records",
    type=click.IntRange(min=1),
    default=DEFAULTS.probe_records,
    show_default=True,
    metavar="N",
    help="Most records to probe.",
)
@click.option(
    "--embedding",
    type=ModelName(),
    metavar="PATH",
    help="Sentence encoder that compares rationales with references: a folder or package:NAME.",
)
@click.option(
    "--judge",
    metavar="MODEL",
    help="Model at an OpenAI-compatible endpoint that scores rationales; with --compare, it "
    "chooses between two.",
)
@click.option(
    "--judge-url",
    cls=TypedOption,
    metavar="URL",
    help="Endpoint of the judge.  [default: OPENAI_BASE_URL, or OpenAI]",
)
@click.option(
    "--judge-journal",
    cls=TypedOption,
    type=OutputPath(),
    metavar="PATH",
    help="Journal of the judge's replies.  [default: user cache]",
)
@click.option(
    "--judge-records",
    type=click.IntRange(min=1),
    default=JudgeOptions.records,
    show_default=True,
    metavar="N",
    help="Most records to judge.",
)
@click.option(
    "--compare",
    metavar="FILE",
    multiple=True,
    type=RecipePath(),
    help="Judged records of a baseline on the same examples; repeatable for its seeds.",
)
@click.option("--seeds", is_flag=True, help="Treat each FILE as a run with its own seed.")
@click.option("--merge", is_flag=True, help="Treat the FILEs as shards of one run.")
@batch_size_option(DEFAULTS.batch_size)
@tokens_per_batch_option
@device_option
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=DEFAULTS.precision,
    show_default=True,
    help="Numeric precision of the student; bf16 is faster on hardware that computes in it, and "
    "needs half as much GPU memory for the weights.",
)
@seed_option
def command(
    stage: Stage,
    student: str | None,
    summary: str | None,
    compare: tuple[str, ...],
    seeds: bool,
    merge: bool,
    **params: Any,
) -> None:
    """Measure a student: accuracy, calibration, consistency.

    Each record is passed on with the student's answer in "student" and the verdicts in "scores".
    The main figures go to stderr, all of them to --summary. Choices are scored, other labels are
    decoded. Records that hold "student" need no model.

    \b
    mitools eval --student runs/svamp records.jsonl --summary figures.json > judged.jsonl
    """
    is_full = params.pop("is_full")
    files = RunFiles(student, summary, compare, seeds, merge)
    options = eval_options(params, files)
    files.check(stage.files, options)
    options.check(has_student=student is not None)
    options, opener = _opener(stage, student, options)
    others = [_baseline(stage, path, options) for path in compare]
    parts = [replace(stage, files=(path,)) for path in stage.files] if seeds else [stage]
    with (
        judging(stage, options.judge) as judge,
        stage.writing() as out,
        summary_file(summary) as file,
    ):
        write = JudgedOutput(out, outlives_reader=summary is not None).write
        stage.await_input()
        similarity = _similarity(options)
        runs = [_evaluate(part, options, write, opener, similarity) for part in parts]
        from mitools.evaluate.findings import check_side, join_runs

        with measuring(stage) as step, probing(stage, options) as update:
            figures = join_runs(runs, others, by_seed=seeds, judge=judge, update=update, step=step)
        save_summary(figures, file, runs[0], asdict(files))
        show_figures(stage.console, figures, is_full=is_full)
    _save_point(stage, runs[0], student)
    check_side(runs)


def _save_point(stage: Stage, run: Evaluation, student: str | None) -> None:
    """Save the operating point that was asked for, and say what it promises."""
    point = run.operating_point
    if run.options.target_accuracy is None or point is None:
        return
    from mitools.evaluate.operating.notes import point_notes

    metadata = {} if run.opened is None else run.opened.student.metadata
    path = None if student is None else str(point.save(student))
    for note in point_notes(point, metadata, path):
        stage.console.note(note)


def _opener(
    stage: Stage, student: str | None, options: EvalOptions
) -> tuple[EvalOptions, Callable[[], OpenedStudent] | None]:
    """Return what opens the student, and the options; for one that is there, as it answers."""
    if student is None:
        return options, None
    from mitools.asking.opening import open_later

    if not stage.reads_stdin:  # else the stage before may still have to train the student
        from mitools.student.metadata import read_metadata

        options = options.for_student(read_metadata(Path(student)))
    return options, open_later(student, options.device, options.tokens_per_batch, options.precision)


def _similarity(options: EvalOptions) -> Similarity | None:
    """Load the encoder before any record is read, once for all runs."""
    if options.embedding is None:
        return None
    from mitools.evaluate.open_similarity import open_similarity

    return open_similarity(options.embedding, options.device)


def _evaluate(
    stage: Stage,
    options: EvalOptions,
    write: Callable[[Record], None],
    opener: Callable[[], OpenedStudent] | None = None,
    similarity: Similarity | None = None,
) -> Evaluation:
    """Evaluate the records of one input, and write the judged ones."""
    from mitools.evaluate.run import Evaluation

    evaluation = Evaluation(options, opener, stage.console.warn, similarity)
    total = None if opener is None else stage.expected(options.selects)
    pass_records(stage, evaluation, write, total)
    return evaluation


def _baseline(stage: Stage, path: str, options: EvalOptions) -> Evaluation:
    """Score a baseline's records again, without a model and without warnings."""
    from mitools.errors import MissingFieldError
    from mitools.evaluate.pass_checks import HINT_OF_ANSWER
    from mitools.evaluate.run import Evaluation

    evaluation = Evaluation(options.for_scoring())
    try:
        pass_records(replace(stage, files=(path,)), evaluation, lambda _record: None)
    except MissingFieldError as exc:
        if exc.hint == HINT_OF_ANSWER:  # it would answer the records of the run, not these
            command = f"mitools eval --student DIR {shlex.quote(path)} -o FILE"
            exc.hint = f'write its answers first: "{command}"'
        raise
    return evaluation
