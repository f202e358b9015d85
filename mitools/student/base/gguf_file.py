"""The structure of a GGUF file, parsed within its bounds.

The usual readers trust every count in a file: a file that claims 2^60 entries makes them loop
forever. Here each count is compared with the remaining bytes, before any other code reads the file.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path
from typing import Any

from mitools.errors import StudentError
from mitools.student.base.inventory import Inventory

__all__ = ["check_gguf"]

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
_MOST_DIMENSIONS = 4
_LEAST_BITS_A_WEIGHT = 1  # the densest encoding has a little more


class _Damaged(Exception):
    """The file is damaged; the message says where."""


def check_gguf(path: Path, name: str) -> Inventory:
    """Check that a file contains everything that its header declares.

    Args:
        name: the name that the user gave, for messages.

    Returns:
        The numbers of tensors and weights, and the texts of the header.

    Raises:
        StudentError: it is truncated, damaged or declares impossible sizes.
    """
    hint = "download it again, or choose another file"
    try:
        with path.open("rb") as stream:
            if not path.stat().st_size:
                raise _Damaged("it is empty")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _HeaderParser(data).run()
    except (_Damaged, OSError, UnicodeDecodeError) as exc:
        raise StudentError(f"cannot open the student {name}: {path}: {exc}", hint=hint) from exc


class _HeaderParser:
    """One pass over the header of the file."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.place = 0

    def run(self) -> Inventory:
        if self._bytes(4) != _MAGIC:
            raise _Damaged("it is not a GGUF file")
        version = self._scalar("I")
        if version not in _VERSIONS:
            raise _Damaged(f"it has GGUF version {version}, which is not supported")
        tensors, pairs = self._scalar("Q"), self._scalar("Q")
        metadata: dict[str, Any] = {}
        self._bound(pairs, 12)
        for _ in range(pairs):
            key = self._string()
            metadata[key] = self._value(self._scalar("I"))
        self._bound(tensors, 24)
        elements, last = 0, 0
        for _ in range(tensors):
            size, offset = self._tensor()
            elements += size
            last = max(last, offset)
        self._check_data(metadata, elements, last, tensors)
        texts = {key: value for key, value in metadata.items() if isinstance(value, str)}
        return Inventory(tensors, elements, layers=self._layers(metadata), texts=texts)

    def _check_data(self, metadata: dict[str, Any], elements: int, last: int, tensors: int) -> None:
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise _Damaged(f"its alignment is {alignment}")
        start = math.ceil(self.place / alignment) * alignment
        room = len(self.data) - start
        if tensors and (last >= room or elements * _LEAST_BITS_A_WEIGHT > 8 * room):
            raise _Damaged("its weights are truncated")

    @staticmethod
    def _layers(metadata: dict[str, Any]) -> int:
        architecture = metadata.get("general.architecture")
        count = metadata.get(f"{architecture}.block_count", 0)
        return count if isinstance(count, int) else 0

    def _tensor(self) -> tuple[int, int]:
        """Read the entry of one tensor; return its number of weights and their offset."""
        self._string()
        dimensions = self._scalar("I")
        if dimensions > _MOST_DIMENSIONS:
            raise _Damaged(f"a tensor has {dimensions} dimensions")
        size = math.prod(self._scalar("Q") for _ in range(dimensions))
        self._scalar("I")
        return size, self._scalar("Q")

    def _value(self, kind: int, depth: int = 0) -> Any:
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY or depth:
            raise _Damaged(f"its metadata contain a value of unknown type {kind}")
        inner, count = self._scalar("I"), self._scalar("Q")
        self._bound(count, struct.calcsize(_SCALARS[inner]) if inner in _SCALARS else 8)
        if inner in _SCALARS:
            self._bytes(count * struct.calcsize(_SCALARS[inner]))
        else:
            for _ in range(count):
                self._value(inner, depth + 1)
        return None  # no array is needed

    def _string(self) -> str:
        return self._bytes(self._scalar("Q")).decode("utf-8")

    def _scalar(self, code: str) -> Any:
        (value,) = struct.unpack("<" + code, self._bytes(struct.calcsize("<" + code)))
        return value

    def _bytes(self, count: int) -> bytes:
        self._bound(count, 1)
        content = self.data[self.place : self.place + count]
        self.place += count
        return content

    def _bound(self, count: int, size: int) -> None:
        """Refuse more entries than the rest of the file can hold."""
        if count * size > len(self.data) - self.place:
            raise _Damaged("its header is truncated")
