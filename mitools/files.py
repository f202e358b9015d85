"""Opening inputs and making outputs: compression by ending, and files that appear whole.

An existing file is replaced by rename or appended to, never emptied. :mod:`mitools.parts` replaces
several files together. This module handles bytes, paths and streams; it does not depend on records
or stages.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import io
import os
import re
import secrets
import shlex
import shutil
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from mitools.errors import OutputError, SourceError
from mitools.packed import ZstdReader

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = [
    "STDIN",
    "STDOUT",
    "LineStream",
    "appended_output",
    "atomic_directory",
    "atomic_output",
    "await_stdin",
    "input_errors",
    "open_input",
    "output_errors",
    "stream_number",
    "take_mode",
]

STDIN = "-"
STDOUT = "-"

_BUFFER_BYTES = 2**17
_PIPE_BYTES = 2**20  # the most that Linux gives without privileges

_NAME_IT = "give its name; a variable in the command may be unset"


@contextlib.contextmanager
def open_input(path: str) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes; ``-`` is stdin, ``.gz`` and ``.zst`` are unpacked.

    Raises:
        SourceError: the file is missing or may not be read, or its name is empty.
    """
    if not path:
        raise SourceError("cannot read a file with an empty name", hint=_NAME_IT)
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError as exc:
        hint = _hint_for_missing(path) if exc.errno == errno.ENOENT else ""
        raise SourceError(f"cannot read {path}: {exc.strerror}", hint=hint) from exc
    with stream:
        ending = Path(path).suffix.lower()
        if ending == ".gz":
            with gzip.open(stream, "rb") as unpacked:
                # Its own readline is Python code, called for every line.
                yield io.BufferedReader(cast("io.RawIOBase", unpacked), _BUFFER_BYTES)
        elif ending == ".zst":
            yield io.BufferedReader(ZstdReader(stream), _BUFFER_BYTES)
        else:
            yield stream


def await_stdin() -> None:
    """Wait until stdin has data or ends; nothing is taken from it.

    A stage calls this before it loads a model: the stages before it may need the processor.
    """
    with contextlib.suppress(AttributeError, OSError, ValueError):  # not a pipe, or not on Linux
        # The stage before goes on with its work while this one loads a model.
        fcntl.fcntl(sys.stdin.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    peek = getattr(sys.stdin.buffer, "peek", None)
    if peek is not None:  # a buffer in memory has all its data
        with input_errors("<stdin>"):
            peek(1)


_COLOUR = re.compile(r"\x1b\[[\d;]*m")


class LineStream(io.TextIOBase):
    """A stream that passes on each line that is not blank, without colours and bullets.

    It takes the place of stdout, which carries records, while a library may print.
    """

    def __init__(self, receive: Callable[[str], None]) -> None:
        self._receive = receive
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if shown := _COLOUR.sub("", line).strip("* \t\r"):
                self._receive(shown)
        return len(text)


def _hint_for_missing(path: str) -> str:
    if "://" in path:
        return "files are read from this machine: download it first"
    # See mitools.parts: the files exist, but are not in their place yet.
    if any(Path(path).parent.glob(".*.ready")):
        return "a run that was writing this folder was interrupted: run it again"
    return "check the path"


@contextlib.contextmanager
def input_errors(name: str) -> Iterator[None]:
    """Turn an error while reading ``name`` into :class:`SourceError`."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as exc:  # truncated or damaged; a failing disk
        raise SourceError(f"cannot read {name}: {exc}", hint="check that it is complete") from exc


@contextlib.contextmanager
def output_errors(name: str) -> Iterator[None]:
    """Turn an ``OSError`` while writing ``name`` into :class:`OutputError`.

    A closed downstream (``BrokenPipeError``) is passed on: the command line ends quietly then.
    An empty name is refused before anything is written.
    """
    if not name:
        raise OutputError("cannot write a file with an empty name", hint=_NAME_IT)
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        folder = shlex.quote(str(Path(name).parent))
        hints = {
            errno.ENOSPC: "free some space and run the same command again",
            errno.ENOENT: f'make the folder first: "mkdir -p {folder}"',
            errno.EACCES: "choose a place you may write to",
            errno.EISDIR: "name a file",
        }
        hint = hints.get(exc.errno or 0, "")
        raise OutputError(f"cannot write {name}: {exc.strerror or exc}", hint=hint) from exc


@contextlib.contextmanager
def atomic_output(path: str | os.PathLike[str], shown: str | None = None) -> Iterator[IO[str]]:
    """Open a text file that appears under its name only if the block ends without an error.

    ``.gz`` and ``.zst`` are packed. The bytes are on disk before the rename. A device or a pipe is
    written to directly: a rename would replace it by a file, which root may do even to /dev/null.

    Args:
        path: of the file.
        shown: the name in messages, where it is another.

    Raises:
        OutputError: the folder is missing, full or not writable.
    """
    name = shown or str(path)
    with output_errors(name):
        if os.path.isdir(path):  # fail now, not after hours of work
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if (raw := _open_stream(path)) is not None:
            with raw, _pack(raw, "") as stream:
                yield stream
            return
        if os.path.exists(path) and not os.path.isfile(path):
            with (
                io.BufferedWriter(_NamedFile(path, "wb", name)) as raw,
                _pack(raw, Path(path).suffix) as stream,
            ):
                yield stream
            return
        final = Path(os.path.realpath(path))  # the file behind a link, not the link
        # Named before it is made, so that an interrupt at any time finds it.
        part = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
        try:
            with io.BufferedWriter(_NamedFile(part, "xb", name, _for_the_owner)) as raw:
                with _pack(raw, final.suffix) as stream:
                    yield stream
                raw.flush()
                os.fsync(raw.fileno())
            take_mode(part, final)
            part.replace(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


class _NamedFile(io.FileIO):
    """A file that names itself when a write fails, whatever other output is open around it."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        mode: str,
        name: str,
        opener: Callable[[str, int], int] | None = None,
    ) -> None:
        super().__init__(os.fspath(path), mode, opener=opener)
        self._name = name

    def write(self, data: ReadableBuffer, /) -> int:
        with output_errors(self._name):
            return super().write(data)


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def take_mode(part: Path, final: Path) -> None:
    """Return a new file the permissions and the owner of the one that it is to replace.

    If there is none, the permissions are those that the umask leaves.
    """
    try:
        old = final.stat()
    except OSError:
        part.chmod(0o666 & ~_umask())
        return
    with contextlib.suppress(PermissionError):  # only root may give files away
        os.chown(part, old.st_uid, old.st_gid)
    part.chmod(stat.S_IMODE(old.st_mode))


