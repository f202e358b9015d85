"""From records and options to a prepared run: the base model opened, the records tokenized."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from mitools.errors import DataError, UsageError
from mitools.gold import with_label_sets
from mitools.records import Reader, Record
from mitools.student.base.open_base import Base, open_base
from mitools.student.codec import Codec
from mitools.student.layout import PREFIXES
from mitools.student.lora import add_lora
from mitools.student.round_trip import check_saving
from mitools.student.trial import check_forward
from mitools.train.example import example_of
from mitools.train.options import TrainOptions
from mitools.train.preflight import check_texts, fit_limits
from mitools.train.processes import Processes, name_idle_devices
from mitools.train.recompute import recompute_layers
from mitools.train.tokenized import (
    SEVERAL,
    SOFT,
    WRONG,
    TokenSpool,
    TrainingData,
    build_data,
    open_data,
)
from mitools.train.training_run import TrainingRun, no_note
from mitools.train.two_task_model import TwoTaskModel
from mitools.train.work_folder.destination import check_destination
from mitools.train.work_folder.resume import (
    Finished,
    find_checkpoint,
    finished_run,
    is_started,
    write_state,
)
from mitools.train.work_folder.workspace import Workspace

__all__ = ["Note", "prepare"]

Note = Callable[[str], None]
"""Receives a message for people, one sentence."""


def prepare(records: Iterable[Record], options: TrainOptions, note: Note) -> TrainingRun | Finished:
    """Read every record, open the base model and tokenize; nothing is trained yet.

    Of several processes the first one does this; the others do not read ``records``, and use the
    files that it wrote.

    Returns:
        A run that is ready to start; or a run to resume that was finished before, with its records.

    Raises:
        UsageError, OutputError: the options are invalid, or the folder is taken.
        DataError: a record is not valid, or none can be trained on.
        StudentError: the base model cannot be opened, or cannot be trained and saved.
        TrainingError: the run to resume is another one or in use, or the student's tokenizer
            encodes different answers alike.
    """
    processes = Processes.found()
    if not processes.is_first:
        return _follow(options, processes)
    options.check()
    check_destination(options)
    workspace = Workspace(options.work, empty=options.overwrite)
    try:
        return _prepare(records, options, note, processes, workspace)
    except BaseException:
        if is_started(options.work):
            workspace.release()
        else:  # there is nothing to resume
            workspace.delete()
        raise


def _prepare(
    records: Iterable[Record],
    options: TrainOptions,
    note: Note,
    processes: Processes,
    workspace: Workspace,
) -> TrainingRun | Finished:
    work = workspace.path
    processes.meet()
    admitted = Reader(needs=("input",)).admit_objects(records)
    spool = TokenSpool.fill(work / "records.jsonl", with_label_sets(admitted, options.task))
    if not spool.counts["train"]:
        counts = ", ".join(f"{count:,} {name}" for name, count in spool.counts.items())
        raise DataError(f"no training records ({counts})", hint='run "mitools split"')
    if (finished := finished_run(options, spool, workspace)) is not None:
        return finished
    checkpoint = find_checkpoint(options, spool.digest, note)
    base, codec = _open_student(spool, options, note)
    check_forward(base.model, codec)
    check_saving(base.model, codec, work / "trial")
    lost = check_texts(partial(spool.of_split, "train"), codec, options)
    data = build_data(spool, codec, options)
    _report(data, spool, options, note, lost)
    if (idle := name_idle_devices(processes)) is not None:
        note(idle)
    model = TwoTaskModel(base.model, codec, options.objective)
    write_state(options, spool.digest)
    processes.announce(
        work,
        {
            "counts": spool.counts,
            "digest": spool.digest,
            "notes": data.notes,
            "checkpoint": checkpoint,
        },
    )
    return TrainingRun(
        options, spool, codec, data, model, base.name, checkpoint, processes, workspace
    )


def _follow(options: TrainOptions, processes: Processes) -> TrainingRun:
    """Prepare a further process of a run from the files of the first one."""
    processes.meet()
    announced = processes.await_files(options.work)
    counts = Counter(announced["counts"])
    spool = TokenSpool(options.work / "records.jsonl", counts, announced["digest"])
    base, codec = _open_student(spool, options, no_note)
    data = open_data(options.work, announced["notes"])
    model = TwoTaskModel(base.model, codec, options.objective)
    return TrainingRun(
        options, spool, codec, data, model, base.name, announced["checkpoint"], processes
    )


def _open_student(spool: TokenSpool, options: TrainOptions, note: Note) -> tuple[Base, Codec]:
    base = open_base(options.student, lambda: _texts(spool, options), options.seed)
    if options.prefix_position == "after" and base.kind == "seq2seq":
        message = "--prefix-position after needs a causal student, this one has an encoder"
        raise UsageError(message, hint="drop it, or choose a causal --student")
    if options.lora:
        add_lora(base.model, options.lora)
    if options.gradient_checkpointing:
        recompute_layers(base.model)
    limits = fit_limits(base.model.config, base.kind, options, note)
    codec = Codec(
        base.tokenizer,
        base.kind,
        limits.max_input_tokens,
        limits.max_label_tokens,
        limits.max_rationale_tokens,
        options.order,
        options.prefix_position,
        options.concludes,
    )
    return base, codec


def _texts(spool: TokenSpool, options: TrainOptions) -> Iterator[str]:
    for record in spool.of_split("train"):
        example = example_of(record, options)
        yield from (prefix + example.input for prefix in PREFIXES.values())
        texts = (example.label, example.rationale, *example.rationales)
        texts += tuple(label for label, _ in example.soft_label)
        yield from (text for text in texts if text)


def _report(
    data: TrainingData,
    spool: TokenSpool,
    options: TrainOptions,
    note: Note,
    lost: Mapping[str, int],
) -> None:
    valid = 0 if data.valid is None else len(data.valid)
    kind = {"valid": "validation", "test": "test"}[options.eval_on]
    other = spool.counts.total() - len(data.train) - valid
    note(f"{len(data.train):,} training and {valid:,} {kind} records, {other:,} not used")
    for what, count in {**data.notes, **lost}.items():
        if count:
            note(f"{count:,} training records {what}")
    for text in _without_data(data, options):
        note(text)
    if not valid and options.select_by != "last":
        missing = (
            "no validation records"
            if other
            else 'no validation records ("mitools split" makes them)'
        )
        note(f"{missing}, so the student is that of the last step, not of the best")


def _without_data(data: TrainingData, options: TrainOptions) -> Iterator[str]:
    """Name the options for which no training record has the data."""
    samples = '"mitools annotate --samples N" gives them'
    for flag, is_set, what, hint in (
        ("--soft-labels", options.soft_labels, SOFT, f'{samples}, or "--score-choices"'),
        (f"--rationales {options.rationales}", options.rationales != "one", SEVERAL, samples),
        ("--wrong-rationales", options.wrong_rationales, WRONG, samples),
    ):
        if is_set and not data.notes.get(what):
            yield f"{flag} has no effect: no training record is one {what} ({hint})"
