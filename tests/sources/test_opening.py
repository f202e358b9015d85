"""Files that are not what their name says: read as asked, or refused by name."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner, Result

from mitools.cli import mitools
from mitools.errors import SourceError, UsageError
from mitools.sources.formats import open_file
from mitools.sources.options import LoadOptions

TABLE = "input,label\nWhere?,zoo\nWhen?,now\n"
LINES = '{"input": "Where?", "label": "zoo"}\n{"input": "When?", "label": "now"}\n'


def run(*args: str | Path, stdin: bytes | str = "") -> Result:
    return CliRunner().invoke(mitools, ["load", *map(str, args)], input=stdin)


def labels(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [json.loads(line)["label"] for line in result.stdout.split("\n") if line]


def workbook(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


REFUSED = {
    "gzip": (gzip.compress(LINES.encode()), "packed with gzip", ".gz"),
    "zstd": (zstandard.compress(LINES.encode()), "packed with zstd", "zstd -dc"),
    "bzip2": (bz2.compress(LINES.encode()), "packed with bzip2", "bzip2 -dc"),
    "xz": (lzma.compress(LINES.encode()), "packed with xz", "xz -dc"),
    "zip": (workbook("a.csv"), "a zip archive", "unpack"),
    "xlsx": (workbook("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook", "as CSV"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old Excel", "as CSV"),
    "page": (b"\n<!DOCTYPE html><html>", "an HTML page", "download the file again"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", "git lfs pull"),
    "utf-16": (TABLE.encode("utf-16"), "a UTF-16 file", "--encoding utf-16"),
    "utf-16 bare": (TABLE.encode("utf-16-be"), "a UTF-16 file", "--encoding utf-16-be"),
    "utf-32": (TABLE.encode("utf-32"), "a UTF-32 file", "--encoding utf-32"),
    "binary": (bytes(range(256)) * 8, "binary data", "the right file"),
    "old Mac": (TABLE.replace("\n", "\r").encode(), "carriage return alone", "tr '\\r' '\\n'"),
}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl", ".data"])
@pytest.mark.parametrize("kind", REFUSED)
def test_content_of_another_kind_is_named(tmp_path: Path, ending: str, kind: str) -> None:
    content, what, hint = REFUSED[kind]
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    if ending == ".data" and kind == "old Mac":
        return  # a text like any other
    result = run(path, "--on-error", "skip")
    assert result.exit_code == 1
    assert what in result.stderr
    assert hint in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["gzip", "xlsx", "utf-16", "page"])
def test_content_of_another_kind_is_named_on_stdin(kind: str) -> None:
    content, what, _ = REFUSED[kind]
    for args in ((), ("--format", "csv")):
        result = run(*args, stdin=content)
        assert result.exit_code == 1
        assert f"<stdin> is {what}" in result.stderr


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_file_that_is_not_packed_under_such_a_name_is_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.csv{ending}"
    path.write_text(TABLE)
    with pytest.raises(SourceError, match=f"not packed as its ending {ending} says"):
        list(open_file(str(path)).rows)


def test_zstd_may_begin_with_a_frame_that_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    skipped = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"
    path.write_bytes(skipped + zstandard.compress(LINES.encode()))
    assert labels(run(path)) == ["zoo", "now"]


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis", "utf-8"]
)
def test_a_text_in_a_named_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    for name, text in (("a.csv", TABLE), ("a.jsonl", LINES), ("a.json", f"[{LINES}]")):
        text = text.replace("}\n{", "},{") if name == "a.json" else text
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        assert labels(run(path, "--encoding", encoding)) == ["zoo", "now"]


def test_signs_above_ascii_survive_their_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for encoding in ("latin-1", "utf-16"):
        path.write_bytes("input,label\nWo?,\u00d6de\u0085x\n".encode(encoding))
        assert labels(run(path, "--encoding", encoding)) == ["\u00d6de\u0085x"]


def test_a_text_that_ends_in_the_middle_of_a_sign_is_no_success(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(TABLE.encode("utf-16")[:-1])
    result = run(path, "--encoding", "utf-16")
    assert result.exit_code == 1
    assert "cannot decode" in result.stderr


@pytest.mark.parametrize("name", ["utf-99", "rot13", "hex", ""])
def test_what_is_not_the_encoding_of_a_text_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="no encoding"):
        LoadOptions(encoding=name).check()


def test_the_format_can_be_said_for_stdin_and_for_odd_names(tmp_path: Path) -> None:
    odd = tmp_path / "a.txt"
    tabs = TABLE.replace(",", "\t")
    listed = "[" + LINES.strip().replace("\n", ",") + "]"
    for kind, text in (("csv", TABLE), ("tsv", tabs), ("json", listed), ("jsonl", LINES)):
        odd.write_text(text)
        assert labels(run("--format", kind, stdin=text)) == ["zoo", "now"]
        assert labels(run(odd, "--format", kind)) == ["zoo", "now"]
    result = run(odd)
    assert result.exit_code == 1
    assert "--format jsonl|json|csv|tsv|parquet" in result.stderr


def test_parquet_comes_through_a_pipe_too() -> None:
    stream = io.BytesIO()
    pq.write_table(pa.table({"input": ["a"], "label": ["zoo"]}), stream)
    assert labels(run("--format", "parquet", stdin=stream.getvalue())) == ["zoo"]
    assert 'add "--format parquet"' in run(stdin=stream.getvalue()).stderr


@pytest.mark.parametrize(
    ("given", "text"),
    [(";", ";"), ("semicolon", ";"), ("pipe", "|"), ("tab", "\t"), ("\t", "\t"), ("\\t", "\t")],
)
def test_a_delimiter_can_be_named(given: str, text: str) -> None:
    assert labels(run("--delimiter", given, stdin=TABLE.replace(",", text))) == ["zoo", "now"]


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n"])
def test_what_cannot_separate_cells_is_a_usage_error(delimiter: str) -> None:
    with pytest.raises(UsageError, match="cannot separate cells"):
        LoadOptions(delimiter=delimiter).check()


def test_options_that_a_format_has_no_use_for_are_refused(tmp_path: Path) -> None:
    for args in (
        ("--format", "json", "--delimiter", ";"),
        ("--format", "parquet", "--encoding", "ascii"),
    ):
        assert run(*args).exit_code == 2


@pytest.mark.parametrize(("sign", "option"), [(";", "--delimiter ';'"), ("\t", "--format tsv")])
def test_columns_separated_by_another_sign_are_refused_by_name(
    tmp_path: Path, sign: str, option: str
) -> None:
    path = tmp_path / "a.csv"
    texts = (TABLE, "input,label\n", 'input,label\n"a, b","c, d"\n"e",f\n')
    for text in (text.replace(", ", "§").replace(",", sign).replace("§", ", ") for text in texts):
        path.write_text(text)
        for args in ((), ("--map", f"input=input{sign}label")):
            result = run(path, *args)
            assert result.exit_code == 1
            assert "are separated by" in result.stderr
            assert option in result.stderr


def test_a_line_for_excel_is_named() -> None:
    result = run("--format", "csv", stdin="sep=;\r\n" + TABLE.replace(",", ";"))
    assert result.exit_code == 1
    assert "instruction for Excel; remove it, and add --delimiter ';'" in result.stderr


def test_a_table_whose_cells_hold_other_signs_is_still_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for text in (
        "input,label\na;b,zoo\nc;d,now\n",
        "label\nzoo\nnow\n",
        'input,label\n"a;\nb",zoo\nc,now',
    ):
        path.write_text(text)
        assert labels(run(path, "--map", "input=label", "--map", "label=label")) == ["zoo", "now"]


def test_lines_that_are_no_json_are_named_at_once() -> None:
    assert "--format csv" in run(stdin=TABLE).stderr
    assert "add --format json" in run(stdin="[\n" + LINES.replace("}\n{", "},\n{") + "]").stderr
    result = run("--on-error", "skip", stdin="damaged\n" + LINES)
    assert labels(result) == ["zoo", "now"]
