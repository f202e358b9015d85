"""Checks that the parts of a checkpoint fit together: weights, vocabulary, special tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from mitools.errors import StudentError
from mitools.student.base.inventory import Inventory

__all__ = ["check_loaded", "check_room", "check_vocabulary", "has_tokenizer_files"]

_AGAIN = "download it again, or choose another checkpoint"
_SPARE_WEIGHTS = 50_000_000
_SPARE_BUFFERS = 1_000_000_000
_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "tekken.json")
_TOKENIZER_PATTERNS = ("*.model", "*.tiktoken", "*.spm", "*.vocab", "*.bpe", "*.bpe.codes")


def check_room(build: Callable[[], Any], inventory: Inventory | None, name: str) -> None:
    """Refuse a model that is far larger than its weight files.

    Args:
        build: builds the model; called on the meta device, where tensors take no memory.
        inventory: what the weight files contain; None accepts any size.

    Raises:
        StudentError: the model needs far more numbers than the files contain.
    """
    if inventory is None:
        return
    with torch.device("meta"):
        model = build()
    needed = sum(weight.numel() for weight in model.parameters())
    buffers = sum(buffer.numel() for buffer in model.buffers())
    stored = inventory.elements
    if needed > 2 * stored + _SPARE_WEIGHTS or buffers > stored + _SPARE_BUFFERS:
        message = (
            f"cannot open the student {name}: config.json describes a model of "
            f"{needed + buffers:,} numbers, its weight files contain {stored:,}"
        )
        raise StudentError(message, hint=_AGAIN)


def check_loaded(found: Mapping[str, Any], name: str, *, strict: bool) -> None:
    """Refuse a model with missing, damaged or mismatched weights.

    Args:
        found: the loading info of transformers.
        strict: also refuse weights that the model does not have.

    Raises:
        StudentError: there are such weights.
    """
    for key, *shapes in sorted(map(_as_row, found.get("mismatched_keys") or ())):
        sizes = " and ".join(str(list(shape)) for shape in shapes)
        message = f"cannot open the student {name}: {key} has shapes {sizes} in file and model"
        raise StudentError(message, hint=_AGAIN)
    for what, words in (("missing_keys", "has no weights for"), ("error_msgs", "is damaged at")):
        if keys := sorted(map(str, found.get(what) or ())):
            message = f"cannot open the student {name}: it {words} {keys[0]}{_more(keys)}"
            raise StudentError(message, hint=_AGAIN)
    if strict and (keys := sorted(map(str, found.get("unexpected_keys") or ()))):
        message = (
            f"cannot open the student {name}: the model of config.json does not have {keys[0]}"
        )
        raise StudentError(message + _more(keys), hint=_AGAIN)


def _as_row(mismatch: Any) -> tuple[Any, ...]:
    return tuple(mismatch) if isinstance(mismatch, tuple | list) else (mismatch,)


def _more(keys: list[str]) -> str:
    return f" and {len(keys) - 1:,} more" if len(keys) > 1 else ""


def has_tokenizer_files(folder: Path, *names: str) -> bool:
    """Tell whether a local folder contains the files of a tokenizer.

    Without them transformers makes a tokenizer with an almost empty vocabulary.

    Args:
        names: further files that count.
    """
    if any((folder / name).is_file() for name in (*names, *_TOKENIZER_FILES)):
        return True
    return any(True for pattern in _TOKENIZER_PATTERNS for _ in folder.glob(pattern))


def check_vocabulary(model: Any, tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer with tokens that the model has no embedding for.

    Raises:
        StudentError: there are such tokens, or the model has no vocabulary head.
    """
    head = model.get_output_embeddings()
    if head is None or not hasattr(head, "weight"):
        message = f"{name}: a {type(model).__name__} has no vocabulary head"
        raise StudentError(message, hint="choose another checkpoint")
    rows = min(len(model.get_input_embeddings().weight), len(head.weight))
    special = [tokenizer.pad_token_id, tokenizer.eos_token_id]
    if model.config.is_encoder_decoder:
        special.append(_first_token(model, name))
    largest = max([*tokenizer.get_vocab().values(), *special])
    if largest >= rows or min(special) < 0:
        message = f"{name}: its tokenizer has ids up to {largest:,}, its model {rows:,} embeddings"
        raise StudentError(message, hint="use the tokenizer that belongs to this model")


def _first_token(model: Any, name: str) -> int:
    first = model.config.decoder_start_token_id
    if not isinstance(first, int):
        message = f"{name}: its config.json has no decoder_start_token_id"
        raise StudentError(message, hint="choose another checkpoint")
    return first
