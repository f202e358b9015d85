"""``mitools split`` as a user runs it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools


def run(*args: str, stdin: str = "") -> Result:
    return CliRunner().invoke(mitools, ["split", *args], input=stdin)


def lines(n: int, **fields: object) -> str:
    records = [{"id": f"r{index}", "input": f"question {index}", **fields} for index in range(n)]
    return "".join(json.dumps(record) + "\n" for record in records)


def splits(text: str) -> list[str]:
    return [json.loads(line)["split"] for line in text.splitlines()]


def test_every_record_gets_a_split_and_the_counts_go_to_stderr() -> None:
    result = run(stdin=lines(100))
    assert result.exit_code == 0
    assert set(splits(result.stdout)) == {"train", "valid", "test"}
    assert len(splits(result.stdout)) == 100
    assert "mitools split: 100 records" in result.stderr
    assert run("-q", stdin=lines(100)).stderr == ""


def test_select_writes_only_the_splits_asked_for() -> None:
    everything = run(stdin=lines(100)).stdout.splitlines()
    chosen = run("--select", "valid,test", stdin=lines(100)).stdout.splitlines()
    again = run("--select", "test", "--select", "valid", stdin=lines(100)).stdout.splitlines()
    assert chosen == again == [line for line in everything if '"split": "train"' not in line]


def test_selecting_nothing_is_no_success() -> None:
    result = run("--select", "test", "--test", "0", stdin=lines(3))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "no record is selected" in result.stderr


def test_an_unknown_split_is_a_usage_error() -> None:
    result = run("--select", "dev", stdin=lines(3))
    assert result.exit_code == 2
    assert '--select: "dev" is not a split; choose from train, valid, test' in result.stderr


def test_out_dir_writes_one_file_a_split_and_nothing_on_stdout(tmp_path: Path) -> None:
    result = run("--out-dir", str(tmp_path / "new" / "parts"), stdin=lines(100))
    assert (result.exit_code, result.stdout) == (0, "")
    found = {path.stem: path.read_text() for path in (tmp_path / "new" / "parts").iterdir()}
    assert set(found) == {"train", "valid", "test"}
    for name, text in found.items():
        assert set(splits(text)) == {name}
    whole = run("--out-dir", str(tmp_path), "-o", "-", stdin=lines(100)).stdout
    assert sorted(whole.splitlines()) == sorted("".join(found.values()).splitlines())


def test_out_dir_leaves_what_else_is_there_and_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    (tmp_path / "train.jsonl").write_text("old\n")
    result = run("--out-dir", str(tmp_path), stdin=lines(50) + "{broken\n")
    assert result.exit_code == 1
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "train.jsonl"}
    assert (tmp_path / "train.jsonl").read_text() == "old\n"
    assert run("--out-dir", str(tmp_path), stdin=lines(50)).exit_code == 0
    assert (tmp_path / "mine.txt").read_text() == "keep me"
    assert (tmp_path / "train.jsonl").read_text() != "old\n"


def test_a_split_already_there_is_kept_and_said() -> None:
    result = run(stdin=lines(40, split="test"))
    assert set(splits(result.stdout)) == {"test"}
    assert 'to assign them again, add "--reassign"' in result.stderr
    assert set(splits(run("--reassign", stdin=lines(40, split="test")).stdout)) > {"test"}


def test_valid_is_taken_from_train_as_the_warning_says() -> None:
    given = lines(20, split="test") + lines(80, split="train").split("\n", 20)[20]
    found = run(stdin=given)
    assert set(splits(found.stdout)) == {"train", "test"}
    (said,) = re.findall('no record is in valid: .*, add "(.*)"', found.stderr)
    found = run(*said.split(), "--valid", "0.3", stdin=given)
    assert splits(found.stdout)[:20] == ["test"] * 20
    assert set(splits(found.stdout)[20:]) == {"train", "valid"}
    assert "warning" not in found.stderr
    found = run("--reassign-split", "train", "--test", "0.3", stdin=given)
    assert "warning: test gained " in found.stderr


def test_an_empty_part_is_warned_of() -> None:
    result = run("--valid", "0.001", stdin=lines(5))
    assert result.exit_code == 0
    assert "no record is in valid" in result.stderr
    assert "no record is in valid" not in run("--valid", "0", stdin=lines(5)).stderr


@pytest.mark.parametrize("args", [("--test", "0.7", "--valid", "0.5"), ("--test", "nan")])
def test_impossible_fractions_are_usage_errors(args: tuple[str, ...]) -> None:
    assert run(*args, stdin=lines(3)).exit_code == 2


def test_a_record_with_nothing_to_hash_is_refused() -> None:
    result = run(stdin='{"label": "x"}\n')
    assert result.exit_code == 1
    assert '<stdin>:1: field "group" or "input" or "id" is missing' in result.stderr


# Modes that read all records first

TWICE = pytest.mark.parametrize(
    "args",
    [("--exact",), ("--stratify", "label"), ("--dedup", "exact"), ("--dedup", "near")],
    ids=" ".join,
)


def labelled(n: int) -> str:
    records = [json.loads(line) for line in lines(n).splitlines()]
    for row, record in enumerate(records):
        record["label"] = "yes" if row % 4 else "no"
        record["input"] = f"{hash_like(row)} {record['input']} {hash_like(row + n)}"
    return "".join(json.dumps(record) + "\n" for record in records)


def hash_like(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:8]


@TWICE
def test_every_record_comes_out_once_in_order(args: tuple[str, ...]) -> None:
    result = run(*args, stdin=labelled(100))
    assert result.exit_code == 0, result.stderr
    done = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["id"] for record in done] == [f"r{row}" for row in range(100)]
    assert result.stderr.startswith("mitools split: 100 records\n")
    assert run("-q", *args, stdin=labelled(100)).stderr == ""


@TWICE
def test_nothing_is_written_before_all_is_read(args: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*args, "--out-dir", str(tmp_path), "-o", "-", stdin=labelled(50) + "{broken\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "<stdin>:51: not valid JSON" in result.stderr
    assert os.listdir(tmp_path) == []


def test_sizes_groups_and_what_is_missing_are_shown() -> None:
    grouped = "".join(
        json.dumps({"id": str(row), "group": f"g{row // 3}", "label": "ab"[row % 2]}) + "\n"
        for row in range(100)
    )
    shown, _, warned = run("--stratify", "label", stdin=grouped).stderr.rpartition("mitools split:")
    expected = """\
