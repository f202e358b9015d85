"""The record's schema: which fields there are, what they hold, and a check against it.

A record is a plain ``dict``; fields that are not listed here are nobody's business but the user's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from mitools.errors import InvalidFieldError, Where

__all__ = [
    "READINGS",
    "SCHEMA",
    "SPLITS",
    "TASKS",
    "Field",
    "Record",
    "get_path",
    "json_schema",
    "json_type",
    "validate",
]

Record = dict[str, Any]

SPLITS = ("train", "valid", "test")
TASKS = ("choice", "labels", "equation", "text")
READINGS = ("field", "boxed", "hashes", "cue", "line", "statement")
"""Where in a completion a label may stand, the surest place first; see :mod:`mitools.reading`."""


@dataclass(frozen=True)
class Field:
    """One field of a record, or of an object inside it.

    Attributes:
        kind: the JSON type; ``strings`` is a list of strings, ``numbers`` an object of numbers.
        about: what it means, for people.
        writer: the stage that writes it.
        nullable: whether null is allowed.
        values: the only strings allowed, where they are few.
        fields: what an ``object``, or each element of ``objects``, may hold (and more).
        within: the least and the greatest number allowed; also of each of ``numbers``.
    """

    name: str
    kind: Literal["string", "number", "boolean", "strings", "numbers", "object", "objects"]
    about: str
    writer: str = ""
    nullable: bool = False
    values: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    within: tuple[float, float] | None = None


_ERROR = Field("error", "object", "why there is no answer: kind and message", nullable=True)

_SAMPLE = (
    Field("label", "string", "the teacher's answer", nullable=True),
    Field("rationale", "string", "why, in the teacher's words", nullable=True),
    Field("agrees", "boolean", "whether the label equals gold; null where unknown", nullable=True),
    Field(
        "read_by",
        "string",
        "where in the answer the label stood: a field, \\boxed, ####, a phrase such as "
        '"the answer is", a line of its own, or the last sentence',
        values=READINGS,
    ),
    Field("hinted", "boolean", "whether the teacher was shown the gold label"),
    Field("leak", "boolean", "whether its words say so"),
    _ERROR,
)

_TEACHER = (
    *_SAMPLE,
    Field("samples", "objects", "every answer drawn, in order", fields=_SAMPLE),
    Field("model", "string", "the model that answered"),
    Field("prompt", "string", "hash of the effective prompt"),
    Field("usage", "object", "tokens, as the server counted them", nullable=True),
)

_STUDENT = (
    Field("label", "string", "the student's answer", nullable=True),
    Field("rationale", "string", "why, in the student's words", nullable=True),
    Field(
        "confidence", "number", "probability of the answer, 0 to 1", nullable=True, within=(0, 1)
    ),
    Field("choices", "numbers", "probability by choice; they add up to 1", within=(0, 1)),
    Field("in_set_mass", "number", "probability of the choices out of all texts", nullable=True),
    Field(
        "log_prob", "number", "natural log of the probability of the label's text", nullable=True
    ),
    Field(
        "decoded", "string", "the label that decoding gives beside scored choices", nullable=True
    ),
    Field(
        "label_truncated", "boolean", "whether the label ran into the length limit", nullable=True
    ),
    Field("rationale_truncated", "boolean", "whether the rationale ran into it", nullable=True),
    Field("model", "string", "the student that answered", nullable=True),
    Field(
        "order",
        "string",
        "whether its label was decoded behind its rationale",
        values=("separate", "label-rationale", "rationale-label"),
    ),
    Field("trained", "strings", "the tasks that it was taught, where they are not both"),
)

_SCORES = (
    Field("correct", "boolean", "the label equals gold; null without gold", nullable=True),
    Field("exact", "boolean", "the label is gold, letter by letter", nullable=True),
    Field("valid", "boolean", "the label is a possible answer"),
    Field("decode_agrees", "boolean", "decoding gives the answer that scoring chose"),
    Field("supported", "string", "the label that the rationale argues for", nullable=True),
    Field("supports", "string", "whose label that is", values=("student", "gold", "other", "none")),
    Field("consistent", "boolean", "it is the student's own; null where none", nullable=True),
    Field("mentions_label", "boolean", "the rationale names the student's label"),
    Field("steps", "number", "arithmetic steps that the rationale states"),
    Field("steps_right", "number", "how many of them are right"),
)

SCHEMA: tuple[Field, ...] = (
    Field("id", "string", "unique; derived from the content where missing", "load"),
    Field("input", "string", "what the student reads, without a task prefix", "load"),
    Field("label", "string", "gold answer; null where unknown", "load", nullable=True),
    Field("task", "string", "how labels are read and compared", "load", values=TASKS),
    Field("choices", "strings", "the possible answers of this example", "load", nullable=True),
    Field("rationale", "string", "a human rationale", "load", nullable=True),
    Field("group", "string", "records of one group stay in one split", "load", nullable=True),
    Field("teacher", "object", "the teacher's answer", "annotate", nullable=True, fields=_TEACHER),
    Field("split", "string", "which part it belongs to", "split", nullable=True, values=SPLITS),
    Field("student", "object", "the student's answer", "eval", nullable=True, fields=_STUDENT),
    Field("scores", "object", "verdicts on it", "eval", nullable=True, fields=_SCORES),
)


def json_schema() -> dict[str, Any]:
    """Render :data:`SCHEMA` as JSON Schema, draft 2020-12 (``mitools schema`` prints it)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mitools record",
        "type": "object",
        "properties": {item.name: _json_schema_of(item) for item in SCHEMA},
        "additionalProperties": True,
    }


