"""Make the runs of a study that are missing, several at once, until the time is over."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mitools.errors import INTERRUPTED, MitoolsError, OutputError, RecipeError
from mitools.files import atomic_output, output_errors
from mitools.study.draw_records import digest_of
from mitools.study.make_run import LOG, Execute, Order, check_begun
from mitools.study.plan import Study, runs_of
from mitools.study.results import is_complete
from mitools.study.schedule import Schedule
from mitools.study.workers import Ended, Workers

__all__ = ["OnEnd", "Progress", "StudyError", "StudyOptions", "conduct"]

_FEWEST_FAILURES = 3

OnEnd = Callable[[Ended], None]


class StudyError(MitoolsError):
    """A study cannot go on."""


@dataclass(frozen=True)
class StudyOptions:
    """How a study is conducted; nothing here changes what a run finds.

    Attributes:
        out: the folder of the study's records, runs and report.
        jobs: runs at once.
        limit_seconds: no run starts that would not end in this time, and those that have not ended
            then are interrupted.
        records: prepared records, in place of those that the study file would make.
        student: what every run starts from, in place of the study file's.
        keeps_students: whether students and their records stay when they are measured.
    """

    out: Path
    jobs: int = 1
    limit_seconds: float | None = None
    records: Path | None = None
    student: str | None = None
    keeps_students: bool = False

    @property
    def runs(self) -> Path:
        return self.out / "runs"


@dataclass
class Progress:
    """How far a study is.

    Attributes:
        made: runs made now; ``complete`` counts those of before too.
        without_student: runs made before whose students were to be kept and are not there.
        failed: names of runs with an error.
        left: runs that are not made; ``seconds_needed`` estimates how long they would take.
    """

    total: int
    complete: int = 0
    made: int = 0
    without_student: int = 0
    failed: list[str] = field(default_factory=list)
    left: int = 0
    seconds_needed: float | None = None


def conduct(
    study: Study,
    options: StudyOptions,
    execute: Execute,
    on_end: OnEnd = lambda _: None,
    *,
    whole: Study | None = None,
) -> Progress:
    """Make the runs that are missing.

    Args:
        study: which runs there are.
        options: where and how.
        execute: runs one mitools command; a function of a module, as workers import it.
        on_end: called with each run that ends.
        whole: the study that this one is a part of: the report has the stored runs of all of it.

    Raises:
        StudyError: another process conducts a study there, or records cannot be made.
        DataError: a run that is stored there, or was begun, has other options.
    """
    with output_errors(str(options.out)):
        options.runs.mkdir(parents=True, exist_ok=True)
    schedule = Schedule([], options.limit_seconds)
    with _lock(options.out):
        records = options.records or _prepare_records(study, options.out, execute)
        orders = {order.run.name: order for order in _orders(study, options, records)}
        for order in () if whole is None else _orders(whole, options, records):
            is_complete(order)  # refuses one that the new runs could not be compared with
        missing = [order for order in orders.values() if not is_complete(order)]
        for order in missing:
            check_begun(order)
        progress = Progress(len(orders), complete=len(orders) - len(missing))
        if options.keeps_students:
            made = orders.keys() - {order.run.name for order in missing}
            lost = [name for name in made if not (orders[name].folder / "student").is_dir()]
            progress.without_student = len(lost)
        schedule.waiting.extend(order.run for order in missing)
        workers = Workers(min(options.jobs, max(1, len(missing))), execute)
        try:
            _work_through(schedule, workers, orders, progress, on_end)
        finally:
            schedule.waiting.extend(order.run for order in workers.stop())
    progress.left = progress.total - progress.complete - len(progress.failed)
    progress.seconds_needed = schedule.seconds_needed(options.jobs)
    return progress


def _work_through(
    schedule: Schedule,
    workers: Workers,
    orders: dict[str, Order],
    progress: Progress,
    on_end: OnEnd,
) -> None:
    while True:
        while workers.has_room and (run := schedule.next()) is not None:
            workers.start(orders[run.name])
        if workers.has_room:  # nothing waits that would end in time
            workers.end_idle()
        left = schedule.seconds_left
        if not workers.busy or (left is not None and left <= 0):
            return
        for ended in workers.wait(left):
            if ended.error is None:
                schedule.took(ended.order.run, ended.seconds)
                progress.made += 1
                progress.complete += 1
            else:
                progress.failed.append(ended.order.run.name)
            on_end(ended)
        _stop_if_all_fail(progress, workers.count)


def _stop_if_all_fail(progress: Progress, jobs: int) -> None:
    """Stop a study of which no run has ended well, before it fails hundreds of times.

    Raises:
        StudyError: none of the first runs was made; at least three, and one for each worker.
    """
    if not progress.made and len(progress.failed) >= max(_FEWEST_FAILURES, jobs):
        message = f"all of the first {len(progress.failed)} runs failed"
        hint = f"see {LOG} in the folder of {progress.failed[-1]}"
        raise StudyError(message, hint=hint)


def _orders(study: Study, options: StudyOptions, records: Path) -> Iterator[Order]:
    digest = digest_of(records)
    for run in runs_of(study):
        folder = options.runs / run.name
        yield Order(study, run, records, digest, folder, options.student, options.keeps_students)


def _prepare_records(study: Study, out: Path, execute: Execute) -> Path:
    """Make the records by the study's own load, annotate and split; once."""
    if not study.preparation:
        message = f"{study.path} does not say where records come from"
        raise StudyError(message, hint='name them: "--records FILE", or add "[load]"')
    records = out / "records.jsonl"
    made_by = out / "records.digest"
    digest = hashlib.sha256(json.dumps(study.preparation, sort_keys=True).encode()).hexdigest()
    if records.exists() and made_by.exists():
        if made_by.read_text(encoding="utf-8") == digest:
            return records
        message = f"{records} was made with other options than those of {study.path}"
        raise StudyError(message, hint='choose another "--out", or delete that folder')
    source: list[str] = []
    for stage in study.preparation:
        made = out / f"records.{stage}.jsonl"
        status = execute([stage, *source, "-c", str(study.path), "-o", str(made)])
        if status == INTERRUPTED:
            raise KeyboardInterrupt  # the stage took the signal that was for the study
        if status:
            command = f"mitools {stage} -c {shlex.quote(str(study.path))}"
            hint = "see its message above"
            if status == RecipeError.exit_code:
                hint = f'fix "[{stage}]" in the study file'
            raise StudyError(f'"{command}" ended with status {status}', hint=hint)
        for path in source:
            os.unlink(path)
        source = [str(made)]
    with atomic_output(made_by) as stream:
        stream.write(digest)
    os.replace(source[0], records)
    return records


@contextlib.contextmanager
def _lock(out: Path) -> Iterator[None]:
    """Keep a second process from conducting a study in the same folder."""
    with output_errors(str(out)):
        handle = (out / ".lock").open("w")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            hint = 'wait for it, or choose another "--out"'
            raise OutputError(f"another process conducts a study in {out}", hint=hint) from exc
        yield
