"""Local files as rows, with the line or row that is at fault named."""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from mitools.bounds import Bounds
from mitools.errors import EmptyInputError, MissingFieldError, MitoolsError, SourceError, UsageError
from mitools.records import Reader, Record, Rejected
from mitools.sources.formats import open_file
from mitools.sources.load_records import open_named, read_parts
from mitools.sources.options import LoadOptions

ROWS = [{"input": "eins, zwei", "label": "drei"}, {"input": 'größer\n"x"', "label": None}]


def records_of(path: Path, rejected: list[Rejected] | None = None, **plan: Any) -> list[Record]:
    reader = Reader(needs=("input",), on_reject=None if rejected is None else rejected.append)
    options = LoadOptions(**plan)
    return list(read_parts([open_file(str(path), options)], options, reader))


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    data = text.encode()
    if name.endswith(".gz"):
        data = gzip.compress(data)
    elif name.endswith(".zst"):
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)
CSV = 'input,label\r\n"eins, zwei",drei\r\n"größer\n""x""",\r\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", JSONL),
        ("a.ndjson", JSONL),
        ("a", JSONL),
        ("a.json", JSONL),
        ("a.json", json.dumps(ROWS)),
        ("a.json", "\ufeff\n" + json.dumps(ROWS, indent=2, ensure_ascii=False) + "\n"),
        ("a.csv", CSV),
        ("a.csv", "\ufeff" + CSV),
        ("a.CSV", CSV.replace("\r\n", "\n") + "\n\n"),
        ("a.tsv", CSV.replace(",l", "\tl").replace(",d", "\td").replace('",\r', '"\t\r')),
        ("a.jsonl.gz", JSONL),
        ("a.json.zst", json.dumps(ROWS)),
        ("a.csv.gz", CSV),
    ],
)
def test_every_format_gives_the_same_records(tmp_path: Path, name: str, text: str) -> None:
    first, second = records_of(written(tmp_path, name, text))
    assert {**first, "id": ""} == {**ROWS[0], "task": "text", "id": ""}
    assert {**second, "id": ""} == {**ROWS[1], "task": "text", "id": ""}
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gone.txt", "check the path"),
        ("https://example.org/gone.jsonl", "files are read from this machine: download it first"),
    ],
)
def test_a_file_that_is_not_there_is_said_whatever_its_ending(name: str, hint: str) -> None:
    with pytest.raises(SourceError) as found:
        list(open_file(name, LoadOptions()).rows)
    assert str(found.value) == f"cannot read {name}: No such file or directory; {hint}"


