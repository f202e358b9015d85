"""Saving and loading the folder of a trained student; plain transformers can load it too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import GenerationConfig

from mitools.errors import OutputError, StudentError, UsageError
from mitools.files import output_errors
from mitools.student.base.open_base import open_checkpoint
from mitools.student.boundary import library_errors
from mitools.student.chat import set_chat_template
from mitools.student.codec import PREFIXES, Codec
from mitools.student.devices import choose_device
from mitools.student.layout import PRECISIONS, AnswerPrecision
from mitools.student.local import LocalStudent
from mitools.student.lora import merged_weights
from mitools.student.metadata import LIMITS, METADATA_NAME, read_metadata, write_metadata
from mitools.student.trial import check_forward

__all__ = ["load_student", "save_student"]


def save_student(folder: Path, model: Any, codec: Codec, metadata: Mapping[str, Any]) -> None:
    """Write weights, tokenizer and ``mitools.json`` into a folder.

    ``AutoModelForSeq2SeqLM`` or ``AutoModelForCausalLM`` loads it without mitools: low-rank
    adapters are merged into the weights. The tokenizer of a causal student has a chat template
    that makes the student's prompts, and the generation configuration decodes greedily.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
    """
    set_chat_template(codec)
    with output_errors(str(folder)):
        try:
            model.save_pretrained(folder, state_dict=merged_weights(model))
        except SafetensorError as exc:  # the error of a full disk in the Rust library
            raise OutputError(f"cannot write {folder}: {exc}", hint="free some space") from exc
        codec.tokenizer.save_pretrained(folder)
        _greedy_decoding(model, codec).save_pretrained(folder)
    names = ("kind", "order", "prefix_position", "concludes", "joins_prompt", *LIMITS)
    asked = {name: getattr(codec, name) for name in names}
    write_metadata(folder, {"prefixes": dict(PREFIXES), **asked, **metadata})


def _greedy_decoding(model: Any, codec: Codec) -> GenerationConfig:
    """Make the configuration by which ``generate`` decodes as mitools does.

    That of the base model may sample, penalize repetition, or force a first token.
    """
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=max(codec.max_label_tokens, codec.max_rationale_tokens),
        bos_token_id=codec.tokenizer.bos_token_id,
        eos_token_id=codec.tokenizer.eos_token_id,
        pad_token_id=codec.tokenizer.pad_token_id,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
    )


def load_student(
    path: str | os.PathLike[str],
    device: str | None = None,
    *,
    tokens_per_batch: int | None = None,
    precision: AnswerPrecision = "fp32",
) -> LocalStudent:
    """Open a student that ``mitools train`` saved.

    Args:
        device: a torch device; by default the GPU if there is one.
        tokens_per_batch: rows × longest row in one batch; larger is faster until memory is full.
        precision: of weights and computation. ``bf16`` is faster where the hardware computes in
            it, and the weights take half as much memory of the device.

    Raises:
        UsageError: this machine does not have the device, or the precision is unknown.
        StudentError: the folder is not a student, or is damaged.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"precision must be {' or '.join(PRECISIONS)}, not {precision!r}")
    chosen = choose_device(device)
    folder = Path(path)
    metadata = read_metadata(folder)
    base = open_checkpoint(str(folder), str(folder), strict=True)
    if base.kind != metadata["kind"]:
        message = f"{folder}: {METADATA_NAME} has {metadata['kind']}, config.json {base.kind}"
        raise StudentError(message, hint="train it again")
    budget = tokens_per_batch or (65_536 if chosen.type == "cuda" else 4_096)
    codec = Codec(
        base.tokenizer,
        base.kind,
        metadata["max_input_tokens"],
        metadata["max_label_tokens"],
        metadata["max_rationale_tokens"],
        order=metadata["order"],
        prefix_position=metadata["prefix_position"],
        concludes=metadata["concludes"],
        joins_prompt=metadata["joins_prompt"],
    )
    check_forward(base.model, codec)
    student = LocalStudent(base.model, codec, metadata, tokens_per_batch=budget)
    if precision == "bf16":
        student.convert(torch.bfloat16)
    with library_errors(f"cannot move the student {folder} to {chosen}", 'try "--device cpu"'):
        student.model.to(chosen)
    return student
