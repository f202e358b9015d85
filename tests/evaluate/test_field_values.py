"""The values of a field, and which fields there are."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import InvalidFieldError
from mitools.evaluate.field_values import (
    LONGEST,
    MISSING,
    OTHERS,
    FieldSearch,
    value_name,
    watch_fields,
)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("gsm8k", "gsm8k"),
        ("", ""),
        (" a\n", " a\n"),
        (3, "3"),
        ("3", "3"),
        (3.0, "3"),
        (0.25, "0.25"),
        (1e300, "1e+300"),
        (True, "true"),
        (False, "false"),
        (None, MISSING),
        (MISSING, '"(missing)"'),
        (OTHERS, '"(other values)"'),
        ("\ud800", "\\ud800"),
    ],
)
def test_a_value_is_named_as_json_writes_it(value: Any, name: str) -> None:
    assert value_name({"id": "1", "of": value}, "of") == name


def test_a_field_is_found_by_its_path_and_a_name_with_dots_comes_first() -> None:
    record = {"meta": {"source": "inner", "deep": {"er": 2}}, "meta.kind": "column"}
    assert value_name(record, "meta.source") == "inner"
    assert value_name(record, "meta.deep.er") == "2"
    assert value_name(record, "meta.kind") == "column"
    assert value_name(record, "meta.none") == value_name(record, "meta.source.x") == MISSING


def test_long_values_are_shortened_and_stay_apart() -> None:
    assert value_name({"a": "x" * LONGEST}, "a") == "x" * LONGEST
    one, other = (value_name({"a": "x" * LONGEST + end}, "a") for end in ("a", "b"))
    assert len(one) == len(other) == LONGEST
    assert one != other
    assert one.startswith("xxx")
    assert len(value_name({"a": 10**300}, "a")) == LONGEST


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["a"], 'field "f" holds a list; name another field with --by'),
        ({}, 'field "f" holds an object; name another field with --by'),
        ({"x y": {"z": 1}}, 'field "f" holds an object; name a field in it: "--by \'f.x y.z\'"'),
    ],
)
def test_a_list_or_an_object_is_refused(value: Any, message: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        value_name({"id": "7", "f": value}, "f")
    assert str(caught.value).startswith('record "7": --by needs a text, a number or a boolean')
    assert str(caught.value).endswith(message)


RECORD = {
    "id": "1",
    "category": "a",
    "meta": {"source": "web", "tags": ["x"], "none": None},
    "student": {"label": "a", "choices": {"a": 0.5}},
}


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("categroy", 'did you mean "--by category"?'),
        ("source", 'did you mean "--by meta.source"?'),
        ("meta.sorce", 'did you mean "--by meta.source"?'),
        ("label", 'did you mean "--by student.label"?'),
        ("zzz", "the records have id, category, meta.source, student.label"),
    ],
)
def test_a_field_that_is_not_there_is_answered_with_close_ones(field: str, hint: str) -> None:
    search = FieldSearch([field])
    search.add(RECORD)
    error = search.error()
    assert error is not None
    assert str(error) == f'--by: no record has a value in field "{field}"; {hint}'


def test_a_field_of_one_record_exists() -> None:
    search = FieldSearch(["category", "rare"])
    search.add(RECORD)
    assert [*search.unseen] == ["rare"]
    search.add({"rare": False})
    assert search.error() is None


def test_many_fields_are_not_all_listed() -> None:
    search = FieldSearch(["zzz"])
    search.add({f"field {number}": number for number in range(30)})
    assert search.hint("zzz").endswith("field 10, field 11, …")


def watched(records: list[dict[str, Any]], *fields: str) -> tuple[list[Any], list[str], list[str]]:
    rejected: list[str] = []
    warned: list[str] = []

    def reject(record: dict[str, Any], reason: Exception) -> None:
        rejected.append(f"{record['id']}: {type(reason).__name__}")

    left = watch_fields(records, fields, reject, warned.append)
    return [record["id"] for record in left], rejected, warned


def test_records_that_cannot_be_told_apart_are_rejected_before_they_are_answered() -> None:
    records = [{"id": 1, "of": "a"}, {"id": 2, "of": ["a"]}, {"id": 3}]
    assert watched(records, "of") == ([1, 3], ["2: InvalidFieldError"], [])


def test_a_field_that_the_first_records_do_not_have_is_warned_about_at_once() -> None:
    records = [{"id": number, "type": "a"} for number in range(100)]
    message = '--by: none of the first 100 records has a value in field "tpye"'
    assert watched(records, "type", "tpye")[2] == [f'{message}; did you mean "--by type"?']
    assert watched(records[:99], "tpye")[2] == []  # the error at the end comes soon
    assert watched(records, "scores.sure", "student.label")[2] == []  # added later
    records[99]["tpye"] = "b"
    assert watched(records, "tpye")[2] == []
