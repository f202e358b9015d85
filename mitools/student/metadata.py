"""``mitools.json``: the metadata of a student, beside its weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mitools.errors import StudentError
from mitools.student.layout import ORDERS, PREFIX_POSITIONS, PREFIXES

__all__ = [
    "FORMAT",
    "LIMITS",
    "METADATA_NAME",
    "WORK_SUFFIX",
    "is_student",
    "read_metadata",
    "work_folder",
    "write_metadata",
]

METADATA_NAME = "mitools.json"
WORK_SUFFIX = ".work"
FORMAT = 1
LIMITS = ("max_input_tokens", "max_label_tokens", "max_rationale_tokens")

_WHICH_FOLDER = 'name the folder that was given to "mitools train --save"'
_FLAGS = ("concludes", "joins_prompt")
_MOST_TOKENS = 1 << 20
_LARGEST = 16 << 20  # bytes


def write_metadata(folder: Path, metadata: Mapping[str, Any]) -> None:
    text = json.dumps({"format": FORMAT, **metadata}, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / METADATA_NAME).write_text(text + "\n", encoding="utf-8")


def read_metadata(folder: Path) -> dict[str, Any]:
    """Read the metadata of a student.

    Raises:
        StudentError: the folder is not a student, its file is damaged, or of a newer mitools.
    """
    path = folder / METADATA_NAME
    hint = _WHICH_FOLDER
    try:
        if path.stat().st_size > _LARGEST:
            raise StudentError(f"{path} is larger than {_LARGEST >> 20} MiB", hint=hint)
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise _no_student(folder) from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise StudentError(f"cannot read {path}: {exc}", hint=hint) from exc
    if not isinstance(metadata, dict) or metadata.get("kind") not in ("seq2seq", "causal"):
        raise StudentError(f"{path} does not describe a student", hint=hint)
    if metadata.get("format") != FORMAT:
        message = f"{path} has format {metadata.get('format')}, this mitools reads {FORMAT}"
        raise StudentError(message, hint='upgrade: "pip install -U mitools"')
    if metadata.get("prefixes") != dict(PREFIXES):
        raise StudentError(f"{path} was trained with other task prefixes", hint="train it again")
    # The values of students that were saved before these fields existed.
    earlier = {"order": "separate", "prefix_position": "before"}
    metadata = {**earlier, **dict.fromkeys(_FLAGS, False), **metadata}
    for name, known in (("order", ORDERS), ("prefix_position", PREFIX_POSITIONS)):
        if metadata[name] not in known:
            message = (
                f"{path} has {name} {json.dumps(metadata[name])}, which this mitools does not know"
            )
            raise StudentError(message, hint='upgrade: "pip install -U mitools"')
    _check_flags(path, metadata)
    _check_weight(path, metadata)
    for name in LIMITS:
        value = metadata.get(name)
        if type(value) is not int or not 2 <= value <= _MOST_TOKENS:
            message = f"{path} has {name} {json.dumps(value)}, which is not a number of tokens"
            raise StudentError(message, hint="train it again")
    return metadata


def _no_student(folder: Path) -> StudentError:
    """Say why a folder without metadata is not a student."""
    for work in (folder, work_folder(folder)) if folder.name else ():
        if work.name.endswith(WORK_SUFFIX) and work.is_dir():
            hint = 'finish it: run the same "mitools train" command with "--resume"'
            return StudentError(f"{work} is an unfinished run, not yet a student", hint=hint)
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        return StudentError(f"{folder} {problem}", hint=_WHICH_FOLDER)
    message = f"{folder} is not a student ({METADATA_NAME} is missing)"
    return StudentError(message, hint=_WHICH_FOLDER)


def work_folder(folder: Path) -> Path:
    """Return the work folder of a student: its checkpoints, log and tokenized records in training.

    It is beside the folder itself, not beside a link to it: one is renamed to the other.
    """
    place = Path(os.path.realpath(folder)) if folder.is_symlink() else folder
    return place.with_name(place.name + WORK_SUFFIX)


def _check_flags(path: Path, metadata: Mapping[str, Any]) -> None:
    for name in _FLAGS:
        if type(value := metadata[name]) is not bool:
            message = f"{path} has {name} {json.dumps(value)}, which is neither true nor false"
            raise StudentError(message, hint="train it again")
    order = metadata["order"]
    if metadata["concludes"] and order != "separate":
        message = (
            f"{path} has concludes true and order {json.dumps(order)}, which exclude each other"
        )
        raise StudentError(message, hint="train it again")


def _check_weight(path: Path, metadata: Mapping[str, Any]) -> None:
    """Check the weight of the two readings, where there is one."""
    weight = metadata.get("answer_weight")
    if weight is None:
        return
    found = weight if isinstance(weight, dict) else {}
    value, records = found.get("value"), found.get("fitted_on")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_right = is_number and 0 <= value <= 1  # type: ignore[operator]
    if not is_right or type(records) is not int or records < 0:
        message = (
            f"{path} has an answer_weight without a value from 0 to 1 or its number of records"
        )
        raise StudentError(message, hint="train it again")


def is_student(folder: Path) -> bool:
    """Tell whether a folder is a student of mitools, of this or another version."""
    try:
        found = json.loads((folder / METADATA_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"format", "kind", "prefixes"} <= found.keys()
