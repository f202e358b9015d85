"""Requests sent through a Batch API: rounds, what an earlier run left, limits, odd results."""

from __future__ import annotations

import io
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate.annotate_records import annotate_records
from mitools.annotate.batch import emit_batch
from mitools.annotate.client.batch_api import BatchApi, BatchState
from mitools.annotate.client.journal import Journal
from mitools.annotate.notices import Notices
from mitools.annotate.open_teacher import open_teacher
from mitools.annotate.options import AnnotateOptions, Price
from mitools.annotate.run import AnnotationRun, StoppedError
from mitools.errors import (
    BudgetError,
    MitoolsError,
    OutputError,
    TeacherError,
    TeacherRefusedError,
    UsageError,
)
from mitools.explain.page.teacher_replies import TeacherReplies
from mitools.records import Record
from tests.annotate.conftest import sums
from tests.annotate.test_cli import COMMAND, ended, lines, run
from tests.batch_server import Batch, BatchServer, answered, complete_all, failed
from tests.server import KEY, complete


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchServer]:
    monkeypatch.setattr("mitools.annotate.batch_flights._FIRST_LOOK_SECONDS", 0.01)
    monkeypatch.setattr("mitools.annotate.batch_flights._LONGEST_LOOK_SECONDS", 0.05)
    with BatchServer() as running:
        yield running


@pytest.fixture
def options(server: BatchServer, tmp_path: Path) -> AnnotateOptions:
    return AnnotateOptions(
        model="fixture",
        base_url=server.url,
        max_tokens=50,
        retries=0,
        in_batches=True,
        journal=str(tmp_path / "journal"),
    )


def ask(records: list[Record], options: AnnotateOptions, said: list[str] | None = None) -> Any:
    notices = Notices(None if said is None else said.append)
    return list(annotate_records(records, options, notices=notices))


def kinds(records: list[Record]) -> list[str]:
    return [record["teacher"].get("error", {}).get("kind", "") for record in records]


def answered_part(first: int, status: str = "completed") -> Callable[[Batch], None]:
    """End a batch after its first requests."""

    def end(batch: Batch) -> None:
        batch.answers = [answered(row) for row in batch.requests[:first]]
        batch.status = status

    return end


def test_the_records_are_those_of_a_batch_that_was_taken_by_hand(
    server: BatchServer, options: AnnotateOptions, tmp_path: Path
) -> None:
    said: list[str] = []
    done = ask(sums(5), options, said)
    assert [record["teacher"]["agrees"] for record in done] == [True] * 5
    assert [record["id"] for record in done] == [record["id"] for record in sums(5)]
    assert said[0] == "batch batch_0: 5 requests sent"
    assert said[1] == "batch batch_0 is completed: 5 answers, 0 failures"
    by_hand = replace(options, in_batches=False, journal=str(tmp_path / "other"))
    with (tmp_path / "requests").open("w") as out:
        emit_batch(sums(5), by_hand, out)
    assert server.files["file-0"] == (tmp_path / "requests").read_bytes()
    results = tmp_path / "results"
    results.write_text("".join(json.dumps(answered(row)) + "\n" for row in server.requests))
    assert ask(sums(5), replace(by_hand, from_batch=(str(results),))) == done


def test_the_key_is_sent(server: BatchServer, options: AnnotateOptions) -> None:
    ask(sums(1), options)
    assert server.bearer == f"Bearer {KEY}"


def test_the_summary_counts_what_the_batches_of_this_run_have_taken(
    server: BatchServer, tmp_path: Path
) -> None:
    twin = {**sums(1)[0], "id": "twin"}
    options = ("-m", "x", "--base-url", server.url, "--batch", "--journal", tmp_path / "j")
    _, _, said = run(None, lines([*sums(3), twin]), *options)
    assert "1 of 4 completions from the journal; 30 prompt and 15 completion tokens" in said
    _, _, said = run(None, lines([*sums(3), twin]), *options)
    assert "4 of 4 completions from the journal\n" in said


