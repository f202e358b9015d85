"""The entry point of the stage: records in, a trained student out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mitools.records import Record
from mitools.student.metadata import read_metadata
from mitools.train.callbacks import OnStep, no_step
from mitools.train.options import TrainOptions
from mitools.train.prepare import Note, prepare
from mitools.train.processes import Processes
from mitools.train.trackers import tracker_notes
from mitools.train.training_run import Interrupted, TrainingRun, no_note
from mitools.train.unused import unfinished_warmups
from mitools.train.work_folder.resume import Finished

__all__ = ["OnStart", "PassOn", "TrainedStudent", "no_start", "train_student"]

OnStart = Callable[[int, int], None]
"""Receives the number of optimizer steps of the run, and how many of them earlier parts made."""

PassOn = Callable[[Iterator[Record]], None]
"""Receives every record that was read, in order, when the student is saved."""


def no_start(_steps: int, _done: int) -> None:
    """Ignore the start of training."""


@dataclass(frozen=True)
class TrainedStudent:
    """A student that is trained and saved.

    Attributes:
        folder: its folder, for :func:`mitools.student.load_student`.
        metrics: figures of the validation that selected it, such as ``valid_accuracy`` (0 to 1)
            and ``valid_label_loss`` (nats per token); ``test_accuracy`` and so on where training
            measured the test split; the last ``train_loss`` where nothing was measured.
    """

    folder: Path
    metrics: dict[str, float]


def train_student(
    records: Iterable[Record],
    options: TrainOptions,
    on_step: OnStep = no_step,
    *,
    on_start: OnStart = no_start,
    on_note: Note = no_note,
    pass_on: PassOn | None = None,
) -> TrainedStudent:
    """Train a student on records and save it, as ``mitools train`` does.

    Reads every record, trains on those whose ``split`` is ``train`` or missing, and keeps the
    checkpoint that is best on ``valid``. The student appears under ``options.save`` when it is
    complete; until then ``DIR.work`` beside it holds what ``resume`` needs.

        >>> texts = [("Ann has 3 pears.", "3", "Ann has 3."), ("Bo has 4 figs.", "4", "Bo has 4.")]
        >>> records = [
        ...     {"id": label, "task": "equation", "input": text, "label": label, "rationale": why}
        ...     for text, label, why in texts
        ... ]
        >>> options = TrainOptions(Path("student"), "scratch:tiny", max_steps=2, batch_size=2)
        >>> train_student(records, options).folder
        PosixPath('student')

    Args:
        records: each has an ``input``, and its own or a teacher's label or rationale; maybe ``id``.
        options: where to save, what to start from, and how to train.
        on_step: called after each optimizer step with its number and the latest logged figures.
        on_start: called before the first step with the steps of the run, and those done before.
        on_note: called with each message for people.
        pass_on: called with all records when the student is saved; they are read from disk, so
            ``records`` may be an iterator of any length.

    Returns:
        The student's folder and its metrics.

    Raises:
        UsageError: options exclude each other or are out of range.
        OutputError: the folder is taken, or the disk is full.
        MissingExtraError: the package of a tracker is not installed.
        DataError: a record is not valid, or none can be trained on; MissingFieldError, one of its
            kinds: a record of the task ``labels`` does not list its labels.
        StudentError: the base model cannot be opened, trained or saved.
        TrainingError: the loss became NaN or infinite, memory ran out, or the run to resume is
            another one, in use or damaged.
        Interrupted: SIGINT or SIGTERM stopped training; a checkpoint is saved for ``resume``.
    """
    run = prepare(records, options, on_note)
    try:
        trained = _train(run, on_start, on_step, on_note)
        try:
            if pass_on is not None and Processes.found().is_first:
                pass_on(iter(run.spool))
        finally:
            run.clean()
    except KeyboardInterrupt as exc:  # before the first step, or after the last one
        hint = f"{options.same_command} to continue"
        raise Interrupted("interrupted", hint=hint) from exc
    return trained


def _train(
    run: TrainingRun | Finished, on_start: OnStart, on_step: OnStep, on_note: Note
) -> TrainedStudent:
    save = run.options.save
    if isinstance(run, Finished):
        on_note(f"{save} is already trained")
        results = read_metadata(save)["results"]
        names = [name for name in results if name.startswith(("valid_", "test_", "train_loss"))]
        return TrainedStudent(save, {name: results[name] for name in names})
    on_start(run.total_steps, run.steps_done)
    for text in unfinished_warmups(run.options, run.total_steps):
        on_note(text)
    for text in tracker_notes(run.options.log_to, save):
        on_note(text)
    metrics = run.execute(on_step, on_note)
    on_note(f"saved {save} ({_headline(metrics)})")
    return TrainedStudent(save, metrics)


def _headline(metrics: dict[str, float]) -> str:
    """Format the metrics of the saved step, as "valid: accuracy 0.92, label loss 0.231".

    The mutual information is left out: the log and the card name it with its control.
    """
    of_split: dict[str, list[str]] = {}
    for name, value in metrics.items():
        split, _, measure = name.partition("_")
        if not measure.startswith("mi_"):
            of_split.setdefault(split, []).append(f"{measure.replace('_', ' ')} {value:.3g}")
    return "; ".join(f"{split}: {', '.join(measures)}" for split, measures in of_split.items())
