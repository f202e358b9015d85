"""The settings that a recipe brings to other data: its student, its training and its examples."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mitools.errors import RecipeError
from mitools.recipe import find_recipe, load_table, read_chain, read_tables

__all__ = ["Settings", "copy_recipe", "read_settings"]

_TABLES = ("annotate", "train", "eval", "explain")
_OF_THE_TASK = ("system", "template", "examples")


@dataclass
class Settings:
    """Tables of a recipe that do not depend on its data.

    Attributes:
        recipe: as a person named it; None for the defaults.
        tables: options by stage.
        files: files of the recipe that the tables name, by their names in the new one.
        left_out: options that fit only the recipe's own data.
    """

    recipe: str | None = None
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def of(self, stage: str) -> dict[str, Any]:
        return dict(self.tables.get(stage, {}))


def read_settings(recipe: str, task: str, labels: Sequence[str]) -> Settings:
    """Read what a recipe brings to data of this task.

    What it shows a teacher (system message, template, examples) is taken only if it has the same
    task, and the same labels where the labels are fixed.

    Raises:
        RecipeError: there is no such recipe, or it is not valid.
    """
    path = find_recipe(recipe)
    settings = Settings(recipe, {name: load_table(path, name) for name in _TABLES})
    load = load_table(path, "load")
    is_same = load.get("task") == task
    if task == "labels":
        is_same = is_same and {*_names(load.get("labels", ()))} == {*labels}
    annotate = settings.tables["annotate"]
    if not is_same:
        settings.left_out = [name for name in _OF_THE_TASK if annotate.pop(name, None) is not None]
    train = settings.tables["train"]
    if task not in ("choice", "labels") and train.get("mi") == "name":
        del train["mi"]  # its rationales name a choice, which these records do not have
    for name in ("template", "examples"):
        if isinstance(annotate.get(name), str):
            file = _inside(path, annotate[name])
            annotate[name] = name + "".join(file.suffixes)
            settings.files[annotate[name]] = file
    return settings


def _names(value: Any) -> list[str]:
    names = value.split(",") if isinstance(value, str) else value
    return [str(name).strip() for name in names]


def _inside(recipe: Path, name: str) -> Path:
    path = recipe.parent / name
    folder = os.path.realpath(recipe.parent)
    if os.path.commonpath([folder, os.path.realpath(path)]) != folder:
        message = f"{recipe}: {name}: a recipe may only read files in its own folder"
        raise RecipeError(message, hint="copy the file there")
    if not path.is_file():
        raise RecipeError(f"{recipe}: the file {name} does not exist", hint="check the path")
    return path


def copy_recipe(recipe: str, folder: Path) -> Mapping[str, Any]:
    """Copy a recipe and the files that it names; its other files are about its own runs.

    Returns:
        The tables of the recipe.

    Raises:
        RecipeError: there is no such recipe, it is not valid, or it names files of other folders.
    """
    path = find_recipe(recipe)
    load_table(path, "load")
    chain = read_chain(path)
    bases = [os.path.relpath(file, path.parent) for file, _ in chain[1:]]
    shutil.copyfile(path, folder / "recipe.toml")
    for name in {*bases, *_texts([tables for _, tables in chain])}:
        if _is_file(path.parent, name):
            file = _inside(path, name)
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return read_tables(path)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def _is_file(folder: Path, name: str) -> bool:
    try:
        return bool(name.strip()) and (folder / name).is_file()
    except (OSError, ValueError):  # too long for a path, or with a null byte
        return False