def test_a_second_run_sends_nothing(server: BatchServer, options: AnnotateOptions) -> None:
    first = ask(sums(3), options)
    calls = len(server.calls)
    assert ask(sums(3), options) == first
    assert len(server.calls) == calls


def test_more_records_send_only_what_is_new(server: BatchServer, options: AnnotateOptions) -> None:
    ask(sums(8), replace(options, limit=3))
    ask(sums(8), options)
    assert [len(batch.requests) for batch in server.batches] == [3, 5]


def test_equal_questions_are_sent_once(server: BatchServer, options: AnnotateOptions) -> None:
    done = ask([*sums(2), {**sums(1)[0], "id": "twin"}], options)
    assert len(server.requests) == 2
    assert kinds(done) == ["", "", ""]


def test_a_strategy_that_asks_again_takes_a_second_batch(
    server: BatchServer, options: AnnotateOptions
) -> None:
    def end(batch: Batch) -> None:
        wrong = "So the answer is 1." if len(server.batches) == 1 else "It is 18. The answer is 18."
        batch.answers = [
            answered(row, wrong if "Add 11" in question else None)
            for row, question in zip(batch.requests, batch.questions, strict=True)
        ]
        batch.status = "completed"

    server.end = end
    done = ask(sums(3), replace(options, strategy="star"))
    assert [record["teacher"].get("hinted") for record in done] == [None, True, None]
    (question,) = server.batches[1].questions
    assert "The answer is 18. Give the reasons" in question


def test_an_unreadable_answer_is_drawn_again(server: BatchServer, options: AnnotateOptions) -> None:
    def end(batch: Batch) -> None:
        text = "I cannot say." if len(server.batches) == 1 else None
        batch.answers = [answered(row, text) for row in batch.requests]
        batch.status = "completed"

    server.end = end
    assert kinds(ask(sums(2), options)) == ["", ""]
    assert [len(batch.requests) for batch in server.batches] == [2, 2]


