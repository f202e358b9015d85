"""Keys and values as TOML 1.0, with every hidden character escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mitools.errors import RecipeError

__all__ = ["toml_comment", "toml_key", "toml_value"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_COLUMNS = 98


def toml_key(name: str) -> str:
    """Write a key, quoted where that is needed."""
    return name if _BARE.fullmatch(name) else _text(name)


def toml_value(value: Any) -> str:
    """Write a value: a text, a truth value, a number, a list or a table.

    Raises:
        RecipeError: TOML cannot hold it, such as a lone surrogate in a text.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{toml_key(name)} = {toml_value(inner)}" for name, inner in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, str):
        return _text(value)
    raise RecipeError(f"a recipe cannot hold {value!r}", hint="leave it out")


def toml_comment(text: str) -> str:
    """Write a text as lines of comment; hidden characters in it are escaped."""
    words = ["".join(map(_shown, word)) for word in text.split()]
    lines = ["#"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _COLUMNS and lines[-1] != "#":
            lines.append("#")
        lines[-1] += f" {word}"
    return "\n".join(lines)


def _text(text: str) -> str:
    for character in text:
        if "\ud800" <= character <= "\udfff":
            message = f"a recipe cannot hold the text {text!r}: a character in it is not Unicode"
            raise RecipeError(message, hint="rename the column, or fix the value")
    return '"' + "".join(_SHORT.get(character) or _shown(character) for character in text) + '"'


def _shown(character: str) -> str:
    """Write a character as it is, or by its number where it cannot be seen."""
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04X}" if number < 2**16 else f"\\U{number:08X}"
