"""``mitools annotate --student`` and its kin, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.annotate.test_cli import lines, run
from tests.cascade.conftest import AddingStudent, by, sums
from tests.server import Act, FixtureServer, true_usage


def test_a_run_states_the_bill_and_the_saving(
    server: FixtureServer, folder: Path, adding: AddingStudent
) -> None:
    adding.metadata["data"] = {"records": {"train": 100}}
    server.act = lambda call: Act(usage=true_usage(call))
    priced = ("--student", folder, "--price", "10,100")
    status, records, err = run(server, lines(sums(10)), *priced)
    assert (status, by(records)) == (0, "st" * 5)
    shown = [line.removeprefix("mitools annotate: ") for line in err.splitlines()]
    assert shown[0] == "10 rows = 10 answered + 0 rejected + 0 failed"
    assert shown[1].startswith("5 of 5 agree with gold (100.0%); read: 5 by cue; ")
    assert shown[2].startswith("$"), "the bill of the run"
    assert shown[3] == (
        "5 by the student adder@1, sure at 0.9 (5 of 5 agree with gold, 100.0%); "
        "5 (50.0%) by the teacher"
    )
    assert shown[4].startswith("teacher: $0.00")
    assert shown[5].startswith("break-even: after 200 records like these (annotation of the ")
    status, again, err = run(server, lines(sums(10)), *priced, "--student-price", "0.1")
    assert (status, again, len(server.calls)) == (0, records, 5)
    assert "5 of 5 completions from the journal" in err


def test_records_of_the_student_alone_are_reported(server: FixtureServer, folder: Path) -> None:
    status, records, err = run(server, lines(sums(1)), "--student", folder)
    assert (status, by(records), server.calls) == (0, "s", [])
    assert err.splitlines()[0] == "mitools annotate: 1 row = 1 answered + 0 rejected + 0 failed"


@pytest.mark.parametrize("front", ["sure", "random"])
def test_records_that_need_no_teacher_are_kept_where_it_answers_nothing(
    server: FixtureServer, folder: Path, tmp_path: Path, front: str
) -> None:
    server.default = Act("I cannot say.")
    options = ("--student", folder) if front == "sure" else ("--random", "2")
    out = tmp_path / "out.jsonl"
    status, _, err = run(server, lines(sums(10)), *options, "-o", out)
    assert status == 1
    records = [json.loads(line) for line in out.read_text().splitlines()]
    failed = [record for record in records if "error" in record.get("teacher", {})]
    assert (len(records), len(failed)) == (10, 5 if front == "sure" else 2)
    message = f"none of {len(failed)} records got an answer from the teacher (mostly: unreadable); "
    assert f"mitools annotate: {message}record {failed[0]['id']}: " in err.splitlines()[-1]


def test_a_student_without_an_operating_point_is_one_line(
    server: FixtureServer, folder: Path
) -> None:
    (folder / "operating_point.json").unlink()
    status, records, err = run(server, lines(sums(2)), "--student", folder)
    assert (status, records, server.calls) == (1, [], [])
    [line] = err.splitlines()
    assert line.startswith(f"mitools annotate: {folder} has no operating point")
    assert "mitools eval --student" in line
    assert "--target-accuracy 0.95" in line


def test_the_least_sure_and_random_records(server: FixtureServer, folder: Path) -> None:
    least = ("--student", folder, "--least-sure", "2")
    status, records, err = run(server, lines(sums(6)), *least)
    assert (status, by(records).count("-"), len(server.calls)) == (0, 2, 2)
    assert "6 rows = 2 answered + 0 rejected + 0 failed + 4 passed on" in err
    how = "in proportion to 1 - confidence"
    assert f"2 of 6 records without an answer chosen, {how} (confidence 0.4" in err
    status, again, err = run(server, lines(sums(6)), *least, "--no-spread")
    # One of the two was drawn above, and is in the journal.
    assert (status, by(again).count("-"), len(server.calls)) == (0, 2, 3)
    assert "2 of 6 records without an answer chosen, the least sure (confidence 0.4" in err
    status, records, err = run(server, lines(records), "--random", "3", "--seed", "5")
    assert (status, by(records).count("-"), len(server.calls)) == (0, 5, 5)
    assert "3 of 4 records without an answer chosen, at random; 2 had one" in err


def test_a_dry_run_opens_no_student_and_asks_nobody(
    server: FixtureServer, folder: Path, adding: AddingStudent
) -> None:
    from click.testing import CliRunner

    from mitools.cli import mitools

    args = ["annotate", "-m", "m", "--base-url", server.url, "--student", str(folder), "--dry-run"]
    done = CliRunner().invoke(mitools, args, input=lines(sums(8)))
    assert done.exit_code == 0
    assert "about 2 rows go to the teacher: about 2 calls" in done.stdout
    assert (adding.asked, server.calls) == ([], [])


def test_a_batch_holds_the_requests_for_the_teacher_only(
    server: FixtureServer, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "batch.jsonl"
    status, _, err = run(server, lines(sums(6)), "--student", folder, "--emit-batch", path)
    assert status == 0
    assert "3 records: 0 answered already, 3 requests" in err
    questions = [
        json.loads(line)["body"]["messages"][-1]["content"]
        for line in path.read_text().splitlines()
    ]
    assert ["Add 11" in questions[0], "Add 13" in questions[1], "Add 15" in questions[2]] == [
        True
    ] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--least-sure", "3"), "--least-sure needs a student"),
        (("--threshold", "0.5"), "--threshold needs a student"),
        (("--random", "3", "--student", "x"), "--random chooses records without a student"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], message: str) -> None:
    status, _, err = run(None, "", "--teacher", "demo", *arguments)
    assert status == 2
    assert message in err
