"""Replies without an answer: how soon they stop a run, and what the message tells to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.annotate.options import MAX_UNANSWERED, AnnotateOptions
from mitools.annotate.protocol import Answered
from mitools.annotate.run import AnnotationRun
from mitools.annotate.tally import Tally
from mitools.annotate.unanswered import Unanswered, reason_of
from mitools.errors import TeacherError
from mitools.replies import Problem, error_field
from tests.annotate.conftest import sums
from tests.annotate.test_cli import lines
from tests.annotate.test_cli import run as run_cli
from tests.annotate.test_run import Question, Reply, SlowTeacher
from tests.server import Act, FixtureServer


def failed(number: int, kind: str, message: str = "why") -> Answered:
    problem = Problem(kind, message)
    teacher: dict[str, Any] = {"label": None, "agrees": None, "error": error_field(problem)}
    return Answered({"id": f"r{number}", "teacher": teacher}, problem, 1, 0)


def run_of(*outcomes: Answered, **options: Any) -> tuple[Unanswered, Tally]:
    unanswered, tally = Unanswered(AnnotateOptions(**options)), Tally()
    for outcome in outcomes:
        unanswered.add(outcome)
        tally.add(outcome)
    return unanswered, tally


@pytest.mark.parametrize(
    ("reply", "kind", "hint"),
    [
        (Reply(text="The sum is", is_truncated=True), "truncated", "raise --max-tokens; "),
        (Reply(), "empty", "check -m, and the log of the server; "),
        (Reply(thoughts="Sum."), "empty", "turn the thinking of the model off; "),
        (Reply(text="Nice weather."), "unreadable", "change the prompt or --task; "),
        (Reply(problem=Problem("refusal", "No.")), "refusal", "change the prompt or the model; "),
    ],
)
def test_replies_without_an_answer_stop_a_run_whatever_they_lack(
    reply: Reply, kind: str, hint: str
) -> None:
    class Useless(SlowTeacher):
        async def ask(self, question: Question) -> Reply:
            self.asked.append(question.record["id"])
            return reply

    teacher = Useless()
    with (
        pytest.raises(TeacherError, match=f"none of the first .* \\(.* {kind}\\)") as raised,
        AnnotationRun(sums(1000), teacher, AnnotateOptions(concurrency=2)) as run,
    ):
        list(run)
    assert MAX_UNANSWERED <= len({*teacher.asked}) < 100
    assert hint in raised.value.hint
    assert raised.value.hint.endswith('"--max-error-rate 1"')


def test_one_answer_among_the_first_lets_a_run_go_on() -> None:
    unanswered, tally = run_of(*(failed(number, "truncated") for number in range(50)))
    assert unanswered.too_many_at_first(tally) is not None
    tally.answered = 1
    assert unanswered.too_many_at_first(tally) is None
    tally.by_student = 1  # which says nothing about the teacher
    assert unanswered.too_many_at_first(tally) is not None


def test_records_that_were_not_asked_about_stop_nothing() -> None:
    missing = [failed(number, "missing") for number in range(50)]
    unanswered, tally = run_of(*missing, *(failed(number, "no_gold") for number in range(50)))
    assert unanswered.too_many_at_first(tally) is None


def test_a_share_of_failures_that_is_allowed_is_all_that_counts() -> None:
    outcomes = [failed(number, "empty") for number in range(50)]
    unanswered, tally = run_of(*outcomes, max_error_rate=1.0)
    assert unanswered.too_many_at_first(tally) is None


def test_the_token_limit_that_was_too_small_is_named() -> None:
    outcomes = [failed(number, "truncated") for number in range(20)]
    unanswered, tally = run_of(*outcomes, max_tokens=1200)
    error = unanswered.too_many_at_first(tally)
    assert error is not None
    assert error.hint.startswith("raise --max-tokens, which is 1,200")


def test_too_many_failures_show_one_of_the_most_frequent_kind() -> None:
    kinds = ["timeout", "truncated", "truncated"]
    outcomes = [failed(place, kind, f"why {place}") for place, kind in enumerate(kinds)]
    unanswered, tally = run_of(*outcomes, max_error_rate=0.5)
    error = unanswered.too_many(tally, 4)
    assert error.message == (
        "3 of 4 records got no answer, more than --max-error-rate 0.5 allows (mostly: truncated); "
        "record r1: why 1"
    )
    assert error.hint == "raise --max-tokens"


def test_only_the_first_records_are_kept() -> None:
    unanswered, _ = run_of(*(failed(number, "timeout", "slow") for number in range(9)))
    assert [reason_of(record) for record in unanswered.examples] == [
        "record r0: slow",
        "record r1: slow",
        "record r2: slow",
    ]


def test_a_run_says_to_run_it_again_only_if_that_asks_something(
    server: FixtureServer, tmp_path: Path
) -> None:
    kept = ("--journal", tmp_path / "j", "--concurrency", "2")
    server.default = Act(text="I do not know.")
    status, _, err = run_cli(server, lines(sums(3)), *kept)
    assert status == 1
    assert f"answers are kept in {tmp_path / 'j'}" in err
    assert "run it again" not in err
    server.default = Act(status=400)
    status, _, err = run_cli(server, lines(sums(3, first=50)), *kept)
    assert status == 1
    assert "run it again to go on" in err
