"""The record: what is let in, what it is called, and that nothing is changed on the way through."""

from __future__ import annotations

import io
import itertools
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.errors import (
    EmptyInputError,
    InvalidFieldError,
    MalformedLineError,
    MissingFieldError,
    SourceError,
    UsageError,
    Where,
)
from mitools.records import (
    Reader,
    Record,
    Rejected,
    Row,
    Writer,
    content_id,
    count_records,
    dump_line,
    line_rows,
    parse_line,
    read_records,
    write_records,
)


def write_bytes(folder: Path, content: bytes, name: str = "data.jsonl") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def read(path: str, *needs: str) -> list[Record]:
    return list(Reader((path,), needs))


def read_all(path: str, *needs: str) -> tuple[list[Record], list[Rejected]]:
    rejected: list[Rejected] = []
    return list(Reader((path,), needs, rejected.append)), rejected


# Lines


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_json_cannot_carry_is_refused(text: str) -> None:
    for line in (f'{{"n": {text}}}', f'{{"a": [{{"n": {text}}}]}}'):
        with pytest.raises(MalformedLineError, match="number"):
            parse_line(line)


def test_a_line_of_python_with_nan_has_a_command_that_fixes_it() -> None:
    with pytest.raises(MalformedLineError) as caught:
        parse_line(json.dumps({"n": float("nan")}))
    assert caught.value.hint.startswith('write null for it, as "jq -c . FILE" does, or continue')


def test_a_whole_number_of_any_size_is_kept() -> None:
    line = f'{{"n": {"9" * 400}}}'
    assert dump_line(parse_line(line)) == line


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_such_a_number_is_never_written(value: float) -> None:
    for record in ({"n": value}, {"n": [value], "text": "\ud800"}):
        with pytest.raises(ValueError, match="not JSON compliant"):
            dump_line(record)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("[]", "a list"),
        ("null", "null"),
        ("3", "a number"),
        ('"a"', "a string"),
        ("true", "a bool"),
    ],
)
def test_a_line_that_is_no_object_says_what_it_is(line: str, found: str) -> None:
    with pytest.raises(MalformedLineError, match=f"must be an object, not {found}"):
        parse_line(line)


@pytest.mark.parametrize("line", ["{", '{"a": 1} {}', "{'a': 1}", '{"a": 1,}', "{]", '{"a": "\n"}'])
def test_a_line_that_is_no_json_names_the_way_on(line: str) -> None:
    with pytest.raises(MalformedLineError) as caught:
        parse_line(line, Where("<stdin>", 3))
    assert str(caught.value).startswith("<stdin>:3: not valid JSON (")
    assert '"--on-error skip" or "--on-error divert:FILE"' in caught.value.hint


@pytest.mark.parametrize(
    "value",
    ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "0" + "}" * 100_000, "9" * 5000],
    ids=["lists", "objects", "digits"],
)
def test_a_hostile_line_is_malformed_and_no_crash(value: str) -> None:
    with pytest.raises(MalformedLineError):
        parse_line(f'{{"input": "x", "a": {value}}}')


# Reading files


def test_errors_name_the_line_as_an_editor_counts_it(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"input": "a"}\n\n  \t\r\n{"input": "b"}\r\n{"input": 3}\n'
    path = write_bytes(tmp_path, content)
    records, rejected = read_all(path)
    assert [record["input"] for record in records] == ["a", "b"]
    assert [bad.error.where for bad in rejected] == [Where(path, 5)]
    assert rejected[0].text == '{"input": 3}'


def test_without_a_reject_callback_the_first_bad_line_raises(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, b'{"input": "a"}\n{"input": \n{"input": "c"}\n')
    reader = Reader((path,))
    records = iter(reader)
    assert next(records)["input"] == "a"
    with pytest.raises(MalformedLineError) as caught:
        next(records)
    assert caught.value.where == Where(path, 2)
    assert reader.count == 1


