"""Inputs unpack by their ending, damage is noticed, and outputs appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TextIO

import pytest
import zstandard

from mitools.errors import MitoolsError, OutputError, SourceError
from mitools.files import (
    LineStream,
    appended_output,
    atomic_directory,
    atomic_output,
    input_errors,
    open_input,
    output_errors,
    stream_number,
)

TEXT = "".join(f"{n}: größer als {n * n}\n" for n in range(5000))
BYTES = TEXT.encode()


def pack(content: bytes, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(content)
    return zstandard.compress(content) if ending == ".zst" else content


def read(path: Path) -> bytes:
    with open_input(str(path)) as stream, input_errors(str(path)):
        return b"".join(stream)


@pytest.fixture
def umask_027() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Inputs


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("size", [0, 1, len(BYTES)])
def test_a_file_is_unpacked_by_its_ending(tmp_path: Path, ending: str, size: int) -> None:
    path = tmp_path / f"data{ending}"
    path.write_bytes(pack(BYTES[:size], ending))
    assert read(path) == BYTES[:size]


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_packed_files_may_be_joined(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    path.write_bytes(pack(BYTES, ending) + pack(b"", ending) + pack(b"end\n", ending))
    assert read(path) == BYTES + b"end\n"


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_file_of_no_bytes_holds_nothing(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    path.touch()
    assert read(path) == b""


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("kept", [4, 1000, -1])
def test_a_file_cut_short_is_noticed(tmp_path: Path, ending: str, kept: int) -> None:
    path = tmp_path / f"data{ending}"
    path.write_bytes(pack(BYTES, ending)[:kept])
    with pytest.raises(SourceError) as caught:
        read(path)
    assert str(caught.value).startswith(f"cannot read {path}: ")
    assert caught.value.hint == "check that it is complete"


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_the_last_of_joined_files_cut_short_is_noticed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    path.write_bytes(pack(b"start\n", ending) + pack(BYTES, ending)[:-1])
    with pytest.raises(SourceError):
        read(path)


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_damage_to_what_was_written_is_noticed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    with atomic_output(path) as stream:
        stream.write(TEXT)
    packed = path.read_bytes()
    for place in range(12, len(packed) - 8, len(packed) // 50):  # it shows in several ways
        damaged = bytearray(packed)
        damaged[place] ^= 0xA5
        path.write_bytes(damaged)
        with pytest.raises(SourceError):
            read(path)


def test_what_is_not_packed_is_noticed(tmp_path: Path) -> None:
    for ending in (".gz", ".zst"):
        path = tmp_path / f"data{ending}"
        path.write_bytes(b'{"input": "not packed at all"}\n')
        with pytest.raises(SourceError):
            read(path)


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path, ending: str) -> None:
    missing = tmp_path / f"missing{ending}"
    with pytest.raises(SourceError) as caught:
        read(missing)
    assert str(caught.value) == f"cannot read {missing}: No such file or directory; check the path"
    folder = tmp_path / f"folder{ending}"
    folder.mkdir()
    with pytest.raises(SourceError, match="Is a directory"):
        read(folder)


# Outputs


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_a_file_appears_whole_when_the_block_ends(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    with atomic_output(path) as stream:
        stream.write(TEXT)
        stream.flush()
        assert not path.exists()
    assert read(path) == BYTES
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, MitoolsError, OSError])
def test_a_failure_leaves_nothing_and_the_old_file_as_it_was(
    tmp_path: Path, ending: str, failure: type[BaseException]
) -> None:
    old, new = tmp_path / f"old{ending}", tmp_path / f"new{ending}"
    old.write_text("old")

    def write_half(path: Path) -> None:
        with atomic_output(path) as stream:
            stream.write(TEXT)
            raise failure("boom")

    for path in (old, new):
        with pytest.raises((failure, OutputError)):
            write_half(path)
    assert os.listdir(tmp_path) == [old.name]
    assert old.read_text() == "old"


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_the_same_text_gives_the_same_bytes(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, now in (("a", 1e9), ("b", 1.5e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        with atomic_output(tmp_path / f"{name}{ending}") as stream:
            stream.write(TEXT)
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


@pytest.mark.usefixtures("umask_027")
def test_files_and_folders_get_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "file") as stream:
        stream.write("x")
    with atomic_directory(tmp_path / "folder") as part:
        (part / "inner").mkdir(mode=0o700)
        (part / "inner" / "private").touch(mode=0o600)
        (part / "script").touch()
        (part / "script").chmod(0o700)
    assert mode(tmp_path / "file") == 0o640
    assert mode(tmp_path / "folder") == mode(tmp_path / "folder" / "inner") == 0o750
    assert mode(tmp_path / "folder" / "inner" / "private") == 0o640
    assert mode(tmp_path / "folder" / "script") == 0o740


def test_text_is_utf8_with_bare_newlines(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "out") as stream:
        stream.write("größer\n😀\n")
    assert (tmp_path / "out").read_bytes() == "größer\n😀\n".encode()


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "behind").write_text("old")
    (tmp_path / "link").symlink_to("behind")
    with atomic_output(tmp_path / "link") as stream:
        stream.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "behind").read_text() == "new"


@pytest.mark.usefixtures("umask_027")
@pytest.mark.parametrize("before", [0o600, 0o444, 0o666, 0o751])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, before: int) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    path.chmod(before)
    with atomic_output(path) as stream:
        stream.write("new")
    assert (path.read_text(), mode(path)) == ("new", before)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    os.chown(path, 12345, 23456)
    with atomic_output(path) as stream:
        stream.write("new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_a_path_that_names_an_open_stream_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "links").symlink_to("link")
    (tmp_path / "file").touch()
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", f"/proc/{os.getpid()}/fd/1"):
        assert stream_number(name) == 1
    assert stream_number(tmp_path / "links") == 1
    assert stream_number("/dev/stderr") == 2
    for name in ("-", "", "/dev/null", "/dev/fd/x", "/proc/1/fd/1", "/proc/self/fd", "1"):
        assert stream_number(name) is None
    assert stream_number(tmp_path / "file") is None


@pytest.mark.parametrize("make", [atomic_output, lambda path: appended_output(path, bool)])
def test_an_open_stream_is_written_to_where_it_stands(
    tmp_path: Path, make: Callable[[str], AbstractContextManager[TextIO]]
) -> None:
    with (tmp_path / "file").open("wb") as opened:
        opened.write(b"before\n")
        opened.flush()
        with make(f"/dev/fd/{opened.fileno()}") as stream:
            stream.write("new\n")
        opened.write(b"after\n")  # it is still open
    assert (tmp_path / "file").read_text() == "before\nnew\nafter\n"


def test_a_file_that_is_added_to_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "added"
    seen: list[bytes] = []

    def is_own(line: bytes) -> bool:
        seen.append(line)
        return line.startswith(b"one")

    for text in ("one\n", "two\n", "cut", "four\n"):
        with appended_output(path, is_own) as stream:
            stream.write(text)
            stream.flush()
            assert path.read_text().endswith(text)
    assert path.read_text() == "one\ntwo\ncut\nfour\n"
    assert seen == [b"one\n"] * 3
    path.write_text("something else\n")
    with pytest.raises(OutputError, match="holds other data"):
        appended_output(path, is_own).__enter__()
    assert path.read_text() == "something else\n"


def test_a_file_that_an_interrupted_run_holds_is_asked_for_in_other_words(tmp_path: Path) -> None:
    (tmp_path / ".split.ready").mkdir()
    with pytest.raises(SourceError, match=r"; a run that was writing this folder was interrupted"):
        read(tmp_path / "train.jsonl")


def test_a_device_is_written_to_and_never_replaced() -> None:
    with atomic_output("/dev/null") as stream:
        stream.write("x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_full_device_is_said() -> None:
    with pytest.raises(OutputError) as caught, atomic_output("/dev/full") as stream:
        stream.write(TEXT)
    assert str(caught.value) == (
        "cannot write /dev/full: No space left on device; "
        "free some space and run the same command again"
    )


@pytest.mark.parametrize("full", [0, 1])
def test_of_several_outputs_the_one_that_is_full_is_named(tmp_path: Path, full: int) -> None:
    paths = [str(tmp_path / "x"), str(tmp_path / "y")]
    paths[full] = "/dev/full"

    def write_both() -> None:
        with atomic_output(paths[0]) as outer, atomic_output(paths[1]) as inner:
            for stream in (outer, inner):
                stream.write(TEXT)
                stream.flush()

    with pytest.raises(OutputError, match="cannot write /dev/full: No space"):
        write_both()
    assert os.listdir(tmp_path) == []


def test_a_folder_named_as_output_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Is a directory; name a file"):
        atomic_output(tmp_path).__enter__()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("make", [atomic_output, atomic_directory])
def test_a_place_that_cannot_be_is_said_before_the_work(
    tmp_path: Path, make: Callable[[Path], AbstractContextManager[object]]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*: (Not a directory|File exists)"):
        make(tmp_path / "file" / "out").__enter__()


def test_a_missing_folder_comes_with_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "out.jsonl"
    with pytest.raises(OutputError) as caught, atomic_output(path):
        pass
    assert caught.value.hint == f'make the folder first: "mkdir -p {path.parent}"'
    path = tmp_path / "my results" / "out.jsonl"
    with pytest.raises(OutputError) as caught, atomic_output(path):
        pass
    assert caught.value.hint == f"make the folder first: \"mkdir -p '{path.parent}'\""


def test_another_name_in_place_of_a_packed_one_can_be_typed(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        appended_output(tmp_path / "bad lines.jsonl.gz", bool).__enter__()
    assert caught.value.hint == f"name it '{tmp_path / 'bad lines.jsonl'}'"


def test_an_empty_name_is_said_before_anything_is_read_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for make in (atomic_output, atomic_directory, lambda path: appended_output(path, bool)):
        with pytest.raises(OutputError) as unwritten:
            make("").__enter__()
        assert unwritten.value.message == "cannot write a file with an empty name"
    with pytest.raises(SourceError) as unread, open_input(""):
        pass
    assert unread.value.message == "cannot read a file with an empty name"
    for caught in (unread, unwritten):
        assert caught.value.hint == "give its name; a variable in the command may be unset"
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


# Folders


def test_a_folder_appears_whole_when_the_block_ends(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "er" / "folder"
    with atomic_directory(final) as part:
        assert os.listdir(part) == []
        (part / "file").write_text("new")
        assert not final.exists()
    assert (final / "file").read_text() == "new"
    assert os.listdir(final.parent) == ["folder"]


def test_a_folder_already_there_is_replaced_whole(tmp_path: Path) -> None:
    final = tmp_path / "folder"
    final.mkdir()
    (final / "old").touch()
    with atomic_directory(final) as part:
        (part / "new").touch()
        assert os.listdir(final) == ["old"]
    assert os.listdir(final) == ["new"]
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_no_folder_and_the_old_one_as_it_was(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "file").touch()

    def fill_half(path: Path) -> None:
        with atomic_directory(path) as part:
            (part / "half").touch()
            raise failure

    for path in (old, new):
        with pytest.raises(failure):
            fill_half(path)
    assert os.listdir(tmp_path) == ["old"]
    assert os.listdir(old) == ["file"]


def test_the_old_folder_is_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "folder"
    final.mkdir()
    (final / "old").touch()
    replace = Path.replace

    def fail_on_the_new(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail_on_the_new)
    with pytest.raises(OutputError, match="Input/output error"), atomic_directory(final):
        pass
    assert os.listdir(final) == ["old"]
    assert os.listdir(tmp_path) == ["folder"]


def test_a_file_is_no_folder_to_replace(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"), atomic_directory(tmp_path / "file"):
        pass
    assert os.listdir(tmp_path) == ["file"]


# What goes wrong


def test_a_closed_downstream_is_no_output_error() -> None:
    with pytest.raises(BrokenPipeError), output_errors("<stdout>"):
        raise BrokenPipeError


def test_errors_keep_their_cause() -> None:
    cause = OSError(errno.EACCES, "Permission denied")
    with pytest.raises(OutputError) as out, output_errors("x"):
        raise cause
    with pytest.raises(SourceError) as source, input_errors("x"):
        raise cause
    assert out.value.__cause__ is source.value.__cause__ is cause
    assert out.value.hint == "choose a place you may write to"


def test_waiting_for_stdin_takes_nothing_and_ends_with_the_first_byte() -> None:
    code = (
        "import sys, time; from mitools.files import await_stdin; await_stdin();"
        "print(time.process_time() < 5, sys.stdin.readline())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        out, _ = process.communicate("first\nsecond\n")
    assert out == "True first\n\n"


def test_what_a_library_prints_is_passed_on_line_by_line() -> None:
    lines: list[str] = []
    with contextlib.redirect_stdout(LineStream(lines.append)):
        print("\x1b[1m* one\x1b[0m\n\n  two", end="")  # noqa: T201
        assert lines == ["one"]
        print()  # noqa: T201
    assert lines == ["one", "two"]