mitools split: 100 records
  split  records  share  wanted  off by  groups  had it before
  train       81  81.0%   80.0%      +1      27              0
  valid        9   9.0%   10.0%      -1       3              0
  test        10  10.0%   10.0%       0       4              0
mitools split: by label
  label  records    train   valid  test
  a           50       40       5     5
  b           50  41 (+1)  4 (-1)     5
"""
    assert shown == expected
    problem = "groups are not divided, so the sizes are not exact: train +1, valid -1"
    assert warned == f" warning: {problem}\n"


def test_a_pipe_a_fifo_and_packed_files_are_as_good_as_a_file(tmp_path: Path) -> None:
    text = labelled(300)
    plain, packed, fifo = (tmp_path / name for name in ("a.jsonl", "a.jsonl.gz", "fifo"))
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    os.mkfifo(fifo)
    expected = run("--exact", "-q", str(plain))
    assert expected.exit_code == 0
    writer = threading.Thread(target=fifo.write_text, args=(text,))
    writer.start()
    assert run("--exact", "-q", str(fifo)).stdout == expected.stdout
    writer.join()
    assert run("--exact", "-q", str(packed)).stdout == expected.stdout
    program = [sys.executable, "-m", "mitools", "split", "--exact", "-q"]
    piped = subprocess.run(program, input=text, capture_output=True, text=True)
    assert (piped.stdout, piped.stderr) == (expected.stdout, "")


def test_a_closed_downstream_ends_it_quietly_and_the_figures_are_there(tmp_path: Path) -> None:
    report = tmp_path / "figures.json"
    program = [sys.executable, "-m", "mitools", "split", "--exact", "-q", "--report", str(report)]
    source = tmp_path / "in.jsonl"
    source.write_text(labelled(5000))
    process = subprocess.Popen(
        [*program, str(source)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        assert process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.wait() == 0
    assert json.loads(report.read_text())["records"] == 5000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "mitools", "split", "--exact", "-o", str(tmp_path / "out.jsonl")],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    with process.stdin, process.stderr:
        process.stdin.write(labelled(10).encode())
        while not list(tmp_path.glob(".out.jsonl.*")):
            pass  # until the output is open
        process.send_signal(number)
        assert b"mitools split: interrupted; run the same command again" in process.stderr.read()
    assert process.wait() == 130
    assert os.listdir(tmp_path) == ["tmp"]
    assert os.listdir(folder) == []


@contextlib.contextmanager
def small_disk() -> Iterator[None]:
    """Let no file grow beyond 20,000 bytes; not even the one that pytest may report to."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_too_small_for_the_records_is_one_line() -> None:
    with small_disk():
        result = run("--exact", stdin=labelled(1000))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("mitools split: cannot keep the records in ")
    assert "free some space there, or name a folder with more space: TMPDIR=FOLDER" in result.stderr
    assert result.stderr.count("\n") == 1
    with small_disk():
        assert run("-q", stdin=labelled(1000)).exit_code == 0  # by hash nothing is kept


