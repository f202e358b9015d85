"""The maps of the source tree: each package names its modules, and each name is a module."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mitools"
PACKAGES = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
EVERY_PACKAGE = pytest.mark.parametrize(
    "folder", PACKAGES, ids=[str(path.relative_to(ROOT)) for path in PACKAGES]
)
# ``name``, :mod:`name` or :mod:`~mitools.package.name`
QUOTED = re.compile(r"``(?P<plain>\w+)``|:mod:`~?(?P<module>[\w.]+)`")
# Where a map says what is in a module: ``name``: or ``one``, ``two``:
ENTRY = re.compile(
    r"^- ((?:``\w+``(?:, | and )?)+):|[;(] ?((?:``\w+``(?:, | and )?)+):", re.MULTILINE
)


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def modules_of(folder: Path) -> set[str]:
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in folder.glob("*/__init__.py")}


def named_in(text: str) -> set[str]:
    quoted = (found["plain"] or found["module"] for found in QUOTED.finditer(text))
    return {name.rpartition(".")[2] for name in quoted}


def entries_in(text: str) -> set[str]:
    lists = (found[1] or found[2] for found in ENTRY.finditer(text))
    return {name for names in lists for name in re.findall(r"\w+", names) if name != "and"}


def exists(module: str, folder: Path) -> bool:
    """Tell whether a name, absolute or seen from a package, is a module."""
    base = ROOT if module.partition(".")[0] == "mitools" else folder
    path = base.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


@EVERY_PACKAGE
def test_a_package_names_every_module_in_it(folder: Path) -> None:
    missing = modules_of(folder) - named_in(docstring(folder / "__init__.py"))
    assert not missing, f"{folder.name}/__init__.py says nothing about {sorted(missing)}"


@EVERY_PACKAGE
def test_a_package_describes_no_module_that_is_gone(folder: Path) -> None:
    folders = {path.name for path in folder.iterdir() if path.is_dir()}
    gone = entries_in(docstring(folder / "__init__.py")) - modules_of(folder) - folders
    assert not gone, f"{folder.name}/__init__.py describes {sorted(gone)}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_a_module_that_a_docstring_refers_to_exists(path: Path) -> None:
    for name in re.findall(r":mod:`~?(\w+(?:\.\w+)*)`", path.read_text(encoding="utf-8")):
        assert exists(name, path.parent), f"{path}: :mod:`{name}`"


def test_the_reading_of_maps() -> None:
    text = """Title.

    - ``run``: one pass (``options``: how); ``part``, ``whole`` and ``rest``: three more;
    - :mod:`~mitools.records` reads, :mod:`near` finds; ``id`` is a field.
    """
    text = re.sub(r"^ +", "", text, flags=re.MULTILINE)
    assert named_in(text) == {"run", "options", "part", "whole", "rest", "records", "near", "id"}
    assert entries_in(text) == {"run", "options", "part", "whole", "rest"}
