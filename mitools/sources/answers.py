"""Choices and labels in the many ways that data sets write them, as plain strings."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitools.errors import InvalidFieldError, Where
from mitools.tasks import letter_of, normalize

__all__ = ["Choices", "as_text", "label_among", "lettered", "read_choices"]

_LETTER = re.compile(r"\(?([A-Za-z])\)?[.:]?")


@dataclass(frozen=True)
class Choices:
    """The possible answers of an example, and the keys that its label may go by instead.

    Attributes:
        texts: the answers themselves.
        keys: their marks, such as ``A`` to ``E``, in the same order; empty where there are none.
        have_letters: whether a single letter means a place among them.
    """

    texts: tuple[str, ...]
    keys: tuple[str, ...] = ()
    have_letters: bool = True


def read_choices(value: Any, where: Where | None = None) -> Choices | None:
    """Read choices from a cell; None where there are none.

    A list of texts, or in JSON what stands for one; ``{"label": [...], "text": [...]}``; a list of
    ``{"label": ..., "text": ...}``; an object with the keys as names.

    Raises:
        InvalidFieldError: it is nothing of the kind.
    """
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    if not value:
        return None
    keys: Sequence[Any] = ()
    texts: Any = value
    if isinstance(value, Mapping):
        if isinstance(value.get("text"), list):
            keys, texts = value.get("label") or (), value["text"]
        else:
            given = {key: text for key, text in value.items() if text is not None}
            keys, texts = list(given), list(given.values())
    elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        keys = [item.get("label") for item in value]
        texts = [item.get("text") for item in value]
    if not isinstance(texts, list) or len(keys) not in (0, len(texts)):
        hint = 'name the list, or the fields in order: "--map choices=a,b,c"'
        raise InvalidFieldError('field "choices" is no list of texts', where=where, hint=hint)
    read = [as_text(text, "choices", where) or "" for text in texts]
    return Choices(tuple(read), tuple(str(key) for key in keys))


def label_among(value: Any, choices: Choices, where: Where | None = None) -> str | None:
    """Find the choice that a label means: by key, by text, by letter or by its place from 0.

    None stands for no label, and so does -1, as in data sets of the Hub.

    Raises:
        InvalidFieldError: it means none of them.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = as_text(value, "label", where)
    if text is None or text == "-1":
        return None
    texts = choices.texts
    if text in choices.keys:
        return texts[choices.keys.index(text)]
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value < len(texts):
            return texts[value]
    elif text in texts:
        return text
    same = [choice for choice in texts if normalize(choice) == normalize(text)]
    if same:
        return same[0]
    place = _place(text.strip(), choices.have_letters)
    if place is not None and place < len(texts):
        return texts[place]
    offered = _short(", ".join(texts), 200)
    message = f'label "{_short(text, 60)}" is none of its choices ({offered})'
    hint = 'map another field with "--map label=FIELD", or go on without it: "--on-error skip"'
    raise InvalidFieldError(message, where=where, hint=hint)


def _place(text: str, have_letters: bool) -> int | None:
    if text.isdecimal():
        return int(text)
    match = _LETTER.fullmatch(text) if have_letters else None
    return ord(match[1].lower()) - ord("a") if match else None


def _short(text: str, characters: int) -> str:
    """Fit a text that a user wrote into a message of one line."""
    text = " ".join(text.split())
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def lettered(value: Any) -> str:
    """Render choices as lines of "(a) first", "(b) second" …; a filter of the templates."""
    choices = read_choices(value)
    texts = choices.texts if choices else ()
    marks = [letter_of(place) if place < 26 else str(place + 1) for place in range(len(texts))]
    return "\n".join(f"({mark}) {text}" for mark, text in zip(marks, texts, strict=True))


def as_text(value: Any, name: str, where: Where | None = None) -> str | None:
    """Read a cell as text; None where it is null or blank.

    Raises:
        InvalidFieldError: it is a list or an object.
    """
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None:
        return None
    if isinstance(value, list | Mapping):
        kind = "a list" if isinstance(value, list) else "an object"
        within = "0" if isinstance(value, list) else next(iter(value), "NAME")
        hint = f'name one element of it: "--map {name}=….{within}"'
        raise InvalidFieldError(f'field "{name}" is {kind}, not a text', where=where, hint=hint)
    return json.dumps(value) if isinstance(value, bool) else str(value)
