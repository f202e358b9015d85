"""A JSON object that holds rows, instead of being one: how to take them out of it.

Such files are written by ``DataFrame.to_json``, by exports that wrap a list, and by hand.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

__all__ = ["command_for_list", "command_for_rows"]

_WRAPPERS = ("data", "rows", "records", "examples", "instances", "items", "questions", "samples")
_FRAME = {"columns", "index", "data"}
_OF_MESSAGES = ("role", "from", "content", "value")
_FEWEST = 2


def command_for_rows(value: Mapping[str, Any], path: str) -> str | None:
    """Return the command that writes the rows of an object as JSON Lines; None if it may be a row.

    Args:
        value: the only object of a file.
        path: of the file.
    """
    if not value:
        return None
    if value.keys() >= _FRAME and isinstance(value["data"], list):
        return _with_pandas(path, ', orient="split"')
    if not all(isinstance(inner, list | Mapping) and inner for inner in value.values()):
        wrapper = next((name for name in _WRAPPERS if _are_rows(value.get(name))), None)
        return None if wrapper is None else f"{command_for_list(wrapper, path)} > rows.jsonl"
    inners = list(value.values())
    if all(map(_are_rows, inners)):
        if len(inners) == 1:
            return f"{command_for_list(next(iter(value)), path)} > rows.jsonl"
        return _with_jq("to_entries[] | .key as $split | .value[] | .split = $split", path)
    sizes = {len(inner) for inner in inners}
    is_table = len(inners) >= _FEWEST and len(sizes) == 1 and max(sizes) >= _FEWEST
    if is_table and all(_are_cells(inner) for inner in inners):
        return _with_pandas(path)
    if len(inners) >= _FEWEST and _are_alike(inners):
        return _with_jq("to_entries[] | .value + {id: .key}", path)
    return None


def command_for_list(name: str, path: str) -> str:
    """Return the command that writes the items of a list in an object, one on each line."""
    program = f".{name}[]" if name.isascii() and name.isidentifier() else f".[{json.dumps(name)}][]"
    return f"jq -c {shlex.quote(program)} {shlex.quote(path)}"


def _are_rows(value: Any) -> bool:
    """Tell whether a value is a list of objects that are not the messages of one conversation."""
    if not isinstance(value, list) or not value or not isinstance(value[0], Mapping):
        return False
    return not any(name in value[0] for name in _OF_MESSAGES)


def _are_cells(value: Any) -> bool:
    """Tell whether a value is a column: a list of cells, or cells by the number of their row."""
    if isinstance(value, Mapping):
        return list(value) == [str(place) for place in range(len(value))]
    return isinstance(value, list) and not isinstance(value[0], Mapping)


def _are_alike(values: list[Any]) -> bool:
    """Tell whether values are objects with mostly the same names, as rows have."""
    if not all(isinstance(value, Mapping) for value in values):
        return False
    names = [set(value) for value in values]
    return 2 * len(set.intersection(*names)) >= len(set.union(*names))


def _with_jq(program: str, path: str) -> str:
    return f"jq -c {shlex.quote(program)} {shlex.quote(path)} > rows.jsonl"


def _with_pandas(path: str, how: str = "") -> str:
    program = (
        f"import pandas as pd; pd.read_json({json.dumps(path)}{how}, dtype=False, "
        "convert_dates=False, convert_axes=False)"
        '.to_json("rows.jsonl", orient="records", lines=True)'
    )
    return f"python -c {shlex.quote(program)}"
