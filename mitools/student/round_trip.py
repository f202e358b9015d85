"""A check before training that a saved model loads as it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from mitools.errors import OutputError, StudentError
from mitools.student.base.open_base import open_checkpoint
from mitools.student.boundary import library_errors
from mitools.student.codec import Codec
from mitools.student.folder import save_student
from mitools.student.trial import Evaluating, trial_logits

__all__ = ["KNOWN_TO_SAVE", "check_saving"]

_CHOOSE = "choose another student, such as a T5, a Llama or a Qwen"

KNOWN_TO_SAVE = frozenset(
    {
        "BartForConditionalGeneration",
        "Gemma2ForCausalLM",
        "GemmaForCausalLM",
        "GPT2LMHeadModel",
        "LlamaForCausalLM",
        "MistralForCausalLM",
        "MT5ForConditionalGeneration",
        "OPTForCausalLM",
        "Phi3ForCausalLM",
        "Qwen2ForCausalLM",
        "Qwen3ForCausalLM",
        "SmolLM3ForCausalLM",
        "T5ForConditionalGeneration",
        "UMT5ForConditionalGeneration",
    }
)
"""Classes that load as they were saved, by the benchmark ``save_and_load.py``."""


def check_saving(model: Any, codec: Codec, folder: Path) -> None:
    """Check that a saved model loads as it was, before hours of training.

    The configuration and the tokenizer are saved for every model; the weights only for classes
    that are not in :data:`KNOWN_TO_SAVE`.

    Args:
        folder: a temporary folder, created and deleted here.

    Raises:
        StudentError: it cannot be saved, or loads as another model.
        OutputError: the disk is full.
    """
    name = type(model).__name__
    what = f"a {name} cannot be saved and opened again"
    try:
        with library_errors(what, _CHOOSE):
            folder.mkdir()
            if name in KNOWN_TO_SAVE:
                _save_small_files(model, codec, folder)
                return
            save_student(folder, model, codec, {})
            again = _open_again(folder, what)
            # New adapters are zero, so the outputs are those of the saved model.
            with Evaluating(model), Evaluating(again):
                expected = trial_logits(model, codec)
                found = trial_logits(again, codec)
        if not torch.allclose(found, expected, atol=1e-5, rtol=1e-5, equal_nan=True):
            raise StudentError(f"{what}: its outputs are different then", hint=_CHOOSE)
    except OSError as exc:
        raise OutputError(f"cannot write {folder}: {exc.strerror or exc}") from exc
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open_again(folder: Path, what: str) -> Any:
    try:
        return open_checkpoint(str(folder), "it", strict=True).model
    except StudentError as exc:
        raise StudentError(f"{what}: {exc.message}", hint=_CHOOSE) from exc


def _save_small_files(model: Any, codec: Codec, folder: Path) -> None:
    for part in (model.config, model.generation_config, codec.tokenizer):
        part.save_pretrained(folder)
