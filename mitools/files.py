"""Opening inputs and making outputs: compression by ending, and files that appear whole.

Knows bytes, paths and streams; knows no record and no stage.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from mitools.errors import OutputError, SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "STDIN",
    "STDOUT",
    "atomic_directory",
    "atomic_output",
    "input_errors",
    "open_input",
    "output_errors",
]

STDIN = "-"
STDOUT = "-"


@contextlib.contextmanager
def open_input(path: str) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes; ``-`` is stdin, ``.gz`` and ``.zst`` are unpacked.

    Raises:
        SourceError: the file is missing or may not be read.
    """
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError as exc:
        hint = "check the path" if exc.errno == errno.ENOENT else ""
        raise SourceError(f"cannot read {path}: {exc.strerror}", hint=hint) from exc
    with stream:
        if path.endswith(".gz"):
            with gzip.open(stream, "rb") as unpacked:
                yield cast("IO[bytes]", unpacked)
        elif path.endswith(".zst"):
            yield _unpack_zstd(stream)
        else:
            yield stream


@contextlib.contextmanager
def input_errors(name: str) -> Iterator[None]:
    """Turn what goes wrong while reading ``name`` into :class:`SourceError`."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as exc:  # truncated or damaged; a failing disk
        raise SourceError(f"cannot read {name}: {exc}", hint="check that it is complete") from exc


def _unpack_zstd(stream: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(_ZstdReader(stream)))


class _ZstdReader(io.RawIOBase):
    """Unpack a Zstandard stream.

    zstandard's own reader takes the end of a truncated file for the end of the data.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        import zstandard

        self._stream = stream
        self._unpacker = zstandard.ZstdDecompressor
        self._frame = self._unpacker().decompressobj()
        self._error = zstandard.ZstdError
        self._packed = b""
        self._ready = b""
        self._is_between_frames = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready and self._advance():
            pass
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _advance(self) -> bool:
        """Unpack some more; False at the end."""
        self._packed = self._packed or self._stream.read(2**17)
        if not self._packed:
            if self._is_between_frames:
                return False
            raise EOFError("it ends in the middle of its data")
        if self._is_between_frames:
            self._frame = self._unpacker().decompressobj()
        try:
            self._ready = self._frame.decompress(self._packed)
        except self._error as exc:
            raise OSError(f"damaged data ({exc})") from exc
        self._packed = self._frame.unused_data if self._frame.eof else b""
        self._is_between_frames = self._frame.eof
        return True


@contextlib.contextmanager
def output_errors(name: str) -> Iterator[None]:
    """Turn an ``OSError`` while writing ``name`` into :class:`OutputError`.

    A closed downstream (``BrokenPipeError``) passes: the command line ends quietly on it.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        hints = {
            errno.ENOSPC: "free some space and run the same command again",
            errno.ENOENT: f'make the folder first: "mkdir -p {Path(name).parent}"',
            errno.EACCES: "choose a place you may write to",
            errno.EISDIR: "name a file",
        }
        hint = hints.get(exc.errno or 0, "")
        raise OutputError(f"cannot write {name}: {exc.strerror or exc}", hint=hint) from exc


@contextlib.contextmanager
def atomic_output(path: str | os.PathLike[str]) -> Iterator[IO[str]]:
    """Open a text file that appears under its name only if the block ends without an error.

    ``.gz`` and ``.zst`` are packed. The bytes are on disk before the rename. A device or a pipe is
    written to as it is: a rename would put a file in its place, and root may do that to /dev/null.

    Raises:
        OutputError: the folder is missing, full or not writable.
    """
    with output_errors(str(path)):
        if os.path.isdir(path):  # said now, not after hours of work
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as raw, _pack(raw, Path(path).suffix) as stream:
                yield stream
            return
        final = Path(os.path.realpath(path))  # the file behind a link, not the link
        handle, name = tempfile.mkstemp(
            prefix=f".{final.name}.", suffix=".part", dir=final.parent or Path()
        )
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as raw:
                with _pack(raw, final.suffix) as stream:
                    yield stream
                raw.flush()
                os.fsync(raw.fileno())
            part.chmod(0o666 & ~_umask())
            part.replace(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _pack(raw: IO[bytes], suffix: str) -> Iterator[IO[str]]:
    with contextlib.ExitStack() as stack:
        target: IO[bytes] = raw
        if suffix == ".gz":
            # mtime=0: the same records give the same bytes
            target = cast(
                "IO[bytes]", stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
            )
        elif suffix == ".zst":
            import zstandard

            packer = zstandard.ZstdCompressor(write_checksum=True)
            writer = packer.stream_writer(raw, closefd=False)
            target = cast("IO[bytes]", stack.enter_context(writer))
        text = io.TextIOWrapper(target, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder that takes the name ``path`` only if the block ends without an error.

    A folder already there is replaced, and is back if the replacement fails.

    Raises:
        OutputError: the parent is missing, full or not writable, or what is there is no folder.
    """
    final = Path(os.path.realpath(path))
    with output_errors(str(path)):
        if final.exists() and not final.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        final.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".part", dir=final.parent))
        try:
            yield part
            _open_up(part)
            _swap(part, final)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _swap(part: Path, final: Path) -> None:
    if not final.exists():
        part.replace(final)
        return
    old = part.with_suffix(".old")
    final.replace(old)
    try:
        part.replace(final)
    except OSError:
        old.replace(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _open_up(folder: Path) -> None:
    """Give a folder and what is in it the permissions that the umask leaves.

    Libraries write by way of temporary files, which are the owner's alone (safetensors does).
    """
    mask = _umask()
    for path in (folder, *folder.rglob("*")):
        usual = 0o777 if path.is_dir() else 0o666
        path.chmod(path.stat().st_mode | usual & ~mask)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
