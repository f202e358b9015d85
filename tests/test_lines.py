"""What one line may be: bounds on its length, depth and digits, and what JSON leaves open."""

from __future__ import annotations

import gzip
import io
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard

from mitools.bounds import DEFAULTS, Bounds
from mitools.errors import MalformedLineError, Where
from mitools.lines import Row, line_rows, parse_line
from mitools.records import Reader, Rejected

SMALL = Bounds(line_bytes=40, depth=3)


def nested(levels: int, opening: str, closing: str) -> str:
    """An object that is so many levels deep, itself included."""
    return '{"a": ' + opening * (levels - 1) + "1" + closing * (levels - 1) + "}"


def rows_of(folder: Path, content: bytes, bounds: Bounds = SMALL) -> list[Row]:
    path = folder / "in.jsonl"
    path.write_bytes(content)
    return list(line_rows(str(path), bounds))


# Length


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_may_be_as_long_as_the_bound_and_no_longer(tmp_path: Path, end: bytes) -> None:
    def line(size: int) -> bytes:
        return b'{"a": "' + b"x" * (size - 9) + b'"}'

    assert len(line(40)) == 40
    (fits,) = rows_of(tmp_path, line(40) + end)
    assert fits.parse() == json.loads(line(40))
    (long,) = rows_of(tmp_path, line(41) + end)
    with pytest.raises(MalformedLineError) as caught:
        long.parse()
    path = tmp_path / "in.jsonl"
    assert str(caught.value).startswith(f"{path}:1: the line is longer than 40 bytes; ")
    assert '"--max-line-bytes SIZE"' in caught.value.hint


def test_the_lines_behind_a_long_one_keep_their_numbers(tmp_path: Path) -> None:
    content = b'{"a": 1}\n' + b"x" * 1_000_000 + b'\n\n{"a": 2}\n' + b"y" * 41
    rows = rows_of(tmp_path, content)
    path = str(tmp_path / "in.jsonl")
    assert [row.where for row in rows] == [Where(path, number) for number in (1, 2, 4, 5)]
    assert rows[2].parse() == {"a": 2}


