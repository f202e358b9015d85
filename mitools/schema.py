"""The schema of a record: its fields, their types and meaning, and a validator.

A record is a plain ``dict``; fields that are not listed here pass through unchecked.
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
    "fields_table",
    "get_path",
    "json_schema",
    "json_type",
    "validate",
]

Record = dict[str, Any]

SPLITS = ("train", "valid", "test")
TASKS = ("choice", "labels", "equation", "text")
READINGS = ("field", "boxed", "hashes", "cue", "line", "statement")
"""Where in a completion a label can stand, the surest place first; see :mod:`mitools.reading`."""


@dataclass(frozen=True)
class Field:
    """One field of a record, or of an object inside it.

    Attributes:
        kind: the JSON type; ``strings`` is a list of strings, ``numbers`` an object of numbers.
        about: what it means, for people.
        writer: the stage that writes it.
        nullable: whether null is allowed.
        values: the only strings allowed; empty allows any.
        fields: what an ``object``, or each element of ``objects``, may hold (and more).
        within: the smallest and the largest number allowed; also for each of ``numbers``.
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

_CHANCES = (
    Field("confidence", "number", "probability of the label, 0 to 1", nullable=True, within=(0, 1)),
    Field("choices", "numbers", "probability of each choice; they add up to 1", within=(0, 1)),
    Field(
        "in_set_mass", "number", "total probability of the choices among all texts", nullable=True
    ),
)

_SAMPLE = (
    Field("label", "string", "the teacher's answer", nullable=True),
    Field("rationale", "string", "the teacher's reasons", nullable=True),
    Field("agrees", "boolean", "whether the label equals gold; null without gold", nullable=True),
    Field(
        "read_by",
        "string",
        "where in the completion the label was found: a field, \\boxed, ####, a cue such as "
        '"the answer is", a line of its own, or the last sentence',
        values=READINGS,
    ),
    *_CHANCES,
    Field("hinted", "boolean", "whether the prompt contained the gold label"),
    Field("leak", "boolean", "whether the rationale says that it was shown the gold label"),
    _ERROR,
)

_TEACHER = (
    *_SAMPLE,
    Field("samples", "objects", "sampled answers in order, with the fields above", fields=_SAMPLE),
    Field("model", "string", "name of the model"),
    Field("prompt", "string", "hash of the prompt"),
    Field("usage", "object", "token counts from the server", nullable=True),
    Field("by", "string", "who answered, if a student was asked", values=("student", "teacher")),
    Field("student_confidence", "number", "of the student asked first", "", True, within=(0, 1)),
    Field("source", "string", "file and line of the answer, where load read it in a log"),
)

_OUTPUT = (
    Field("label", "string", "the student's answer", nullable=True),
    Field("rationale", "string", "the student's reasons", nullable=True),
    *_CHANCES,
    Field("log_prob", "number", "log-probability of the label's text, in nats", nullable=True),
    Field("decoded", "string", "the decoded label, where choices are scored", nullable=True),
    Field("label_truncated", "boolean", "whether a length limit cut the label", nullable=True),
    Field("rationale_truncated", "boolean", "whether a limit cut the rationale", nullable=True),
    Field("input_truncated", "boolean", "whether a length limit cut the input", nullable=True),
    Field("model", "string", "name and hash of the student", nullable=True),
    Field(
        "order",
        "string",
        "order of decoding, where the label follows the rationale",
        values=("separate", "label-rationale", "rationale-label"),
    ),
    Field("trained", "strings", "tasks that it learned, if the rationale is not among them"),
)

_ANSWER = tuple(
    item
    for item in _OUTPUT
    if item.name in ("label", "confidence", "choices", "in_set_mass", "log_prob", "label_truncated")
)
_COUNT = (0, 1e9)
_TOKENS = Field("tokens", "number", "tokens decoded for this answer", within=_COUNT)
_DRAWS = Field("draws", "number", "rationales that the label comes from", within=_COUNT)
_VOTES = Field("votes", "number", "rationales that name the label", within=_COUNT)
_WEIGHT = Field("weight", "number", "weight of the predict pass", within=(0, 1))
_FITTED_ON = Field("fitted_on", "number", "validation records that set the weight", within=_COUNT)
_BOTH = (*_ANSWER, _TOKENS, _WEIGHT, _FITTED_ON)
_NAMED = (*_ANSWER, _TOKENS, _DRAWS, _VOTES)

_STUDENT = (
    *_OUTPUT,
    Field("concludes", "boolean", "whether the student also gives a label behind its rationale"),
    Field(
        "answered_by",
        "string",
        "way of answering that gave the label",
        values=("predict", "conclude", "both", "named"),
    ),
    Field(
        "answers",
        "object",
        "answers in each way, where several were asked for",
        fields=(
            Field("predict", "object", "from the predict pass", fields=(*_ANSWER, _TOKENS)),
            Field("conclude", "object", "behind rationales", fields=(*_ANSWER, _TOKENS, _DRAWS)),
            Field("both", "object", "from the predict pass and the rationale", fields=_BOTH),
            Field("named", "object", "that rationales name", fields=_NAMED),
        ),
    ),
)

