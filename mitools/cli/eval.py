"""``mitools eval``: measure a student."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from mitools.cli._stage import Stage, seed_option, stage
from mitools.console import Console
from mitools.errors import UsageError
from mitools.files import STDOUT, atomic_output
from mitools.schema import SPLITS, TASKS

if TYPE_CHECKING:
    from mitools.evaluate.run import Evaluation, Opened, Settings
    from mitools.evaluate.simulated import SimulatorName

__all__ = ["command"]


@dataclass(frozen=True)
class Options:
    """The command's own options."""

    student: str | None
    split: str | None
    task: str | None
    summary: str | None
    seed: int
    rationales: bool
    decode: bool
    temperature: bool
    simulator: SimulatorName
    permutations: int
    batch_size: int
    tokens_per_batch: int | None
    device: str | None

    def settings(self) -> Settings:
        from mitools.evaluate.run import Settings

        if self.temperature and self.split in ("valid", "all"):
            hint = 'leave "--split" out, or name another: "--split test"'
            raise UsageError("a temperature is fitted on valid, and judged elsewhere", hint=hint)
        return Settings(
            self.task,
            self.split,
            self.rationales,
            self.decode,
            self.temperature,
            self.simulator,
            self.permutations,
            chunk=self.batch_size,
        )


@stage("eval")
@click.option(
    "--student",
    metavar="DIR",
    type=click.Path(),
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
    "--summary", metavar="FILE", type=click.Path(), help="Write all figures here, as JSON."
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
    help="Deal rationales out anew this often, to see what chance tells; fewer are faster, and no "
    "p-value is below 1 / (N + 1).",
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
    verdicts on them in "scores"; the figures go to stderr and to --summary. Choices are scored,
    other labels decoded. Records that already hold "student" need no model.

    \b
    mitools eval --student runs/svamp records.jsonl --summary figures.json > judged.jsonl
    """
    from mitools.evaluate.run import Evaluation

    asked = Options(**options)
    opener = _opener(asked) if asked.student else None
    evaluation = Evaluation(asked.settings(), opener, stage.console.warn)
    with (
        stage.reading("input") as records,
        stage.writing() as out,
        _summary_file(asked.summary) as file,
    ):
        with stage.console.progress("evaluating") as update:
            for record in evaluation.run(records):
                out.write(record)
                update(1, "")
        _report(stage.console, evaluation, asked, file)


def _opener(options: Options) -> Callable[[], Opened]:
    def open_student() -> Opened:
        from mitools.evaluate.provenance import hash_student, name_student
        from mitools.evaluate.run import Opened
        from mitools.student import load_student

        folder = Path(options.student or "")
        budget = options.tokens_per_batch
        student = load_student(folder, options.device, tokens_per_batch=budget)
        digest = hash_student(folder)
        return Opened(student, name_student(folder, digest), digest)

    return open_student


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
    console: Console, evaluation: Evaluation, options: Options, file: IO[str] | None
) -> None:
    from mitools.evaluate import report
    from mitools.evaluate.provenance import describe_run, software
    from mitools.evaluate.summary import as_json

    summary = evaluation.tally.summary(options.seed)
    if file is not None:
        opened = evaluation.opened
        run = describe_run(opened, asdict(options)) if opened else None
        provenance = {"software": software(), "run": run}
        figures = {**as_json(summary), "provenance": provenance}
        json.dump(figures, file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")
    console.table(report.title(summary), report.COLUMNS, report.metric_rows(summary))
    if quadrants := report.quadrant_rows(summary):
        console.table("what the rationale supports", report.QUADRANT_COLUMNS, quadrants)
