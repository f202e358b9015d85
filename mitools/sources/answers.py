"""Choices and labels in the forms that data sets use, as plain strings.

:func:`meanings` lists what a label can mean in each form. The form of a source is decided once, in
:mod:`mitools.sources.labelling`; :func:`label_among` then reads labels in that form only.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitools.errors import InvalidFieldError, Where
from mitools.sources.label_forms import LABEL_FORMS, LabelForm
from mitools.tasks import forms_among, letter_of

__all__ = [
    "Choices",
    "as_text",
    "is_code",
    "is_unlabelled",
    "label_among",
    "lettered",
    "meanings",
    "path_to_text",
    "read_choices",
    "shortened",
]

_LETTER = re.compile(r"\(?([A-Za-z])\)?[.:]?")
_WHOLE = re.compile(r"(\d{1,9})(?:\.0+)?")  # pandas writes 1.0 in a column with blanks
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_DEEPEST = 8
_MOST_EXACT = 2.0**53  # above it, some whole numbers are not floats
_MARK = re.compile(r"\s*\(?([A-Za-z])[).:]\s*(?=\S)")
_SIGNS = {2: ("-1", "1"), 3: ("-1", "0", "1")}
"""Signs by the number of choices, in their order."""

_BOOLEANS = {True: ("true", "yes"), False: ("false", "no")}


@dataclass(frozen=True)
class Choices:
    """The possible answers of an example, and the keys that its label may use instead.

    Attributes:
        texts: the answers; a blank one keeps the place of a missing option.
        keys: their marks, such as ``A`` to ``E``, in the same order; empty if there are none.
        are_set: whether they are the label set of all records: no letter means a place among them,
            and their labels may be signs.
    """

    texts: tuple[str, ...]
    keys: tuple[str, ...] = ()
    are_set: bool = False

    @property
    def offered(self) -> list[str]:
        """The answers that are not blank."""
        return [text for text in self.texts if text]

    def at(self, place: int) -> str | None:
        """Return the answer at an index from 0; None if there is none."""
        return (self.texts[place] or None) if 0 <= place < len(self.texts) else None


def read_choices(value: Any, where: Where | None = None) -> Choices | None:
    """Read choices from a cell; None if there are none.

    A list of texts, or the JSON of one; ``{"label": [...], "text": [...]}``; a list of
    ``{"label": ..., "text": ...}``; an object with the keys as names. Texts that begin with their
    own letters, in order (``A)21``, ``B)25``), are split into keys and texts.

    Raises:
        InvalidFieldError: it has another form.
    """
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    if not value:
        return None
    keys: Sequence[Any] = ()
    texts: Any = value
    if isinstance(value, Mapping):
        if isinstance(value.get("text"), list):
            keys, texts = value.get("label") or (), value["text"]
        else:
            keys, texts = list(value), list(value.values())
    elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        keys = [item.get("label") for item in value]
        texts = [item.get("text") for item in value]
    if not isinstance(texts, list) or len(keys) not in (0, len(texts)):
        hint = 'name the list, or the fields in order: "--map choices=a,b,c"'
        raise InvalidFieldError('field "choices" is not a list of texts', where=where, hint=hint)
    read = [as_text(text, "choices", where) or "" for text in texts]
    while read and not read[-1]:  # drop padding at the end
        read.pop()
    if not read:
        return None
    choices = Choices(tuple(read), tuple(map(str, keys))[: len(read)])
    return choices if choices.keys else _without_marks(choices)


def _without_marks(choices: Choices) -> Choices:
    """Split ``A)21`` into key and text, if every choice starts with its letter."""
    first = choices.texts[0]
    if (first and not _MARK.match(first)) or len(choices.offered) < 2:
        return choices
    keys, texts = [], []
    for place, text in enumerate(choices.texts):
        mark = _MARK.match(text)
        if text and (mark is None or mark[1].lower() != letter_of(place)):
            return choices
        keys.append(mark[1] if mark else letter_of(place).upper())
        texts.append(text[mark.end() :] if mark else "")
    return Choices(tuple(texts), tuple(keys))


def is_unlabelled(value: Any) -> bool:
    """Tell whether a label means that there is none: null, blank, -1 (Hub) or - (SNLI)."""
    return value is None or (not isinstance(value, bool) and _stripped(value) in ("", "-1", "-"))


def is_code(value: Any) -> bool:
    """Tell whether a label is a letter or a whole number, which may stand for a place."""
    text = _stripped(value)
    return bool(_WHOLE.fullmatch(text) or _LETTER.fullmatch(text))


def meanings(value: Any, choices: Choices) -> dict[LabelForm, str]:
    """List what a label can mean among choices, by its form; empty if it is not one of them."""
    if isinstance(value, list | Mapping) or value is None:
        return {}
    choice_by_form = {form: _read(value, choices, form) for form in LABEL_FORMS}
    return {form: choice for form, choice in choice_by_form.items() if choice is not None}


def label_among(
    value: Any, choices: Choices, form: LabelForm | None, where: Where | None = None
) -> str | None:
    """Find the choice that a label means, in the form of the source.

    Args:
        form: how labels are written; None if no label so far was one of its choices.

    Returns:
        The choice, spelled as among the choices; None if there is no label.

    Raises:
        InvalidFieldError: it is not one of them.
    """
    if isinstance(value, list | Mapping):
        as_text(value, "label", where)  # refuses it
    choice = None if form is None else _read(value, choices, form)
    if isinstance(value, bool) and form == "index0" and len(choices.texts) == len(_BOOLEANS):
        choice = choices.at(int(value))
    if choice is not None or is_unlabelled(value):
        return choice
    raise _not_among(value, choices, form, where)


def _read(value: Any, choices: Choices, form: LabelForm) -> str | None:
    if form == "text":
        return _by_text(value, choices)
    if isinstance(value, bool):
        return None
    text = _stripped(value)
    if form == "key":
        return choices.at(choices.keys.index(text)) if text in choices.keys else None
    if form == "letter":
        match = None if choices.are_set else _LETTER.fullmatch(text)
        return choices.at(ord(match[1].lower()) - ord("a")) if match else None
    if form == "sign":
        signs = _SIGNS.get(len(choices.texts), ()) if choices.are_set else ()
        return choices.at(signs.index(text)) if text in signs else None
    whole = _WHOLE.fullmatch(text)
    return choices.at(int(whole[1]) - (form == "index1")) if whole else None


def _by_text(value: Any, choices: Choices) -> str | None:
    names: tuple[str, ...]
    if isinstance(value, bool):
        names = _BOOLEANS[value]
    elif isinstance(value, str):
        if value in choices.texts:
            return value or None
        names = (value,)
    else:
        names = (_stripped(value),)
    form = forms_among(choices.texts)
    for name in map(form, names):
        for choice in choices.texts:
            if choice and form(choice) == name:
                return choice
    return None


def _stripped(value: Any) -> str:
    return str(_whole_if_equal(value)).strip()


def _whole_if_equal(value: Any) -> Any:
    """Turn 1.0 into 1, as a column of whole numbers with blanks holds floats."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _MOST_EXACT
    return int(value) if is_whole else value