def test_a_large_input_makes_several_batches(
    server: BatchServer, options: AnnotateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.annotate.batch_rounds.MOST_REQUESTS", 3)
    done = ask(sums(8), options)
    assert [len(batch.requests) for batch in server.batches] == [3, 3, 2]
    assert kinds(done) == [""] * 8


def test_no_file_is_larger_than_the_bound(
    server: BatchServer, options: AnnotateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.annotate.batch_rounds.MOST_BYTES", 2000)
    ask(sums(8), options)
    sizes = [len(server.files[batch.file]) for batch in server.batches]
    assert len(sizes) > 1
    assert max(sizes) <= 2000


def test_a_run_that_is_stopped_goes_on_with_the_same_batch(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.looks = 10**9
    said: list[str] = []
    with open_teacher(options, Notices(said.append)) as opened:
        assert opened.batches is not None
        stop = opened.batches.stop
        with pytest.raises(StoppedError):
            list(opened.first_asked(sums(3), lambda *_counts: stop()))
    assert said[-1] == "batch_0 goes on at the endpoint: the same command takes the answers in"
    server.looks = 1
    assert kinds(ask(sums(3), options)) == ["", "", ""]
    assert server.count("POST") == 2  # one file, one batch


def test_a_run_without_batches_warns_that_it_pays_again(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.looks = 10**9
    with open_teacher(options) as opened:
        assert opened.batches is not None
        stop = opened.batches.stop
        with pytest.raises(StoppedError):
            list(opened.first_asked(sums(3), lambda *_counts: stop()))
    warned: list[str] = []
    server.refusals["POST /v1/chat"] = [(200, complete("The answer is 17.", "fixture"))] * 3
    at_once = replace(options, in_batches=False)
    done = list(annotate_records(sums(3), at_once, notices=Notices(None, warned.append)))
    assert kinds(done) == ["", "", ""]
    again = [text for text in warned if "batch_0" in text]
    assert again == [
        "requests of batch_0 are sent again and paid for again: stop, and add --batch to take its "
        "answers"
    ]


def broken_off(options: AnnotateOptions) -> None:
    with pytest.raises(KeyboardInterrupt):
        ask(sums(3), options)


@pytest.mark.parametrize("is_made", [False, True])
def test_a_kill_beside_the_making_of_a_batch_costs_nothing(
    server: BatchServer, options: AnnotateOptions, monkeypatch: pytest.MonkeyPatch, is_made: bool
) -> None:
    create = BatchApi.create

    def kill(api: BatchApi, file: str) -> BatchState:
        if is_made:
            create(api, file)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(BatchApi, "create", kill)
        broken_off(options)
    assert len(server.batches) == is_made
    assert kinds(ask(sums(3), options)) == ["", "", ""]
    assert (len(server.batches), server.count("POST /v1/files")) == (1, 1)


def test_a_server_without_a_list_gets_the_batch_made_again(
    server: BatchServer, options: AnnotateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(_api: BatchApi, _file: str) -> BatchState:
        raise KeyboardInterrupt

    server.has_list = False
    with monkeypatch.context() as patched:
        patched.setattr(BatchApi, "create", kill)
        broken_off(options)
    assert kinds(ask(sums(3), options)) == ["", "", ""]


MAKING = "POST /v1/batches"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait next to nothing before a batch is looked for."""
    monkeypatch.setattr("mitools.annotate.batch_flights.backoff", lambda _attempt: 0.01)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "instead",
    [
        (502, {"error": {"message": "bad gateway"}}),
        (408, {}),
        (200, b"<html>"),
        (200, {}),
        0.6,
        None,
    ],
    ids=["502", "408", "page", "no-id", "late", "closed"],
)
def test_a_batch_whose_answer_is_lost_is_not_made_twice(
    server: BatchServer, options: AnnotateOptions, instead: Any
) -> None:
    server.losses[MAKING] = [instead]
    patient = replace(options, retries=3, timeout_seconds=0.3 if instead == 0.6 else 10)
    said: list[str] = []
    assert kinds(ask(sums(3), patient, said)) == ["", "", ""]
    assert (len(server.batches), server.count(MAKING)) == (1, 1)
    assert said[0].endswith("; it is tried again")
    assert said[1] == "batch batch_0: 3 requests sent"


@pytest.mark.parametrize("instead", [(502, {}), (200, b"<html>"), None])
def test_without_retries_the_next_run_finds_the_batch_whose_answer_was_lost(
    server: BatchServer, options: AnnotateOptions, instead: Any
) -> None:
    server.losses[MAKING] = [instead]
    with pytest.raises(TeacherError) as caught:
        ask(sums(3), options)
    assert "the same command" in caught.value.hint
    assert kinds(ask(sums(3), options)) == ["", "", ""]
    assert (len(server.batches), server.count("POST /v1/files")) == (1, 1)


@pytest.mark.usefixtures("hasty")
def test_a_batch_that_was_not_made_is_made_after_as_many_faults_as_there_are_retries(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.refusals[MAKING] = [(503, {})] * 5
    with pytest.raises(TeacherError, match="503"):
        ask(sums(2), replace(options, retries=2))
    assert server.count(MAKING) == 3
    assert kinds(ask(sums(2), replace(options, retries=2))) == ["", ""]
    assert (server.count(MAKING), server.count("POST /v1/files")) == (6, 1)
    assert len(server.batches) == 1


@pytest.mark.usefixtures("hasty")
def test_a_making_with_an_unreadable_answer_is_not_repeated_where_no_batch_is_listed(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.refusals[MAKING] = [(200, b"<html>")]
    with pytest.raises(TeacherError, match=r"holds no id|not an answer"):
        ask(sums(2), replace(options, retries=3))
    assert server.count(MAKING) == 1
    assert kinds(ask(sums(2), options)) == ["", ""]
    assert (server.count(MAKING), server.count("POST /v1/files")) == (2, 1)


@pytest.mark.usefixtures("hasty")
def test_a_batch_that_may_be_paid_for_twice_is_warned_about(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.has_list = False
    server.losses[MAKING] = [(502, {})] * 2
    warned: list[str] = []
    notices = Notices(None, warned.append)
    done = list(annotate_records(sums(2), replace(options, retries=3), notices=notices))
    assert kinds(done) == ["", ""]
    assert len(server.batches) == 3
    assert sum("of file-0 already, its requests are paid for twice" in text for text in warned) == 1


def test_a_pause_that_the_server_asks_for_is_kept_before_a_batch_is_made_again(
    server: BatchServer, options: AnnotateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.annotate.batch_flights.backoff", lambda _attempt: 1000.0)
    server.retry_after = "0.05"
    server.refusals[MAKING] = [(429, {})]
    assert kinds(ask(sums(1), replace(options, retries=1))) == [""]
    server.retry_after = "900"
    server.refusals[MAKING] = [(429, {})]
    with pytest.raises(TeacherError, match="429"):
        ask(sums(2), replace(options, retries=1))


def test_a_run_is_stopped_while_it_waits_to_make_a_batch(
    server: BatchServer, options: AnnotateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.annotate.batch_flights.backoff", lambda _attempt: 1000.0)
    server.losses[MAKING] = [(502, {})]
    stops: list[Callable[[], None]] = []
    notices = Notices(lambda _text: stops[0]())
    with open_teacher(replace(options, retries=1), notices) as opened:
        assert opened.batches is not None
        stops.append(opened.batches.stop)
        with pytest.raises(StoppedError):
            list(opened.first_asked(sums(2)))
    assert kinds(ask(sums(2), options)) == ["", ""]
    assert len(server.batches) == 1


def spent(records: list[Record], options: AnnotateOptions) -> list[str]:
    """Annotate, and return what the budget says of it."""
    with open_teacher(options) as opened:
        with AnnotationRun(opened.first_asked(records), opened.teacher, options) as asked:
            list(asked)
        assert opened.budget is not None
        return opened.budget.lines()


def cut(reason: str = "error", **fields: Any) -> dict[str, Any]:
    """A completion whose generation was broken off."""
    body = complete("The answer is", "fixture") | fields
    body["choices"][0]["finish_reason"] = reason
    return body


def error(message: str, code: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "is_counted"),
    [
        (200, cut(), True),
        (201, cut("abort"), True),
        (200, cut(usage=None), True),
        (200, cut(error={"message": "bad input", "code": 400}), True),
        (200, {"choices": []}, True),
        (200, [], True),
        (200, error("bad input", 400), False),
        (400, error("x", "content_filter"), True),
        (400, error("input was flagged"), True),
        (408, error("too slow"), True),
        (500, error("boom"), True),
        (500, None, True),
        (400, error("maximum context"), False),
        (413, {}, False),
    ],
)
def test_a_failed_request_costs_as_much_as_one_that_is_asked_at_once(
    server: BatchServer,
    options: AnnotateOptions,
    tmp_path: Path,
    status: int,
    body: Any,
    is_counted: bool,
) -> None:
    priced = replace(options, price=Price(1, 1), max_cost=1, concurrency=1, max_wait_seconds=0.1)

    def end(batch: Batch) -> None:
        first = failed(batch.requests[0])
        first["response"] = {"status_code": status, "body": body}
        batch.answers = [first, *map(answered, batch.requests[1:])]
        batch.status = "completed"

    server.end = end
    in_batch = spent(sums(2), priced)
    good = complete("The answer is 11 + 7.", "fixture")
    server.refusals["POST /v1/chat"] = [(status, body), (200, good)]
    journal = str(tmp_path / "live")
    assert spent(sums(2), replace(priced, in_batches=False, journal=journal)) == in_batch
    said = "1 requests without an answer may be billed"
    assert any(said in line for line in in_batch) == is_counted


@pytest.mark.parametrize(
    ("row", "is_counted"),
    [
        ({"response": {"status_code": 429, "body": {}}}, False),
        ({"response": None, "error": {"code": "batch_expired", "message": "late"}}, False),
        ({"error": "boom"}, False),
        ({"response": {"body": "boom"}}, False),
        ({"response": {"status_code": 400}, "error": {"code": "content_filter"}}, False),
        ({"response": {"status_code": 400}, "error": {"message": "input was flagged"}}, True),
        ({"error": {"code": "content_filter", "message": "x"}}, True),
        ({"response": {"status_code": 503}, "error": {"message": "x"}}, True),
        ({"response": {"status_code": 200, "body": None}, "error": None}, True),
        ({"response": {"status_code": "500", "body": {}}}, False),
    ],
)
def test_a_failure_counts_only_where_the_model_may_have_been_at_work(
    server: BatchServer, options: AnnotateOptions, row: dict[str, Any], is_counted: bool
) -> None:
    def end(batch: Batch) -> None:
        first, second = batch.requests
        batch.failures = [{"custom_id": first["custom_id"], **row}]
        batch.answers = [answered(second)]
        batch.status = "completed"

    server.end = end
    said = spent(sums(2), replace(options, price=Price(1, 1), max_cost=1))
    assert any("without an answer may be billed" in line for line in said) == is_counted


def test_answers_that_were_broken_off_use_the_budget_up(
    server: BatchServer, options: AnnotateOptions
) -> None:
    # A request is reserved at about $0.0065, so the budget has room for one.
    priced = replace(options, price=Price(4.0, 80.0), max_cost=0.012)

    def end(batch: Batch) -> None:
        batch.answers = [answered(row, **cut()) for row in batch.requests]
        batch.status = "completed"

    server.end = end
    with pytest.raises(BudgetError, match="the budget is used up"):
        list(annotate_records(sums(5), priced))
    assert len(server.requests) == 1


def test_the_body_of_an_answer_that_was_broken_off_is_kept(
    server: BatchServer, options: AnnotateOptions, tmp_path: Path
) -> None:
    def end(batch: Batch) -> None:
        batch.answers = [answered(row, **cut()) for row in batch.requests[:1]]
        batch.answers += [answered(row) for row in batch.requests[1:]]
        batch.status = "completed"

    server.end = end
    assert kinds(ask(sums(2), options)) == ["server_error", ""]
    server.refusals["POST /v1/chat"] = [(200, cut())]
    live = replace(options, in_batches=False, journal=str(tmp_path / "live"), limit=1)
    with pytest.raises(TeacherError):
        ask(sums(1), live)
    kept = [unread(str(place.journal)) for place in (options, live)]
    assert kept[0] == kept[1] != []
    server.end = complete_all
    assert kinds(ask(sums(2), options)) == ["", ""]
    assert unread(str(options.journal)) == kept[0]


def unread(journal: str) -> list[Any]:
    """List the bodies that a journal keeps beside the failure of record r0."""
    replies = TeacherReplies(journal)
    found = [json.loads(text) for _, kind, text, _ in replies.of("r0") if kind == "unread"]
    replies.close()
    return found


def test_answers_of_a_batch_that_expired_are_kept_and_the_rest_is_sent_by_the_next_run(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.end = answered_part(2, "expired")
    said: list[str] = []
    done = ask(sums(5), options, said)
    assert kinds(done) == ["", "", "expired", "expired", "expired"]
    assert "3 requests without a result" in said[-1]
    server.end = complete_all
    assert kinds(ask(sums(5), options)) == [""] * 5
    assert [len(batch.requests) for batch in server.batches] == [5, 3]


def test_a_refused_request_fails_its_record_and_is_not_sent_twice_in_a_run(
    server: BatchServer, options: AnnotateOptions
) -> None:
    def end(batch: Batch) -> None:
        batch.failures = [failed(row) for row in batch.requests[:1]]
        batch.answers = [answered(row) for row in batch.requests[1:]]
        batch.status = "completed"

    server.end = end
    assert kinds(ask(sums(3), options)) == ["context_length", "", ""]
    assert len(server.batches) == 1
    server.end = complete_all
    assert kinds(ask(sums(3), options)) == ["", "", ""]
    assert len(server.batches[1].requests) == 1


def test_a_failure_does_not_keep_the_other_samples_from_being_drawn_again(
    server: BatchServer, options: AnnotateOptions
) -> None:
    def end(batch: Batch) -> None:
        if len(server.batches) == 1:  # of three samples one fails, one cannot be read
            batch.failures = [failed(batch.requests[0], 500, "boom")]
            batch.answers = [
                answered(batch.requests[1], "I cannot say."),
                answered(batch.requests[2]),
            ]
            batch.status = "completed"
        else:
            complete_all(batch)

    server.end = end
    (record,) = ask(sums(1), replace(options, samples=3))
    assert [len(batch.requests) for batch in server.batches] == [3, 1]
    labels = [sample["label"] for sample in record["teacher"]["samples"]]
    assert labels.count(None) == 2
    assert len(labels) == 4


def test_results_that_were_not_asked_for_are_not_taken(
    server: BatchServer, options: AnnotateOptions
) -> None:
    foreign = "0" * 64

    def end(batch: Batch) -> None:
        right = [answered(row) for row in batch.requests]
        again = [answered(row, "The answer is 1.") for row in batch.requests]
        batch.answers = [*right, *again, {**right[0], "custom_id": foreign}]
        batch.status = "completed"

    server.end = end
    done = ask(sums(3), options)
    assert [record["teacher"]["agrees"] for record in done] == [True] * 3
    journal = Journal(str(options.journal), is_read_only=True)
    assert journal.find(foreign) is None
    journal.close()


def test_results_that_are_not_readable_are_fetched_again(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.refusals["GET /v1/files"] = [(200, b'{"custom_id": "\xff')]
    with pytest.raises(TeacherError, match="the results of batch batch_0 are not readable"):
        ask(sums(3), options)
    assert kinds(ask(sums(3), options)) == ["", "", ""]
    assert len(server.batches) == 1


def test_a_download_is_bounded(server: BatchServer, options: AnnotateOptions) -> None:
    with pytest.raises(TeacherError, match="is larger than allowed"):
        ask(sums(2), replace(options, max_response_bytes=20))


def test_a_batch_above_the_limit_of_the_account_is_divided(
    server: BatchServer, options: AnnotateOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.annotate.batch_rounds._FEWEST", 1)
    server.most_requests = 3
    assert kinds(ask(sums(10), options)) == [""] * 10
    made = [len(batch.requests) for batch in server.batches]
    assert made == [10, 5, 2, 2, 2, 2, 2]


def test_a_limit_that_small_batches_meet_as_well_ends_the_run(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.most_requests = 3
    with pytest.raises(TeacherError, match="Enqueued token limit reached") as caught:
        ask(sums(10), options)
    assert "wait until other batches" in caught.value.hint
    server.most_requests = None
    assert kinds(ask(sums(10), options)) == [""] * 10


def test_a_batch_that_fails_ends_the_run_and_is_sent_again_by_the_next(
    server: BatchServer, options: AnnotateOptions
) -> None:
    def end(batch: Batch) -> None:
        batch.status = "failed"
        error = {"code": "model_not_found", "message": "The model is not available."}
        batch.errors = {"object": "list", "data": [error]}

    server.end = end
    with pytest.raises(TeacherError) as caught:
        ask(sums(2), options)
    wanted = "batch batch_0 has failed: model_not_found: The model is not available."
    assert caught.value.message == wanted
    server.end = complete_all
    assert kinds(ask(sums(2), options)) == ["", ""]


def test_what_the_budget_has_no_room_for_is_not_sent(
    server: BatchServer, options: AnnotateOptions
) -> None:
    # A request is reserved at about $0.0065; its answer costs $0.00044 of it.
    priced = replace(options, price=Price(4.0, 80.0), max_cost=0.012)
    records = sums(40)

    def end(batch: Batch) -> None:
        usage = {"prompt_tokens": 90, "completion_tokens": 1, "total_tokens": 91}
        batch.answers = [answered(row, usage=usage) for row in batch.requests]
        batch.status = "completed"

    server.end = end
    done: list[Record] = []
    with pytest.raises(BudgetError, match="the budget is used up"):
        done.extend(annotate_records(records, priced))
    assert 0 < len(server.requests) < 40
    first = len(server.requests)
    assert kinds(ask(records, options)) == [""] * 40
    assert len(server.requests) == 40
    assert len(server.batches[-1].requests) == 40 - first


def test_the_answers_before_the_end_of_the_budget_are_passed_on(
    server: BatchServer, options: AnnotateOptions
) -> None:
    text = lines(sums(40))
    limits = ["--price", "4,80", "--max-cost", "0.012", "--max-tokens", "50", "--retries", "0"]
    arguments = ["-m", "fixture", "--base-url", server.url, "--batch", *limits]
    status, records, said = run(None, text, *arguments)
    assert status == 4
    assert [record["id"] for record in records] == [f"r{number}" for number in range(len(records))]
    assert len(records) == len(server.requests)
    assert "the budget is used up" in said


@pytest.mark.parametrize(
    ("call", "status", "kind", "hint"),
    [
        ("POST /v1/files", 404, TeacherError, "--emit-batch"),
        ("POST /v1/files", 401, TeacherRefusedError, "check OPENAI_API_KEY"),
        ("POST /v1/batches", 402, TeacherRefusedError, "check OPENAI_API_KEY"),
        ("POST /v1/batches", 400, TeacherError, ""),
        ("POST /v1/files", 503, TeacherError, "later"),
        ("GET /v1/batches/", 404, TeacherError, "the API key that the batch was made with"),
        ("GET /v1/files/", 404, TeacherError, ""),
    ],
)
def test_a_refusal_says_what_to_do_and_the_next_run_goes_on(
    server: BatchServer,
    options: AnnotateOptions,
    call: str,
    status: int,
    kind: type[MitoolsError],
    hint: str,
) -> None:
    server.refusals[call] = [(status, {"error": {"message": f"no {KEY} here"}})]
    with pytest.raises(kind) as caught:
        ask(sums(2), options)
    assert hint in caught.value.hint
    assert KEY not in str(caught.value)
    assert kinds(ask(sums(2), options)) == ["", ""]


def test_an_endpoint_that_is_away_for_a_while_is_asked_again(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.refusals["GET /v1/batches/"] = [(503, {})] * 5
    server.refusals["GET /v1/files/"] = [(503, {})] * 2
    said: list[str] = []
    assert kinds(ask(sums(2), options, said)) == ["", ""]
    assert sum("it is tried again" in text for text in said) == 1  # all in a row


def test_an_endpoint_that_stays_away_ends_the_run(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.refusals["GET /v1/batches/"] = [(503, {})] * 1000
    with pytest.raises(TeacherError, match="503"):
        ask(sums(2), replace(options, max_wait_seconds=0.1))


def test_an_unreachable_endpoint_is_named(options: AnnotateOptions) -> None:
    with pytest.raises(TeacherError, match=r"cannot reach http://127\.0\.0\.1:9/v1: .*refused"):
        ask(sums(1), replace(options, base_url="http://127.0.0.1:9/v1"))


@pytest.mark.parametrize(
    "body", [[], "text", {"id": 5}, {"id": ""}, {"id": "a\nb"}, b"<html>", b"\xff", {}]
)
@pytest.mark.parametrize("call", ["POST /v1/files", "POST /v1/batches"])
def test_an_answer_without_an_id_is_an_error(
    server: BatchServer, options: AnnotateOptions, call: str, body: Any
) -> None:
    server.refusals[call] = [(200, body)]
    with pytest.raises(TeacherError):
        ask(sums(1), options)


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        {"status": 7, "request_counts": "many"},
        {"status": "in_progress", "request_counts": {"completed": -5, "failed": "x"}},
        {"status": "in_progress", "output_file_id": 5, "errors": [1]},
        b"<html>",
    ],
)
def test_an_odd_state_is_looked_at_again(
    server: BatchServer, options: AnnotateOptions, body: Any
) -> None:
    server.refusals["GET /v1/batches/"] = [(200, body)]
    try:
        done = ask(sums(2), options)
    except TeacherError:  # what is not JSON at all
        done = ask(sums(2), options)
    assert kinds(done) == ["", ""]
    assert len(server.batches) == 1


def test_a_folder_that_takes_no_file_is_an_error(
    server: BatchServer, options: AnnotateOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(OutputError) as caught:
        ask(sums(2), options)
    assert "TMPDIR" in caught.value.hint
    assert not server.calls


@pytest.mark.parametrize(
    "given",
    [
        {"keeps_journal": False},
        {"is_offline": True},
        {"from_batch": ("x",)},
        {"teacher": "demo"},
        {"score_choices": "completions"},
    ],
)
def test_options_that_exclude_batches_are_refused(
    options: AnnotateOptions, given: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        replace(options, **given).check()


def test_a_student_before_the_batches_is_refused(server: BatchServer) -> None:
    status, _, said = run(
        None, lines(sums(1)), "-m", "x", "--base-url", server.url, "--batch", "--random", "1"
    )
    assert status == 2
    assert "--emit-batch" in said
    assert not server.calls


def test_what_is_in_a_batch_is_neither_written_nor_missed_without_a_word(
    server: BatchServer, options: AnnotateOptions
) -> None:
    server.refusals = {"GET /v1/batches/batch_0": [(401, {"error": {"message": "no"}})]}
    with pytest.raises(TeacherRefusedError):
        ask(sums(2), options)
    out, by_hand = io.StringIO(), replace(options, in_batches=False)
    (warning,) = emit_batch(sums(3), by_hand, out).warnings()
    assert warning.startswith("2 of the requests are in batch_0 already and would be paid for ")
    assert len(out.getvalue().splitlines()) == 3
    left = next(annotate_records(sums(2), replace(by_hand, is_offline=True)))
    said = left["teacher"]["error"]["message"]
    assert said == "its request is in batch_0: --batch takes the answer"
    ask(sums(2), options)
    assert not list(emit_batch(sums(3), by_hand, out).warnings())


def test_samples_are_separate_requests(server: BatchServer, options: AnnotateOptions) -> None:
    (record,) = ask(sums(1), replace(options, samples=3))
    assert len(record["teacher"]["samples"]) == 3
    assert len(server.requests) == 3


def test_an_interrupted_command_says_that_the_batch_goes_on(
    server: BatchServer, tmp_path: Path
) -> None:
    server.looks = 10**9
    source = tmp_path / "in.jsonl"
    source.write_text(lines(sums(3)))
    command = [*COMMAND, "-m", "fixture", "--base-url", server.url, "--batch", str(source)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    server.wait_for("GET /v1/batches/batch_0")
    assert not ended(process)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert b"batch_0 goes on at the endpoint" in said
    server.looks = 1
    done = subprocess.run(command, capture_output=True, check=True)
    assert len(done.stdout.splitlines()) == 3
    assert server.count("POST") == 2