def test_selecting_and_parts_go_with_every_mode(tmp_path: Path) -> None:
    everything = run("--exact", stdin=labelled(100)).stdout.splitlines()
    chosen = run("--exact", "--select", "test", stdin=labelled(100)).stdout.splitlines()
    assert chosen == [line for line in everything if '"split": "test"' in line]
    assert run("--exact", "--out-dir", str(tmp_path), stdin=labelled(100)).exit_code == 0
    assert len((tmp_path / "test.jsonl").read_text().splitlines()) == 10
    nothing = run("--exact", "--select", "test", "--test", "0", stdin=labelled(9))
    assert nothing.exit_code == 1
    assert "no record is selected (8 train, 1 valid, 0 test)" in nothing.stderr


def test_a_field_that_no_record_has_is_one_line() -> None:
    result = run("--stratify", "labl", stdin=labelled(9))
    assert (result.exit_code, result.stdout) == (1, "")
    problem = 'no record has a value in field "labl"; name another field with --stratify'
    assert result.stderr == f"mitools split: {problem}\n"


# Subsets


@pytest.mark.parametrize("mode", [(), ("--exact",)])
def test_subsets_of_train_are_nested_and_said(mode: tuple[str, ...]) -> None:
    text = labelled(1000)
    small, large = (
        run(*mode, "--subsample", share, stdin=text).stdout.splitlines() for share in ("0.1", "0.3")
    )
    assert set(small) < set(large)
    result = run(*mode, "--subsample", "0.1", stdin=text)
    assert f"mitools split: subset of train: {splits(result.stdout).count('train')} of " in (
        result.stderr
    )
    assert run("--subsample", "0", stdin=text).exit_code == 2


# Comparing


@pytest.fixture
def leaky(tmp_path: Path) -> tuple[str, Path]:
    """Records of which one test input is a few-shot example, and the examples."""
    sentences = {
        row: " ".join(hash_like(row * 50 + word) for word in range(20)) for row in range(60)
    }
    records = [
        {"id": f"r{row}", "input": text, "split": ("train", "valid", "test")[row % 3]}
        for row, text in sentences.items()
    ]
    path = tmp_path / "examples.jsonl"
    path.write_text(json.dumps({"id": "shot", "input": f"Look: {sentences[5]}?"}) + "\n")
    return "".join(json.dumps(record) + "\n" for record in records), path


def test_leaks_are_shown_written_and_change_nothing(
    leaky: tuple[str, Path], tmp_path: Path
) -> None:
    text, path = leaky
    report = tmp_path / "leaks.json"
    result = run("--against", str(path), "--report", str(report), stdin=text)
    assert result.exit_code == 0
    assert result.stdout == run(stdin=text).stdout
    assert "overlaps of valid and test inputs, by n-grams of 13 words" in result.stderr
    assert f"warning: 1 test record overlaps with {path}\n" in result.stderr
    figures = json.loads(report.read_text())["contamination"]
    (place,) = (item for item in figures["places"] if item["place"] == str(path))
    assert (place["texts"], place["valid"], place["test"]) == (1, 0, 1)
    (leak,) = place["leaks"]
    assert (leak["id"], leak["other"], leak["share"]) == ("r5", "shot", 1.0)


