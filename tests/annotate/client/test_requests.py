"""What a request says and how it is named: a name that changed would make people pay again."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from mitools.annotate.client.requests import Request, Requests
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Question
from mitools.errors import TeacherError
from mitools.tasks import task_named

RECORD = {"id": "r", "input": "Wie viele Äpfel? \u2028 🍎", "label": "3"}


def make(sample: int = 0, hint: str | None = None, text: str = "", **options: Any) -> Request:
    settings: dict[str, Any] = {"model": "m", "base_url": "http://h/v1", **options}
    requests = Requests(AnnotateOptions(**settings))
    record = {**RECORD, "input": text or RECORD["input"]}
    return requests.make(Question(record, task_named("equation"), sample, hint))


def test_the_key_is_the_hash_of_canonical_json() -> None:
    request = make(sample=2, params={"top_p": 0.5, "a": {"z": 1, "b": [None]}})
    whole = {"body": request.body, "provider": "http://h/v1", "sample": 2}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert request.key == hashlib.sha256(text.encode()).hexdigest()


def test_the_key_of_a_known_request_stays() -> None:
    settings = AnnotateOptions(
        model="m", base_url="http://h/v1", max_tokens=50, params={"temperature": 0}, system="S"
    )
    question = Question({"id": "r", "input": "Q"}, task_named("text"))
    key = "f8fd7e40"
    assert Requests(settings).make(question).key[:8] == key


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"base_url": "http://g/v1"},
        {"max_tokens": 5},
        {"params": {"temperature": 0}},
        {"text": "Another?"},
        {"sample": 1},
        {"hint": "3"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_all_that_decides_an_answer_changes_the_key(change: dict[str, Any]) -> None:
    assert make(**change).key != make().key


@pytest.mark.parametrize(
    "change",
    [
        {"concurrency": 3},
        {"timeout_seconds": 1.0},
        {"retries": 0},
        {"base_url": "http://me:secret@h/v1/"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_does_not_decide_it_leaves_the_key(change: dict[str, Any]) -> None:
    assert make(**change).key == make().key


def test_the_content_is_the_body() -> None:
    request = make()
    assert json.loads(request.content) == request.body
    assert request.body["messages"][-1]["content"] == RECORD["input"]


def test_openai_is_told_the_limit_by_its_newer_name() -> None:
    own = make(base_url="https://api.openai.com/v1", max_tokens=7).body
    assert own["max_completion_tokens"] == 7
    assert "max_tokens" not in own
    assert make(max_tokens=7).body["max_tokens"] == 7


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://h/v1", "http://", "/v1"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(TeacherError, match=r"is not the URL of an HTTP server.*; write it as"):
        make(base_url=url)
