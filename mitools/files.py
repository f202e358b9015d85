"""Opening inputs and making outputs: compression by ending, and files that appear whole.

Knows bytes, paths and streams; knows no record and no stage.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from mitools.errors import OutputError, SourceError

__all__ = ["STDIN", "STDOUT", "atomic_directory", "atomic_output", "open_input", "output_errors"]

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


def _unpack_zstd(stream: IO[bytes]) -> IO[bytes]:
    import io

    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    return cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", reader)))


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
        }
        hint = hints.get(exc.errno or 0, "")
        raise OutputError(f"cannot write {name}: {exc.strerror or exc}", hint=hint) from exc


@contextlib.contextmanager
def atomic_output(path: str | os.PathLike[str]) -> Iterator[IO[str]]:
    """Open a text file that appears under its name only if the block ends without an error.

    ``.gz`` and ``.zst`` are packed. The bytes are on disk before the rename.

    Raises:
        OutputError: the folder is missing, full or not writable.
    """
    final = Path(path)
    with output_errors(str(final)):
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
    import io

    with contextlib.ExitStack() as stack:
        target: IO[bytes] = raw
        if suffix == ".gz":
            # mtime=0: the same records give the same bytes
            target = cast(
                "IO[bytes]", stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
            )
        elif suffix == ".zst":
            import zstandard

            writer = zstandard.ZstdCompressor().stream_writer(raw, closefd=False)
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
        OutputError: the parent is missing, full or not writable.
    """
    final = Path(path)
    with output_errors(str(final)):
        final.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".part", dir=final.parent))
        try:
            yield part
            part.chmod(0o777 & ~_umask())
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
