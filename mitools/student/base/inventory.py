"""What the files of a checkpoint hold, read from their heads, before a model is built from them.

A configuration is a claim. One of a million layers keeps a library busy past any patience, and one
of impossible sizes takes all memory; the weights beside it say how large the model can be.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from mitools.errors import StudentError

__all__ = ["Inventory", "check_declared", "read_json", "take_inventory"]

_LARGEST_JSON = 16 << 20
_JSON_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "preprocessor_config.json",
)
_LAYERS = re.compile(r"(num_|n_)?(hidden_|encoder_|decoder_)?(layers?|blocks)")
_EXPERTS = re.compile(r"(num_|n_)?(local_|routed_|shared_)?experts")
_MOST_LAYERS = 4096
_MOST_EXPERTS = 4096
_KERNELS = ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")
_FLOATS = ("F64", "F32", "F16", "BF16")
_AGAIN = "download it again, or choose another checkpoint"


@dataclass(frozen=True)
class Inventory:
    """What the weight files hold.

    Attributes:
        tensors: how many there are.
        elements: numbers in all of them together.
        layers: what the file itself says; 0 where it says nothing.
        integers: names of weights that are no floating-point numbers.
    """

    tensors: int
    elements: int
    layers: int = 0
    integers: tuple[str, ...] = field(default=())


def read_json(path: Path) -> dict[str, Any]:
    """Read a file with one JSON object, of a size that a configuration may have.

    Raises:
        StudentError: it cannot be read, is damaged, or is something else.
    """
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise StudentError(f"{path} is larger than {_LARGEST_JSON >> 20} MiB", hint=_AGAIN)
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        reason = str(exc).partition("\n")[0]
        raise StudentError(f"cannot read {path}: {reason}", hint=_AGAIN) from exc
    if not isinstance(found, dict):
        raise StudentError(f"{path} does not hold a JSON object", hint=_AGAIN)
    return found


def take_inventory(folder: Path) -> Inventory | None:
    """Look into the small files and the heads of the weight files of a local checkpoint.

    Returns:
        None where there are no weight files.

    Raises:
        StudentError: a file is cut or damaged, holds adapters, or points out of the folder.
    """
    if (folder / "adapter_config.json").exists():
        message = f"{folder} holds adapters, not a whole model"
        raise StudentError(message, hint="merge them into their base model and name the result")
    for name in _JSON_FILES:
        if (folder / name).exists():
            read_json(folder / name)
    for stem, look in _FORMATS.items():  # as transformers does: the first one there is counts
        if (folder / stem).exists():
            return look(folder / stem)
        if (folder / f"{stem}.index.json").exists():
            return _sum(map(look, _shards_of(folder, f"{stem}.index.json")))
    return None


def _shards_of(folder: Path, index: str) -> list[Path]:
    """Give the files that an index names, each of which must be in the folder itself."""
    names = read_json(folder / index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(one, str) for one in names.values()):
        raise StudentError(f"{folder / index} has no weight_map", hint=_AGAIN)
    found = [folder / name for name in sorted(set(names.values()))]
    for path in found:
        if path.parent != folder or path.name in ("", "..") or not path.is_file():
            raise StudentError(f"{folder / index} names {path}, which is not there", hint=_AGAIN)
    return found


def _sum(found: Iterator[Inventory]) -> Inventory:
    parts = list(found)
    return Inventory(
        sum(part.tensors for part in parts),
        sum(part.elements for part in parts),
        integers=tuple(name for part in parts for name in part.integers),
    )


def _look_into_safetensors(path: Path) -> Inventory:
    elements, integers, names = 0, [], []
    try:
        with safe_open(path, "pt") as weights:
            names = list(weights.keys())
            for name in names:
                part = weights.get_slice(name)
                size = 1
                for extent in part.get_shape():
                    size *= extent
                elements += size
                if name.endswith(".weight") and part.get_dtype() not in _FLOATS:
                    integers.append(f"{name} ({part.get_dtype()})")
    except (SafetensorError, OSError, ValueError) as exc:
        reason = str(exc).partition("\n")[0]
        raise StudentError(f"{path} is damaged: {reason}", hint=_AGAIN) from exc
    return Inventory(len(names), elements, integers=tuple(integers))


def _look_into_pickle(path: Path) -> Inventory:
    """Count the tensors of a file of PyTorch's, without unpickling it."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [one for one in archive.infolist() if "/data/" in one.filename]
    except (zipfile.BadZipFile, OSError, ValueError) as exc:
        raise StudentError(f"{path} is damaged, or of an old format: {exc}", hint=_AGAIN) from exc
    return Inventory(len(parts), sum(part.file_size for part in parts))  # a byte a number, or more


_FORMATS = {"model.safetensors": _look_into_safetensors, "pytorch_model.bin": _look_into_pickle}


def check_declared(config: Mapping[str, Any], inventory: Inventory | None, place: str) -> None:
    """Refuse a configuration that asks for code or kernels, or for sizes that cannot be meant.

    Args:
        config: as read from ``config.json``, before a library makes anything of it.
        inventory: of the weights beside it; None where they are not on this machine.
        place: where it stands, for messages.

    Raises:
        StudentError: it does.
    """
    most = _MOST_LAYERS if inventory is None else min(inventory.tensors, 1 << 16)
    for key, value in _entries(config):
        if key in ("attn_implementation", "_attn_implementation", "_attn_implementation_internal"):
            _check_kernel(value, place)
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        limit = most if _LAYERS.fullmatch(key) else _MOST_EXPERTS
        if (_LAYERS.fullmatch(key) or _EXPERTS.fullmatch(key)) and not 0 <= value <= limit:
            held = f"; its weights are {inventory.tensors:,} tensors" if inventory else ""
            raise StudentError(f"{place} asks for {key} = {value:,}{held}", hint=_AGAIN)
    if inventory is not None and inventory.integers:
        message = f"{place}: its weights are quantized, such as {inventory.integers[0]}"
        raise StudentError(message, hint="choose a checkpoint in float16, bfloat16 or float32")


def _check_kernel(value: Any, place: str) -> None:
    """Refuse attention code that would be fetched from the Hub."""
    for name in value.values() if isinstance(value, dict) else [value]:
        if name is not None and name not in _KERNELS:
            message = f"{place} asks for the attention kernel {json.dumps(name)}"
            raise StudentError(message, hint='remove it from "config.json", or set "sdpa"')


def _entries(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give every key and value, those of configurations inside as well."""
    waiting: list[Mapping[str, Any]] = [config]
    while waiting:
        for key, value in waiting.pop().items():
            yield key, value
            if isinstance(value, dict):
                waiting.append(value)