_AS: dict[LabelForm | None, str] = {
    None: "",
    "text": "",
    "key": ", read as a key",
    "letter": ", read as a letter",
    "sign": ", read as a sign",
    "index0": ", counted from 0",
    "index1": ", counted from 1",
}


def _not_among(
    value: Any, choices: Choices, form: LabelForm | None, where: Where | None
) -> InvalidFieldError:
    offered = shortened(", ".join(choices.offered), 200)
    written = as_text(value, "label") or ""
    message = f'label "{shortened(written, 60)}" is not one of its choices ({offered}){_AS[form]}'
    others = [] if form is None else [name for name in meanings(value, choices)]
    if isinstance(value, bool) and len(choices.offered) == len(_BOOLEANS):
        no, yes = choices.offered
        hint = f'if false is "{no}" and true is "{yes}", add "--label-is index0"'
    elif others:
        hint = (
            f'labels of this source are read by "--label-is {form}": choose another '
            f'("--label-is {others[0]}"), or skip the row: "--on-error skip"'
        )
    else:
        hint = 'map another field with "--map label=FIELD", or skip the row: "--on-error skip"'
    return InvalidFieldError(message, where=where, hint=hint)


def shortened(text: str, characters: int) -> str:
    """Shorten a user's text to one line of a message."""
    text = " ".join(text.split())
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def lettered(value: Any) -> str:
    """Format choices as lines "(a) first", "(b) second" …; a template filter."""
    choices = read_choices(value)
    texts = choices.offered if choices else ()
    marks = [letter_of(place) if place < 26 else str(place + 1) for place in range(len(texts))]
    return "\n".join(f"({mark}) {text}" for mark, text in zip(marks, texts, strict=True))


def as_text(value: Any, name: str, where: Where | None = None, spec: str = "") -> str | None:
    """Read a cell as text; None if it is null or blank.

    Args:
        name: of the record's field.
        spec: where its value comes from, for messages.

    Raises:
        InvalidFieldError: it is a list or an object.
    """
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None:
        return None
    if isinstance(value, list | Mapping):
        kind = "a list" if isinstance(value, list) else "an object"
        hint = _text_within(value, name, spec)
        raise InvalidFieldError(f'field "{name}" is {kind}, not a text', where=where, hint=hint)
    return json.dumps(value) if isinstance(value, bool) else str(_whole_if_equal(value))


def _text_within(value: Any, name: str, spec: str) -> str:
    """Say how to map a text that is inside a list or an object."""
    within = path_to_text(value) or ("0" if isinstance(value, list) else next(iter(value), "NAME"))
    hint = f'name one element of it: "--map {name}={spec or "…"}.{within}"'
    is_of_texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if is_of_texts and _PATH.fullmatch(spec):
        hint += f", or join them: --map \"{name}={{{{ {spec} | join(', ') }}}}\""
    return hint


def path_to_text(value: Any) -> str:
    """Return the dotted path of the first text in a list or an object; empty if there is none."""
    inner: Any = value
    names: list[str] = []
    while isinstance(inner, list | Mapping) and inner and len(names) < _DEEPEST:
        if isinstance(inner, list):
            name, inner = "0", inner[0]
        else:
            usual = (known for known in ("text", "value", "label", "name") if known in inner)
            name = str(next(usual, next(iter(inner))))
            inner = inner.get(name)
        names.append(name)
    return ".".join(names) if isinstance(inner, str) else ""