def test_clean_data_is_not_warned_of(leaky: tuple[str, Path], tmp_path: Path) -> None:
    text, _ = leaky
    path = tmp_path / "clean.jsonl"
    path.write_text('{"input": "nothing that is known from anywhere else in this file at all"}\n')
    result = run("--against", str(path), stdin=text)
    assert "warning" not in result.stderr


def test_stdin_cannot_be_records_and_something_to_compare_with(leaky: tuple[str, Path]) -> None:
    result = run("--against", "-", stdin=leaky[0])
    assert result.exit_code == 2
    assert "stdin is already the input" in result.stderr
    assert run(str(leaky[1]), "--against", "-", stdin=leaky[0]).exit_code == 0


def test_a_file_to_compare_with_that_is_not_there_stops_it(leaky: tuple[str, Path]) -> None:
    result = run("--against", "nowhere.jsonl", stdin=leaky[0])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot read nowhere.jsonl" in result.stderr


# Figures and options


def figures_of(tmp_path: Path, *args: str, stdin: str) -> dict[str, Any]:
    path = tmp_path / "figures.json"
    assert run(*args, "--report", str(path), stdin=stdin).exit_code == 0
    figures: dict[str, Any] = json.loads(path.read_text())
    return figures


def test_figures_are_written_in_every_mode(tmp_path: Path) -> None:
    figures = figures_of(tmp_path, stdin=labelled(100))
    assert figures["records"] == sum(size["records"] for size in figures["splits"].values()) == 100
    figures = figures_of(tmp_path, "--stratify", "label", "--subsample", "0.5", stdin=labelled(100))
    train = {"records": 80, "wanted": 80.0, "kept": 0, "groups": 80, "written": 40}
    assert figures["splits"]["train"] == train
    assert [item["value"] for item in figures["strata"]] == ["yes", "no"]


def test_figures_name_the_records_of_each_cluster(tmp_path: Path) -> None:
    text = lines(3) + json.dumps({"id": "again", "input": "QUESTION 1", "group": "g"}) + "\n"
    figures = figures_of(tmp_path, "--dedup", "exact", stdin=text)
    assert figures["duplicates"]["ids"] == [["r1", "again"]]
    assert figures["duplicates"]["joined"] == 1


def test_a_place_where_figures_cannot_be_written_is_said_at_once() -> None:
    result = run("--report", "nowhere/figures.json", stdin=lines(3))
    assert (result.exit_code, result.stdout) == (1, "")
    assert 'make the folder first: "mkdir -p nowhere"' in result.stderr


@pytest.mark.parametrize("mode", [(), ("--exact",)])
def test_a_full_disk_is_blamed_on_what_was_written_there(
    mode: tuple[str, ...], tmp_path: Path
) -> None:
    report = tmp_path / "figures.json"
    program = [sys.executable, "-m", "mitools", "split", "-q", *mode, "--report", str(report)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            program, input=labelled(20).encode(), stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"mitools split: cannot write <stdout>: No space left on device")


def test_a_disk_too_small_for_the_parts_is_one_line(tmp_path: Path) -> None:
    with small_disk():
        result = run("--out-dir", str(tmp_path), "-o", "-", stdin=labelled(1000))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"mitools split: cannot write {tmp_path}: File too large")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("--threshold", "0.5"), "--threshold has no effect without --dedup near"),
        (("--dedup", "exact", "--shingle-chars", "3"), "--shingle-chars has no effect without"),
        (("--ngram-words", "8"), "--ngram-words has no effect without --against"),
        (("--dedup", "near", "--threshold", "0"), "--threshold must be above 0"),
        (("--dedup", "near", "--shingle-chars", "0"), "--shingle-chars must be at least 1"),
        (("--against", "x", "--ngram-words", "0"), "--ngram-words must be at least 1"),
        (("--subsample", "1.5"), "--subsample must be above 0"),
    ],
)
def test_options_without_effect_are_usage_errors(args: tuple[str, ...], problem: str) -> None:
    result = run(*args, stdin=lines(3))
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


def test_a_recipe_may_hold_options_without_effect(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[split]\nthreshold = 0.5\nngram-words = 8\nexact = true\n")
    assert "off by" in run("-c", str(path), stdin=lines(20)).stderr
