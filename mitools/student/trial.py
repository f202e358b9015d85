"""Trying a model out before it is trained: does it read as it must, and is it what was saved?

Training asks of a model what most models of the library can do, but not all. What one cannot do is
found here, in a second, and not after the last step.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mitools.errors import OutputError, StudentError
from mitools.student.boundary import library_errors
from mitools.student.codec import Codec, Pairs
from mitools.student.folder import save_student
from mitools.student.models import open_checkpoint
from mitools.student.network import target_logits

__all__ = ["KNOWN_TO_SAVE", "check_forward", "check_saving"]

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
"""Classes that come back from disk as they were, by the benchmark ``save_and_load.py``."""

_CHOOSE = "choose another student, such as a T5, a Llama or a Qwen"
_TOLERANCE = 1e-3


def check_forward(model: Any, codec: Codec) -> None:
    """Make sure that a model gives logits of targets, whatever is padded beside them.

    Args:
        model: a transformers model of the codec's kind.

    Raises:
        StudentError: it does not.
    """
    name = type(model).__name__
    with library_errors(f"a {name} cannot be trained here", _CHOOSE), _Evaluating(model):
        alone = _logits(model, codec, slice(0, 1))
        together = _logits(model, codec, slice(0, 2))
        if not torch.isfinite(alone).all():
            return  # the weights are; the first step will say at which record
        width = alone.shape[1]
        scale = max(1.0, float(alone.abs().max()))
        if not torch.allclose(together[:1, :width], alone, atol=_TOLERANCE * scale, rtol=0):
            message = f"a {name} reads a text differently when another is padded beside it"
            raise StudentError(message, hint=_CHOOSE)


def check_saving(model: Any, codec: Codec, folder: Path) -> None:
    """Make sure that a model which is saved comes back as it was, before it costs hours.

    The configuration and the tokenizer are tried for every model; the weights of those classes only
    that are not known to come back.

    Args:
        folder: made for this, and gone afterwards.

    Raises:
        StudentError: it cannot be saved, or comes back as another model.
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
            again = open_checkpoint(str(folder), str(folder), strict=True).model
            # Fresh adapters change nothing, so the model with them is the one that was saved.
            with _Evaluating(model), _Evaluating(again):
                expected = _logits(model, codec, slice(0, 2))
                found = _logits(again, codec, slice(0, 2))
        if not torch.allclose(found, expected, atol=1e-5, rtol=1e-5, equal_nan=True):
            raise StudentError(f"{what}: it gives other answers then", hint=_CHOOSE)
    except OSError as exc:
        raise OutputError(f"cannot write {folder}: {exc.strerror or exc}") from exc
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _save_small_files(model: Any, codec: Codec, folder: Path) -> None:
    for part in (model.config, model.generation_config, codec.tokenizer):
        part.save_pretrained(folder)


def _logits(model: Any, codec: Codec, rows: slice) -> Tensor:
    prompts = [codec.encode_prompt("label", text)[0] for text in ("Two and one?", "How many?")]
    lengths = (4, 6)
    end = codec.tokenizer.eos_token_id
    short = [ids[:length] or [end] for ids, length in zip(prompts, lengths, strict=True)]
    targets = [codec.encode_target("label", text)[0][:3] for text in ("( 2 + 1 )", "3")]
    pairs = codec.pad(short[rows], targets[rows]).as_dict()
    on_device = Pairs(**{name: tensor.to(model.device) for name, tensor in pairs.items()})
    with torch.no_grad():
        return target_logits(model, codec.kind, on_device).float()


class _Evaluating:
    """Switch dropout off inside the block."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.was_training = self.model.training
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        self.model.train(self.was_training)
