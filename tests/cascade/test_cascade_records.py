"""A student before a teacher from Python, over HTTP: order, overlap, stops, the same again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mitools import AnnotateOptions, CascadeOptions, cascade_records
from mitools.annotate.annotate_records import annotate_records
from mitools.annotate.open_teacher import open_teacher
from mitools.annotate.run import AnnotationRun, StoppedError
from mitools.cascade.ask_student import AskingStudent
from mitools.cascade.sure_answers import SureAnswers
from mitools.errors import StudentError, TeacherError
from mitools.records import Record
from mitools.student.protocol import Generation
from tests.cascade.conftest import AddingStudent, by, sums
from tests.server import Act, Call, FixtureServer


def options(server: FixtureServer, **given: object) -> AnnotateOptions:
    return AnnotateOptions(model="fixture", base_url=server.url, concurrency=4, **given)  # type: ignore[arg-type]


def test_the_student_answers_what_it_is_sure_of_and_the_teacher_the_rest(
    server: FixtureServer, folder: Path
) -> None:
    cascade = CascadeOptions(student=str(folder), batch_size=4)
    found = [*cascade_records(sums(10), options(server), cascade)]
    assert by(found) == "st" * 5
    assert [record["id"] for record in found] == [record["id"] for record in sums(10)]
    assert all(record["teacher"]["agrees"] for record in found)
    assert {record["teacher"]["model"] for record in found} == {"adder@1", "fixture"}
    assert found[1]["teacher"]["student_confidence"] == 0.4
    assert len(server.calls) == 5
    again = [*cascade_records(sums(10), options(server), cascade)]
    assert again == found
    assert len(server.calls) == 5, "the answers of the teacher are in the journal"


def test_a_threshold_replaces_that_of_the_operating_point(
    server: FixtureServer, folder: Path
) -> None:
    low = CascadeOptions(student=str(folder), threshold=0.1)
    assert by([*cascade_records(sums(4), options(server), low)]) == "ssss"
    high = CascadeOptions(student=str(folder), threshold=0.99)
    assert by([*cascade_records(sums(4), options(server), high)]) == "tttt"


def test_the_teacher_is_asked_while_the_student_works(
    server: FixtureServer, asking: AskingStudent, adding: AddingStudent
) -> None:
    arrived = threading.Event()
    is_waiting = []

    def act(_call: Call) -> Act:
        arrived.set()
        return Act()

    server.act = act
    answer = adding.generate_labels

    def generate(inputs: Sequence[str]) -> list[Generation]:
        if adding.asked:  # in the second batch, the first one is with the teacher
            is_waiting.append(arrived.wait(20))
        return answer(inputs)

    adding.generate_labels = generate  # type: ignore[method-assign]
    front = SureAnswers(asking, 2)
    found = [*annotate_records(sums(4), options(server), front=front)]
    assert by(found) == "stst"
    assert is_waiting == [True]


def test_a_run_that_is_stopped_keeps_what_it_has_and_ends_the_same(
    server: FixtureServer, asking: AskingStudent, tmp_path: Path
) -> None:
    chosen = options(server, journal=str(tmp_path / "journal.sqlite"))
    stopped = threading.Event()

    def source() -> Iterator[Record]:
        yield from sums(12)
        stopped.wait(20)
        raise StoppedError

    got: list[Record] = []
    front = SureAnswers(asking, 4)
    with open_teacher(chosen) as opened:
        run = AnnotationRun(source(), opened.teacher, chosen, on_stop=stopped.set, front=front)
        with run:
            for record in run:
                got.append(record)
                if len(got) == 5:
                    run.stop()
    assert 5 <= len(got) <= 12
    assert run.tally.read == 12
    whole = [*annotate_records(sums(40), chosen, front=SureAnswers(asking, 4))]
    assert whole[: len(got)] == got
    assert len(server.calls) == 20, "no answer was asked for twice"


def test_failures_of_the_teacher_are_judged_without_the_answers_of_the_student(
    server: FixtureServer, folder: Path
) -> None:
    server.act = lambda _call: Act(text="No idea.")
    cascade = CascadeOptions(student=str(folder))
    with pytest.raises(TeacherError, match=r"none of the first 2\d replies holds an answer"):
        list(cascade_records(sums(80), options(server, retries=0), cascade))


def test_a_failed_answer_says_that_the_teacher_was_asked(
    server: FixtureServer, folder: Path
) -> None:
    server.act = lambda call: Act(text="No idea.") if "11" in call.question else Act()
    found = [*cascade_records(sums(4), options(server), CascadeOptions(student=str(folder)))]
    assert by(found) == "stst"
    assert found[1]["teacher"]["error"]["kind"] == "unreadable"


def test_the_least_sure_are_asked_and_the_others_pass_as_they_came(
    server: FixtureServer, folder: Path, adding: AddingStudent
) -> None:
    adding.confidence = lambda number: number / 100
    cascade = CascadeOptions(student=str(folder), least_sure=3, spreads=False)
    first = [*cascade_records(sums(8)[::-1], options(server), cascade)]
    assert [record["id"] for record in first if record.get("teacher")] == ["r2", "r1", "r0"]
    assert first[:5] == sums(8)[:2:-1]
    second = [*cascade_records(first, options(server), cascade)]
    assert [record["id"] for record in second if record.get("teacher")] == [
        *("r5", "r4", "r3"),
        *("r2", "r1", "r0"),
    ]
    assert second[5:] == first[5:]
    assert len(server.calls) == 6


def test_a_random_choice_needs_no_student(server: FixtureServer) -> None:
    found = [*cascade_records(sums(8), options(server), CascadeOptions(random=3, seed=4))]
    assert by(found).count("-") == 3
    assert by(found).count(".") == 5


def test_a_missing_operating_point_is_an_error_before_anything_is_read(
    server: FixtureServer, folder: Path
) -> None:
    (folder / "operating_point.json").unlink()
    with pytest.raises(StudentError, match="mitools eval"):
        cascade_records(iter(()), options(server), CascadeOptions(student=str(folder)))
