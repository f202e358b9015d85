"""``mitools.json``: what a student's folder says about itself beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mitools.errors import StudentError
from mitools.student.codec import ORDERS, PREFIX_POSITIONS, PREFIXES

__all__ = ["FORMAT", "METADATA_NAME", "read_metadata", "write_metadata"]

METADATA_NAME = "mitools.json"
FORMAT = 1


def write_metadata(folder: Path, metadata: Mapping[str, Any]) -> None:
    text = json.dumps({"format": FORMAT, **metadata}, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / METADATA_NAME).write_text(text + "\n", encoding="utf-8")


def read_metadata(folder: Path) -> dict[str, Any]:
    """Read what a student says about itself.

    Raises:
        StudentError: no student there, a damaged file, or one made by a newer mitools.
    """
    path = folder / METADATA_NAME
    hint = 'name the folder that was given to "mitools train --save"'
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise StudentError(
            f"{folder} holds no student ({METADATA_NAME} is missing)", hint=hint
        ) from exc
    except (OSError, ValueError) as exc:
        raise StudentError(f"cannot read {path}: {exc}", hint=hint) from exc
    if not isinstance(metadata, dict) or metadata.get("kind") not in ("seq2seq", "causal"):
        raise StudentError(f"{path} does not describe a student", hint=hint)
    if metadata.get("format") != FORMAT:
        message = f"{path} has format {metadata.get('format')}, this mitools reads {FORMAT}"
        raise StudentError(message, hint='upgrade: "pip install -U mitools"')
    if metadata.get("prefixes") != dict(PREFIXES):
        raise StudentError(f"{path} was trained with other task prefixes", hint="train it again")
    # Students of before there was a choice.
    metadata = {"order": "separate", "prefix_position": "before", **metadata}
    for name, known in (("order", ORDERS), ("prefix_position", PREFIX_POSITIONS)):
        if metadata[name] not in known:
            message = f"{path} has {name} {json.dumps(metadata[name])}, which is not known here"
            raise StudentError(message, hint='upgrade: "pip install -U mitools"')
    return metadata