def test_every_way_of_being_bad_is_rejected_and_counted(tmp_path: Path) -> None:
    lines = [
        b'{"input": "good"}',
        b"not json",
        b"[1]",
        b'{"input": "caf\xe9"}',
        b'{"input": NaN}',
        b'{"input": 5}',
        b'{"label": "no input"}',
        b'{"input": null}',
        b'\xef\xbb\xbf{"input": "a mark in the middle"}',
    ]
    path = write_bytes(tmp_path, b"\n".join(lines) + b"\n")
    rejected: list[Rejected] = []
    reader = Reader((path,), ("input",), rejected.append, {"input": "mend it"})
    assert [record["input"] for record in reader] == ["good"]
    assert (reader.count, reader.rejected) == (1, 8)
    assert [bad.error.where for bad in rejected] == [Where(path, n) for n in range(2, 10)]
    assert [type(bad.error) for bad in rejected] == [
        MalformedLineError,
        MalformedLineError,
        MalformedLineError,
        MalformedLineError,
        InvalidFieldError,
        MissingFieldError,
        InvalidFieldError,
        MalformedLineError,
    ]
    assert rejected[2].text == '{"input": "caf�"}'
    assert str(rejected[2].error).startswith(f"{path}:4: not UTF-8 (byte 15 of the line); convert")
    assert str(rejected[5].error) == f'{path}:7: field "input" is missing; mend it'


def test_a_last_line_without_a_newline_counts(tmp_path: Path) -> None:
    assert len(read(write_bytes(tmp_path, b'{"input": "a"}\n{"input": "b"}'))) == 2


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    text = "a\u2028b\u2029c\u0085d\x7f"
    path = write_bytes(tmp_path, json.dumps({"input": text}, ensure_ascii=False).encode())
    assert read(path)[0]["input"] == text


def test_several_files_are_one_input_with_their_own_line_numbers(tmp_path: Path) -> None:
    first = write_bytes(tmp_path, b'{"input": "a"}\n', "1.jsonl")
    second = write_bytes(tmp_path, b'{"input": "a"}\n{"input": 1}\n', "2.jsonl")
    rejected: list[Rejected] = []
    records = list(Reader((first, second), on_reject=rejected.append))
    assert records[1]["id"] == f"{records[0]['id']}-2"
    assert rejected[0].error.where == Where(second, 2)


def test_no_files_mean_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    for paths in ((), ("-",)):
        stdin = io.TextIOWrapper(io.BytesIO(b'{"input": "a"}\n{"input": 1}\n'))
        monkeypatch.setattr("sys.stdin", stdin)
        rejected: list[Rejected] = []
        assert len(list(Reader(paths, on_reject=rejected.append))) == 1
        assert str(rejected[0].error.where) == "<stdin>:2"


@pytest.mark.parametrize("content", [b"", b"\n \n\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_input_without_a_record_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = write_bytes(tmp_path, content)
    with pytest.raises(EmptyInputError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: no records; ")


def test_input_whose_every_line_was_rejected_is_an_error(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, b"x\ny\n")
    with pytest.raises(EmptyInputError, match="none of its 2 lines is usable"):
        read_all(path)


def test_one_empty_file_among_others_is_no_error(tmp_path: Path) -> None:
    full = write_bytes(tmp_path, b'{"input": "a"}\n', "full.jsonl")
    assert len(list(Reader((write_bytes(tmp_path, b""), full)))) == 1


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SourceError, match=r"cannot read nowhere\.jsonl: No such file"):
        read("nowhere.jsonl")


def test_records_are_read_as_they_are_asked_for() -> None:
    rows = (Row(Where("endless", n), lambda: {"input": "a"}, str) for n in itertools.count(1))
    reader = Reader()
    assert len(list(itertools.islice(reader.admit(rows), 3))) == 3
    assert next(rows).where.line == 4


def test_stdin_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b'{"input": "a"}\n'))
    monkeypatch.setattr("sys.stdin", stdin)
    assert len(list(Reader())) == 1
    assert not stdin.closed


def test_a_row_need_not_come_from_a_line() -> None:
    reader = Reader(needs=("input",), on_reject=lambda bad: texts.append(bad.text))
    texts: list[str] = []
    rows = [
        Row(Where("table", n), lambda n=n: {"question": n}, lambda n=n: f"row {n}")  # type: ignore[misc]
        for n in range(1, 4)
    ]

    def convert(row: Record, where: Where) -> Record:
        return {"input": "yes"} if row["question"] == 2 else {"input": None, "at": str(where)}

    assert [record["input"] for record in reader.admit(rows, convert)] == ["yes"]
    assert texts == ["row 1", "row 3"]


# Needs


def needs_met(record: Record, *needs: str) -> bool:
    reader = Reader(needs=needs)
    row = Row(Where("x", 1), lambda: record, str)
    try:
        return len(list(reader.admit([row]))) == 1
    except MissingFieldError:
        return False


