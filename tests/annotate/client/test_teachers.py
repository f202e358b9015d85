"""What a run makes of an endpoint's answers and faults, over real HTTP."""

from __future__ import annotations

import random
import socket
import time
from pathlib import Path

import pytest

from mitools.annotate.options import AnnotateOptions
from mitools.annotate.run import AnnotationRun
from mitools.errors import TeacherError, TeacherRefusedError
from tests.annotate.conftest import Annotate, asking, sums
from tests.server import KEY, Act, Call, FixtureServer


def test_records_are_answered_compared_and_left_in_order(
    server: FixtureServer, annotate: Annotate
) -> None:
    records = [*sums(12), {"id": "x", "input": "Add 1 and 2.", "task": "equation", "kept": [1]}]
    server.act = lambda call: Act(delay=random.Random(call.question).random() / 20)
    outcome = annotate(records)
    assert [record["id"] for record in outcome.records] == [record["id"] for record in records]
    teacher = outcome.records[0]["teacher"]
    assert teacher == {
        "label": "(10 + 7)",
        "rationale": "There are 10 and 7.",
        "agrees": True,
        "read_by": "cue",
        "model": "fixture",
        "prompt": teacher["prompt"],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
    }
    assert outcome.records[-1]["kept"] == [1]
    assert outcome.records[-1]["teacher"]["agrees"] is None
    assert (outcome.tally.answered, outcome.tally.with_gold, outcome.tally.agreeing) == (13, 12, 12)
    assert 2 <= server.most_at_once <= 4


def test_unordered_records_leave_as_they_finish(server: FixtureServer, annotate: Annotate) -> None:
    server.act = lambda call: Act(delay=0.3 if "10" in call.question else 0.0)
    outcome = annotate(sums(8), is_ordered=False)
    assert outcome.records[-1]["id"] == "r0"
    assert len(outcome.records) == 8


def test_the_request_holds_prompt_and_parameters(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    template = tmp_path / "t.j2"
    template.write_text("Problem: {{ input }}")
    prompt = {"system": "Be brief.", "template": str(template)}
    annotate(sums(1), **prompt, max_tokens=50, params={"temperature": 0})
    assert server.calls[0].body == {
        "model": "fixture",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Problem: Add 10 and 7."},
        ],
        "max_tokens": 50,
        "temperature": 0,
    }
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"


def test_retry_after_is_obeyed_by_every_request(server: FixtureServer, annotate: Annotate) -> None:
    server.script = [Act(status=429, headers={"Retry-After": "1"})]
    server.default = Act(delay=0.2)
    outcome = annotate(sums(12), retries=0)
    start = server.calls[0].at
    later = [call.at - start for call in server.calls if call.at - start > 0.15]
    assert min(later) >= 1.0
    assert None not in outcome.labels
    assert len(server.calls) == 13


def test_retry_after_on_503_is_obeyed_too(server: FixtureServer, annotate: Annotate) -> None:
    server.script = [Act(status=503, headers={"Retry-After": "0.5"})]
    annotate(sums(1), retries=0)
    assert server.calls[1].at - server.calls[0].at >= 0.5


