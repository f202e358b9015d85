"""Fields to keep or to drop that no row has."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mitools.records import Reader
from mitools.sources import named_fields
from mitools.sources.load_records import open_sources, read_parts
from mitools.sources.named_fields import NamedFields
from mitools.sources.options import LoadOptions

ROWS = [
    {"input": "a", "Priority": "1", "notes": "x"},
    {"input": "b", "Priority": "2", "notes": "y", "late": "z"},
]


def warnings(path: Path, **options: object) -> list[str]:
    chosen = LoadOptions(**options)  # type: ignore[arg-type]
    named = NamedFields(chosen)
    reader = Reader(needs=("input",))
    made = list(read_parts(open_sources([str(path)], chosen), chosen, reader, named=named))
    assert len(made) == len(ROWS)
    return list(named.warnings())


@pytest.fixture(params=["jsonl", "parquet"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"table.{request.param}"
    if request.param == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        pq.write_table(pa.Table.from_pylist([{"late": None, **row} for row in ROWS]), path)
    return path


def test_names_that_the_source_has_need_no_warning(table: Path) -> None:
    assert warnings(table) == []
    assert warnings(table, keep_fields=("Priority", "late"), drop_fields=("notes",)) == []
    assert warnings(table, drop_fields=("late", "Priority")) == []


def test_a_mistyped_name_is_told_with_a_similar_one(table: Path) -> None:
    (told,) = warnings(table, keep_fields=("Priorty",))
    assert told == 'no row has the field "Priorty" of --keep-fields; did you mean "Priority"?'
    (told,) = warnings(table, drop_fields=("secret",))
    assert told.startswith('no row has the field "secret" of --drop-fields; the fields are ')
    assert "Priority" in told


def test_a_field_that_a_chat_log_uses_up_is_there(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    row = {"instruction": "add 1 and 2", "output": "3", "source": "x"}
    path.write_text(f"{json.dumps(row)}\n" * len(ROWS))
    assert warnings(path, drop_fields=("output", "source")) == []


def test_names_are_remembered_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_fields, "_MOST_NAMES", 3)
    path = tmp_path / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (told,) = warnings(path, keep_fields=("nothing",))
    assert told.endswith("the fields are input, Priority, notes")
