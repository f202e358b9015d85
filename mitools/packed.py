"""Reading Zstandard files in bounded memory, with detection of truncated files.

The readers of the zstandard package either treat the end of a truncated file as the end of the
data, or decompress all of their input at once, where 3 bytes of a block can stand for 128 KiB.
This module therefore follows the frames block by block (RFC 8878, section 3.1) and decompresses
each block by itself.
"""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["ZstdReader"]

_MAGIC = b"\x28\xb5\x2f\xfd"
_RAW, _RUN, _COMPRESSED = range(3)
_MOST_BLOCK_BYTES = 2**17


class ZstdReader(io.RawIOBase):
    """The bytes in a stream of Zstandard frames.

    Raises, while reading:
        EOFError: the stream ends inside a frame.
        OSError: the data is damaged, or is not Zstandard.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        import zstandard

        self._stream = stream
        self._unpacker = zstandard.ZstdDecompressor()
        self._error = zstandard.ZstdError
        self._frame = self._unpacker.decompressobj()
        self._is_inside = False
        self._has_checksum = False
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready:
            if self._is_inside:
                self._ready = memoryview(self._next_block())
            elif not self._begin_frame():
                return 0
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _begin_frame(self) -> bool:
        """Read the header of the next frame; False at the end of the stream."""
        magic = self._stream.read(4)
        if not magic:
            return False
        if len(magic) == 4 and magic[0] & 0xF0 == 0x50 and magic[1:] == b"\x2a\x4d\x18":
            self._skip(int.from_bytes(self._exactly(4), "little"))
            return True
        if magic != _MAGIC[: len(magic)]:
            raise OSError("damaged data (no Zstandard frame begins here)")
        if len(magic) < 4:
            raise EOFError("it ends in the middle of its data")
        descriptor = self._exactly(1)
        flags = descriptor[0]
        is_single = flags >> 5 & 1
        content = (is_single, 2, 4, 8)[flags >> 6]  # bytes of the content's size
        dictionary = (0, 1, 2, 4)[flags & 3]
        rest = self._exactly((not is_single) + dictionary + content)
        self._frame = self._unpacker.decompressobj()
        self._feed(magic + descriptor + rest)
        self._is_inside, self._has_checksum = True, bool(flags >> 2 & 1)
        return True

    def _next_block(self) -> bytes:
        head = self._exactly(3)
        number = int.from_bytes(head, "little")
        is_last, kind, size = number & 1, number >> 1 & 3, number >> 3
        if kind > _COMPRESSED or size > _MOST_BLOCK_BYTES:
            raise OSError("damaged data (no block begins here)")
        unpacked = self._feed(head + self._exactly(1 if kind == _RUN else size))
        if is_last:
            unpacked += self._feed(self._exactly(4)) if self._has_checksum else b""
            self._is_inside = False
            if not self._frame.eof:
                raise OSError("damaged data (a frame does not end where it says)")
        return unpacked

    def _feed(self, packed: bytes) -> bytes:
        try:
            return self._frame.decompress(packed)
        except self._error as exc:
            raise OSError(f"damaged data ({exc})") from exc

    def _skip(self, count: int) -> None:
        while count:
            count -= len(self._exactly(min(count, _MOST_BLOCK_BYTES)))

    def _exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise EOFError("it ends in the middle of its data")
        return data
