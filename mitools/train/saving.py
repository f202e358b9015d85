"""What a finished run leaves: the student's folder, with its metadata, model card and log."""

from __future__ import annotations

import errno
import os
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mitools.errors import OutputError
from mitools.files import atomic_directory, output_errors
from mitools.student import save_student
from mitools.student.base.origin import read_origin
from mitools.student.codec import Codec
from mitools.student.layout import PREFIXES, Purpose
from mitools.tasks import task_of
from mitools.train.card import write_model_card
from mitools.train.options import TrainOptions
from mitools.train.tokenized import TokenSpool, TrainingData
from mitools.train.work_folder.checkpoints import publish, sync_folder
from mitools.train.work_folder.destination import is_replaceable

__all__ = ["describe_student", "save_trained"]


def save_trained(
    options: TrainOptions, model: Any, codec: Codec, metadata: Mapping[str, Any]
) -> None:
    """Write the student into the work folder, then rename it to ``--save``.

    Args:
        model: the transformers model.
        metadata: see :func:`describe_student`.

    Raises:
        OutputError: the disk is full, or the folder was taken during training.
    """
    work, save = options.work, options.save
    try:
        with atomic_directory(work / "student") as folder:
            save_student(folder, model, codec, metadata)
            write_model_card(folder, metadata, save.name, codec)
            shutil.copy(work / "log.jsonl", folder / "log.jsonl")
            sync_folder(folder)
        with output_errors(str(save)):
            final = Path(os.path.realpath(save))
            if final.exists() and not is_replaceable(final):
                raise FileExistsError(errno.EEXIST, "something else has taken its name")
            publish(work / "student", final, work / "replaced")
    except OutputError as exc:
        hint = f"make room, and {options.same_command}"
        raise OutputError(exc.message, hint=hint) from exc


def describe_student(
    options: TrainOptions,
    base_name: str,
    codec: Codec,
    spool: TokenSpool,
    data: TrainingData,
    results: Mapping[str, Any],
) -> dict[str, Any]:
    """Make what ``mitools.json`` states about a student beside its format.

    Args:
        base_name: the base model.
        results: metrics, steps and time of the run; empty before its end.
    """
    first, trained = next(iter(spool), {}), _trained_tasks(options, data)
    return {
        "base": base_name,
        "origin": dict(read_origin(base_name)),
        "kind": codec.kind,
        "order": codec.order,
        "max_input_tokens": codec.max_input_tokens,
        "task": task_of(first, options.task).name,
        "labels": _label_set(options, spool),
        "trained": trained,
        "concludes": codec.concludes and len(trained) == len(PREFIXES),
        "options": options.as_json(),
        "results": dict(results),
        "data": {
            "sha256": spool.digest,
            "records": dict(spool.counts),
            "measured": 0 if data.valid is None else len(data.valid),
        },
        "versions": {
            name: version(name) for name in ("mitools", "torch", "transformers", "datasets")
        }
        | {"python": platform.python_version()},
    }


def _label_set(options: TrainOptions, spool: TokenSpool) -> list[str] | None:
    """Return the labels of the task ``labels``; None if there are none, or several sets."""
    label_sets: set[tuple[str, ...]] = set()
    for record in spool.of_split("train"):
        if task_of(record, options.task).name == "labels":
            label_sets.add(tuple(record.get("choices") or ()))
        if len(label_sets) > 1:
            return None
    return list(label_sets.pop()) or None if label_sets else None


def _trained_tasks(options: TrainOptions, data: TrainingData) -> list[Purpose]:
    """Name the tasks that were trained: those with a weight and with a target."""
    weights: dict[Purpose, float] = {"label": options.alpha, "rationale": 1 - options.alpha}
    return [name for name, weight in weights.items() if weight > 0 and data.has(name)]
