"""``mitools eval``: measure a student."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from mitools.cli._eval_options import Options
from mitools.cli._examine import judging
from mitools.cli._places import ModelName, OutputPath, RecipePath, TypedOption
from mitools.cli._stage import Stage, abandon_stdout, seed_option, stage
from mitools.errors import UsageError
from mitools.evaluate.probes import PROBES
from mitools.files import STDOUT, atomic_output
from mitools.records import Record, Writer
from mitools.schema import SPLITS, TASKS

if TYPE_CHECKING:
    from mitools.evaluate.measures.text import Similarity
    from mitools.evaluate.open_judge import Judge
    from mitools.evaluate.run import Evaluation, Opened

__all__ = ["command"]


class JudgedOutput:
    """Passes records on.

    A reader that has had enough ends the stage, as it does everywhere; but where a summary was
    asked for, somebody still waits for that, and only the passing on ends.
    """

    def __init__(self, out: Writer, *, outlives_reader: bool) -> None:
        self._out: Writer | None = out
        self._outlives_reader = outlives_reader

    def write(self, record: Record) -> None:
        if self._out is None:
            return
        try:
            self._out.write(record)
        except BrokenPipeError:
            if not self._outlives_reader:
                raise
            abandon_stdout()
            self._out = None


@dataclass(frozen=True)
class EvaluationResults:
    """What there is to report on."""

    runs: list[Evaluation]
    baselines: list[Evaluation]
    judge: Judge | None


GROUPS = {
    "Student": "--student --rationales --decode --batch-size --tokens-per-batch --device",
    "Records": "--split --task",
    "Measures": "--temperature --simulator --permutations --embedding",
    "Probes": "--probe --probe-records",
    "Judge": "--judge --judge-url --judge-journal --judge-records",
    "Several runs": "--compare --seeds --merge",
    "Input and output": "--summary",
}


@stage("eval", groups=GROUPS)
@click.option(
    "--student",
    metavar="DIR",
    type=RecipePath(),
    help="Ask this student. Without it, records that already hold answers are scored again.",
)
@click.option(
    "--split",
    type=click.Choice([*SPLITS, "all"]),
    help="Evaluate only these records, and drop the others. "
    "[default: test, and records that have no split]",
)
@click.option(
    "--task", type=click.Choice(TASKS), help="Compare labels so, whatever the records say."
)
@click.option(
    "--summary",
    cls=TypedOption,
    metavar="FILE",
    type=OutputPath(),
    help="Write all figures here, as JSON.",
)
@click.option(
    "--rationales/--no-rationales",
    default=True,
    show_default=True,
    help="Ask for rationales too, and judge them.",
)
@click.option("--decode", is_flag=True, help="Where choices are scored, decode a label as well.")
@click.option(
    "--temperature",
    is_flag=True,
    help="Fit a temperature on the records of the split valid: they are answered too, without "
    "rationales, and pass.",
)
@click.option(
    "--simulator",
    type=click.Choice(["local", "none"]),
    default="local",
    show_default=True,
    help="Fit small models that guess answers from rationales, and measure what these tell.",
)
@click.option(
    "--permutations",
    type=click.IntRange(min=0),
    default=99,
    show_default=True,
    help="Number of permutations for the chance baseline; fewer are faster, and no p-value is "
    "below 1 / (N + 1).",
)
@click.option(
    "--probe",
    type=click.Choice(PROBES),
    multiple=True,
    help="Change what the student reads and ask again: noise in both passes; what label and "
    "rationale hang on; words put in; a wrong answer suggested; edited rationales, where the label "
    "is decoded behind them. Repeatable.",
)
@click.option(
    "--probe-records",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    metavar="N",
    help="Probe this many of the records, always the same ones.",
)
@click.option(
    "--embedding",
    type=ModelName(),
    metavar="PATH",
    help="Compare rationales with their references by this sentence encoder too: a local folder, "
    "or package:NAME for one in an installed package.",
)
@click.option(
    "--judge",
    metavar="MODEL",
    help="Let this model at an OpenAI-compatible endpoint score rationales from 1 to 5; with "
    "--compare, prefer one student's to the other's, shown in both orders.",
)
@click.option(
    "--judge-url",
    cls=TypedOption,
    metavar="URL",
    help="Its endpoint.  [default: OPENAI_BASE_URL, or OpenAI]",
)
@click.option(
    "--judge-journal",
    cls=TypedOption,
    type=OutputPath(),
    metavar="PATH",
    help="Where its replies are kept.  [default: user cache]",
)
@click.option(
    "--judge-records",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    metavar="N",
    help="Show it this many of the records, always the same ones.",
)
@click.option(
    "--compare",
    metavar="FILE",
    multiple=True,
    type=RecipePath(),
    help="Compare with a baseline's judged records of the same examples; repeat for its seeds.",
)
@click.option("--seeds", is_flag=True, help="Each FILE is a run with a seed of its own.")
@click.option(
    "--merge",
    is_flag=True,
    help="The FILEs are shards of one run; an id in two of them is an error.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Hand the student this many records at once.",
)
@click.option(
    "--tokens-per-batch",
    type=click.IntRange(min=1),
    help="Let the model see at most this many tokens at once; fewer need less memory. "
    "[default: by device]",
)
@click.option("--device", help='Run on this device, for example "cpu" or "cuda:1".')
@seed_option
def command(stage: Stage, **options: Any) -> None:
    """Measure a student: accuracy, calibration, consistency.

    Each record leaves with the student's label, rationale and confidence in "student" and the
    verdicts on them in "scores"; the figures go to stderr and to --summary, which is finished even
    where the reader of the records leaves early. Choices are scored, other labels decoded. Records
    that already hold "student" need no model.

    \b
    mitools eval --student runs/svamp records.jsonl --summary figures.json > judged.jsonl
    """
    asked = Options(**options)
    asked.check(stage.files)
    baselines = [_baseline(stage, path, asked) for path in asked.compare]
    parts = [replace(stage, files=(path,)) for path in stage.files] if asked.seeds else [stage]
    with (
        judging(stage, asked.judge_options()) as judge,
        stage.writing() as out,
        _summary_file(asked.summary) as file,
    ):
        outlet = JudgedOutput(out, outlives_reader=asked.summary is not None)
        similarity = _similarity(asked)
        runs = [_evaluate(part, asked, outlet, similarity) for part in parts]
        _report(stage, asked, EvaluationResults(runs, baselines, judge), file)


def _evaluate(
    stage: Stage,
    options: Options,
    out: JudgedOutput | None,
    similarity: Similarity | None = None,
    warn: Callable[[str], None] | None = None,
) -> Evaluation:
    """Evaluate the records of one input, and pass them on where there is somewhere to."""
    from mitools.evaluate.run import Evaluation
    from mitools.gold import GoldCheck, with_known_labels

    gold = GoldCheck(options.task)
    opener = _opener(options) if options.student else None
    evaluation = Evaluation(options.settings(similarity), opener, warn or stage.console.warn)
    with stage.reading("input") as records, stage.console.progress("evaluating") as update:
        metadata = None if opener is None else lambda: opener().student.metadata
        known = with_known_labels(records, metadata, options.task)
        for record in evaluation.run(gold.watch(known), records.reject):
            if out is not None:
                out.write(record)
            update(1, "")
    if warning := gold.warning():
        stage.console.warn(warning)
    return evaluation


def _similarity(options: Options) -> Similarity | None:
    """Load the encoder at the start, once: a wrong path must not cost an evaluation."""
    if options.embedding is None:
        return None
    from mitools.evaluate.opening import open_similarity

    return open_similarity(options.embedding, options.device)


def _baseline(stage: Stage, path: str, options: Options) -> Evaluation:
    """Score a baseline's records again; no model is asked, and only invalid lines are told of."""
    scoring = replace(options, student=None, simulator="none", compare=(path,))
    other = replace(stage, files=(path,))
    return _evaluate(other, scoring, None, warn=lambda _text: None)