@pytest.mark.usefixtures("quick")
def test_rate_limits_cost_no_retries(server: FixtureServer, annotate: Annotate) -> None:
    server.script = [Act(status=429)] * 6
    assert annotate(sums(3), retries=0).labels == ["(10 + 7)", "(11 + 7)", "(12 + 7)"]
    assert len(server.calls) == 9


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "fault",
    [
        Act(status=500),
        Act(status=503),
        Act(status=408),
        Act(reset="before"),
        Act(reset="middle"),
        Act(raw=b'{"choices": [{"mess'),
        Act(raw=b"<html>busy</html>"),
        Act(raw=b'{"choices": []}'),
        Act(hang=True),
    ],
    ids=["500", "503", "408", "reset", "reset-mid-body", "cut-json", "html", "no-choices", "hang"],
)
def test_what_may_pass_is_tried_again(
    fault: Act, server: FixtureServer, annotate: Annotate
) -> None:
    server.script = [fault]
    assert annotate(sums(1), timeout_seconds=1.0, retries=1).labels == ["(10 + 7)"]
    assert len(server.calls) == 2


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Act(status=500), "server_error"),
        (Act(reset="before"), "connection"),
        (Act(hang=True), "timeout"),
    ],
    ids=["500", "reset", "hang"],
)
def test_a_record_that_keeps_failing_gets_a_typed_error(
    fault: Act, kind: str, server: FixtureServer, annotate: Annotate
) -> None:
    server.act = lambda call: fault if "11" in call.question else Act()
    outcome = annotate(sums(3), timeout_seconds=0.5, retries=2)
    assert outcome.kinds == ["", kind, ""]
    assert outcome.records[1]["teacher"]["label"] is None
    assert len(server.calls) == 5


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Act(status=400), "bad_request"),
        (Act(status=422), "bad_request"),
        (Act(status=400, code="content_filter"), "content_filter"),
        (Act(status=400, code="context_length_exceeded"), "context_length"),
        (Act(text="", finish_reason="content_filter"), "content_filter"),
        (Act(text="", message={"refusal": "I will not."}), "refusal"),
    ],
    ids=["400", "422", "filter", "length", "filtered", "refusal"],
)
def test_a_refused_record_is_not_asked_again(
    fault: Act, kind: str, server: FixtureServer, annotate: Annotate
) -> None:
    server.act = lambda call: fault if "11" in call.question else Act()
    outcome = annotate(sums(3))
    assert outcome.kinds == ["", kind, ""]
    assert len(server.calls) == 3
    assert KEY not in str(outcome.records)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Act(status=401), 5),
        (Act(status=403), 5),
        (Act(status=429, code="insufficient_quota"), 5),
        (Act(status=404), 1),
    ],
    ids=["401", "403", "quota", "404"],
)
def test_a_refusing_teacher_stops_the_run_at_once(
    fault: Act, status: int, server: FixtureServer, annotate: Annotate
) -> None:
    server.default = fault
    with pytest.raises(TeacherError) as caught:
        annotate(sums(200))
    assert caught.value.exit_code == status
    assert isinstance(caught.value, TeacherRefusedError) is (status == 5)
    assert KEY not in str(caught.value)
    assert caught.value.hint
    assert len(server.calls) <= 4


def test_what_was_under_way_at_a_refusal_comes_home(server: FixtureServer, tmp_path: Path) -> None:
    server.act = lambda call: Act(delay=0.2) if "10" in call.question else Act(status=401)
    options = AnnotateOptions(model="fixture", base_url=server.url, concurrency=2)
    teacher = asking(options)
    got = []
    with (
        pytest.raises(TeacherRefusedError),
        AnnotationRun(sums(50), teacher, AnnotateOptions(concurrency=2)) as run,
    ):
        got.extend(record["id"] for record in run)
    assert got == ["r0"]
    assert run.tally.failed.total() == 0


def test_an_unreachable_endpoint_is_said_once_and_soon(annotate: Annotate) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        start = time.monotonic()
        with pytest.raises(TeacherError, match=r"connection refused.*--base-url"):
            annotate(sums(30), base_url=url)
    assert time.monotonic() - start < 5