_SCORES = (
    Field("correct", "boolean", "whether the label equals gold; null without gold", nullable=True),
    Field("exact", "boolean", "whether the label is the same text as gold", nullable=True),
    Field("valid", "boolean", "whether the label is a possible answer"),
    Field("decode_agrees", "boolean", "whether the decoded label equals the scored one"),
    Field("supported", "string", "the label that the rationale argues for", nullable=True),
    Field(
        "supports",
        "string",
        "whose label the supported label is",
        values=("student", "gold", "other", "none"),
    ),
    Field(
        "consistent",
        "boolean",
        "whether it is the student's own label; null where none",
        nullable=True,
    ),
    Field("mentions_label", "boolean", "whether the rationale names the student's label"),
    Field("sure", "boolean", "whether the confidence is at or above the operating point"),
    Field("role", "string", "use other than evaluation", values=("calibration", "fitting")),
    Field("steps", "number", "number of arithmetic steps in the rationale"),
    Field("steps_right", "number", "number of steps that are right"),
)

SCHEMA: tuple[Field, ...] = (
    Field("id", "string", "unique name; derived from the content if missing", "load"),
    Field("input", "string", "text that the student reads, without a task prefix", "load"),
    Field("label", "string", "gold label; null if unknown", "load", nullable=True),
    Field("task", "string", "how labels are read and compared", "load", values=TASKS),
    Field("choices", "strings", "the possible labels", "load", nullable=True),
    Field("rationale", "string", "a human rationale", "load", nullable=True),
    Field("group", "string", "records of a group stay in one split", "load", nullable=True),
    Field("teacher", "object", "answer of the teacher", "annotate", nullable=True, fields=_TEACHER),
    Field("split", "string", "part of the data set", "split", nullable=True, values=SPLITS),
    Field("student", "object", "answer of the student", "eval", nullable=True, fields=_STUDENT),
    Field(
        "scores",
        "object",
        "verdicts on the student's answer",
        "eval",
        nullable=True,
        fields=_SCORES,
    ),
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


def fields_table() -> str:
    """Render :data:`SCHEMA` as a Markdown table, one field a line."""
    rows = ["| field | type | meaning | written by |", "|---|---|---|---|"]
    for item in SCHEMA:
        rows += _table_rows(item, item.name, item.writer)
    return "\n".join(rows)


def _table_rows(item: Field, path: str, writer: str) -> list[str]:
    kind = _TYPES.get(item.kind, item.kind) + (" or null" if item.nullable else "")
    values = f": {', '.join(f'`{value}`' for value in item.values)}" if item.values else ""
    row = f"| `{path}` | {kind} | {item.about}{values} | {writer} |"
    inner = () if item.kind == "objects" else item.fields  # its fields are described already
    return [row, *(line for sub in inner for line in _table_rows(sub, f"{path}.{sub.name}", ""))]


_TYPES = {
    "strings": "list of strings",
    "numbers": "object of numbers",
    "objects": "list of objects",
}


def validate(record: Record, where: Where | None = None) -> None:
    """Raise :class:`InvalidFieldError` if a known field has a wrong type or value."""
    _validate_fields(record, _KNOWN, "", where)


def _validate_fields(
    value: Mapping[str, Any], known: Mapping[str, _Known], prefix: str, where: Where | None
) -> None:
    for name, content in value.items():
        entry = known.get(name)
        if entry is None or entry.is_plain(content):
            continue
        item = entry.item
        if content is None and item.nullable:
            continue
        problem = "" if item.kind == "object" and type(content) is dict else _problem(content, item)
        if problem:
            raise InvalidFieldError(f'field "{prefix}{name}" {problem}', where=where)
        if entry.fields:
            for inner in content if item.kind == "objects" else (content,):
                _validate_fields(inner, entry.fields, f"{prefix}{name}.", where)


class _Known(NamedTuple):
    """A field, prepared for fast validation.

    Attributes:
        fields: the fields inside it, by name.
        is_plain: returns fast whether a value is valid; False means that it needs a closer look.
    """

    item: Field
    fields: Mapping[str, Any]
    is_plain: Callable[[Any], bool]


def _by_name(fields: tuple[Field, ...]) -> dict[str, _Known]:
    return {item.name: _Known(item, _by_name(item.fields), _plain_of(item)) for item in fields}


def _plain_of(item: Field) -> Callable[[Any], bool]:
    if item.kind == "string" and item.values:
        values = item.values
        return lambda value: type(value) is str and value in values
    if item.kind == "string":
        return lambda value: type(value) is str and (value.isascii() or _is_unicode(value))
    if item.kind == "boolean":
        return lambda value: value is True or value is False
    if item.kind == "object" and not item.fields:
        return lambda value: type(value) is dict
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
        return next(filter(None, (_misfit(number, item.within) for number in value.values())), "")
    return ""


_HALF = "holds half of a surrogate pair, which is not a character"


def _is_unicode(text: str) -> bool:
    """Return whether UTF-8 can encode a text; JSON can write texts that UTF-8 cannot."""
    if text.isascii():  # known without encoding
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
    """Look up a dotted path such as ``teacher.label``; None if any part of it is absent."""
    value: Any = record
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


_KNOWN = _by_name(SCHEMA)