def stream_number(path: str | os.PathLike[str]) -> int | None:
    """Return the number of the open stream that a path names; None if it names none.

    ``/dev/stdout``, ``/dev/fd/N`` and ``/proc/self/fd/N`` mean the open stream at its current
    position; opening such a path would start the file from its beginning.
    """
    name = os.fspath(path)
    for _ in range(40):  # the system follows no more than 40 links
        folder = os.path.realpath(os.path.dirname(name))
        found = re.fullmatch(r"/proc/(\d+)(?:/task/\d+)?/fd", folder)
        last = os.path.basename(name)
        if found and int(found[1]) == os.getpid() and last.isdecimal():
            return int(last)
        try:
            name = os.path.join(folder, os.readlink(os.path.join(folder, last)))
        except OSError:
            return None
    return None


def _open_stream(path: str | os.PathLike[str]) -> IO[bytes] | None:
    """Open a stream of this process at its current position; None if the path names none."""
    number = stream_number(path)
    if number is None:
        return None
    return os.fdopen(os.dup(number), "wb")


@contextlib.contextmanager
def appended_output(
    path: str | os.PathLike[str], is_own: Callable[[bytes], bool]
) -> Iterator[IO[str]]:
    """Open a text file for appending lines; an existing file keeps its content.

    Args:
        is_own: returns, from its first line (at most 16 MiB), whether lines may be added to a file.

    Raises:
        OutputError: it cannot be written, or holds other data.
    """
    with output_errors(str(path)):
        if Path(path).suffix.lower() in (".gz", ".zst"):
            message = f"cannot write {path}: lines cannot be added to a compressed file"
            raise OutputError(
                message, hint=f"name it {shlex.quote(str(Path(path).with_suffix('')))}"
            )
        raw = _open_stream(path) or open(path, "ab")  # noqa: SIM115 (closed below)
        with raw, _pack(raw, "") as stream:
            if os.path.isfile(path) and stream_number(path) is None:
                _check_own(Path(path), is_own, raw)
            yield stream


def _check_own(path: Path, is_own: Callable[[bytes], bool], raw: IO[bytes]) -> None:
    with path.open("rb") as before:
        first = before.readline(2**24)
        if first and not is_own(first):
            message = f"{path} holds other data, and lines would be added to it"
            raise OutputError(message, hint="name another file")
        if first:
            before.seek(-1, os.SEEK_END)
            if before.read(1) != b"\n":  # a run was killed in the middle of a line
                raw.write(b"\n")


@contextlib.contextmanager
def _pack(raw: IO[bytes], suffix: str) -> Iterator[IO[str]]:
    with contextlib.ExitStack() as stack:
        target: IO[bytes] = raw
        if suffix.lower() == ".gz":
            # mtime=0: the same records give the same bytes
            target = cast(
                "IO[bytes]", stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
            )
        elif suffix.lower() == ".zst":
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

    An existing folder is replaced; it is restored if the replacement fails.

    Raises:
        OutputError: the parent is missing, full or not writable, or the path is not a folder.
    """
    final = Path(os.path.realpath(path))
    with output_errors(str(path)):
        if final.exists() and not final.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        final.parent.mkdir(parents=True, exist_ok=True)
        part = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
        try:
            part.mkdir(mode=0o700)
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
    """Set on a folder and its content the permissions that the umask leaves.

    Libraries such as safetensors write through temporary files, which only the owner may read.
    """
    mask = _umask()
    for path in (folder, *folder.rglob("*")):
        usual = 0o777 if path.is_dir() else 0o666
        path.chmod(path.stat().st_mode | usual & ~mask)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
