"""Opening base models: checkpoints, GGUF files, warm-started encoders, and new models.

    PATH or HUB NAME      a sequence-to-sequence or causal checkpoint
    FILE.gguf             a causal model in llama.cpp's format, converted to ordinary weights
    encoder:SPEC          an encoder, used as encoder and as decoder (arXiv:1907.12461)
    package:NAME          the checkpoint or GGUF file in an installed Python package
    scratch[:SIZE]        a small T5 with random weights and a tokenizer made from the records

Weights are float32 in memory. Code from a checkpoint is never run. What the configuration declares
is compared with the weight files before a model is built, see
:mod:`mitools.student.base.inventory`.
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
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    EncoderDecoderModel,
    GenerationConfig,
    PretrainedConfig,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)
from transformers.utils import logging as transformers_logging

from mitools.errors import MissingExtraError, StudentError
from mitools.student.base.fit import check_loaded, check_room, check_vocabulary, has_tokenizer_files
from mitools.student.base.gguf_file import check_gguf
from mitools.student.base.inventory import Inventory, check_declared, take_inventory
from mitools.student.base.packages import PREFIX, find_packaged_model
from mitools.student.base.scratch import build_scratch
from mitools.student.boundary import library_errors
from mitools.student.codec import Kind
from mitools.student.kernel_cache import keep_few_kernels

__all__ = [
    "Base",
    "be_quiet",
    "load_tokenizer",
    "locate_base",
    "look_into",
    "open_base",
    "open_checkpoint",
]

_GENERATOR_ENDINGS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_GENERATORS = {
    *MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values(),
    *MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES.values(),
}


@dataclass(frozen=True)
class Base:
    """A base model with its tokenizer."""

    model: Any
    tokenizer: Any
    kind: Kind
    name: str


def open_base(spec: str, texts: Callable[[], Iterable[str]], seed: int = 0) -> Base:
    """Open the model that ``--student`` names.

    Args:
        texts: returns the training texts; only called for ``scratch``.
        seed: seed of random weights.

    Raises:
        StudentError: there is no such model, a file of it is damaged, or it cannot output text.
        MissingExtraError: the format needs a package that is not installed.
    """
    be_quiet()
    keep_few_kernels()
    torch.manual_seed(seed)
    if spec == "scratch" or spec.startswith("scratch:"):
        size = spec.partition(":")[2] or "small"
        model, tokenizer = build_scratch(texts(), size=size, seed=seed)
        return Base(model, tokenizer, "seq2seq", spec)
    if spec.startswith("encoder:"):
        return _warm_start(spec)
    folder, gguf = locate_base(spec)
    if gguf:
        return _read_gguf(folder, gguf, spec)
    return open_checkpoint(folder, spec)


def open_checkpoint(folder: str, name: str, *, strict: bool = False) -> Base:
    """Open a checkpoint in a folder, in the Hub's cache or on the Hub.

    Args:
        strict: also refuse a folder with weights that the configured model does not have.

    Raises:
        StudentError: it cannot be opened, its files do not fit together, or it has no vocabulary
            head.
    """
    be_quiet()
    keep_few_kernels()
    with library_errors(f"cannot open the student {name}"):
        inventory = look_into(folder, name)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        heads = config.architectures or []
        if heads and not any(map(_writes_text, heads)):
            message = f"{name} is a {heads[0]}, which cannot output text"
            raise StudentError(message, hint=f'warm-start it: "--student encoder:{name}"')
        kind: Kind = "seq2seq" if config.is_encoder_decoder else "causal"
        auto = AutoModelForSeq2SeqLM if kind == "seq2seq" else AutoModelForCausalLM
        check_room(lambda: auto.from_config(config, trust_remote_code=False), inventory, name)
        model, found = auto.from_pretrained(
            folder,
            dtype=torch.float32,
            trust_remote_code=False,
            weights_only=True,
            ignore_mismatched_sizes=True,  # they are refused below, with their names
            output_loading_info=True,
        )
        check_loaded(found, name, strict=strict)
        tokenizer = load_tokenizer(folder, name)
        _forget_code(model, tokenizer)
        _fit_together(model, tokenizer, name)
    return Base(model, tokenizer, kind, name)


def _writes_text(architecture: str) -> bool:
    return architecture in _GENERATORS or architecture.endswith(_GENERATOR_ENDINGS)


def look_into(folder: str, name: str) -> Inventory | None:
    """Check the configuration of a checkpoint, and count what its weight files contain.

    Returns:
        None if it is not on this machine yet.
    """
    inventory = take_inventory(Path(folder)) if os.path.isdir(folder) else None
    declared, _ = PretrainedConfig.get_config_dict(folder)
    place = str(Path(folder) / "config.json") if os.path.isdir(folder) else f"{name}: config.json"
    check_declared(declared, inventory, place)
    return inventory


def load_tokenizer(folder: str, name: str) -> Any:
    """Open the tokenizer of a checkpoint.

    Raises:
        StudentError: it is missing or damaged.
    """
    tokenizer = None
    try:
        with library_errors(f"cannot open the tokenizer of {name}", "check the tokenizer's files"):
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except StudentError:
        if not os.path.isdir(folder) or has_tokenizer_files(Path(folder)):
            raise
    needed = dict(getattr(tokenizer, "vocab_files_names", None) or {})
    reads_bytes = tokenizer is not None and not needed  # and so has no file
    if os.path.isdir(folder) and not (
        reads_bytes or has_tokenizer_files(Path(folder), *needed.values())
    ):
        message = f"{folder} has no tokenizer files (tokenizer.json, or a vocabulary)"
        raise StudentError(message, hint="copy those of its base model there")
    return tokenizer


def locate_base(spec: str) -> tuple[str, str | None]:
    """Split a spec into a folder or Hub name and the name of the GGUF file, if it names one.

    Raises:
        StudentError: there is no such file, or the folder contains several.
        MissingExtraError: there is no such package.
    """
    if spec.startswith(PREFIX):
        place, file = find_packaged_model(spec.removeprefix(PREFIX))
        return str(place), file
    if spec.endswith(".gguf"):
        path = Path(spec)
        if not path.is_file():
            raise StudentError(f"no file {spec}", hint="check the path")
        return str(path.parent), path.name
    folder = Path(spec)
    files = sorted(folder.glob("*.gguf")) if folder.is_dir() else []
    if not files or (folder / "config.json").exists():
        return spec, None
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise StudentError(f"{spec} contains several GGUF files: {names}", hint="name one of them")
    return str(folder), files[0].name


def _read_gguf(folder: str, file: str, name: str) -> Base:
    if importlib.util.find_spec("gguf") is None:
        hint = 'run "pip install mitools[gguf]"'
        raise MissingExtraError("reading a GGUF file needs the package gguf", hint=hint)
    inventory = check_gguf(Path(folder) / file, name)
    check_declared({"num_layers": inventory.layers}, inventory, str(Path(folder) / file))
    hint = "download it again, or choose another file"
    with library_errors(f"cannot open the student {name}", hint):
        # Its progress bar cannot be switched off.
        with open(os.devnull, "w") as null, contextlib.redirect_stderr(null):
            config = AutoConfig.from_pretrained(folder, gguf_file=file, trust_remote_code=False)
            build = AutoModelForCausalLM.from_config
            check_room(lambda: build(config, trust_remote_code=False), inventory, name)
            tokenizer = AutoTokenizer.from_pretrained(
                folder, gguf_file=file, trust_remote_code=False
            )
            packed, found = AutoModelForCausalLM.from_pretrained(
                folder,
                gguf_file=file,
                dtype=torch.float32,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        check_loaded(found, name, strict=False)
        model = _unpack(packed)
        _fit_together(model, tokenizer, name)
    return Base(model, tokenizer, "causal", name)


def _unpack(packed: Any) -> Any:
    """Copy weights to a new model: transformers does not save a model that was quantized."""
    config = type(packed.config).from_dict(
        {k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"}
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
    model.load_state_dict(packed.state_dict())
    return model


def _warm_start(name: str) -> Base:
    folder, gguf = locate_base(name.removeprefix("encoder:"))
    if gguf:
        raise StudentError(f"{name} is a causal model", hint='leave "encoder:" out')
    with library_errors(f"cannot open the student {name}"):
        inventory = look_into(folder, name)
        tokenizer = load_tokenizer(folder, name)
        model = EncoderDecoderModel.from_encoder_decoder_pretrained(
            None,
            folder,
            encoder_model=_open_encoder(folder, inventory, name),
            decoder_trust_remote_code=False,
        )
        if tokenizer.eos_token is None:
            tokenizer.eos_token = tokenizer.sep_token
        starts = (tokenizer.cls_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id)
        first = next((token for token in starts if token is not None), None)
        model.config.decoder_start_token_id = first
        model.config.eos_token_id = tokenizer.eos_token_id
        model.config.pad_token_id = tokenizer.pad_token_id
        model.config.vocab_size = model.config.decoder.vocab_size
        _fit_together(model, tokenizer, name)
    return Base(model.float(), tokenizer, "seq2seq", name)


def _open_encoder(folder: str, inventory: Inventory | None, name: str) -> Any:
    """Open the encoder of a warm start, whose weights its decoder has as well.

    Raises:
        StudentError: its files do not contain all of its weights. Those of a pooler may be
            missing: texts are written without it.
    """
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    for flag in ("is_decoder", "add_cross_attention"):
        if getattr(config, flag, False):
            setattr(config, flag, False)
    build = AutoModel.from_config
    check_room(lambda: build(config, trust_remote_code=False), inventory, name)
    encoder, found = AutoModel.from_pretrained(
        folder,
        config=config,
        trust_remote_code=False,
        weights_only=True,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    missing = [key for key in found["missing_keys"] if "pooler." not in key]
    check_loaded({**found, "missing_keys": missing}, name, strict=False)
    return encoder


def _forget_code(model: Any, tokenizer: Any) -> None:
    """Drop references to Python code of the checkpoint, so that no student contains them."""
    for part in (model.config, model.generation_config):
        if part is not None and hasattr(part, "auto_map"):
            del part.auto_map
    tokenizer.init_kwargs.pop("auto_map", None)


def _fit_together(model: Any, tokenizer: Any, name: str) -> None:
    """Give model and tokenizer the same special tokens, and let the model decode greedily."""
    _ensure_padding(model, tokenizer, name)
    _forget_decoding(model, tokenizer)
    check_vocabulary(model, tokenizer, name)


def _ensure_padding(model: Any, tokenizer: Any, name: str) -> None:
    if tokenizer.eos_token_id is None:
        message = f"{name}: its tokenizer has no end token (eos_token)"
        raise StudentError(message, hint="name one in its tokenizer_config.json")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id


def _forget_decoding(model: Any, tokenizer: Any) -> None:
    """Drop the settings of decoding that came with a checkpoint.

    They may force tokens, penalize repetition or search by beams, and ``generate`` applies them
    beside the settings that it is given. A saved student does not have them.
    """
    model.generation_config = GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=getattr(model.generation_config, "max_new_tokens", None),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
    )


def be_quiet() -> None:
    """Silence the messages and progress bars of transformers."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