@pytest.mark.usefixtures("quick")
def test_an_endpoint_that_goes_away_fails_no_record(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    with FixtureServer() as other:
        url = other.url
        annotate(sums(2), journal=tmp_path / "j", base_url=url)
    with pytest.raises(TeacherError, match="cannot reach"):
        annotate(sums(20), journal=tmp_path / "j", base_url=url)


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (Act(text="I do not know."), "unreadable"),
        (Act(text=""), "empty"),
        (Act(text=None, message={"content": None}), "empty"),
        (Act(text="There are 10 and 7. The answer is (1", finish_reason="length"), "truncated"),
        (Act(text="The sum is 17. The answer is 1", finish_reason="length"), "truncated"),
        (Act(text="", message={"reasoning": "Hm"}, finish_reason="length"), "truncated"),
        (Act(text="<think>Let us see, 10", finish_reason="length"), "truncated"),
    ],
    ids=["unreadable", "empty", "null", "cut", "cut-number", "all-thoughts", "open-think"],
)
def test_an_answer_that_cannot_be_read_is_drawn_once_more(
    bad: Act, kind: str, server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.script = [bad]
    once = annotate(sums(1), journal=tmp_path / "once")
    assert once.labels == ["(10 + 7)"]
    assert once.records[0]["teacher"]["usage"] == {"prompt_tokens": 20, "completion_tokens": 10}
    server.script = [bad, bad]
    with pytest.raises(TeacherError, match=f"none of 1 records.*{kind}"):
        annotate(sums(1), journal=tmp_path / "twice")
    calls = len(server.calls)
    outcome_again = annotate([*sums(1), *sums(1, first=50)], journal=tmp_path / "twice")
    assert outcome_again.kinds == [kind, ""]
    assert len(server.calls) == calls + 1


def test_an_answer_before_the_cut_is_kept(server: FixtureServer, annotate: Annotate) -> None:
    text = "10 + 7 = 17. The answer is (10 + 7).\n\nQ: There are 15 trees. How"
    server.default = Act(text=text, finish_reason="length")
    assert annotate(sums(1)).labels == ["(10 + 7)"]
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    "act",
    [
        Act(text="Because. The answer is (10 + 7)."),
        Act(text="The answer is (10 + 7).", message={"reasoning": "Because."}),
        Act(text="The answer is (10 + 7).", message={"reasoning_content": "Because."}),
        Act(text="The answer is (10 + 7).", message={"reasoning": None, "thinking": "Because."}),
        Act(text="<think>\nBecause.\n</think>\n\nThe answer is (10 + 7)."),
        Act(text="Because.\n</think>\nThe answer is (10 + 7)."),
        Act(text="(10 + 7)", message={"reasoning_content": "Because."}),
        Act(message={"content": [{"type": "text", "text": "Because. The answer is (10 + 7)."}]}),
        Act(text="Because. The answer is (10 + 7).", usage=None),
    ],
    ids=["text", "new", "old", "thinking", "think", "unopened", "bare", "parts", "no-usage"],
)
def test_thoughts_are_the_rationale_wherever_they_stand(
    act: Act, server: FixtureServer, annotate: Annotate
) -> None:
    server.default = act
    teacher = annotate(sums(1)).records[0]["teacher"]
    assert (teacher["label"], teacher["rationale"]) == ("(10 + 7)", "Because.")


def test_a_slow_taker_starts_no_more_than_a_window(server: FixtureServer) -> None:
    options = AnnotateOptions(model="fixture", base_url=server.url, concurrency=2)
    teacher = asking(options)
    with AnnotationRun(sums(100), teacher, AnnotateOptions(concurrency=2)) as run:
        records = iter(run)
        for _ in range(5):
            next(records)
        time.sleep(0.5)
        assert len(server.calls) <= 5 + 8
        calls = len(server.calls)
        time.sleep(0.2)
        assert len(server.calls) == calls
        records.close()  # type: ignore[attr-defined]
    assert len(server.calls) <= 5 + 8


def test_equal_questions_at_once_cost_one_call(server: FixtureServer, annotate: Annotate) -> None:
    server.default = Act(delay=0.1)
    outcome = annotate([{**sums(1)[0], "id": str(number)} for number in range(4)])
    assert outcome.labels == ["(10 + 7)"] * 4
    assert len(server.calls) == 1


def test_concurrency_shrinks_once_per_episode(server: FixtureServer, annotate: Annotate) -> None:
    def busy(_call: Call) -> Act:
        if len(server.calls) <= 8:
            return Act(status=429, headers={"Retry-After": "0.3"}, delay=0.1)
        if len(server.calls) == 9:
            server.most_at_once = 0
        return Act(delay=0.05)

    server.act = busy
    assert len(annotate(sums(16), concurrency=8).records) == 16
    # Eight refusals halve eight to four, not to one; sixteen successes widen it to seven.
    assert 4 <= server.most_at_once < 8


def test_no_key_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(TeacherRefusedError, match=r"no API key.*--base-url"):
        asking(AnnotateOptions(model="gpt"))


def test_a_server_of_ones_own_needs_no_key(
    monkeypatch: pytest.MonkeyPatch, annotate: Annotate
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert annotate(sums(1)).labels == ["(10 + 7)"]


@pytest.mark.parametrize("key", ["ключ", "sk-1\n"])
def test_a_key_that_cannot_be_sent_is_refused_at_once(
    key: str, annotate: Annotate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(TeacherRefusedError, match="copy the key again"):
        annotate(sums(1))
