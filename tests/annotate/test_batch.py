"""Requests written for a batch service, and its results read back, in any order and part."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate.annotate_records import annotate_records
from mitools.annotate.batch import emit_requests, import_results
from mitools.annotate.client.journal import Journal
from mitools.annotate.client.teachers import OfflineTeacher
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.run import AnnotationRun
from mitools.annotate.strategy import Strategy
from mitools.errors import InvalidFieldError, MalformedLineError, SourceError
from mitools.explain.page.teacher_replies import TeacherReplies
from mitools.records import Record
from tests.annotate.conftest import Annotate, make_store, sums
from tests.server import Act, Call, FixtureServer, complete, solve

OPTIONS = AnnotateOptions(model="fixture", base_url="http://127.0.0.1:9/v1", max_tokens=50)


def emit(
    records: list[Record], journal: Path | None = None, strategy: str = "blind"
) -> list[dict[str, Any]]:
    out = io.StringIO()
    store = make_store(OPTIONS, journal)
    done = emit_requests(records, store, Strategy(strategy), None, out)
    if store.journal is not None:
        store.journal.close()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (done.rows, done.requests, done.size) == (
        len(records),
        len(lines),
        len(out.getvalue().encode()),
    )
    return lines


def serve(line: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    """Answer one line as a batch service does."""
    question = line["body"]["messages"][-1]["content"]
    body = complete(text or solve(question), line["body"]["model"])
    response = {"status_code": 200, "request_id": "x", "body": body}
    return {"id": "b", "custom_id": line["custom_id"], "response": response, "error": None}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def bring_in(journal: Path, path: str) -> tuple[int, int]:
    opened = Journal(journal)
    done = import_results([path], opened)
    opened.close()
    return done.answers, done.failures


def annotate_offline(records: list[Record], journal: Path, strategy: str = "blind") -> list[Record]:
    teacher = OfflineTeacher(make_store(OPTIONS, journal), must_know=False)
    with AnnotationRun(records, teacher, AnnotateOptions(strategy=strategy)) as run:
        return list(run)


def test_a_line_is_what_the_batch_api_reads() -> None:
    (line,) = emit(sums(1))
    assert line["method"] == "POST"
    assert line["url"] == "/v1/chat/completions"
    assert line["body"]["model"] == "fixture"
    assert line["body"]["max_tokens"] == 50
    assert line["body"]["messages"][-1]["content"] == "Add 10 and 7."


def test_the_body_is_the_very_one_that_is_sent_live(
    server: FixtureServer, annotate: Annotate
) -> None:
    annotate(sums(1), max_tokens=50)
    assert emit(sums(1))[0]["body"] == server.calls[0].body


def test_a_request_is_written_once() -> None:
    twin = {**sums(1)[0], "id": "twin"}
    assert len(emit([*sums(3), twin])) == 3


def test_results_come_in_any_order_and_part(tmp_path: Path) -> None:
    records = sums(6)
    served = [serve(line) for line in emit(records)]
    random.Random(0).shuffle(served)
    assert bring_in(tmp_path / "j", write(tmp_path / "a", served[:4])) == (4, 0)
    half = annotate_offline(records, tmp_path / "j")
    kinds = [record["teacher"].get("error", {}).get("kind") for record in half]
    assert kinds.count("missing") == 2
    rest = emit(records, tmp_path / "j")
    assert {line["custom_id"] for line in rest} == {row["custom_id"] for row in served[4:]}
    bring_in(tmp_path / "j", write(tmp_path / "b", served[3:]))
    whole = annotate_offline(records, tmp_path / "j")
    assert [record["teacher"]["agrees"] for record in whole] == [True] * 6
    assert [record["id"] for record in whole] == [record["id"] for record in records]


def test_records_from_a_batch_equal_those_asked_live(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    live = annotate(sums(5), max_tokens=50).records
    served = [serve(line) for line in emit(sums(5))]
    bring_in(tmp_path / "j", write(tmp_path / "a", served))
    assert annotate_offline(sums(5), tmp_path / "j") == live


def test_a_strategy_that_asks_again_takes_a_second_batch(tmp_path: Path) -> None:
    records, strategy = sums(3), "star"
    first = emit(records, tmp_path / "j", strategy)
    wrong = [serve(first[0]), serve(first[1], "So the answer is 1."), serve(first[2])]
    bring_in(tmp_path / "j", write(tmp_path / "a", wrong))
    (second,) = emit(records, tmp_path / "j", strategy)
    assert "The answer is 18. Give the reasons" in second["body"]["messages"][-1]["content"]
    bring_in(tmp_path / "j", write(tmp_path / "b", [serve(second, "It is 18. The answer is 18.")]))
    assert emit(records, tmp_path / "j", strategy) == []
    whole = annotate_offline(records, tmp_path / "j", strategy)
    assert [record["teacher"].get("hinted") for record in whole] == [None, True, None]


@pytest.mark.parametrize(
    ("row", "kind", "message"),
    [
        (
            {"response": {"status_code": 400, "body": {"error": {"message": "maximum context"}}}},
            "context_length",
            "400: maximum context",
        ),
        ({"response": {"status_code": 400, "body": {}}}, "bad_request", "400: no reason given"),
        ({"response": {"status_code": 429, "body": {}}}, "rate_limit", "429: no reason given"),
        ({"response": {"status_code": 500, "body": None}}, "server_error", "500: no reason given"),
        (
            {"response": None, "error": {"code": "batch_expired", "message": "too late"}},
            "expired",
            "batch: too late",
        ),
        ({"error": "boom"}, "server_error", "batch: boom"),
        (
            {"response": {"status_code": 200, "body": {"choices": []}}},
            "server_error",
            "the batch holds no completion: not a chat completion",
        ),
    ],
    ids=["context", "400", "429", "500", "expired", "text", "no-choices"],
)
def test_a_failure_is_typed_and_never_replaces_an_answer(
    row: dict[str, Any], kind: str, message: str, tmp_path: Path
) -> None:
    first, second = emit(sums(2))
    failed = [{"custom_id": line["custom_id"], **row} for line in (first, second)]
    path = write(tmp_path / "a", [serve(first), *failed])
    assert bring_in(tmp_path / "j", path) == (1, 2)
    good, bad = annotate_offline(sums(2), tmp_path / "j")
    assert good["teacher"]["agrees"] is True
    assert bad["teacher"]["error"] == {"kind": kind, "message": message}


def replies(journal: Path, record: str) -> list[list[Any]]:
    """List what explain shows of a record: sample and kind of each reply."""
    shown = TeacherReplies(str(journal))
    found = shown.of(record)
    shown.close()
    return [reply[:2] for reply in found]


def from_results(records: list[Record], journal: Path, results: str, **given: Any) -> list[Record]:
    options = replace(OPTIONS, journal=str(journal), from_batch=(results,), **given)
    return list(annotate_records(records, options))


def test_imported_replies_are_found_by_their_record(tmp_path: Path) -> None:
    records = [*sums(4), {**sums(1)[0], "id": "twin"}]
    served = [serve(line) for line in emit(records)]
    served[1]["response"]["body"]["choices"][0]["finish_reason"] = "error"
    served[2]["response"]["status_code"] = 500
    from_results(records, tmp_path / "j", write(tmp_path / "a", served))
    assert replies(tmp_path / "j", "r0") == [[0, "ok"]]
    assert sorted(replies(tmp_path / "j", "r1")) == [[0, "server_error"], [0, "unread"]]
    assert replies(tmp_path / "j", "r2") == [[0, "server_error"]]
    assert replies(tmp_path / "j", "r3") == [[0, "ok"]]
    assert replies(tmp_path / "j", "twin") == []  # r0 asked first


def test_imported_replies_of_many_records_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.annotate.client.teachers._NAMES_A_COMMIT", 3)
    served = [serve(line) for line in emit(sums(8))]
    from_results(sums(8), tmp_path / "j", write(tmp_path / "a", served))
    assert [replies(tmp_path / "j", f"r{number}") for number in range(8)] == [[[0, "ok"]]] * 8


def test_imported_samples_keep_their_numbers(tmp_path: Path) -> None:
    out = io.StringIO()
    sampled = replace(OPTIONS, samples=3, temperature=1.0)
    emit_requests(sums(1), make_store(sampled), Strategy.of(sampled), None, out)
    served = [serve(json.loads(line)) for line in out.getvalue().splitlines()]
    results = write(tmp_path / "a", served[::-1])
    from_results(sums(1), tmp_path / "j", results, samples=3, temperature=1.0)
    assert replies(tmp_path / "j", "r0") == [[0, "ok"], [1, "ok"], [2, "ok"]]


def test_a_record_that_is_known_is_kept_and_an_offline_run_adds_none(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    served = [serve(line) for line in emit(sums(2))]
    bring_in(tmp_path / "j", write(tmp_path / "a", served))
    offline = replace(OPTIONS, journal=str(tmp_path / "j"), is_offline=True)
    list(annotate_records(sums(2), offline))
    assert replies(tmp_path / "j", "r0") == []
    from_results(sums(2), tmp_path / "j", str(tmp_path / "a"))
    renamed = [{**record, "id": f"new-{record['id']}"} for record in sums(2)]
    from_results(renamed, tmp_path / "j", str(tmp_path / "a"))
    assert replies(tmp_path / "j", "r0") == [[0, "ok"]]
    assert replies(tmp_path / "j", "new-r0") == []


def test_what_is_no_result_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text('{"custom_id": "request-1"}\n')
    with pytest.raises(
        InvalidFieldError, match=r'a:1: field "custom_id" is not a key of a request'
    ):
        bring_in(tmp_path / "j", str(path))
    path.write_text("\n{oops\n")
    with pytest.raises(MalformedLineError, match="a:2: "):
        bring_in(tmp_path / "j", str(path))
    with pytest.raises(SourceError, match="cannot read"):
        bring_in(tmp_path / "j", str(tmp_path / "none"))


def test_a_live_run_asks_what_the_batch_left_out(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.act = lambda call: Act(text=_sum_of(call))
    options = AnnotateOptions(model="fixture", base_url=server.url)
    out = io.StringIO()
    emit_requests(sums(4), make_store(options), Strategy(), None, out)
    served = [serve(json.loads(line)) for line in out.getvalue().splitlines()]
    bring_in(tmp_path / "j", write(tmp_path / "a", served[:3]))
    assert annotate(sums(4), journal=tmp_path / "j").labels == [
        "(10 + 7)",
        "(11 + 7)",
        "(12 + 7)",
        "13 + 7",
    ]
    assert len(server.calls) == 1


def _sum_of(call: Call) -> str:
    return "The answer is 13 + 7." if "13" in call.question else "?"
