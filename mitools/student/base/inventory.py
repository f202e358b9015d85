"""What the files of a checkpoint contain, read from their headers before a model is built.

A configuration may be wrong or hostile. With a million layers, building the model would never end;
with impossible sizes, it would take all memory. The weight files bound the size of the model.
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
    """What the weight files contain.

    Attributes:
        tensors: number of tensors.
        elements: numbers in all tensors together.
        layers: number of layers that the file declares; 0 if it does not.
        integers: names of weights that are not floating-point numbers.
        texts: texts in the header of a GGUF file, by their keys.
    """

    tensors: int
    elements: int
    layers: int = 0
    integers: tuple[str, ...] = field(default=())
    texts: Mapping[str, str] = field(default_factory=dict)


def read_json(path: Path) -> dict[str, Any]:
    """Read a configuration file: one JSON object of limited size.

    Raises:
        StudentError: it cannot be read, is damaged, too large or not an object.
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
    """Read the configuration files and the headers of the weight files of a local checkpoint.

    Returns:
        None if there are no weight files.

    Raises:
        StudentError: a file is truncated or damaged, names a file outside the folder, or the
            folder contains adapters.
    """
    if (folder / "adapter_config.json").exists():
        message = f"{folder} contains adapters, not a complete model"
        raise StudentError(message, hint="merge them into their base model and name the result")
    for name in _JSON_FILES:
        if (folder / name).exists():
            read_json(folder / name)
    for stem, look in _FORMATS.items():  # as transformers does: the first that exists is used
        if (folder / stem).exists():
            return look(folder / stem)
        if (folder / f"{stem}.index.json").exists():
            return _sum(map(look, _shards_of(folder, f"{stem}.index.json")))
    return None


def _shards_of(folder: Path, index: str) -> list[Path]:
    """Return the files that an index names; each must be in the folder itself."""
    names = read_json(folder / index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(one, str) for one in names.values()):
        raise StudentError(f"{folder / index} has no weight_map", hint=_AGAIN)
    shards = [folder / name for name in sorted(set(names.values()))]
    for path in shards:
        if path.parent != folder or path.name in ("", "..") or not path.is_file():
            raise StudentError(f"{folder / index} names {path}, which does not exist", hint=_AGAIN)
    return shards


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
    """Count the tensors of a PyTorch file without unpickling it."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [one for one in archive.infolist() if "/data/" in one.filename]
    except (zipfile.BadZipFile, OSError, ValueError) as exc:
        raise StudentError(f"{path} is damaged, or has an old format: {exc}", hint=_AGAIN) from exc
    return Inventory(
        len(parts), sum(part.file_size for part in parts)
    )  # at least one byte per number


_FORMATS = {"model.safetensors": _look_into_safetensors, "pytorch_model.bin": _look_into_pickle}


def check_declared(config: Mapping[str, Any], inventory: Inventory | None, place: str) -> None:
    """Refuse a configuration with downloaded kernels, quantized weights or impossible sizes.

    Args:
        config: the content of ``config.json``, before a library interprets it.
        inventory: what the weight files contain; None if they are not on this machine.
        place: the path of the configuration, for messages.

    Raises:
        StudentError: it has one of these.
    """
    most = _MOST_LAYERS if inventory is None else min(inventory.tensors, 1 << 16)
    for key, value in _entries(config):
        if key in ("attn_implementation", "_attn_implementation", "_attn_implementation_internal"):
            _check_kernel(value, place)
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        limit = most if _LAYERS.fullmatch(key) else _MOST_EXPERTS
        if (_LAYERS.fullmatch(key) or _EXPERTS.fullmatch(key)) and not 0 <= value <= limit:
            stored = f"; it has weights of {inventory.tensors:,} tensors" if inventory else ""
            raise StudentError(f"{place} has {key} = {value:,}{stored}", hint=_AGAIN)
    if inventory is not None and inventory.integers:
        message = f"{place}: its weights are quantized, such as {inventory.integers[0]}"
        raise StudentError(message, hint="choose a checkpoint in float16, bfloat16 or float32")


def _check_kernel(value: Any, place: str) -> None:
    """Refuse attention code that would be downloaded from the Hub."""
    for name in value.values() if isinstance(value, dict) else [value]:
        if name is not None and name not in _KERNELS:
            message = f"{place} requires the attention kernel {json.dumps(name)}"
            raise StudentError(message, hint='remove it from "config.json", or set "sdpa"')


def _entries(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every key and value, including those of nested configurations."""
    waiting: list[Mapping[str, Any]] = [config]
    while waiting:
        for key, value in waiting.pop().items():
            yield key, value
            if isinstance(value, dict):
                waiting.append(value)