def _opener(options: Options) -> Callable[[], Opened]:
    if options.device is not None:  # a wrong one is a wrong command: say so before reading
        from mitools.student.devices import choose_device

        choose_device(options.device)

    @functools.cache
    def opener() -> Opened:
        from mitools.evaluate.opening import open_student

        folder = Path(options.student or "")
        return open_student(folder, options.device, options.tokens_per_batch)

    return opener


@contextlib.contextmanager
def _summary_file(path: str | None) -> Iterator[IO[str] | None]:
    """Open the summary at the start: a wrong path must not cost an evaluation."""
    if path is None:
        yield None
    elif path == STDOUT:
        raise UsageError("stdout carries the records", hint='name a file: "--summary FILE"')
    else:
        with atomic_output(path) as stream:
            yield stream


def _report(
    stage: Stage,
    options: Options,
    given: EvaluationResults,
    file: IO[str] | None,
) -> None:
    from mitools.evaluate import report
    from mitools.evaluate.findings import as_document, join_runs

    runs, baselines = given.runs, given.baselines
    summaries = [_summary(stage, run, options.seed) for run in runs]
    if given.judge is not None:
        baseline = baselines[0] if baselines else None
        summaries[0]["judge"] = given.judge.judge(runs[0], baseline, options.seed)
    found = join_runs(runs, summaries, baselines, seed=options.seed, by_seed=options.seeds)
    if file is not None:
        document = as_document(found, runs[0], asdict(options))
        json.dump(document, file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")
    for title, columns, rows in report.tables(found):
        stage.console.table(title, columns, rows)
    for note in report.notes(found):
        stage.console.note(note)


def _summary(stage: Stage, run: Evaluation, seed: int) -> dict[str, Any]:
    if not run.options.probes:
        return run.summary(seed)
    with stage.console.progress("probing", unit="questions") as update:
        return run.summary(seed, lambda count: update(count, ""))
