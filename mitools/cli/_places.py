"""Options that name files, folders and hosts: what each is used for, and who may set it.

Two rules hold for every stage:

- No file has two roles. A stage that replaces or appends to a file which it also reads, or writes
  a file twice, loses lines. :func:`check_roles` refuses that before anything is opened.
- A recipe may come from another person. It may only read files in its own folder; options that
  write or replace files, or send data to a host, must be typed on the command line.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from mitools.cli._completion import complete_from, files_and
from mitools.errors import RecipeError, UsageError
from mitools.files import STDIN, STDOUT, stream_number
from mitools.recipe import own_file

__all__ = [
    "BaselineName",
    "DivertOr",
    "ModelName",
    "OutputFolder",
    "OutputPath",
    "RecipePath",
    "ReplayOr",
    "SourceName",
    "TypedOption",
    "check_roles",
    "from_recipe",
    "refuse_written",
]


_OUTPUT = "--output"
_METADATA = "mitools.json"  # in the folder of a student


@dataclass(frozen=True)
class Role:
    """The use of one place in a run.

    Attributes:
        label: its name for people: an option, ``FILE``, ``stdin``.
        path: its path, for messages.
        keys: identify it; two roles that share a key are of one file.
        is_written: whether the run writes there.
        is_records: whether it is an input of records; the output may replace that one.
        replaces: whether it is replaced by rename at the end, so that it may be an input as well.
        folder: for a folder that is replaced as a whole, its real path.
    """

    label: str
    path: str
    keys: frozenset[object]
    is_written: bool = False
    is_records: bool = False
    replaces: bool = False
    folder: str = ""


class _NamedPath(click.Path):
    """A path that is not empty."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty; a variable in the command may be unset", param, ctx)
        return super().convert(value, param, ctx)


class RecipePath(_NamedPath):
    """A file or folder to read; in a recipe it must be in the recipe's own folder."""

    name = "path"

    def from_recipe(self, folder: Path, value: Any) -> Any:
        if isinstance(value, list):
            return [self._inside(folder, one) for one in value]
        return self._inside(folder, value)

    def _inside(self, folder: Path, value: Any) -> str:
        path = own_file(folder, value)
        if path is None:
            raise _PowerError("may only read files in its own folder")
        return path

    def roles(self, label: str, value: str) -> Iterator[Role]:
        # A missing file cannot be overwritten; the error comes when it is opened.
        if value != STDIN and os.path.exists(value):
            yield Role(label, value, _keys(value), is_records=not label.startswith("-"))


class OutputPath(_NamedPath):
    """A file to write; ``-`` is stdout. Never named by a recipe: see :class:`TypedOption`."""

    name = "path"

    def __init__(self, *, replaces_input: bool = False) -> None:
        """Name a file to write.

        Args:
            replaces_input: whether it may be the input: it appears by rename and holds the same
                records.
        """
        # The error for a path that cannot be written comes when it is opened.
        super().__init__(readable=False)
        self._replaces_input = replaces_input

    def roles(self, label: str, value: str) -> Iterator[Role]:
        is_stdout = value == STDOUT or (label == _OUTPUT and _is_stdout(value))
        if not is_stdout:  # that has a role of its own
            yield Role(label, value, _keys(value), is_written=True, replaces=self._replaces_input)


class OutputFolder(_NamedPath):
    """A folder to make: replaced as a whole, or only these files in it."""

    name = "path"

    def __init__(self, parts: Iterable[str] = (), **options: Any) -> None:
        super().__init__(readable=False, **options)
        self._parts = tuple(parts)

    def roles(self, label: str, value: str | Path) -> Iterator[Role]:
        for part in self._parts:
            path = os.path.join(value, part)
            yield Role(label, path, _keys(path), is_written=True, replaces=True)
        if not self._parts:
            path = os.path.realpath(value)
            yield Role(label, str(value), _keys(str(value)), is_written=True, folder=path)


