"""The source and the options in the table ``load`` of an installed recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mitools.errors import RecipeError
from mitools.recipe import find_recipe, load_table, own_file
from mitools.sources.hub import PREFIX
from mitools.sources.options import LoadOptions

__all__ = ["recipe_source"]

_ATTRIBUTES = {"map": "fields", "hf_split": "hf_splits"}
_OF_NAMES = ("labels", "choices", "keep_fields", "drop_fields")


def recipe_source(name: str) -> tuple[str, LoadOptions]:
    """Read the table ``load`` of a recipe.

    Returns:
        The source that it names, and its options.

    Raises:
        RecipeError: there is no such recipe, it names no source, or a key is not an option.
    """
    path = find_recipe(name)
    values: dict[str, Any] = {}
    for key, value in load_table(path, "load").items():
        attribute = key.replace("-", "_")
        attribute = _ATTRIBUTES.get(attribute, attribute)
        values[attribute] = _read(attribute, value)
    source = values.pop("source", None)
    if not isinstance(source, str):
        raise RecipeError(f"{path}: [load] names no source", hint='add "source = …"')
    if source != "demo" and not source.startswith(PREFIX):
        source = _own(path, "source", source)
    if "requests" in values:
        values["requests"] = _own(path, "requests", values["requests"])
    try:
        return source, LoadOptions(**values)
    except TypeError as exc:
        raise RecipeError(f"{path}: [load]: {exc}", hint='see "mitools load --help"') from exc


def _own(path: Path, key: str, name: Any) -> str:
    """Return the path of a file that the recipe names; refuse one outside its folder."""
    file = own_file(path.parent, str(name))
    if file is None:
        message = f"{path}: {key} = {name!r}: a recipe may only read files in its own folder"
        raise RecipeError(message, hint="give load_records the file itself")
    return file


def _read(attribute: str, value: Any) -> Any:
    if attribute in _OF_NAMES:
        names = value.split(",") if isinstance(value, str) else value
        return tuple(str(name).strip() for name in names if str(name).strip())
    if attribute == "hf_splits":
        return tuple((pair.partition("=")[0], pair.partition("=")[2] or None) for pair in value)
    return value
