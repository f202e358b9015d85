"""The structure of a response: which completions are answers, and what the others say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate.client.budget import Budget
from mitools.annotate.client.completion import NoCompletionError, UnfinishedError, read_completion
from mitools.annotate.client.journal import Entry, Journal
from mitools.annotate.client.requests import Requests
from mitools.annotate.client.usage import claim_of
from mitools.annotate.options import AnnotateOptions, Price
from mitools.errors import TeacherRefusedError
from tests.annotate.conftest import Annotate, sums
from tests.server import KEY, Act, FixtureServer, complete


def finished(reason: Any, **more: Any) -> str:
    answer = complete("The answer is 4.", "m")
    answer["choices"][0] |= {"finish_reason": reason, **more}
    return json.dumps(answer)


@pytest.mark.parametrize(
    "reason", ["stop", "STOP", "eos", "end_turn", "tool_calls", "stop-sequence", "", None]
)
def test_a_reason_after_which_there_is_an_answer(reason: str | None) -> None:
    reply = read_completion(finished(reason))
    assert (reply.text, reply.is_truncated, reply.problem) == ("The answer is 4.", False, None)


def test_a_tool_that_was_called_in_place_of_an_answer_is_told() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "answer", "arguments": "{}"}}
    answer = json.loads(finished("tool_calls"))
    answer["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}
    problem = read_completion(json.dumps(answer)).problem
    assert problem is not None
    assert (problem.kind, problem.message) == ("empty", "the model called a tool instead")
    answer["choices"][0]["message"]["content"] = "The answer is 4."
    assert read_completion(json.dumps(answer)).problem is None


@pytest.mark.parametrize("reason", ["length", "MAX_TOKENS", "model_length"])
def test_a_cut_answer_is_called_so(reason: str) -> None:
    assert read_completion(finished(reason)).is_truncated


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY", "sensitive"])
def test_a_withheld_answer_is_called_so(reason: str) -> None:
    problem = read_completion(finished(reason)).problem
    assert problem is not None
    assert problem.kind == "content_filter"


def no_message(reason: str, written: int = 0, total: int = 40) -> dict[str, Any]:
    usage = {"prompt_tokens": 40, "completion_tokens": written, "total_tokens": total}
    choice = {"index": 0, "finish_reason": reason}
    return {"object": "chat.completion", "choices": [choice], "usage": usage}


@pytest.mark.parametrize("reason", ["content_filter: PROHIBITED_CONTENT", "SAFETY", "recitation"])
def test_a_blocked_prompt_needs_no_message(
    reason: str, server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.act = lambda call: Act(error=no_message(reason)) if "11 and" in call.question else Act()
    priced = {"journal": tmp_path / "j", "price": Price(1, 1), "max_tokens": 500}
    outcome = annotate(sums(3), **priced)
    assert outcome.kinds == ["", "content_filter", ""]
    assert len(server.calls) == 3
    assert annotate(sums(3), **priced).kinds == outcome.kinds
    assert len(server.calls) == 3


def test_a_blocked_prompt_costs_what_the_server_counts() -> None:
    assert claim_of(no_message("content_filter: SAFETY")).doubt(5) == ""
    assert claim_of(complete("", "m") | {"usage": no_message("stop")["usage"]}).doubt(5)


def test_a_cut_completion_without_a_message_is_cut(
    server: FixtureServer, annotate: Annotate
) -> None:
    server.act = lambda call: (
        Act(error=no_message("length", total=140)) if "11 and" in call.question else Act()
    )
    outcome = annotate(sums(3))
    assert outcome.kinds == ["", "truncated", ""]
    assert outcome.records[1]["teacher"]["usage"]["completion_tokens"] >= 100


def test_a_completion_that_ended_needs_a_message() -> None:
    with pytest.raises(NoCompletionError, match="without a message"):
        read_completion(json.dumps(no_message("stop")))


@pytest.mark.parametrize(
    "reason",
    [
        *("error", "abort", "cancelled", "network_error", "insufficient_system_resource"),
        *("unknown", "new\x1b[2J", 7, ["stop"], {"reason": "stop"}, True),
    ],
)
def test_any_other_reason_is_no_answer(reason: Any) -> None:
    with pytest.raises(UnfinishedError, match="the generation ended with finish_reason") as caught:
        read_completion(finished(reason))
    assert str(caught.value).isprintable()


def test_the_words_of_a_broken_generation_are_told() -> None:
    with pytest.raises(UnfinishedError, match='finish_reason "error": Upstream died'):
        read_completion(finished("error", error={"message": "Upstream died", "code": 502}))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "overloaded"}}', "^overloaded$"),
        ('{"error": "overloaded"}', "^overloaded$"),
        ('{"choices": [], "error": {"message": "overloaded"}}', "^overloaded$"),
        ('{"message": {"content": "4"}, "done": true}', r"\(fields: message, done\)"),
        ("<html><title>Sign in</title></html>", "^a web page: Sign in$"),
        ('data: {"error": "overloaded"}\n\n', "^an event stream: overloaded$"),
        ("", "^an empty body$"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "[]," * 600_000 + "1]", "too many lists and objects"),
        ("null", "not a chat completion"),
        ('{"choices": [{"message": {"content": {"a": 1}}}', "not JSON"),
        ('{"choices": [{"message": {"content": true}}]}', "content is a boolean, not a text"),
    ],
    ids=range(12),
)
def test_what_is_no_completion_says_why(body: str, words: str) -> None:
    with pytest.raises(NoCompletionError, match=words):
        read_completion(body)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "fault",
    [
        Act(text="Half of", finish_reason="error"),
        Act(text="The answer is (1", finish_reason="abort"),
        Act(error={"error": {"message": "Provider returned error", "code": 503}}),
        Act(error={"error": "model is overloaded"}),
        Act(error={"choices": None, "error": {"message": "upstream failed", "code": 502}}),
        Act(error={"choices": []}),
    ],
    ids=["error", "abort", "503 in 200", "text", "null choices", "no choices"],
)
def test_a_fault_in_a_success_is_retried_and_asked_again_by_the_next_run(
    fault: Act, server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.act = lambda call: fault if "11 and" in call.question else Act()
    outcome = annotate(sums(3), journal=tmp_path / "j", retries=2)
    assert outcome.kinds == ["", "server_error", ""]
    assert len(server.calls) == 5
    server.act = None
    again = annotate(sums(3), journal=tmp_path / "j", retries=2)
    assert again.kinds == ["", "", ""]
    assert len(server.calls) == 6


def in_body(code: int | str, message: str) -> Act:
    return Act(error={"error": {"message": message, "code": code}, "user_id": "u"})


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("code", [429, "429", "rate_limit_exceeded"])
def test_a_rate_limit_in_a_success_costs_no_retry_and_no_money(
    server: FixtureServer, annotate: Annotate, code: int | str
) -> None:
    requests = Requests(AnnotateOptions(model="fixture", base_url=server.url, max_tokens=500))
    budget = Budget(Price(1, 1), requests.options.max_cost)
    server.script = [in_body(code, "Provider returned error")] * 3
    outcome = annotate(sums(1), budget=budget, retries=0)
    assert outcome.kinds == [""]
    assert len(server.calls) == 4
    assert budget.lost.count == 0


def test_a_refusal_in_a_success_stops_the_run(server: FixtureServer, annotate: Annotate) -> None:
    server.default = in_body(402, "This request needs more than you have")
    with pytest.raises(TeacherRefusedError, match="402, within a success"):
        annotate(sums(30))
    assert len(server.calls) <= 4


def test_a_rejection_in_a_success_is_not_retried(server: FixtureServer, annotate: Annotate) -> None:
    bad = in_body(400, "This endpoint's maximum context length is 4096 tokens.")
    server.act = lambda call: bad if "11 and" in call.question else Act()
    assert annotate(sums(3)).kinds == ["", "context_length", ""]
    assert len(server.calls) == 3


def test_a_key_that_a_success_repeats_is_masked_in_the_journal(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.script = [Act(error={"error": {"message": f"bad {KEY}", "code": "odd"}})]
    annotate(sums(1), journal=tmp_path / "j")
    held = b"".join(path.read_bytes() for path in tmp_path.glob("j*"))
    assert b"odd" in held
    assert KEY.encode() not in held


def silent(reason: str | None = None, written: int = 0, **message: Any) -> dict[str, Any]:
    answer = complete("", "m", message)
    answer["choices"][0]["finish_reason"] = reason
    usage = {"prompt_tokens": 0, "completion_tokens": written, "total_tokens": written}
    return answer | {"usage": usage}


ERROR = {"error": {"message": "Upstream died", "code": 502}}


@pytest.mark.parametrize(
    "body",
    [
        silent(),
        silent("stop"),
        silent(None, 7),
        silent("stop", 7) | ERROR,
        silent("stop", 7, content=None) | ERROR,
        complete("Half of", "m") | ERROR | {"choices": [{"message": {"content": "Half of"}}]},
    ],
    ids=["nothing", "no token", "no reason", "error", "null", "half"],
)
@pytest.mark.usefixtures("quick")
def test_an_answer_that_was_not_generated_is_asked_again(
    body: dict[str, Any], server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.act = lambda call: Act(error=body) if "11 and" in call.question else Act()
    outcome = annotate(sums(3), journal=tmp_path / "j", retries=1)
    assert outcome.kinds == ["", "server_error", ""]
    assert len(server.calls) == 4
    server.act = None
    assert annotate(sums(3), journal=tmp_path / "j").kinds == ["", "", ""]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (silent("stop", 3), "empty"),
        (silent("length"), "empty"),
        (silent("stop", 0, refusal="No."), "refusal"),
        (silent("tool_calls", 0, tool_calls=[{"id": "1"}]), "empty"),
        (silent("stop", 0, reasoning="Let me see."), "empty"),
    ],
)
def test_an_answer_without_text_may_be_finished(body: dict[str, Any], kind: str) -> None:
    reply = read_completion(json.dumps(body))
    assert reply.text == ""
    assert reply.problem is None or reply.problem.kind == kind


def test_an_unfinished_answer_in_an_old_journal_is_asked_again(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    annotate(sums(1), journal=tmp_path / "j")
    import sqlite3

    with sqlite3.connect(tmp_path / "j") as database:
        database.execute("UPDATE responses SET response = ?", (finished("abort"),))
    database.close()
    journal = Journal(tmp_path / "j")
    assert isinstance(journal, Journal)
    journal.close()
    assert annotate(sums(1), journal=tmp_path / "j").labels == ["(10 + 7)"]
    assert len(server.calls) == 2
    assert Entry("k", "ok", "").kind == "ok"