class _Choice(click.ParamType[str]):
    """One of some words, or a word followed by a file."""

    name = "text"
    word: str

    def __init__(self, *words: str) -> None:
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self._words or str(value).removeprefix(self.word) not in ("", value):
            return str(value)
        *most, last = [f'"{word}"' for word in (*self._words, f"{self.word}FILE")]
        self.fail(f"use {', '.join(most)} or {last}", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        if self._file(incomplete) is not None:
            return files_and((), incomplete)
        return complete_from((*self._words, self.word))(ctx, param, incomplete)

    def _file(self, value: str) -> str | None:
        return value.removeprefix(self.word) if value.startswith(self.word) else None


class DivertOr(_Choice):
    """One of some words, or ``divert:FILE``, which appends to a file."""

    word = "divert:"

    def from_recipe(self, _folder: Path, value: Any) -> Any:
        if self._file(str(value)) is not None:
            raise _PowerError("may not name a file to write")
        return value

    def roles(self, label: str, value: str) -> Iterator[Role]:
        path = self._file(value)
        if path is not None:
            yield Role(f"{label} divert", path, _keys(path), is_written=True)


class ReplayOr(_Choice):
    """The name of a teacher, or ``replay:FILE``, which reads a file."""

    word = "replay:"

    def from_recipe(self, folder: Path, value: Any) -> Any:
        path = self._file(str(value))
        return value if path is None else self.word + RecipePath().from_recipe(folder, path)

    def roles(self, label: str, value: str) -> Iterator[Role]:
        path = self._file(value)
        yield from () if path is None else RecipePath().roles(f"{label} replay", path)


class SourceName(click.ParamType[str]):
    """A recipe's source: ``demo``, ``hf:ORG/NAME``, or a file in the recipe's own folder."""

    name = "text"

    def from_recipe(self, folder: Path, value: Any) -> Any:
        if value == "demo":
            return value
        if str(value).startswith("hf:"):
            if not re.fullmatch(r"hf:[\w.-]+/[\w.-]+", value) or ".." in value:
                raise _PowerError("may only name a data set of the Hub as hf:ORG/NAME")
            return value
        return RecipePath().from_recipe(folder, value)

    def roles(self, label: str, value: str) -> Iterator[Role]:
        for role in RecipePath().roles(label, value):
            yield replace(role, is_records=True)


class ModelName(click.ParamType[str]):
    """A model: a name on the Hub, something in an installed package, or a path."""

    name = "text"

    def from_recipe(self, _folder: Path, value: Any) -> Any:
        path = str(value).rpartition(":")[2]
        if path.startswith(("/", "~")) or ".." in Path(path).parts:
            raise _PowerError("may not name a model by a path outside the current folder")
        return value

    def roles(self, label: str, value: str) -> Iterator[Role]:
        yield from RecipePath().roles(label, value.removeprefix("encoder:"))


class BaselineName(ModelName):
    """A baseline: a word, or ``encoder:`` and a model."""

    def from_recipe(self, folder: Path, value: Any) -> Any:
        for name in value if isinstance(value, list) else [value]:
            super().from_recipe(folder, name)
        return value


class TypedOption(click.Option):
    """An option that a recipe may not set: it writes, replaces, or says where data and keys go."""


class _PowerError(Exception):
    """A recipe sets an option that must be typed."""


def from_recipe(param: click.Parameter, recipe: Path, value: Any) -> Any:
    """Return a recipe's value for an option; paths are relative to the recipe's folder.

    Raises:
        RecipeError: a recipe may not set this; the hint is what to type instead.
    """
    try:
        if isinstance(param, TypedOption):
            raise _PowerError("may not set this")
        convert = getattr(param.type, "from_recipe", None)
        return value if convert is None else convert(recipe.parent, value)
    except ValueError as exc:  # such as a NUL in a path
        raise RecipeError(f"{recipe}: {param.name} = {value!r}: {exc}", hint="fix it") from exc
    except _PowerError as exc:
        option = max(param.opts, key=len)
        # On the command line a path is relative to the current folder, not to the recipe's.
        is_path = isinstance(param.type, RecipePath) and isinstance(value, str)
        shown = os.path.relpath(recipe.parent / value) if is_path else str(value)
        typed = option if value is True else f"{option} {shlex.quote(shown)}"
        message = f"{recipe}: {option.lstrip('-')} = {value!r}: a recipe {exc}"
        raise RecipeError(message, hint=f"if you want it, type it yourself: {typed}") from exc


def check_roles(ctx: click.Context) -> None:
    """Refuse a run that writes a file which it also uses for something else.

    Raises:
        UsageError: naming the file and both roles.
    """
    roles = [*_streams(ctx), *_named(ctx)]
    for place, written in enumerate(roles):
        if not written.is_written:  # a run may read thousands of files; compare written ones only
            continue
        for index, other in enumerate(roles):
            if index != place and _clash(written, other):
                first, second = sorted([place, index])
                path = roles[first].path or roles[second].path or "one file"
                message = f"{path} is both {roles[first].label} and {roles[second].label}"
                raise UsageError(message, hint="name another file for one of them")


def refuse_written(files: Iterable[str]) -> None:
    """Refuse a run that writes one of the files of a folder that it reads.

    Raises:
        UsageError: naming the file and the role in which it is written.
    """
    ctx = click.get_current_context()
    written = [role for role in (*_streams(ctx), *_named(ctx)) if role.is_written]
    for file in files:
        keys = _keys(file)
        for role in written:
            if role.keys & keys:
                message = f"{file} is both in a folder that is read and {role.label}"
                raise UsageError(message, hint="write to a file outside the folder")


def _clash(written: Role, other: Role) -> bool:
    if written.folder and other.path:
        path = os.path.realpath(other.path)
        folders = (written.folder, f"{written.folder}.work")
        if any(_is_inside(path, folder) for folder in folders):
            return True
    if _is_part_of_student(written.path, other):
        return True
    if {written.label, other.label} == {"stdout", "stderr"}:  # often wanted
        return False
    is_replaced = written.replaces and other.is_records
    return bool(written.keys & other.keys) and not is_replaced


def _is_part_of_student(path: str, other: Role) -> bool:
    """Return whether a written file is one that a student's folder, which is read, consists of."""
    if not path or other.is_written or not os.path.isfile(os.path.join(other.path, _METADATA)):
        return False
    own = (_METADATA, "config.json", "tokenizer.json", "tokenizer_config.json")
    path = os.path.realpath(path)
    is_own = path.endswith((".safetensors", *(f"{os.sep}{name}" for name in own)))
    return is_own and os.path.dirname(path) == os.path.realpath(other.path)


def _named(ctx: click.Context) -> Iterator[Role]:
    for param in ctx.command.params:
        value = ctx.params.get(str(param.name))
        find = getattr(param.type, "roles", None)
        if find is None or value is None:
            continue
        is_argument = isinstance(param, click.Argument)
        label = param.make_metavar(ctx).strip("[].") if is_argument else max(param.opts, key=len)
        for given in value if isinstance(value, tuple) else (value,):
            yield from find(label, given)


def _streams(ctx: click.Context) -> Iterator[Role]:
    """Yield the roles of the files that the shell opened."""
    params = ctx.params
    if "on_error" in params and (not params.get("files") or STDIN in params["files"]):
        yield Role("stdin", "", _keys_of_stream(0), is_records=True)
    if "output" in params and (params["output"] in (None, STDOUT) or _is_stdout(params["output"])):
        yield Role("stdout", "", _keys_of_stream(1) | {("stream", 1)}, is_written=True)
    yield Role("stderr", "", _keys_of_stream(2), is_written=True)


def _is_stdout(path: str) -> bool:
    return stream_number(path) == 1


def _keys(path: str) -> frozenset[object]:
    number = stream_number(path)
    if number is not None:
        return frozenset({("stream", number)})
    try:
        return _keys_of(os.stat(path))
    except OSError:
        return frozenset({os.path.realpath(path)})


def _keys_of_stream(number: int) -> frozenset[object]:
    with contextlib.suppress(OSError):
        return _keys_of(os.fstat(number))
    return frozenset()


def _keys_of(status: os.stat_result) -> frozenset[object]:
    # A device or a pipe has no content to lose.
    is_kept = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    return frozenset({(status.st_dev, status.st_ino)}) if is_kept else frozenset()


def _is_inside(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder
