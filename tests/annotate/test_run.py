"""The window between reader, teacher and taker, with a teacher made for the test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Problem, Question, Reply, UnaskedError
from mitools.annotate.run import AnnotationRun, StoppedError
from mitools.errors import InvalidFieldError, TeacherError
from mitools.records import Record
from tests.annotate.conftest import sums


class SlowTeacher:
    """Answers after a while; remembers what happened to it."""

    resamples = 1
    is_immediate = False

    def __init__(self, seconds: float = 0.01) -> None:
        self.seconds = seconds
        self.asked: list[str] = []
        self.cancelled = 0
        self.is_closed = False
        self.is_stopped = False

    def recall(self, question: Question) -> Reply | None:
        return None

    async def ask(self, question: Question) -> Reply:
        if self.is_stopped:
            raise UnaskedError
        self.asked.append(question.record["id"])
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Reply(text="The answer is 1.")

    def stop(self) -> None:
        self.is_stopped = True

    async def close(self) -> None:
        self.is_closed = True


def test_reading_waits_for_the_taker() -> None:
    taken = 0

    def source() -> Iterator[Record]:
        nonlocal taken
        for record in sums(1000):
            taken += 1
            yield record

    with AnnotationRun(source(), SlowTeacher(), AnnotateOptions(concurrency=2)) as run:
        records = iter(run)
        next(records)
        time.sleep(0.1)
        assert taken <= 9


def test_a_reading_error_comes_after_what_was_read() -> None:
    def source() -> Iterator[Record]:
        yield from sums(3)
        raise InvalidFieldError("line 4")

    got = []
    with (
        pytest.raises(InvalidFieldError, match="line 4"),
        AnnotationRun(source(), SlowTeacher(), AnnotateOptions()) as run,
    ):
        got.extend(run)
    assert len(got) == 3


@pytest.mark.parametrize("is_ordered", [True, False])
def test_a_stopped_run_gives_out_what_is_under_way(is_ordered: bool) -> None:
    teacher = SlowTeacher(0.2)

    def source() -> Iterator[Record]:
        yield from sums(4)
        while not teacher.is_stopped:
            time.sleep(0.01)
        raise StoppedError

    settings = AnnotateOptions(concurrency=4, is_ordered=is_ordered)
    with AnnotationRun(source(), teacher, settings) as run:
        threading.Timer(0.1, run.stop).start()
        got = [record["id"] for record in run]
    assert sorted(got) == ["r0", "r1", "r2", "r3"]
    assert run.tally.read == 4


def test_leaving_early_cancels_and_puts_the_teacher_away() -> None:
    teacher = SlowTeacher(60)
    start = time.monotonic()
    with AnnotationRun(sums(50), teacher, AnnotateOptions(concurrency=2)):
        time.sleep(0.1)
    assert time.monotonic() - start < 2
    assert teacher.cancelled == len(teacher.asked) > 0
    assert teacher.is_closed


def test_a_crash_in_a_teacher_is_raised_and_ends_the_run() -> None:
    class Crashing(SlowTeacher):
        async def ask(self, question: Question) -> Reply:
            if question.record["id"] == "r2":
                raise ZeroDivisionError
            return await super().ask(question)

    got = []
    with (
        pytest.raises(ZeroDivisionError),
        AnnotationRun(sums(100), Crashing(), AnnotateOptions(concurrency=2)) as run,
    ):
        got.extend(record["id"] for record in run)
    assert got == ["r0", "r1"]
    assert run.tally.read == run.tally.answered + run.tally.unasked


def test_failed_records_go_where_they_are_sent() -> None:
    class Failing(SlowTeacher):
        async def ask(self, question: Question) -> Reply:
            is_bad = question.record["id"] in ("r1", "r3")
            return Reply(text="Hm." if is_bad else "The answer is 1.")

    kept: list[str] = []

    def keep(record: Record) -> None:
        kept.append(record["id"])

    with AnnotationRun(sums(5), Failing(), AnnotateOptions(), handle_failure=keep) as run:
        assert [record["id"] for record in run] == ["r0", "r2", "r4"]
    assert kept == ["r1", "r3"]
    assert run.tally.lines() == [
        "5 rows = 3 answered + 0 rejected + 2 failed (2 unreadable)",
        "0 of 3 agree with gold (0.0%); read: 3 by cue",
    ]


def test_a_failure_that_ends_the_run_comes_after_what_was_before_it() -> None:
    class Failing(SlowTeacher):
        def recall(self, question: Question) -> Reply:  # so that good and bad ones leave together
            return Reply(text="Hm." if question.record["id"] == "r3" else "The answer is 1.")

    def refuse(record: Record) -> None:
        raise TeacherError(f"{record['id']} failed")

    teacher = Failing()
    got = []
    with (
        pytest.raises(TeacherError, match="r3 failed"),
        AnnotationRun(sums(40), teacher, AnnotateOptions(), handle_failure=refuse) as run,
    ):
        got.extend(record["id"] for record in run)
    assert got == ["r0", "r1", "r2"]


def test_what_is_ready_leaves_at_once_and_together() -> None:
    class Waiting(SlowTeacher):
        def recall(self, question: Question) -> Reply | None:
            is_slow = question.record["id"] == "r2"
            return None if is_slow else Reply(text="The answer is 1.")

    sizes = []
    with AnnotationRun(sums(6), Waiting(0.3), AnnotateOptions(concurrency=2)) as run:
        for batch in run.batches():
            sizes.append(len(batch))
            time.sleep(0.1)
    assert sum(sizes) == 6
    assert sizes[-1] == 4  # the slow one and all that had to wait for it


def test_no_answer_at_all_is_an_error_after_the_records() -> None:
    class Silent(SlowTeacher):
        async def ask(self, question: Question) -> Reply:
            return Reply()

    got = []
    with (
        pytest.raises(TeacherError, match=r"none of 3 records got an answer \(mostly: empty\)"),
        AnnotationRun(sums(3), Silent(), AnnotateOptions()) as run,
    ):
        got.extend(run)
    assert len(got) == 3


class Sampling(SlowTeacher):
    """One of several samples fails at once; the others take a while."""

    def __init__(self) -> None:
        super().__init__(0.2)
        self.came_home: list[int] = []

    async def ask(self, question: Question) -> Reply:
        if question.sample == 2:
            raise TeacherError("out of quota")
        reply = await super().ask(question)
        self.came_home.append(question.sample)
        return reply


def test_where_one_sample_fails_the_others_come_home() -> None:
    teacher = Sampling()
    settings = AnnotateOptions(samples=8)
    with (
        pytest.raises(TeacherError, match="out of quota"),
        AnnotationRun(sums(1), teacher, settings) as run,
    ):
        list(run)
    assert sorted(teacher.came_home) == [0, 1, 3, 4, 5, 6, 7]
    assert teacher.cancelled == 0


def test_an_error_waits_for_what_is_under_way_and_a_second_interrupt_does_not() -> None:
    for error, cancelled in ((ValueError, 0), (BrokenPipeError, 4), (KeyboardInterrupt, 4)):
        teacher = SlowTeacher(0.4)
        with pytest.raises(error), AnnotationRun(sums(50), teacher, AnnotateOptions(concurrency=1)):  # noqa: PT012
            time.sleep(0.1)
            raise error
        assert len(teacher.asked) == 4
        assert teacher.cancelled == cancelled


class Partly(SlowTeacher):
    """Fails some records, and fails fast."""

    def __init__(self, failing: int) -> None:
        super().__init__()
        self.failing = failing

    async def ask(self, question: Question) -> Reply:
        if int(question.record["id"][1:]) < self.failing:
            return Reply(problem=Problem("bad_request", "no"))
        await asyncio.sleep(0.05)
        return Reply(text="The answer is 1.")


@pytest.mark.parametrize("is_ordered", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 49, 200])
def test_too_many_failures_end_the_run(rows: int, is_ordered: bool) -> None:
    settings = AnnotateOptions(is_ordered=is_ordered, max_error_rate=0.5)
    got = []
    with (
        pytest.raises(TeacherError, match=r"more than --max-error-rate 0.5.*bad_request"),
        AnnotationRun(sums(rows), Partly(rows), settings) as run,
    ):
        got.extend(run)
    assert len(got) >= min(rows, 50)
    assert run.tally.read < 200 or rows < 200


def test_as_many_failures_as_allowed_are_not_too_many() -> None:
    settings = AnnotateOptions(max_error_rate=0.29)  # 0.29 × 100 is 28.999999999999996
    with AnnotationRun(sums(100)[::-1], Partly(29), settings) as run:  # the last 29 fail
        assert len(list(run)) == 100
    assert run.tally.failed.total() == 29


def test_failures_that_finish_first_are_not_held_to_be_all() -> None:
    settings = AnnotateOptions(concurrency=64, is_ordered=False, max_error_rate=0.5)
    with AnnotationRun(sums(200), Partly(60), settings) as run:
        assert len(list(run)) == 200
    assert run.tally.failed.total() == 60