def test_a_need_may_have_alternatives() -> None:
    need = "label|teacher.label"
    assert needs_met({"label": "a"}, need)
    assert needs_met({"label": None, "teacher": {"label": "a"}}, need)
    assert not needs_met({"label": None, "teacher": {"label": None}}, need)
    assert not needs_met({"teacher": None}, need)


def test_every_need_must_be_met_by_something_that_is_not_null() -> None:
    assert needs_met({"input": "", "scores": {"x": 0}}, "input", "scores.x")
    assert not needs_met({"input": ""}, "input", "scores.x")
    assert not needs_met({"label": None}, "label")


def test_a_missing_need_names_its_alternatives_and_the_hint() -> None:
    reader = Reader(needs=("label|teacher.label",), hints={"label|teacher.label": "ask first"})
    with pytest.raises(MissingFieldError) as caught:
        list(reader.admit([Row(Where("x", 9), lambda: {"input": "a"}, str)]))
    assert str(caught.value) == 'x:9: field "label" or "teacher.label" is missing; ask first'


# Ids


def ids(records: list[Record]) -> list[str]:
    rows = [Row(Where("x", n), lambda r=r: dict(r), str) for n, r in enumerate(records)]  # type: ignore[misc]
    return [record["id"] for record in Reader().admit(rows)]


def test_an_id_is_kept_and_a_missing_one_is_derived_and_put_first(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, b'{"input": "a", "id": "mine"}\n{"input": "a", "x": 1}\n')
    kept, derived = read(path)
    assert list(kept.items()) == [("input", "a"), ("id", "mine")]
    assert list(derived) == ["id", "input", "x"]


def test_a_derived_id_is_a_promise() -> None:
    """Journals and completions are kept by id: this value must never change."""
    record = {"input": "größer?", "label": "ja", "choices": ["ja", "nein"]}
    assert content_id(record) == "7fbc0c712cf40703"


def test_an_id_comes_from_what_the_example_says() -> None:
    record = {"input": "a", "label": "b", "choices": ["b", "c"], "rationale": "r", "group": "g"}
    for name in record:
        changed = {**record, name: ["x"] if name == "choices" else "x"}
        assert content_id(changed) != content_id(record)
    said_later = {"split": "test", "teacher": {"label": "b"}, "x": 1, "task": "text"}
    assert content_id({**record, **said_later}) == content_id(record)
    assert content_id({"input": "a", "label": None}) == content_id({"input": "a"})
    assert content_id(dict(reversed(record.items()))) == content_id(record)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.randoms())
def test_derived_ids_are_unique_and_stable_under_reordering(
    inputs: list[str], chance: random.Random
) -> None:
    records = [{"input": text} for text in inputs]
    found = ids(records)
    assert len(set(found)) == len(found)
    assert found[0] == content_id(records[0])
    shuffled = chance.sample(records, len(records))
    assert sorted(ids(shuffled)) == sorted(found)
    firsts = {record["input"]: name for record, name in reversed([*zip(records, found)])}  # noqa: B905
    again = {record["input"]: name for record, name in reversed([*zip(shuffled, ids(shuffled))])}  # noqa: B905
    assert again == firsts


def test_duplicates_are_numbered_in_order() -> None:
    one, two, three = ids([{"input": "a"}, {"input": "a", "x": 1}, {"input": "a"}])
    assert (two, three) == (f"{one}-2", f"{one}-3")


def test_an_id_can_be_derived_from_text_that_utf8_cannot_hold() -> None:
    assert len({content_id({"input": text}) for text in ("\ud800", "\ud801", "?")}) == 3


# There and back

CHARACTERS = st.characters(exclude_categories=())  # lone surrogates too
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS, max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=4), inner)
    ),
    max_leaves=12,
)
WHOLE = st.characters(codec="utf-8")  # a known field holds no half of a surrogate pair
RECORDS = st.fixed_dictionaries(
    {"id": st.text(WHOLE), "input": st.text(WHOLE)},
    optional={"x": JSON_VALUES, "größe": JSON_VALUES, "": JSON_VALUES},
)


def as_read(record: Record) -> Record:
    """Join halves of surrogate pairs that stand side by side, as every reader of JSON does."""
    joined: Record = json.loads(json.dumps(record))
    return joined