def test_a_long_line_can_be_had_whole_while_it_is_the_current_one(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    line = bytes(range(32, 127)) * 10_000
    path.write_bytes(line + b'\n{"input": "b"}\n')
    whole: list[bytes] = []

    def reject(bad: Rejected) -> None:
        assert isinstance(bad.line, bytes)
        assert bad.rest is not None
        whole.append(bad.line + b"".join(bad.rest))

    reader = Reader((str(path),), ("input",), reject, bounds=SMALL)
    assert [record["input"] for record in reader] == ["b"]
    assert whole == [line]


def test_a_line_without_end_takes_no_memory() -> None:
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n"
        "from mitools.records import Reader\n"
        "bad = []\n"
        "records = list(Reader((), (), bad.append))\n"
        "assert (len(records), len(bad)) == (1, 1), (records, bad)\n"
    )
    feed = "import sys\nfor _ in range(300): sys.stdout.write('x' * 2**20)\nprint('\\n{}')"
    with subprocess.Popen([sys.executable, "-c", feed], stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            [sys.executable, "-c", script], stdin=source.stdout, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr


# Depth


@pytest.mark.parametrize("pair", [("[", "]"), ('{"b": ', "}")], ids=["lists", "objects"])
def test_a_record_may_be_as_deep_as_the_bound_and_no_deeper(pair: tuple[str, str]) -> None:
    parse_line(nested(DEFAULTS.depth, *pair))
    parse_line(nested(3, *pair), bounds=SMALL)
    for levels, bounds in ((DEFAULTS.depth + 1, DEFAULTS), (4, SMALL), (100_000, DEFAULTS)):
        with pytest.raises(MalformedLineError) as caught:
            parse_line(nested(levels, *pair), Where("f", 2), bounds)
        assert str(caught.value).startswith(f"f:2: nested deeper than {bounds.depth} levels; ")
        assert '"--max-depth N"' in caught.value.hint


def test_many_shallow_lists_are_not_deep() -> None:
    line = json.dumps({"a": [[{"b": [1]}]] * 5000})
    assert parse_line(line) == json.loads(line)
    with pytest.raises(MalformedLineError, match="nested deeper"):
        parse_line(line, bounds=SMALL)


@pytest.mark.parametrize("levels", [101, 400, 900, 950, 970, 980, 990, 1000, 3000])
def test_nesting_near_the_limit_of_the_interpreter_is_that_line_s_fault(levels: int) -> None:
    with pytest.raises(MalformedLineError, match="nested deeper than 100 levels"):
        parse_line(nested(levels, "[", "]"))


# Numbers and keys


def test_a_number_has_too_many_digits_in_words_of_ours() -> None:
    parse_line('{"a": ' + "9" * DEFAULTS.digits + "}")
    with pytest.raises(MalformedLineError) as caught:
        parse_line('{"a": ' + "9" * (DEFAULTS.digits + 1) + "}")
    assert str(caught.value).startswith("not valid JSON (a number has too many digits); ")
    assert '"--max-digits N"' in caught.value.hint


@pytest.mark.parametrize(
    "line",
    [
        '{"a": 1, "a": 1}',
        '{"a": 1, "b": {"c": [{"x": 0, "a": 2, "a": 3}]}}',
        '{"\\u0061": 1, "a": 2}',
        '{"a" : 1,\n"a":2}',
    ],
)
def test_a_key_that_comes_twice_is_refused(line: str) -> None:
    with pytest.raises(MalformedLineError, match='the key "a" appears twice in one object'):
        parse_line(line)


def test_the_same_key_in_two_objects_is_fine() -> None:
    assert parse_line('{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}')["a"] == {"a": 1}


@pytest.mark.parametrize(
    "line", ["", "{", "{}x", "{} {}", '{"a"}', "{]", "x", '{"a": tru}', '{"a": 1}\x00', "\ufeff{}"]
)
def test_what_is_not_json_is_said_in_words(line: str) -> None:
    with pytest.raises(MalformedLineError, match=r"not valid JSON \(\w"):
        parse_line(line)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \t\r\n", "  "])
def test_white_space_around_a_record_is_nothing(end: str) -> None:
    assert parse_line('{"a": [1]}' + end) == parse_line(f'{end} {{"a": [1]}}') == {"a": [1]}


# Packed


def test_a_small_packed_file_cannot_fill_the_memory(tmp_path: Path) -> None:
    line = b'{"a": [' + b"{}," * 30_000_000 + b'{}]}\n{"input": "b"}\n'
    files = {"a.gz": gzip.compress(line), "a.zst": zstandard.compress(line)}
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n"
        "from mitools.records import Reader\n"
        "bad = []\n"
        "assert len(list(Reader((sys.argv[1],), (), bad.append))) == len(bad) == 1\n"
    )
    for name, packed in files.items():
        assert len(packed) < 200_000
        (tmp_path / name).write_bytes(packed)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", script, tmp_path / name], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert time.perf_counter() - start < 30


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"text,label\nx,y\n"),
        ("a.CSV.gz", b"text,label\n"),
        ("a.json", b'[{"input": "x"}]\n'),
        ("a.parquet", b"PAR1\xff\xfe\n"),
    ],
)
def test_a_stage_that_gets_a_data_set_names_load(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    rows = line_rows(str(path))
    with pytest.raises(MalformedLineError) as caught:
        next(rows).parse()
    assert caught.value.hint == f'turn it into records first: "mitools load {path}"'


def hint_of(path: Path | str) -> tuple[str, str]:
    """Give the message and the hint of a first line that is not text."""
    with pytest.raises(MalformedLineError) as caught:
        next(line_rows(str(path))).parse()
    return caught.value.message, caught.value.hint


def test_a_command_of_a_hint_can_be_typed_whatever_the_name(tmp_path: Path) -> None:
    table, latin = tmp_path / "my table.csv", tmp_path / "it's.jsonl"
    table.write_text("text,label\n")
    latin.write_bytes(b"\xe9\n")
    typed = hint_of(table)[1].partition('"')[2].removesuffix('"')
    assert shlex.split(typed) == ["mitools", "load", str(table)]
    typed = hint_of(latin)[1].partition('"')[2].removesuffix('"')
    assert shlex.split(typed) == ["iconv", "-f", "LATIN1", "-t", "UTF-8", str(latin)]


@pytest.mark.parametrize("program", ["gzip", "zstd"])
def test_a_packed_file_is_told_by_its_first_bytes(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b'{"input": "b"}\n'
    packed = gzip.compress(text) if program == "gzip" else zstandard.compress(text)
    ending = ".gz" if program == "gzip" else ".zst"
    path = tmp_path / "my records"
    path.write_bytes(packed)
    message, hint = hint_of(path)
    assert message == f"the input is packed with {program}"
    rename = f'rename it to "{path}{ending}", or unpack it: '
    assert hint == f"{rename}\"{program} -dc < '{path}' | mitools …\""

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(packed)))
    assert hint_of("-") == (message, f'unpack it first: "{program} -dc FILE | mitools …"')

    twice = tmp_path / "a.gz"
    twice.write_bytes(gzip.compress(packed))
    assert hint_of(twice) == (message, "unpack it first: it was packed twice")


def test_the_bytes_of_a_packed_file_further_down_are_a_damaged_line(tmp_path: Path) -> None:
    _, second = rows_of(tmp_path, b"{}\n" + gzip.compress(b"{}\n"))
    with pytest.raises(MalformedLineError, match=r"not UTF-8 \(byte 2 of the line\)"):
        second.parse()


def test_no_file_is_named_where_stdin_is_not_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"input": "\xe9"}\n')))
    message, hint = hint_of("-")
    assert message == "not UTF-8 (byte 12 of the line)"
    assert hint == 'convert the input: "iconv -f LATIN1 -t UTF-8 | mitools …"'


def test_a_later_line_of_such_a_file_is_at_fault_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"input": "x"}\nno record\n')
    _, second = line_rows(str(path))
    with pytest.raises(MalformedLineError) as caught:
        second.parse()
    assert caught.value.hint.startswith("fix the line, or continue")
