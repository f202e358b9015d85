"""Annotating from Python: the same records as the command writes, lazily, and closed at the end."""

from __future__ import annotations

import asyncio
import doctest
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate import annotate_records as module
from mitools.annotate.annotate_records import annotate_records
from mitools.annotate.notices import Notices
from mitools.annotate.options import AnnotateOptions
from mitools.errors import EmptyInputError, InvalidFieldError, TeacherError, UsageError
from mitools.records import Record
from tests.annotate.conftest import sums
from tests.annotate.test_cli import lines, run
from tests.server import Act, FixtureServer

REPLAY = AnnotateOptions(teacher="replay")


def completed(count: int) -> list[Record]:
    """Records that carry their completion."""
    return [{**record, "completion": f"The answer is {record['label']}."} for record in sums(count)]


def test_the_example_of_the_docstring_runs() -> None:
    done = doctest.testmod(module)
    assert done.attempted
    assert not done.failed


def test_the_records_are_those_that_the_command_writes(
    server: FixtureServer, tmp_path: Path
) -> None:
    server.act = lambda call: Act(text="Hm.") if "13 and" in call.question else Act()
    options = AnnotateOptions(
        model="fixture",
        base_url=server.url,
        strategy="star",
        journal=str(tmp_path / "a"),
        max_tokens=50,
    )
    records = list(annotate_records(sums(12), options))
    typed = ("--strategy", "star", "--max-tokens", "50", "--journal", tmp_path / "b")
    status, written, _ = run(server, lines(sums(12)), *typed)
    assert status == 0
    assert json.dumps(records) == json.dumps(written)
    assert [record["teacher"].get("error", {}).get("kind") for record in records].count(
        "unreadable"
    ) == 1


def test_no_more_records_are_taken_than_have_a_place() -> None:
    taken = 0

    def source() -> Iterator[Record]:
        nonlocal taken
        for record in completed(5000):
            taken += 1
            yield record

    records = annotate_records(source(), REPLAY)
    next(records)
    threading.Event().wait(0.2)
    assert taken < 600  # 256 places, and a batch that was given out
    records.close()  # type: ignore[attr-defined]
    assert taken < 1200


def test_closing_ends_the_run_and_a_second_run_goes_on(
    server: FixtureServer, tmp_path: Path
) -> None:
    options = AnnotateOptions(
        model="fixture", base_url=server.url, concurrency=2, journal=str(tmp_path / "j")
    )
    before = threading.active_count()
    records = annotate_records(sums(40), options)
    first = next(records)
    records.close()  # type: ignore[attr-defined]
    for thread in threading.enumerate():
        assert thread.name not in ("reader", "teacher")
    asked = len(server.calls)
    assert asked < 40
    again = list(annotate_records(sums(40), options))
    assert again[0] == first
    assert len(again) == 40
    assert len(server.calls) <= 40 + 2 * options.concurrency  # those that were cancelled
    assert threading.active_count() <= before + 4  # of the server


def test_it_works_where_an_event_loop_runs_already(server: FixtureServer) -> None:
    options = AnnotateOptions(model="fixture", base_url=server.url, keeps_journal=False)

    async def within() -> list[Record]:
        return list(annotate_records(sums(3), options))

    assert [record["teacher"]["label"] for record in asyncio.run(within())] == [
        f"({10 + number} + 7)" for number in range(3)
    ]


def test_what_people_should_know_goes_to_the_notices(server: FixtureServer) -> None:
    warnings: list[str] = []
    options = AnnotateOptions(
        model="fixture",
        base_url=server.url,
        keeps_journal=False,
        samples=2,
        temperature=0,
    )
    records = [{**sums(1)[0], "label": "seventeen"}]
    list(annotate_records(records, options, notices=Notices(on_warning=warnings.append)))
    assert warnings[0] == "at temperature 0 all samples of a record are alike"
    assert "1 of 1 gold labels cannot be read" in warnings[-1]


@pytest.mark.parametrize(
    ("params", "cause"),
    [
        ({"temperature": 0}, "at temperature 0"),
        ({"seed": 1}, "with one seed"),
        ({"temperature": 1}, ""),
    ],
)
def test_samples_that_are_alike_by_a_param_are_warned_of(
    params: dict[str, Any], cause: str, server: FixtureServer
) -> None:
    warnings: list[str] = []
    options = AnnotateOptions(
        model="fixture", base_url=server.url, keeps_journal=False, samples=2, params=params
    )
    list(annotate_records(sums(1), options, notices=Notices(on_warning=warnings.append)))
    assert warnings == ([f"{cause} all samples of a record are alike"] if cause else [])


def test_failures_are_handled_as_the_options_say(tmp_path: Path) -> None:
    records = completed(3)
    records[1]["completion"] = "Hm."
    kept = list(annotate_records(records, REPLAY))
    assert kept[1]["teacher"]["error"]["kind"] == "unreadable"
    aside = tmp_path / "aside.jsonl"
    rest = annotate_records(
        records, AnnotateOptions(teacher="replay", on_failure=f"divert:{aside}")
    )
    assert [record["id"] for record in rest] == ["r0", "r2"]
    assert json.loads(aside.read_text()) == kept[1]
    ending = annotate_records(records, AnnotateOptions(teacher="replay", on_failure="fail"))
    assert next(ending)["id"] == "r0"
    with pytest.raises(TeacherError, match="record 'r1' got no answer"):
        next(ending)


def test_records_are_validated_and_get_an_id() -> None:
    [record] = annotate_records([{"input": "?", "completion": "The answer is 2."}], REPLAY)
    assert len(record["id"]) == 16
    with pytest.raises(InvalidFieldError, match='record:1: field "input" must be a string'):
        list(annotate_records([{"input": 1}], REPLAY))
    with pytest.raises(EmptyInputError):
        list(annotate_records([], REPLAY))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no teacher model"),
        ({"teacher": "gpt"}, 'no teacher "gpt"'),
        ({"model": "m", "strategy": "bold"}, 'no strategy "bold"'),
        ({"model": "m", "samples": 0}, "--samples must be at least 1, not 0"),
        ({"model": "m", "timeout_seconds": 0.0}, "--timeout must be above 0, not 0"),
        ({"model": "m", "max_error_rate": 1.5}, "--max-error-rate must be between 0 and 1"),
        ({"model": "m", "max_error_rate": float("nan")}, "--max-error-rate must be between"),
        ({"model": "m", "on_failure": "skip"}, 'no way "skip" to handle a failure'),
        ({"model": "m", "max_cost": 1.0}, "--max-cost needs the price of a token"),
        ({"model": "m", "keeps_journal": False, "is_offline": True}, "--offline answers from"),
        ({"teacher": "replay", "from_batch": ("f",)}, "--from-batch is for a teacher behind"),
        ({"teacher": "replay:f", "strategy": "hinted"}, "--strategy hinted needs a teacher"),
    ],
)
def test_wrong_options_are_refused_at_the_call(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        annotate_records(sums(1), AnnotateOptions(**options))
