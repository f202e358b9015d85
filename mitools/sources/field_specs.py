"""Specifications of ``--map``: field names, dotted paths and templates, and their values."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from mitools.errors import MissingFieldError, UsageError, Where
from mitools.sources.chat.exchange import ChatRow
from mitools.sources.json_shape import command_for_list
from mitools.sources.published import PRESETS, preset_for
from mitools.sources.templates import Extract, compile_template, is_template, names_in

__all__ = [
    "TARGETS",
    "check_fields",
    "looks_like_row",
    "make_extractor",
    "missing_field",
    "names_of",
]

TARGETS = ("id", "input", "label", "choices", "rationale", "group", "split")
"""The fields of a record that a source field can fill."""

_NUMBER = re.compile(r"[-+]?\d{1,20}(?:[.,]\d{1,20})?")
_MOST_WORDS = 5
_USUAL_INPUTS = ("question", "text", "problem", "prompt", "sentence", "query", "instruction")


def check_fields(fields: Mapping[str, str]) -> None:
    """Check a mapping of fields.

    Raises:
        UsageError: a target is not a field of a record, or a template is wrong.
    """
    for target, spec in fields.items():
        if target not in TARGETS:
            close = difflib.get_close_matches(target, TARGETS, n=1)
            hint = f'did you mean "{close[0]}"?' if close else f"use one of {', '.join(TARGETS)}"
            raise UsageError(f'no field "{target}" can be mapped', hint=hint)
        make_extractor(target, spec)


def names_of(target: str, spec: str) -> set[str]:
    """List the source fields that a specification uses."""
    if is_template(spec):
        return names_in(spec)
    names = spec.split(",") if target == "choices" else [spec]
    return {name.strip() for name in names if name.strip()}


def make_extractor(target: str, spec: str) -> Extract:
    """Compile the specification of a target.

    Raises:
        UsageError: its template is wrong.
    """
    if not spec.strip():
        return lambda _values, _where: None
    if is_template(spec):
        return compile_template(target, spec)
    if target == "choices" and "," in spec:
        names = [name.strip() for name in spec.split(",")]
        return lambda values, where: [_look_up(name, target, values, where) for name in names]
    return lambda values, where: _look_up(spec, target, values, where)


def _look_up(path: str, target: str, values: Mapping[str, Any], where: Where) -> Any:
    """Follow a dotted path; a number in it is the index of a list element, from 0."""
    if path in values:
        return values[path]
    value: Any = values
    for name in path.split("."):
        if isinstance(value, list) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        elif isinstance(value, Mapping) and name in value:
            value = value[name]
        elif value is None:
            return None
        else:
            raise missing_field(path, target, values, where)
    return value


def missing_field(
    path: str, target: str, values: Mapping[str, Any], where: Where
) -> MissingFieldError:
    close = difflib.get_close_matches(path, values, n=1) if path != target else []
    usual = [name for name in _USUAL_INPUTS if name in values] if target == "input" else []
    guess = shlex.quote(f"{target}={[*close, *usual, 'FIELD'][0]}")
    preset = preset_for(values) if target == "input" and path == target else None
    if isinstance(values, ChatRow) and path in values.used:
        made = "input" if target == "input" else "completion"
        hint = (
            'the row is read as a chat log, which makes "input" and "completion" of it: '
            f'"--map {target}={made}", or map its fields yourself: "--map input=FIELD"'
        )
    elif close:
        hint = f'did you mean "--map {guess}"?'
    elif preset:
        hint = f'these are the fields of {PRESETS[preset].title}: add "--preset {preset}"'
    else:
        hint = f'name it with "--map {guess}"'
        lists = [name for name, value in values.items() if _is_list_of_objects(value)]
        if target == "input" and lists and not usual:
            command = command_for_list(lists[0], "FILE")
            hint += f', or take the objects in it: "{command} | mitools load -"'
        if looks_like_row(values):
            hint += ', or, if the file has no header, the columns: "--columns A,B,…"'
    message = f'field "{path}" is missing among {_listed(values)}'
    return MissingFieldError(message, where=where, hint=hint)


def looks_like_row(names: Iterable[str]) -> bool:
    """Tell whether names of columns look like cells: one of them is a number, or a sentence."""
    return any(_NUMBER.fullmatch(name) or len(name.split()) > _MOST_WORDS for name in names)


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _listed(names: Iterable[str], at_most: int = 12) -> str:
    shown = list(names)
    more = ["…"] if len(shown) > at_most else []
    return ", ".join([*shown[:at_most], *more])
