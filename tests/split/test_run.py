"""The entry point of the stage, from Python: the same records and figures as the command's."""

from __future__ import annotations

import doctest
import gc
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import mitools.split.run
from mitools.cli import mitools as command
from mitools.errors import EmptyInputError
from mitools.records import Record
from mitools.split.options import SplitOptions
from mitools.split.run import split_records

MODES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"test": 0.3, "valid": 0.2, "seed": 5}, ["--test", "0.3", "--valid", "0.2", "--seed", "5"]),
    ({"subsample": 0.4, "select": ("train",)}, ["--subsample", "0.4", "--select", "train"]),
    (
        {"stratify": "label", "select": ("valid", "test")},
        ["--stratify", "label", "--select", "valid,test"],
    ),
    (
        {"dedup": "near", "threshold": 0.6, "exact": True},
        ["--dedup", "near", "--threshold", "0.6", "--exact"],
    ),
]
EVERY_MODE = pytest.mark.parametrize(
    ("fields", "typed"), MODES, ids=[" ".join(typed) or "none" for _, typed in MODES]
)


def questions(count: int) -> list[Record]:
    return [
        {
            "id": f"q{number}",
            "input": f"How many apples are {number % 37} and {number % 11} apples?",
            "label": "abc"[number % 3],
            "extra": [number],
        }
        for number in range(count)
    ]


@EVERY_MODE
def test_a_library_user_gets_what_the_command_writes(
    tmp_path: Path, fields: dict[str, Any], typed: list[str]
) -> None:
    report = tmp_path / "report.json"
    text = "".join(json.dumps(record) + "\n" for record in questions(200))
    done = CliRunner().invoke(command, ["split", *typed, "--report", str(report)], input=text)
    assert done.exit_code == 0, done.stderr
    run = split_records(questions(200), SplitOptions(**fields))
    assert list(run) == [json.loads(line) for line in done.stdout.splitlines()]
    assert run.as_json() == json.loads(report.read_text())


def test_a_file_to_compare_with_is_read(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(json.dumps(questions(1)[0]) + "\n")
    records = [{**record, "split": "test"} for record in questions(5)]
    run = split_records(records, SplitOptions(against=(str(path),)))
    assert list(run) == records
    assert run.report.contamination is not None
    (place,) = run.report.contamination.comparisons
    assert [leak.id for leak in place.leaks] == ["q0"]


def test_a_hash_alone_passes_a_record_on_before_the_next_is_read() -> None:
    read = []

    def records() -> Any:
        for record in questions(3):
            read.append(record["id"])
            yield record

    run = split_records(records())
    assert next(run)["id"] == "q0"
    assert read == ["q0"]
    with pytest.raises(ValueError, match="known when the records have been read"):
        _ = run.report


def test_two_passes_know_the_report_before_the_first_record() -> None:
    run = split_records(questions(20), SplitOptions(exact=True))
    run.read_all()
    assert run.report.total == 20
    assert len(list(run)) == 20
    assert run.report.sizes["test"].records == 2


@pytest.mark.parametrize("exact", [False, True])
def test_an_empty_selection_is_an_error(exact: bool) -> None:
    options = SplitOptions(test=0, select=("test",), exact=exact)
    with pytest.raises(EmptyInputError, match="no record is selected"):
        list(split_records(questions(9), options))


def test_the_temporary_file_goes_with_the_run() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = split_records(questions(9), SplitOptions(exact=True))
        next(run)
        del run
        gc.collect()
    with split_records(questions(9), SplitOptions(exact=True)) as run:
        next(run)
    assert list(run) == []


def test_the_example_of_the_docstring_runs() -> None:
    assert doctest.testmod(mitools.split.run) == (0, 4)