def _json_schema_of(item: Field) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "object"}
    if item.fields:
        inner["properties"] = {sub.name: _json_schema_of(sub) for sub in item.fields}
    limits = dict(zip(("minimum", "maximum"), item.within or (), strict=False))
    shapes: dict[str, dict[str, Any]] = {
        "number": {"type": "number", **limits},
        "strings": {"type": "array", "items": {"type": "string"}},
        "numbers": {"type": "object", "additionalProperties": {"type": "number", **limits}},
        "object": inner,
        "objects": {"type": "array", "items": inner},
    }
    shape = shapes.get(item.kind, {"type": item.kind})
    if item.values:
        shape = {**shape, "enum": [*item.values, None] if item.nullable else list(item.values)}
    if item.nullable:
        shape = {**shape, "type": [shape["type"], "null"]}
    if item.writer:
        shape = {**shape, "x-written-by": item.writer}
    return {"description": item.about, **shape}


def validate(record: Record, where: Where | None = None) -> None:
    """Raise :class:`InvalidFieldError` where a known field has a wrong type or value."""
    _validate_fields(record, _KNOWN, "", where)


def _validate_fields(
    value: Mapping[str, Any], known: Mapping[str, _Known], prefix: str, where: Where | None
) -> None:
    for name, found in value.items():
        entry = known.get(name)
        if entry is None or entry.is_plain(found):
            continue
        item = entry.item
        if found is None and item.nullable:
            continue
        problem = "" if item.kind == "object" and type(found) is dict else _problem(found, item)
        if problem:
            raise InvalidFieldError(f'field "{prefix}{name}" {problem}', where=where)
        if entry.fields:
            for inner in found if item.kind == "objects" else (found,):
                _validate_fields(inner, entry.fields, f"{prefix}{name}.", where)


class _Known(NamedTuple):
    """What is known of a field by its name.

    Attributes:
        fields: those inside it, by name.
        is_plain: tells fast whether a value is right without further questions, as most are.
    """

    item: Field
    fields: Mapping[str, Any]
    is_plain: Callable[[Any], bool]


def _by_name(fields: tuple[Field, ...]) -> dict[str, _Known]:
    return {item.name: _Known(item, _by_name(item.fields), _plain_of(item)) for item in fields}


def _plain_of(item: Field) -> Callable[[Any], bool]:
    if item.kind == "string" and item.values:
        values = item.values
        return lambda found: type(found) is str and found in values
    if item.kind == "string":
        return lambda found: type(found) is str and (found.isascii() or _is_unicode(found))
    if item.kind == "boolean":
        return lambda found: found is True or found is False
    if item.kind == "object" and not item.fields:
        return lambda found: type(found) is dict
    return lambda _found: False


_CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("a string", lambda v: isinstance(v, str)),
    "number": ("a number", lambda v: _is_number(v)),
    "boolean": ("true or false", lambda v: isinstance(v, bool)),
    "strings": ("a list of strings", lambda v: _is_list_of(v, str)),
    "numbers": (
        "an object of numbers",
        lambda v: isinstance(v, dict) and all(map(_is_number, v.values())),
    ),
    "object": ("an object", lambda v: isinstance(v, dict)),
    "objects": ("a list of objects", lambda v: _is_list_of(v, dict)),
}


def _problem(value: Any, item: Field) -> str:
    name, is_ok = _CHECKS[item.kind]
    if not is_ok(value):
        return f"must be {name}{' or null' if item.nullable else ''}, not {json_type(value)}"
    if item.values and value not in item.values:
        return f"must be one of {', '.join(item.values)}, not {json.dumps(value)}"
    if item.kind == "string":
        return "" if _is_unicode(value) else _HALF
    if item.kind == "number":
        return _misfit(value, item.within)
    if item.kind in ("strings", "numbers") and not all(map(_is_unicode, value)):
        return _HALF
    if item.kind == "numbers":
        return next(filter(None, (_misfit(one, item.within) for one in value.values())), "")
    return ""


_HALF = "holds half of a surrogate pair, which is not a character"


def _is_unicode(text: str) -> bool:
    """Tell whether UTF-8 can hold a text; JSON can spell texts that it cannot."""
    if text.isascii():  # known without looking
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _misfit(number: int | float, within: tuple[float, float] | None) -> str:
    try:
        value = float(number)
    except OverflowError:
        return "is too large a number"
    if within is None or within[0] <= value <= within[1]:
        return "" if math.isfinite(value) else "must be a finite number"
    return f"must lie within {within[0]:g} and {within[1]:g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(element, kind) for element in value)


def json_type(value: Any) -> str:
    """Name the JSON type of a value, with its article."""
    names: dict[type, str] = {
        type(None): "null",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def get_path(record: Mapping[str, Any], path: str) -> Any:
    """Look up a dotted path such as ``teacher.label``; None where any part of it is absent."""
    value: Any = record
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


_KNOWN = _by_name(SCHEMA)
