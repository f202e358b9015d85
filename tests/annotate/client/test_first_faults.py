"""A fault of every request stops the run early, with the server's words and what to type."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate.client.base_url import BaseUrl
from mitools.annotate.client.faults import Fatal, Fault, RequestRejected, Secrets, sort_status
from mitools.annotate.client.hints import advise
from mitools.errors import TeacherError, TeacherRefusedError
from tests.annotate.conftest import Annotate, sums
from tests.annotate.test_cli import lines, run
from tests.server import Act, Call, FixtureServer

PAGE = "<!DOCTYPE html><html><title>Sign in</title><body>please</body></html>"


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("act", "options", "status", "hint"),
    [
        (
            Act(status=400, error=error("max_tokens is not supported; use max_completion_tokens")),
            ("--max-tokens", "50"),
            1,
            'type "--param max_completion_tokens=50" in place of --max-tokens',
        ),
        (
            Act(status=400, error=error("temperature must be 1")),
            ("--temperature", "0.7"),
            1,
            "leave --temperature out, or change it",
        ),
        (
            Act(status=400, error=error("unknown field top_q")),
            ("--param", "top_q=1"),
            1,
            'leave "--param top_q=…" out, or change it',
        ),
        (
            Act(status=400, error=[error("API key not valid", code=400)]),
            (),
            5,
            "check OPENAI_API_KEY",
        ),
        (Act(status=422, error={"detail": "no can do"}), (), 1, "fix it and run it again"),
        (Act(error=PAGE), ("--retries", "0"), 1, "check --base-url"),
        (Act(status=500, error="out of memory"), ("--retries", "0"), 1, "out of memory"),
        (Act(reset="before"), ("--retries", "0"), 1, "the connection broke"),
    ],
    ids=["max_tokens", "temperature", "param", "key", "422", "page", "500", "reset"],
)
def test_ten_that_fail_alike_stop_the_run(
    act: Act, options: tuple[str, ...], status: int, hint: str, server: FixtureServer
) -> None:
    server.default = act
    code, records, err = run(server, lines(sums(100)), "--concurrency", "4", *options)
    assert code == status
    assert len(server.calls) <= 10 + 4
    assert len(records) <= 10
    assert hint in err.splitlines()[-1]
    assert "(10 requests failed alike, and none was answered)" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("act", "options", "status", "hint"),
    [
        (
            Act(
                status=400,
                error=error(
                    "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
                    param="max_tokens",
                    code="unsupported_parameter",
                ),
            ),
            ("--max-tokens", "50"),
            1,
            'type "--param max_completion_tokens=50"',
        ),
        (
            Act(status=400, error=error("Incorrect key: sk-12345678", code="invalid_api_key")),
            (),
            5,
            "Incorrect key: [key]; check OPENAI_API_KEY",
        ),
        (
            Act(status=403, error=error("You are not allowed to request logprobs from this model")),
            ("--top-logprobs", "5"),
            1,
            "leave --top-logprobs out, or change it",
        ),
        (Act(status=403, error=error("No logprobs for you")), (), 5, "check OPENAI_API_KEY"),
        (Act(status=403, error=PAGE), (), 5, "403: Sign in: please; the refusal is a web page"),
        (Act(status=404, error="404 page not found"), (), 1, "requests went to http://"),
    ],
    ids=["param", "key", "logprobs", "403 json", "403", "404"],
)
def test_what_is_certain_stops_the_run_at_once(
    act: Act, options: tuple[str, ...], status: int, hint: str, server: FixtureServer
) -> None:
    server.default = act
    code, records, err = run(server, lines(sums(100)), "--concurrency", "4", *options)
    assert (code, records) == (status, [])
    assert len(server.calls) <= 4
    assert hint in err.splitlines()[-1]


def test_an_unknown_model_is_answered_with_those_that_there_are(server: FixtureServer) -> None:
    server.default = Act(status=404, error=error("The model `fixtur` does not exist"))
    server.models = [{"id": "zeta"}, {"id": "fixture-large"}, {"id": 7}, {}]
    code, _, err = run(server, lines(sums(40)), "--concurrency", "4")
    assert code == 1
    assert "check -m; the endpoint has fixture-large, zeta" in err
    assert server.looks == 1  # one look, though four failed at once


def test_rows_that_were_not_asked_are_asked_by_the_next_run(
    server: FixtureServer, tmp_path: Path
) -> None:
    server.default = Act(status=400, error=error("temperature must be 1"))
    journal = ("--journal", tmp_path / "j", "--concurrency", "2")
    code, records, _ = run(server, lines(sums(40)), *journal, "--temperature", "0.5")
    assert code == 1
    assert len(records) < 12
    server.default = Act()
    code, records, _ = run(server, lines(sums(40)), *journal, "--temperature", "0.5")
    assert code == 0
    assert all(record["teacher"]["label"] for record in records)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_rows_that_failed_before_are_not_counted_again(
    concurrency: int, server: FixtureServer, tmp_path: Path, annotate: Annotate
) -> None:
    bad = [f"{number} and" for number in range(12, 27)]

    def act(call: Call) -> Act:
        is_bad = any(words in call.question for words in bad)
        return Act(status=400, error=error("no")) if is_bad else Act()

    server.act = act
    first = annotate(sums(30), journal=tmp_path / "j", concurrency=concurrency)
    assert first.tally.failed.total() == 15
    again = annotate(sums(30)[2:], journal=tmp_path / "j", concurrency=concurrency)
    assert again.records == first.records[2:]


@pytest.mark.parametrize(
    "differ",
    [
        lambda number: Act(status=400, error=error("no", code=f"c{number}")),
        lambda number: Act(status=400 + 22 * (number % 2), error=error(f"{'a' * number} is bad")),
        lambda number: Act(status=400, code="context_length_exceeded"),
        lambda number: Act(status=400, code="content_filter"),
        lambda number: Act(text="", message={"refusal": "No."}),
        lambda number: Act(text="I do not know."),
    ],
    ids=["codes", "messages", "length", "filter", "refusal", "unreadable"],
)
def test_faults_that_differ_or_are_the_records_own_do_not_stop_a_run(
    differ: Any, server: FixtureServer, annotate: Annotate
) -> None:
    numbers = iter(range(1000))
    server.act = lambda call: Act() if "28 and" in call.question else differ(next(numbers))
    outcome = annotate(sums(19), concurrency=2)
    assert len(outcome.records) == 19
    assert outcome.tally.answered == 1


def test_one_other_fault_does_not_hide_what_is_alike(
    server: FixtureServer, annotate: Annotate
) -> None:
    server.script = [Act(status=400, code="context_length_exceeded"), Act(status=422)]
    server.default = Act(status=400)
    with pytest.raises(TeacherError, match="10 requests failed alike"):
        annotate(sums(30), concurrency=2)


def test_numbers_and_names_do_not_make_faults_differ(
    server: FixtureServer, annotate: Annotate
) -> None:
    def act(call: Call) -> Act:
        return Act(status=400, error=error(f'"{call.question}" is bad (request {id(call):x}9)'))

    server.act = act
    with pytest.raises(TeacherError, match="10 requests failed alike"):
        annotate(sums(30), concurrency=2)


def test_samples_of_one_record_are_one_request(server: FixtureServer, annotate: Annotate) -> None:
    server.default = Act(status=400)
    with pytest.raises(TeacherError, match="none of 3 records got an answer"):
        annotate(sums(3), samples=8)
    assert len(server.calls) == 24


def test_a_stated_error_rate_decides_instead(server: FixtureServer) -> None:
    server.default = Act(status=400)
    code, records, _ = run(server, lines(sums(30)), "--max-error-rate", "1")
    assert len(records) == len(server.calls) == 30
    assert code == 1  # none was answered


def test_an_account_that_runs_dry_stops_the_run(server: FixtureServer) -> None:
    server.act = lambda call: Act() if len(server.calls) <= 20 else next(dry)
    for status, said in (
        (400, error("Your credit balance is too low to access the API.", type="invalid_request")),
        (412, error("Account acme is suspended, possibly due to reaching the spending limit.")),
        (400, error("Billing hard limit has been reached", code="billing_hard_limit_reached")),
        (429, error("Your team has used all available credits or reached its spending limit.")),
        (200, error("Insufficient credits. Add more", code=402)),
    ):
        server.calls.clear()
        dry = itertools.repeat(Act(status=status, error=said))
        code, records, err = run(server, lines(sums(60)), "--concurrency", "4", "--no-journal")
        assert code == 5, said
        assert len(server.calls) <= 28
        assert 10 <= len(records) <= 20
        assert "credit" in err.splitlines()[-1]


@pytest.mark.parametrize(
    "said",
    [
        "max_tokens is above the hard limit of 4096",
        'messages[0]: unknown part "Your account is suspended, the credit balance is 0"',
        "temperature must be 1",
    ],
)
def test_other_refusals_are_not_about_the_account(said: str) -> None:
    assert isinstance(fault(said), RequestRejected)


def test_many_in_a_row_that_fail_alike_stop_a_run_that_got_answers(server: FixtureServer) -> None:
    crashed = Act(status=400, error=error("EngineCore encountered an issue."))
    server.act = lambda call: Act() if len(server.calls) <= 20 else crashed
    code, records, err = run(server, lines(sums(300)), "--concurrency", "4")
    assert code == 1
    assert len(records) <= 120 + 4
    assert len(server.calls) <= 120 + 4
    assert "EngineCore encountered an issue. (100 requests failed alike, with no answer in" in err


def test_answers_in_between_go_on(server: FixtureServer, annotate: Annotate) -> None:
    server.act = lambda call: Act() if len(server.calls) % 9 == 1 else Act(status=400)
    outcome = annotate(sums(150), concurrency=2)
    assert outcome.tally.read == 150


def test_the_main_reason_of_failures_is_said_where_others_were_answered(
    server: FixtureServer,
) -> None:
    bad = Act(status=400, error=error("no such colour"))
    server.act = lambda call: bad if "11 and" in call.question else Act()
    code, _, err = run(server, lines(sums(3)))
    assert code == 0
    assert "bad_request: record r1: 400: no such colour" in err


@pytest.mark.usefixtures("quick")
def test_a_path_that_worked_is_not_a_reason_to_stop(
    server: FixtureServer, annotate: Annotate
) -> None:
    server.act = lambda call: Act(status=404) if "15 and" in call.question else Act()
    outcome = annotate(sums(20), concurrency=1, retries=1)
    assert outcome.kinds.count("server_error") == 1
    assert outcome.tally.answered == 19


def test_a_moderated_input_is_its_records_fault(server: FixtureServer, annotate: Annotate) -> None:
    moderated = error("This model requires moderation; your input was flagged", code=403)
    bad = Act(status=403, error=moderated)
    server.act = lambda call: bad if "11 and" in call.question else Act()
    assert annotate(sums(3)).kinds == ["", "content_filter", ""]


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ("the request exceeds the available context size. try increasing it", {}),
        ("too big", {"type": "exceed_context_size_error", "code": 400}),
        ("The decoder prompt (length 5012) is longer than the maximum model length of 4096.", {}),
        ("prompt is too long: 210000 tokens > 200000 maximum", {}),
        ("Your input exceeds the context window of this model.", {}),
    ],
)
def test_records_that_are_too_long_do_not_stop_a_run(
    said: str, more: dict[str, Any], server: FixtureServer, annotate: Annotate
) -> None:
    server.act = lambda call: (
        Act(status=400, error=error(said, **more)) if len(server.calls) <= 12 else Act()
    )
    outcome = annotate(sums(16), concurrency=1)
    assert outcome.kinds == ["context_length"] * 12 + [""] * 4


def test_an_answer_that_comes_in_between_lets_the_run_go_on(
    server: FixtureServer, annotate: Annotate
) -> None:
    # The model list is looked up before the run stops; an answer arrives meanwhile.
    said = error("no such colour; the model does not exist")
    server.act = lambda call: Act(delay=0.5) if "10 and" in call.question else act(call)

    def act(call: Call) -> Act:
        number = int(call.question.split()[1])
        return Act(status=400, error=said) if number < 21 else Act()

    server.look_delay = 1.0
    outcome = annotate(sums(30), concurrency=2)
    assert outcome.tally.answered == 20


def fault(message: str, status: int = 400, **more: Any) -> Fault:
    import json

    return sort_status(status, "", {}, json.dumps(error(message, **more)), Secrets([]))


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("max_tokens is too large: 99999. This model supports at most 4096", "change --max-tokens"),
        ("The model gpt does not exist", "check -m"),
        ("model 'qwen' not found, try pulling it first", "check -m"),
        ("invalid model ID", "check -m"),
        ("Missing Authorization header", "check OPENAI_API_KEY"),
        ("the messages are too many", ""),
    ],
)
def test_the_advice_names_the_option(message: str, hint: str) -> None:
    settings = {"max_tokens": 5}
    found = advise(fault(message), settings, BaseUrl.parse("http://h/v1")).hint
    assert found.startswith(hint)
    assert bool(found) is bool(hint)


def test_a_page_under_a_bare_host_is_told_of_v1() -> None:
    found = sort_status(404, "", {}, PAGE, Secrets([]))
    assert isinstance(found, Fatal)
    hint = advise(found, {}, BaseUrl.parse("http://h:8000")).hint
    assert hint.endswith('try "--base-url http://h:8000/v1"')
    assert not isinstance(found, RequestRejected)


def test_a_refusal_keeps_its_status(server: FixtureServer, annotate: Annotate) -> None:
    server.default = Act(status=400, error=error("the api key has expired"))
    with pytest.raises(TeacherRefusedError):
        annotate(sums(30))