@given(st.lists(RECORDS.map(as_read), min_size=1, max_size=4))
def test_what_is_written_is_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record]
) -> None:
    stream = io.StringIO()
    writer = Writer(stream)
    writer.write_all(records)
    assert writer.count == len(records)
    path = tmp_path_factory.getbasetemp() / "round-trip.jsonl"
    path.write_bytes(stream.getvalue().encode())
    found = read(str(path))
    assert repr(found) == repr(records)  # == would take 1 for 1.0 and True, and -0.0 for 0.0
    assert "".join(dump_line(record) + "\n" for record in found) == stream.getvalue()


def test_text_is_written_as_it_is_unless_utf8_cannot_hold_it() -> None:
    assert dump_line({"input": "größer 😀 \u2028"}) == '{"input": "größer 😀 \u2028"}'
    assert dump_line({"input": "\ud800 ö"}) == '{"input": "\\ud800 \\u00f6"}'
    assert dump_line({"a": [1, 1.5, None, True]}) == '{"a": [1, 1.5, null, true]}'


def test_a_record_is_flushed_as_soon_as_it_is_written() -> None:
    class Counting(io.StringIO):
        flushes = 0

        def flush(self) -> None:
            self.flushes += 1

    for flush, expected in ((True, 3), (False, 0)):
        stream = Counting()
        Writer(stream, flush=flush).write_all([{"a": 1}] * 3)
        assert stream.flushes == expected


def test_rows_of_a_file_are_parsed_one_by_one(tmp_path: Path) -> None:
    path = write_bytes(tmp_path, b'bad\n{"a": 1}\n')
    bad, good = line_rows(path)
    assert (bad.line(), good.parse()) == (b"bad", {"a": 1})
    with pytest.raises(MalformedLineError):
        bad.parse()


# Files, from Python


def test_records_are_read_from_files_by_the_rules_of_every_stage(tmp_path: Path) -> None:
    first = tmp_path / "first.jsonl"
    first.write_text('{"input": "a"}\n\n{"id": "2", "input": "b", "mine": 1}\n')
    second = write_bytes(tmp_path, b'{"id": "3", "input": "c"}\n', "second.jsonl")
    found = list(read_records(first, second, needs=["input"]))
    assert [record["input"] for record in found] == ["a", "b", "c"]
    assert found[0]["id"] == content_id({"input": "a"})
    assert found[1]["mine"] == 1
    with pytest.raises(MissingFieldError, match=r'second\.jsonl:1: field "label" is missing'):
        list(read_records(second, needs=["label"]))


def test_no_file_is_named_is_a_usage_error_and_not_stdin() -> None:
    with pytest.raises(UsageError, match="no file to read"):
        read_records()


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_records_are_written_to_a_file_and_counted(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.jsonl{ending}"
    records = [{"id": "1", "input": "größer"}, {"id": "2", "input": "b"}]
    assert write_records(path, records) == 2
    assert list(read_records(path)) == records


def test_a_file_may_be_written_from_its_own_records(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    write_records(path, [{"id": "1", "input": "a"}, {"id": "2", "input": "b"}])
    changed = ({**record, "split": "test"} for record in read_records(path))
    assert write_records(path, changed) == 2
    assert [record["split"] for record in read_records(path)] == ["test", "test"]


def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    write_records(path, [{"id": "1", "input": "a"}])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_records(path, [{"id": "2", "input": "b"}, {"id": "3", "score": float("nan")}])
    assert [record["id"] for record in read_records(path)] == ["1"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.jsonl"]


def test_records_cannot_be_written_to_stdout_from_python() -> None:
    with pytest.raises(UsageError, match="only be written to a file"):
        write_records("-", [])


def test_records_are_counted_where_that_is_quick(tmp_path: Path) -> None:
    plain = tmp_path / "a.jsonl"
    plain.write_text('{"split": "test"}\n\nnot JSON\n{"split": "train"}')
    assert count_records([str(plain)]) == 3
    assert count_records([str(plain), str(plain)]) == 6
    assert count_records([str(plain)], lambda record: record["split"] == "test") == 1
    (tmp_path / "b.jsonl.gz").write_bytes(b"")
    for other in ("-", str(tmp_path / "missing"), str(tmp_path / "b.jsonl.gz"), str(tmp_path)):
        assert count_records([str(plain), other]) is None


def test_a_large_file_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n" * 100)
    monkeypatch.setattr("mitools.records._MAX_COUNTED_BYTES", 299)
    assert count_records([str(tmp_path / "a.jsonl")]) is None
