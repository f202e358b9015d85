"""The record's schema: each field takes what it should, and the packaged file says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.errors import InvalidFieldError, Where
from mitools.evaluate.catalog import figures_table
from mitools.records import Record
from mitools.schema import SCHEMA, Field, fields_table, get_path, json_schema, validate

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mitools"

KINDS: dict[str, tuple[Any, dict[str, str]]] = {
    "string": ("", {"3": "a number", "true": "a boolean", "[]": "a list", "{}": "an object"}),
    "number": (0.5, {'"3"': "a string", "true": "a boolean", "[1]": "a list"}),
    "boolean": (False, {"0": "a number", '"true"': "a string", "1.0": "a number"}),
    "strings": (["a", "a"], {'"a"': "a string", '["a", 1]': "a list", "[null]": "a list"}),
    "numbers": (
        {"a": 1, "b": 0.5},
        {"[1]": "a list", '{"a": "1"}': "an object", '{"a": true}': "an object"},
    ),
    "object": ({}, {"[]": "a list", '"{}"': "a string", "0": "a number"}),
    "objects": ([{}, {"x": 1}], {"{}": "an object", "[1]": "a list", "[null]": "a list"}),
}
NAMES = {
    "string": "a string",
    "number": "a number",
    "boolean": "true or false",
    "strings": "a list of strings",
    "numbers": "an object of numbers",
    "object": "an object",
    "objects": "a list of objects",
}


def all_fields() -> list[tuple[str, Field]]:
    def below(prefix: str, items: tuple[Field, ...]) -> list[tuple[str, Field]]:
        named = [(f"{prefix}{item.name}", item) for item in items]
        objects = [(path, item) for path, item in named if item.kind == "object"]
        return named + [pair for path, item in objects for pair in below(f"{path}.", item.fields)]

    return below("", SCHEMA)


def with_value(path: str, value: Any) -> Record:
    outer, _, inner = path.partition(".")
    return {outer: with_value(inner, value) if inner else value}


FIELDS = pytest.mark.parametrize(("path", "item"), all_fields(), ids=[p for p, _ in all_fields()])


@FIELDS
def test_a_field_takes_values_of_its_kind_alone(path: str, item: Field) -> None:
    good, bad = KINDS[item.kind]
    for value in item.values or (good,):
        validate(with_value(path, value))
    null = " or null" if item.nullable else ""
    for text, found in bad.items():
        with pytest.raises(InvalidFieldError) as caught:
            validate(with_value(path, json.loads(text)), Where("data.jsonl", 7))
        expected = f'data.jsonl:7: field "{path}" must be {NAMES[item.kind]}{null}, not {found}'
        assert str(caught.value) == expected


@FIELDS
def test_null_is_taken_where_the_schema_says_so(path: str, item: Field) -> None:
    if item.nullable:
        validate(with_value(path, None))
    else:
        with pytest.raises(InvalidFieldError, match="not null"):
            validate(with_value(path, None))


def test_a_field_with_few_values_takes_no_other() -> None:
    validate({"split": "valid", "task": "equation"})
    with pytest.raises(InvalidFieldError) as caught:
        validate({"split": "dev"})
    assert str(caught.value) == 'field "split" must be one of train, valid, test, not "dev"'


def test_every_field_is_described_and_every_field_of_a_record_has_a_writer() -> None:
    stages = {"load", "annotate", "split", "eval"}
    assert all(item.about for _, item in all_fields())
    assert all(item.writer in stages for item in SCHEMA)


def test_what_the_schema_does_not_know_may_be_anything() -> None:
    validate({"x": object(), "teacher": {"y": 1}, "student": None, "scores": {"z": [None]}})


def test_the_packaged_schema_is_current() -> None:
    """To bring it up to date: mitools schema > mitools/record.schema.json."""
    packaged = (PACKAGE / "record.schema.json").read_text(encoding="utf-8")
    assert packaged == json.dumps(json_schema(), indent=2) + "\n"


def test_the_schema_is_valid_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "a", "train", "equation"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
SHAPES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.sampled_from(["", "a", "train", "choice"]),
    "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "strings": st.lists(st.text(max_size=1), max_size=2),
    "numbers": st.dictionaries(st.text(max_size=1), st.integers(0, 1), max_size=2),
    "objects": st.lists(st.dictionaries(st.text(max_size=1), SCALARS), max_size=2),
}


def objects(fields: tuple[Field, ...]) -> st.SearchStrategy[Record]:
    """Objects whose fields mostly have the right kind, so that a single wrong one decides."""
    known = {
        item.name: (objects(item.fields) if item.kind == "object" else SHAPES[item.kind])
        | st.none()
        | VALUES
        for item in fields
    }
    return st.fixed_dictionaries({}, optional={**known, "unknown": VALUES})


SCHEMA_VALIDATOR = jsonschema.Draft202012Validator(json_schema())


@given(objects(SCHEMA))
def test_the_validator_and_the_json_schema_agree(record: Record) -> None:
    try:
        validate(record)
        is_valid = True
    except InvalidFieldError:
        is_valid = False
    assert is_valid == SCHEMA_VALIDATOR.is_valid(record)


@pytest.mark.parametrize(("value", "is_number"), [(1, True), (1.0, True), (True, False)])
def test_a_boolean_is_no_number_though_python_says_so(value: object, is_number: bool) -> None:
    record = {"student": {"confidence": value, "choices": {"a": value}}}
    assert SCHEMA_VALIDATOR.is_valid(record) == is_number
    if is_number:
        validate(record)
    else:
        with pytest.raises(InvalidFieldError):
            validate(record)


def test_a_path_leads_through_objects_only() -> None:
    record = {"a": {"b": {"c": 0}, "d": [1], "e": None}}
    assert get_path(record, "a.b.c") == 0
    for path in ("a.b.c.d", "a.d.0", "a.e.f", "a.x", "x.y"):
        assert get_path(record, path) is None


def test_the_documented_fields_are_current() -> None:
    """To bring them up to date: put the output of mitools schema [--summary] --table there."""
    document = (ROOT / "mitools" / "FIELDS.md").read_text(encoding="utf-8")
    assert f"\n\n{fields_table()}\n\n" in document
    assert document.endswith(f"\n\n{figures_table()}\n")


def test_the_table_of_fields_has_a_row_for_each_field() -> None:
    rows = fields_table().splitlines()[2:]
    names = [row.split("`")[1] for row in rows]
    assert sorted(names) == sorted(path for path, _ in all_fields())
    (agrees,) = (row for row in rows if "`teacher.agrees`" in row)
    about = "whether the label equals gold; null without gold"
    assert agrees == f"| `teacher.agrees` | boolean or null | {about} |  |"
    assert "| part of the data set: `train`, `valid`, `test` | split |" in fields_table()
