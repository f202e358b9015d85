"""Arrow files, and the folders that ``save_to_disk`` of ``datasets`` writes."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from mitools.errors import MitoolsError, SourceError, UsageError
from mitools.records import Record
from mitools.sources.arrow_files import is_saved
from mitools.sources.load_records import load_records
from mitools.sources.options import LoadOptions

COLORS = ["red", "blue"]


def saved(folder: Path, *splits: str, rows: int = 3, shards: int = 1) -> Path:
    columns = {"input": [f"thing {n}" for n in range(rows)], "label": [n % 2 for n in range(rows)]}
    features = Features({"input": Value("string"), "label": ClassLabel(names=COLORS)})
    made = Dataset.from_dict(columns, features=features)
    if splits:
        DatasetDict(dict.fromkeys(splits, made)).save_to_disk(folder)
    else:
        made.save_to_disk(folder, num_shards=shards)
    return folder


def load(path: Path | str, **options: Any) -> list[Record]:
    return list(load_records(str(path), LoadOptions(**options)))


def test_a_saved_data_set_is_read_with_the_names_of_its_classes(tmp_path: Path) -> None:
    folder = saved(tmp_path / "mine", rows=5, shards=2)
    records = load(folder)
    assert [record["input"] for record in records] == [f"thing {n}" for n in range(5)]
    assert records[1]["label"] == "blue"
    assert records[1]["choices"] == COLORS
    assert "split" not in records[1]
    assert len(load(folder / "data-00000-of-00002.arrow")) == 3


def test_numbers_in_lists_become_the_names_of_their_classes(tmp_path: Path) -> None:
    features = Features({"input": Value("string"), "tags": List(ClassLabel(names=COLORS))})
    columns = {"input": ["a", "b", "c"], "tags": [[1, 0], [], [-1]]}
    Dataset.from_dict(columns, features=features).save_to_disk(tmp_path / "mine")
    found = load(tmp_path / "mine")
    assert [record["tags"] for record in found] == [["blue", "red"], [], [None]]
    (joined, *_) = load(tmp_path / "mine", fields={"label": "{{ tags | join(', ') }}"})
    assert (joined["label"], joined["task"]) == ("blue, red", "text")


def test_the_splits_of_a_saved_data_set_are_those_of_the_records(tmp_path: Path) -> None:
    folder = saved(tmp_path / "mine", "train", "validation", "extra")
    found = [record.get("split") for record in load(folder)]
    assert found == ["train"] * 3 + ["valid"] * 3 + [None] * 3
    assert "split" not in load(folder / "train")[0]
    assert {record["split"] for record in load(folder, as_split="test")} == {"test"}


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_files_are_read(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.feather"
    table = pa.table({"input": ["a", "b"], "tags": [["x"], []], "n": [1.0, None]})
    feather.write_feather(table, path, compression=compression)
    first, second = load(path)
    assert (first["input"], first["tags"], first["n"]) == ("a", ["x"], 1.0)
    assert (second["input"], second["tags"], second["n"]) == ("b", [], None)


def stream_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)
    return sink.getvalue()


def test_more_rows_than_are_converted_at_once_have_their_places(tmp_path: Path) -> None:
    path = tmp_path / "many.arrow"
    texts: list[str | None] = [f"thing {n}" for n in range(3000)]
    texts[2500] = None
    path.write_bytes(stream_of(pa.table({"input": texts})))
    with pytest.raises(MitoolsError, match=r"many.arrow:2501: field \"input\""):
        load(path)


def test_pipes_and_packed_files_are_copied_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = stream_of(pa.table({"input": ["a", "b"]}))
    (tmp_path / "a.arrow.gz").write_bytes(gzip.compress(raw))
    assert len(load(tmp_path / "a.arrow.gz")) == 2
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert len(load("-", format="arrow")) == 2


def cut(raw: bytes) -> bytes:
    return raw[: len(raw) - 900]


def twice(raw: bytes) -> bytes:
    return stream_of(pa.Table.from_arrays([pa.array(["a"])] * 2, names=["input", "input"]))


def shifted(_raw: bytes) -> bytes:
    """Text offsets that lie outside the text."""
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 2**30, 1)))
    array = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a")])
    return stream_of(pa.table({"input": array}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "cannot read .* after row"),
        (lambda raw: raw[:100], "is not an Arrow file"),
        (lambda _raw: b"", "is not an Arrow file"),
        (lambda _raw: b'{"input": "a"}\n' * 9, "is not an Arrow file"),
        (twice, 'names the column "input" twice'),
        (shifted, "cannot read .* after row 0"),
    ],
)
def test_damaged_files_are_refused(
    damage: Callable[[bytes], bytes], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.arrow"
    path.write_bytes(damage(stream_of(pa.table({"input": ["some text"] * 1000}))))
    with pytest.raises(SourceError, match=message):
        load(path)


@pytest.mark.parametrize(
    "state",
    ["{", "[]", '{"_data_files": 3}', '{"_data_files": [{"filename": "../x.arrow"}]}', "[" * 9999],
)
def test_a_damaged_list_of_files_is_refused(state: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "mine")
    (folder / "state.json").write_text(state)
    assert is_saved(str(folder))
    with pytest.raises(SourceError, match=r"state.json is not a list that save_to_disk wrote") as e:
        load(folder)
    assert f"mitools load {folder}/*.arrow" in e.value.hint


def test_the_shell_finds_the_files_of_a_folder_whose_name_has_a_space(tmp_path: Path) -> None:
    folder = saved(tmp_path / "my data")
    (folder / "state.json").write_text("{")
    with pytest.raises(SourceError) as caught:
        load(folder)
    assert f"\"mitools load '{folder}'/*.arrow\"" in caught.value.hint


def test_a_folder_names_what_can_be_read_in_it(tmp_path: Path) -> None:
    saved(tmp_path / "default", "test", "train")
    with pytest.raises(SourceError) as caught:
        load(tmp_path)
    assert caught.value.hint == f"name a data set in it: {tmp_path}/default"


def test_options_of_texts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    path.write_bytes(stream_of(pa.table({"input": ["a"]})))
    with pytest.raises(UsageError, match="--encoding is for texts"):
        load(path, encoding="utf-16")


def test_the_list_names_all_files(tmp_path: Path) -> None:
    folder = saved(tmp_path / "mine", rows=4, shards=4)
    listed = json.loads((folder / "state.json").read_text())["_data_files"]
    assert len(listed) == 4
    (folder / listed[0]["filename"]).unlink()
    with pytest.raises(SourceError, match=r"data-00000-of-00004\.arrow"):
        load(folder)
