"""``mitools study``: train and measure many students, and compare them."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._config import refuse_unconfirmed, use_recipe
from mitools.cli._places import ModelName, OutputFolder, RecipePath, TypedOption
from mitools.cli._stage import Stage, stage, stdout
from mitools.errors import RecipeError
from mitools.files import output_errors

if TYPE_CHECKING:
    from mitools.study.conduct import Progress, StudyOptions
    from mitools.study.plan import Study
    from mitools.study.workers import Ended

__all__ = ["command"]


GROUPS = {
    "Study": "--out --records --student --only --size --keep-students --report",
    "Speed": "--jobs --time-limit",
}


@stage("study", reads=False, writes=False, groups=GROUPS)
@click.argument("file", type=click.Path(dir_okay=False), metavar="STUDY.toml")
@click.option(
    "--out",
    cls=TypedOption,
    type=OutputFolder(("report.md", "report.json")),
    metavar="DIR",
    help="Folder of the runs and the report.  [default: runs/STUDY]",
)
@click.option(
    "--records",
    type=RecipePath(),
    metavar="FILE",
    help="Records with rationales, in place of those that the study file makes.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="OBJECTIVE",
    help="Objective to make runs of. Repeatable.  [default: all]",
)
@click.option(
    "--size",
    "sizes",
    type=click.IntRange(1),
    multiple=True,
    metavar="N",
    help="Number of training records to make runs with. Repeatable.  [default: all]",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Runs at once.  [default: one for each CPU core]",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(0, min_open=True),
    metavar="MIN",
    help="Minutes after which the study stops; no run starts that would not end in time.",
)
@click.option(
    "--student", type=ModelName(), metavar="MODEL", help="Student, in place of the study file's."
)
@click.option("--keep-students", is_flag=True, help="Keep the students, and the records of each.")
@click.option("--report", is_flag=True, help="Make no run; write the report again.")
def command(stage: Stage, file: str, report: bool, **options: Any) -> None:
    """Train and measure many students, and compare them.

    STUDY.toml is a recipe with more tables: objectives (options of train), ways of answering
    (options of eval), and a grid of seeds, sizes and folds. Runs that are complete are not made
    again, so the same command goes on after a stop. The report is printed, and written to DIR.

    \b
    mitools study recipes/study/demo.toml --jobs 2 --time-limit 30
    """
    from mitools.study.plan import narrow, read_study
    from mitools.study.report import write_report

    study = read_study(Path(file))
    _check_options(study)
    chosen = _study_options(study, options)
    wanted = narrow(study, options["only"], options["sizes"])
    progress = None if report else _conduct(stage, wanted, chosen, study)
    if progress is None or progress.complete:
        text = write_report(study, chosen.out)
        with output_errors("<stdout>"):
            stdout().write(text)
            stdout().flush()
    if progress is not None and _tell(stage, progress):
        click.get_current_context().exit(1)


def _study_options(study: Study, options: dict[str, Any]) -> StudyOptions:
    from mitools.study.conduct import StudyOptions

    minutes = options["time_limit"]
    return StudyOptions(
        out=Path(options["out"] or Path("runs") / study.path.stem),
        jobs=options["jobs"] or len(os.sched_getaffinity(0)),
        limit_seconds=None if minutes is None else 60 * minutes,
        records=Path(options["records"]) if options["records"] else None,
        student=options["student"],
        keeps_students=options["keep_students"],
    )


def _check_options(study: Study) -> None:
    """Refuse what is not an option of train or eval before anything runs."""
    from mitools.study.make_run import write_table

    tables = [
        ("train", f'objective "{one.name}"', study.train_options(one)) for one in study.objectives
    ]
    tables += [("eval", f'answer "{name}"', study.eval_options(name)) for name in study.answers]
    with tempfile.TemporaryDirectory(prefix="mitools-") as folder:
        path = Path(folder) / "options.toml"
        for name, what, options in tables:
            write_table(path, name, options)
            ctx = click.Context(importlib.import_module(f"mitools.cli.{name}").command)
            ctx.info_name = name
            try:
                use_recipe(ctx, path)
                refuse_unconfirmed(ctx)
            except RecipeError as exc:
                message = exc.message.replace(f"{path}", f"{study.path}: {what}", 1)
                raise RecipeError(message, hint=exc.hint) from exc


def _conduct(stage: Stage, study: Study, options: StudyOptions, whole: Study) -> Progress:
    """Make the runs; what a CPU computes is shared out between those that run at once."""
    from mitools.study.conduct import conduct
    from mitools.study.plan import runs_of

    threads = max(1, len(os.sched_getaffinity(0)) // options.jobs)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    total = sum(1 for _ in runs_of(study))
    with stage.console.progress(total=total, unit="runs") as update:

        def show(ended: Ended) -> None:
            name = ended.order.run.name
            update(1, name)
            if ended.error is None:
                stage.console.note(f"{name}: {ended.seconds:.0f} s")
            else:
                stage.console.warn(f"{name}: {ended.error}; see {ended.order.log}")

        return conduct(study, options, execute, show, whole=whole)


def _tell(stage: Stage, progress: Progress) -> bool:
    """Say what is left; give whether a run failed."""
    if count := progress.without_student:
        who = "1 complete run was" if count == 1 else f"{count:,} complete runs were"
        text = f'{who} made without "--keep-students"'
        stage.console.warn(f'{text}; to keep each student, choose another "--out"')
    if progress.left:
        needed = progress.seconds_needed
        rest = "" if needed is None else f", about {needed / 60:.0f} minutes"
        text = f"{progress.left:,} of {progress.total:,} runs are left{rest}"
        stage.console.note(f"{text}; the same command goes on")
    return bool(progress.failed)


def execute(arguments: Sequence[str]) -> int:
    """Run one mitools command in this process, and return its exit status."""
    from mitools.cli import mitools

    try:
        mitools(args=list(arguments), prog_name="mitools")
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else 1
    return 0
