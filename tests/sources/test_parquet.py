"""Parquet: cells that Python cannot hold, and columns that nobody asks for."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mitools.errors import InvalidFieldError, SourceError
from mitools.records import Reader, Record, Rejected
from mitools.sources.formats import open_file
from mitools.sources.load_records import read_parts
from mitools.sources.options import LoadOptions


def bad_text() -> pa.Array:
    raw = pa.array([b"fine", b"bad\xff"], pa.binary())
    return pa.Array.from_buffers(pa.string(), 2, raw.buffers())


def records_of(
    path: Path, columns: dict[str, Any], rejected: list[Rejected] | None = None, **plan: Any
) -> list[Record]:
    pq.write_table(pa.table({"input": ["a", "b"], **columns}), path)
    made = LoadOptions(**plan)
    reader = Reader(on_reject=None if rejected is None else rejected.append)
    found = list(read_parts([open_file(str(path), made)], made, reader))
    json.dumps(found, allow_nan=False)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.parquet"


def test_times_beyond_python_become_text(path: Path) -> None:
    when = pa.array([0, 4 * 10**11], pa.timestamp("s"))
    first, second = records_of(path, {"when": when})
    assert first["when"] == "1970-01-01T00:00:00"
    assert second["when"].startswith("14645-06-30T15:06:40")
    nanoseconds = pa.array([1, 2], pa.timestamp("ns"))
    assert records_of(path, {"n": nanoseconds})[0]["n"].startswith("1970-01-01T00:00:00.000000001")


def test_times_beyond_arrow_are_a_fault_of_their_row(path: Path) -> None:
    rejected: list[Rejected] = []
    when = pa.array([0, 10**18], pa.timestamp("us"))
    assert len(records_of(path, {"when": when}, rejected)) == 1
    assert "timestamp[us]" in str(rejected[0].error)


def test_text_that_is_not_utf8_is_a_fault_of_its_row(path: Path) -> None:
    rejected: list[Rejected] = []
    (record,) = records_of(path, {"why": bad_text()}, rejected)
    assert record["why"] == "fine"
    assert str(rejected[0].error).startswith(f'{path}:2: field "why" holds a value of type string')
    assert '"--drop-fields why"' in str(rejected[0].error)
    assert json.loads(rejected[0].text) == {"input": "b", "why": None}
    with pytest.raises(InvalidFieldError):
        records_of(path, {"why": bad_text()})


def test_columns_that_are_dropped_are_never_converted(path: Path) -> None:
    columns = {"why": bad_text(), "mine": [1, 2]}
    for plan in ({"drop_fields": frozenset(["why"])}, {"keep_fields": frozenset(["mine"])}):
        assert [r["mine"] for r in records_of(path, columns, **plan)] == [1, 2]
    used = {"fields": {"rationale": "{{ why }}"}, "drop_fields": frozenset(["why"])}
    with pytest.raises(InvalidFieldError, match="cannot be read"):
        records_of(path, columns, **used)


def test_cells_of_every_type_become_what_json_can_hold(path: Path) -> None:
    cells: dict[str, tuple[pa.Array, Any]] = {
        "dictionary": (pa.array(["x", "x"]).dictionary_encode(), "x"),
        "nothing": (pa.nulls(2), None),
        "large": (pa.array(["x", "y"], pa.large_string()), "x"),
        "map": (pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())), [["k", 1]]),
        "took": (pa.array([datetime.timedelta(seconds=90), None]), "0:01:30"),
        "clock": (pa.array([1500, None], pa.time64("us")), "00:00:00.001500"),
        "price": (pa.array([decimal.Decimal("1.50"), None]), "1.50"),
        "half": (pa.array([1.5, None], pa.float16()), 1.5),
        "fixed": (pa.array([b"ab", b"cd"], pa.binary(2)), "ab"),
        "list": (pa.array([[{"a": None}], None]), [{"a": None}]),
        "unsigned": (pa.array([2**64 - 1, None], pa.uint64()), 2**64 - 1),
    }
    (first, _) = records_of(path, {name: column for name, (column, _) in cells.items()})
    for name, (_, expected) in cells.items():
        assert first[name] == expected, name


def test_a_column_named_twice_is_refused(path: Path) -> None:
    pq.write_table(
        pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["input", "input"]), path
    )
    with pytest.raises(SourceError, match='names the column "input" twice'):
        open_file(str(path))


def test_other_content_under_the_ending_is_named(path: Path) -> None:
    for content, words in [(b"\x1f\x8b\x08\x00", "packed with gzip"), (b"PK\x03\x04", "zip")]:
        path.write_bytes(content * 10)
        with pytest.raises(SourceError, match=words):
            open_file(str(path))


def test_damaged_pages_end_with_the_row_that_was_reached(path: Path) -> None:
    table = pa.table({"input": [f"text {number * 7919 % 9973}" for number in range(5000)]})
    pq.write_table(table, path, compression="snappy")
    data = bytearray(path.read_bytes())
    data[40:400] = bytes(360)
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"cannot read .* after row "):
        list(read_parts([open_file(str(path))], LoadOptions(), Reader()))
