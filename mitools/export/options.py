"""The options of export, and their checks; imports no model code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from mitools.errors import UsageError

__all__ = ["FACTS_NAME", "QUANTIZATIONS", "TARGETS", "ExportOptions", "Quantization", "Target"]

FACTS_NAME = "export.json"
"""The file of an export that states what it was made of."""

Target = Literal["ct2", "gguf", "onnx"]
TARGETS: tuple[Target, ...] = get_args(Target)

Quantization = Literal["none", "float16", "int8"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)

_ABLE: dict[Target, tuple[Quantization, ...]] = {
    "ct2": ("none", "float16", "int8"),
    "gguf": ("none", "float16", "int8"),
    "onnx": ("none",),
}


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How a student is exported.

    Attributes:
        target: ``ct2`` for CTranslate2, ``gguf`` for llama.cpp, ``onnx`` for ONNX Runtime.
        out: the folder to make.
        quantize: ``none`` keeps float32; ``int8`` is ``q8_0`` in a GGUF file.
        check_limit: number of records that the export is checked with.
        converter: llama.cpp's ``convert_hf_to_gguf.py``; None looks for it on the PATH.
        overwrite: whether an earlier export of that name is replaced.
    """

    target: Target
    out: Path
    quantize: Quantization = "none"
    check_limit: int = 50
    converter: Path | None = None
    overwrite: bool = False

    def check(self) -> None:
        """Check values and combinations.

        Raises:
            UsageError: a value is not possible, or options do not go together.
        """
        if self.target not in TARGETS:
            hint = f"use one of {', '.join(TARGETS)}"
            raise UsageError(f'no export target "{self.target}"', hint=hint)
        if self.quantize not in _ABLE[self.target]:
            message = f"--to {self.target} cannot quantize to {self.quantize}"
            raise UsageError(message, hint=f"use --quantize {' or '.join(_ABLE[self.target])}")
        if self.check_limit < 1:
            message = f"--check-limit must be at least 1, not {self.check_limit}"
            raise UsageError(message, hint="change it")
        if self.converter is not None and self.target != "gguf":
            message = f"--converter is for --to gguf, not {self.target}"
            raise UsageError(message, hint="leave it out")
        if self.out.exists() and not self.overwrite:
            raise UsageError(f"{self.out} exists", hint="choose another name, or add --overwrite")
        if self.out.exists() and not _is_replaceable(self.out):
            message = f"{self.out} is not an export, so it is not replaced"
            raise UsageError(message, hint="choose another name")


def _is_replaceable(folder: Path) -> bool:
    """Tell whether a folder is empty or an export, so that overwriting it loses nothing else."""
    if not folder.is_dir():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        facts = json.loads((folder / FACTS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and {"target", "quantize", "check", "student"} <= facts.keys()
