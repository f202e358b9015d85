"""Recipes: finding one by name or path, and reading its tables of options.

A recipe is a TOML file with one table per stage; each key in a table is an option of that stage,
spelled with or without hyphens. Only the command line knows which options exist. A study file has
more tables, which :mod:`mitools.study.plan` reads.

``extends = "FILE"`` at the top takes over the tables of another recipe in the same folder. A key
that both files set keeps the value of the extending one: an option in the table of a stage, or a
whole ``[objectives.NAME]`` of a study.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mitools.errors import RecipeError

__all__ = [
    "TABLES",
    "find_recipe",
    "is_recipe_name",
    "list_recipes",
    "load_table",
    "own_file",
    "read_chain",
    "read_tables",
]

_COMMANDS = ("load", "annotate", "split", "train", "eval", "explain")
_OTHER_COMMANDS = ("export", "study", "init", "recipes", "schema", "completion")
_OF_STUDIES = ("grid", "objectives", "answers")
TABLES = (*_COMMANDS, *_OTHER_COMMANDS, *_OF_STUDIES)
"""Names of tables: the commands, and what only study files have."""

_EXTENDS = "extends"
_HERE = Path(__file__).parent


def _folders() -> list[Path]:
    # In a wheel the recipes are inside the package; in a checkout they are beside it.
    return [folder for folder in (_HERE / "recipes", _HERE.parent / "recipes") if folder.is_dir()]


def list_recipes() -> list[str]:
    """Name every recipe that came with this installation, sorted."""
    return sorted({path.parent.name for base in _folders() for path in base.glob("*/recipe.toml")})


def is_recipe_name(name: str) -> bool:
    return name in list_recipes()


def find_recipe(name: str) -> Path:
    """Find the TOML file of a recipe given by name, by folder or by path.

    Raises:
        RecipeError: there is none; or a name is that of a folder with another recipe, too.
    """
    for base in _folders():
        if (path := base / name / "recipe.toml").is_file() and is_recipe_name(name):
            own = Path(name) / "recipe.toml"
            if own.is_file() and not own.samefile(path):
                message = f'"{name}" is the name of a recipe of mitools and of a folder with one'
                raise RecipeError(
                    message, hint=f'"./{name}" is the folder; rename it for the other'
                )
            return path
    path = Path(name)
    if path.is_dir():
        path = path / "recipe.toml"
    if path.is_file():
        return path
    close = difflib.get_close_matches(name, list_recipes(), n=1)
    hint = f'did you mean "{close[0]}"?' if close else f"recipes: {', '.join(list_recipes())}"
    raise RecipeError(f'no recipe or file "{name}"', hint=hint)


def own_file(folder: Path, name: str) -> str | None:
    """Return the path of a file that a recipe names, relative to the recipe's folder.

    Returns:
        None if it is not inside the folder, also through links: a recipe may not read elsewhere.
    """
    path = folder / name
    inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    return str(path) if inside else None


def read_tables(path: Path) -> dict[str, Any]:
    """Read the tables of a recipe and of those that it extends; no table or key is checked.

    Raises:
        RecipeError: as in :func:`read_chain`.
    """
    return _joined(read_chain(path))


def read_chain(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Read a recipe, the one that it extends, the one that this extends and so on.

    Returns:
        Each file with its own tables, the recipe itself first.

    Raises:
        RecipeError: a file cannot be read or is not TOML, or what is extended is not another
            recipe in the same folder.
    """
    chain = [(path, _parse(path))]
    while _EXTENDS in chain[-1][1]:
        path, tables = chain[-1]
        name = tables.pop(_EXTENDS)
        where = f'{path}: "{_EXTENDS}"'
        file = own_file(path.parent, name) if isinstance(name, str) else None
        if file is None:
            message = f"{where} must name a recipe in the same folder, not {name!r}"
            raise RecipeError(message, hint=f'write {_EXTENDS} = "FILE.toml" above the first table')
        if not os.path.isfile(file):
            raise RecipeError(f"{where}: the file {file} does not exist", hint="check its name")
        if any(os.path.samefile(file, seen) for seen, _ in chain):
            raise RecipeError(f"{where}: {file} extends this recipe", hint="remove one of them")
        chain.append((Path(file), _parse(Path(file))))
    return chain


def _joined(chain: Sequence[tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for _, own in reversed(chain):
        tables = {key: _laid_over(key, tables.get(key), own.get(key)) for key in {**tables, **own}}
    return tables


def _laid_over(name: str, base: Any, value: Any) -> Any:
    """Return the table for a name in two recipes; a key of both has the second one's value."""
    if not isinstance(base, dict) or not isinstance(value, dict):
        return base if value is None else value
    if name in _OF_STUDIES:
        return {**base, **value}
    return {key.replace("_", "-"): one for table in (base, value) for key, one in table.items()}


def _parse(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except (OSError, ValueError, RecursionError) as exc:
        raise RecipeError(f"cannot read {path}: {exc}", hint="fix the file") from exc


def load_table(path: Path, stage: str) -> dict[str, Any]:
    """Read one stage's table from a recipe; empty if the recipe has none.

    Raises:
        RecipeError: the file is not TOML, the entry is not a table, or the file has tables or
            options that belong to no stage.
    """
    chain = read_chain(path)
    for file, own in chain:
        for name, value in own.items():
            if name not in TABLES:
                raise _unknown(file, name, is_table=isinstance(value, dict))
    table = _joined(chain).get(stage, {})
    if not isinstance(table, dict):
        raise RecipeError(f'{path}: "{stage}" must be a table', hint=f'write it as "[{stage}]"')
    return table


def _unknown(path: Path, name: str, *, is_table: bool) -> RecipeError:
    """Refuse what no stage would read; a wrong name would silently change nothing."""
    if not is_table:
        message = f'{path}: "{name}" is not in a table'
        return RecipeError(message, hint='put it below the name of its stage, such as "[train]"')
    close = difflib.get_close_matches(name, TABLES, n=1)
    hint = f'did you mean "[{close[0]}]"?' if close else f"tables: {', '.join(_COMMANDS)}"
    return RecipeError(f'{path}: there is no table "[{name}]"', hint=hint)
