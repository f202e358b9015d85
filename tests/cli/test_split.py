"""``mitools split`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

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
    assert '"dev" is none of train, valid, test' in result.stderr


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
    assert '"--reassign" would draw anew' in result.stderr
    assert set(splits(run("--reassign", stdin=lines(40, split="test")).stdout)) > {"test"}


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