def test_parquet_cells_become_what_json_can_hold(tmp_path: Path) -> None:
    table = pa.table(
        {
            "input": ["a", "b"],
            "nan": [float("nan"), 1.5],
            "text_bytes": [b"text", None],
            "image": [b"\xff\xd8", None],
            "day": [datetime.date(2024, 2, 29), None],
            "time": [datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC), None],
            "price": [decimal.Decimal("1.10"), None],
            "nested": [{"x": [float("inf"), 1.0]}, None],
            "number": [2**53 + 1, None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = records_of(tmp_path / "a.parquet")
    assert first["nan"] is None
    assert second["nan"] == 1.5
    assert first["text_bytes"] == "text"
    assert first["image"] is None
    assert first["day"] == "2024-02-29"
    assert first["time"].startswith("2024-02-29T12:00")
    assert first["price"] == "1.10"
    assert first["nested"] == {"x": [None, 1.0]}
    assert first["number"] == 2**53 + 1
    json.dumps([first, second], allow_nan=False)


def test_a_pandas_null_label_is_an_unknown_label(tmp_path: Path) -> None:
    pq.write_table(pa.table({"input": ["a"], "label": [float("nan")]}), tmp_path / "a.parquet")
    assert records_of(tmp_path / "a.parquet")[0]["label"] is None


def test_csv_cells_are_text_and_empty_ones_null(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "input,label,group\n007,1.50,\n")
    (record,) = records_of(path)
    assert (record["input"], record["label"]) == ("007", "1.50")
    assert "group" not in record


def test_a_table_without_a_header_has_the_names_that_are_given(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", '\ufeff"Where, now?",zoo\nWhen?,today\nWho?,a,b\n')
    plan = LoadOptions(column_names=("input", "label"))
    rejected: list[Rejected] = []
    reader = Reader(on_reject=rejected.append)
    found = list(read_parts([open_file(str(path), plan)], plan, reader))
    assert [(row["input"], row["label"]) for row in found] == [
        ("Where, now?", "zoo"),
        ("When?", "today"),
    ]
    assert "a.csv:3: 3 cells, but --columns names 2" in str(rejected[0].error)


def test_names_of_columns_are_for_tables(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", JSONL)
    with pytest.raises(UsageError, match="--columns is for CSV, not for jsonl"):
        open_file(str(path), LoadOptions(column_names=("a",)))
    with pytest.raises(UsageError, match="--columns gives a name twice"):
        LoadOptions(column_names=("a", "a")).check()


@pytest.mark.parametrize("header", ["1,a b", "Where is it and when does it come?,zoo"])
def test_a_first_line_that_may_be_a_row_has_a_hint(tmp_path: Path, header: str) -> None:
    path = written(tmp_path, "a.csv", f"{header}\n2,c d\n")
    with pytest.raises(MissingFieldError) as caught:
        records_of(path)
    assert caught.value.hint.endswith('the columns: "--columns A,B,…"')


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"input,label\n{'x' * 300_000},y\n")
    assert len(records_of(path)[0]["input"]) == 300_000


@pytest.mark.parametrize("bound", [16 * 2**20, 32 * 2**20])
def test_the_option_that_allows_a_long_line_allows_a_long_cell(tmp_path: Path, bound: int) -> None:
    path = written(tmp_path, "a.csv", f"input,label\n{'x' * (bound // 2 + 2**20)},y\n")
    found = records_of(path, bounds=Bounds(line_bytes=bound))
    assert len(found[0]["input"]) == bound // 2 + 2**20
    cell = f"{'x' * 2**20}\n" * (bound // 2**20)
    path = written(tmp_path, "b.csv", f'input,label\n"{cell}",y\n')
    rejected: list[Rejected] = []
    with pytest.raises(EmptyInputError):
        records_of(path, rejected, bounds=Bounds(line_bytes=bound))
    assert f"b.csv:2: a cell is longer than {bound:,} characters" in str(rejected[0].error)
    assert '"--max-line-bytes SIZE"' in str(rejected[0].error)


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("a.jsonl", '{"input": "a"}\n\n{"input": \n', 3, "not valid JSON"),
        ("a.jsonl", '{"input": "a"}\n[1]\n', 2, "must be an object"),
        ("a.jsonl", '{"input": "a"}\n{"inptu": "b"}\n', 2, '"--map input=FIELD"'),
        ("a.json", '[\n{"input": "a"},\n{"input": NaN}\n]', 3, "NaN is not a JSON number"),
        ("a.json", '[\n{"input": "a"},\n3]', 3, "must be an object"),
        ("a.csv", 'input,label\n"x\ny",b\nc\nd,e\n', 4, "1 cells, but the header has 2"),
        ("a.csv", 'input,label\na,b\n"c"x,d\n', 3, "expected after"),
        ("a.csv", 'input,label\na,b\n"c,d\n', 3, "unexpected end of data"),
        ("a.csv", "input,label\na,b\n,d\n", 3, '"input" is empty'),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(
    tmp_path: Path, name: str, text: str, line: int, words: str
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(MitoolsError) as caught:
        records_of(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)
    rejected: list[Rejected] = []
    assert len(records_of(path, rejected)) >= 1
    assert len(rejected) == 1
    assert rejected[0].text.strip() in text


def test_a_quote_in_the_wrong_place_costs_one_row(tmp_path: Path) -> None:
    rows = [f"text {n},a" for n in range(500)]
    rows[3], rows[400] = '"stray,a', '"the text ""400""",a'
    path = written(tmp_path, "a.csv", "\n".join(["input,label", *rows, ""]))
    rejected: list[Rejected] = []
    read = records_of(path, rejected)
    assert [bad.error.where.line for bad in rejected if bad.error.where] == [5]
    assert "ends 397 lines below" in str(rejected[0].error)
    assert rejected[0].text == '"stray,a'
    assert [record["input"] for record in read] == [
        'the text "400"' if n == 400 else f"text {n}" for n in range(500) if n != 3
    ]
    rows[400] = '"open,a'
    path = written(tmp_path, "b.csv", "\n".join(["input,label", *rows, ""]))
    del rejected[:]
    assert len(records_of(path, rejected)) == 498
    assert len(records_of(path, quotes=False)) == 500


def test_cells_of_several_lines_with_separators_are_cells(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'input,label\n"a, b\nc, d",e\n')
    assert records_of(path)[0]["input"] == "a, b\nc, d"
    path = written(tmp_path, "one.tsv", 'input\n"a\nb"\nc\n')
    assert [record["input"] for record in records_of(path)] == ["a\nb", "c"]


@pytest.mark.parametrize("name", ["utf-8", "UTF-8", "utf8", "U8", "utf_8"])
def test_a_byte_order_mark_is_not_a_part_of_the_text_however_its_encoding_is_spelled(
    tmp_path: Path, name: str
) -> None:
    for ending, text in (("csv", CSV), ("jsonl", JSONL)):
        path = written(tmp_path, f"a.{ending}", "\ufeff" + text)
        assert [row["input"] for row in records_of(path, encoding=name)] == [
            row["input"] for row in ROWS
        ]


@pytest.mark.parametrize("name", ["A.JSONL.GZ", "A.CSV.Zst"])
def test_endings_in_capitals_are_those_of_packed_files(tmp_path: Path, name: str) -> None:
    made = written(tmp_path, name.lower(), CSV if "CSV" in name else JSONL)
    path = made.rename(tmp_path / name)
    assert len(records_of(path)) == 2


@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"])
def test_objects_of_several_lines_are_read_as_json(tmp_path: Path, start: str) -> None:
    text = start + "\n".join(json.dumps(row, indent=2) for row in ROWS)
    with pytest.raises(SourceError, match="holds objects of several lines each") as caught:
        records_of(written(tmp_path, "a.jsonl", text))
    assert caught.value.hint == "add --format json"
    assert len(records_of(written(tmp_path, "a.json", text))) == 2


def test_a_line_that_is_cut_is_its_own_fault(tmp_path: Path) -> None:
    rejected: list[Rejected] = []
    path = written(tmp_path, "a.jsonl", '{"input": "a", \n' + JSONL)
    assert len(records_of(path, rejected)) == 2
    assert "a.jsonl:1: not valid JSON" in str(rejected[0].error)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("text", ['{"input": "a"}\n[1]\n', '{"input": "a"}\n{"inptu": "b"}\n{}\n'])
def test_a_file_is_closed_where_a_row_is_bad(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, "a.jsonl", text)
    with pytest.raises(MitoolsError) as caught:
        records_of(path)
    assert caught.tb is not None  # its frames hold the readers
    opened = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    assert str(path) not in opened


def test_bytes_that_are_no_utf8_are_the_rows_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"input,label\na,b\nsch\xf6n,c\nd,e\n")
    rejected: list[Rejected] = []
    assert [record["input"] for record in records_of(path, rejected)] == ["a", "d"]
    assert f"{path}:3: not UTF-8 (byte 4 of the line); name the encoding" in str(rejected[0].error)


def test_a_rejected_parquet_row_can_be_mended_and_loaded_again(tmp_path: Path) -> None:
    table = pa.table({"q": ["a", None], "label": [b"x", b"\xff"]})
    pq.write_table(table, tmp_path / "a.parquet")
    rejected: list[Rejected] = []
    assert len(records_of(tmp_path / "a.parquet", rejected, fields={"input": "q"})) == 1
    assert str(rejected[0].error).startswith(f"{tmp_path / 'a.parquet'}:2: ")
    assert json.loads(rejected[0].text) == {"q": None, "label": None}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", '{"version": 1,\n "data": [{"input": "a"}]}', "jq -c '.data[]'"),
        ("a.json", '[{"input": "a"},\n{"input": ', "not valid JSON from here on"),
        ("a.json", '[{"input": "a"}', "not valid JSON from here on"),
        ("a.csv", "input,input\na,b\n", 'names "input" twice'),
        ("a.csv", "input,,\na,b,c\n", "columns without a name"),
        ("a.parquet", "no parquet", "is not a Parquet file"),
        ("a.pkl", "x", "is not one of a known format"),
        ("a.jsonl.gz", "", "no records"),
        ("a.csv", "input,label\n", "no records"),
        ("a.csv", "", "no records"),
        ("a.json", "", "no records"),
        ("a.json", "[]", "no records"),
    ],
)
def test_a_file_that_is_no_data_is_refused(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises((SourceError, EmptyInputError)) as caught:
        records_of(path)
    assert words in str(caught.value)


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"input": ["a"] * 1000}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match="not a Parquet file"):
        records_of(tmp_path / "a.parquet")


@pytest.mark.parametrize("ending", ["jsonl.gz", "jsonl.zst", "json.gz", "json.zst", "csv.zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "other"])
def test_a_damaged_compressed_file_is_no_short_success(
    tmp_path: Path, ending: str, damage: str
) -> None:
    rows = [{"input": f"{number * 7919 % 4999}"} for number in range(5000)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    text = json.dumps(rows) if ending.startswith("json.") else lines
    path = written(tmp_path, f"a.{ending}", text)
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
    path.write_bytes({"cut": data[:middle], "flipped": flipped, "other": b"hello"}[damage])
    with pytest.raises(MitoolsError):
        records_of(path)


def test_several_zstd_frames_are_one_file(tmp_path: Path) -> None:
    frames = [zstandard.compress(f'{{"input": "{number}"}}\n'.encode()) for number in range(3)]
    (tmp_path / "a.jsonl.zst").write_bytes(b"".join(frames))
    assert [record["input"] for record in records_of(tmp_path / "a.jsonl.zst")] == ["0", "1", "2"]


def test_an_unknown_name_is_guessed(tmp_path: Path) -> None:
    for name, hint in [
        ("svmp", 'did you mean "svamp"?'),
        ("ChilleD/SVAMP", '"hf:ChilleD/SVAMP"'),
        ("zzzzz", "hf:ORG/NAME, or one of"),
        (str(tmp_path / "a.jsonl"), "check the path"),
    ]:
        with pytest.raises(SourceError) as caught:
            list(read_parts([open_named(name)], LoadOptions(), Reader()))
        assert hint in str(caught.value)


def test_ids_are_kept_or_derived_and_numbered_over_all_parts(tmp_path: Path) -> None:
    one = written(tmp_path, "one.csv", "input,label\na,b\na,b\n")
    two = written(tmp_path, "two.json", '[{"input": "a", "label": "b"}, {"id": 7, "input": "a"}]')
    parts = [open_file(str(path)) for path in (one, two)]
    first, second, third, fourth = [
        record["id"] for record in read_parts(parts, LoadOptions(), Reader())
    ]
    assert (second, third, fourth) == (f"{first}-2", f"{first}-3", "7")


def test_the_limit_counts_records_of_each_part(tmp_path: Path) -> None:
    one = written(tmp_path, "one.jsonl", JSONL)
    two = written(tmp_path, "two.csv", CSV)
    parts = [open_file(str(path)) for path in (one, two)]
    assert [r["input"] for r in read_parts(parts, LoadOptions(limit=1), Reader())] == [
        "eins, zwei"
    ] * 2


def test_a_list_of_json_is_read_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "long.json.gz"
    with gzip.open(path, "wt") as stream:
        stream.write('[{"input": "' + "a" * 5_000_000 + '"}]')
    options = LoadOptions(max_json_bytes=2**21)
    with pytest.raises(SourceError, match=r"longer than 2,097,152 bytes; .*--max-json-bytes"):
        list(open_file(str(path), options).rows)
    assert len(list(open_file(str(path)).rows)) == 1


def test_a_list_in_another_encoding_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.json"
    path.write_bytes('[\n{"input": "one"},\n{"input": "caf\xe9"}]'.encode("latin-1"))
    with pytest.raises(
        SourceError, match=r"latin\.json:3: not UTF-8 \(byte 15 of the line\)"
    ) as caught:
        records_of(path)
    assert '"--encoding cp1252"' in caught.value.hint
    assert records_of(path, encoding="cp1252")[1]["input"] == "café"


def test_the_bound_of_nesting_holds_for_lists_too(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text('[{"input": "a", "deep": ' + "[" * 150 + "]" * 150 + "}]")
    with pytest.raises(MitoolsError, match="nested deeper than 100 levels"):
        records_of(path)
    assert records_of(path, bounds=Bounds(depth=300))[0]["input"] == "a"
