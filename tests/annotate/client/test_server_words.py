"""The server's words, out of every body in which servers put them."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.annotate.client.server_words import find_words, short_line
from tests.clock import cpu_seconds


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "slow down", "type": "t", "code": "c"}}, "slow down"),
        ({"error": "the model is loading"}, "the model is loading"),
        ({"error": None, "message": "no room"}, "no room"),
        ({"detail": "Not authenticated"}, "Not authenticated"),
        (
            {
                "detail": [
                    {"loc": ["body", "messages", 0, "role"], "msg": "field required"},
                    {"loc": ["body", "n"], "msg": "not an integer"},
                ]
            },
            "body.messages.0.role: field required; body.n: not an integer",
        ),
        ([{"error": {"message": "API key not valid", "code": 400}}], "API key not valid"),
        (["first", "second"], "first; second"),
        ({"errors": [{"message": "bad field"}]}, "bad field"),
        ({"type": "about:blank", "title": "Too big", "detail": "10 MB"}, "10 MB"),
        ({"title": "Too big", "status": 413}, "Too big"),
        ({"error": {"message": '{"error": {"message": "inner"}}'}}, "inner"),
        (
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error": {"message": "upstream is full"}}'},
                }
            },
            "Provider returned error: upstream is full",
        ),
        ({"choices": None, "error": {"message": "failed", "code": 502}}, "failed"),
        ("just words", "just words"),
        ({"choices": []}, ""),
        ({}, ""),
    ],
)
def test_words_are_found_in_json(body: Any, text: str) -> None:
    found = find_words(json.dumps(body))
    assert (found.text, found.form) == (text, "json")


@pytest.mark.parametrize(
    ("body", "text", "form"),
    [
        ("404 page not found\n", "404 page not found", "text"),
        (
            "<!DOCTYPE html><html><head><title>Sign in</title><style>p{}</style></head>"
            "<body><script>var a='<p>x';</script><p>Please &amp; thanks</p></body></html>",
            "Sign in: Please & thanks",
            "page",
        ),
        ("<html><body>too large</body></html>", "too large", "page"),
        (
            'data: {"error": {"message": "overloaded", "code": 503}}\n\ndata: [DONE]\n\n',
            "overloaded",
            "events",
        ),
        (
            'data: {"choices": [{"delta": {"content": "The answer"}}]}\n\n'
            'data: {"choices": [{"delta": {"content": " is 4."}}]}\n\ndata: [DONE]\n\n',
            "The answer is 4.",
            "events",
        ),
        ("id: 7 is not known", "id: 7 is not known", "text"),
        ("<?xml version='1.0'?><Error><Message>denied</Message></Error>", "denied", "text"),
        ("<no tag", "<no tag", "text"),
        ('{"error": {"message": "cut', '{"error": {"message": "cut', "text"),
        ("", "", "nothing"),
        ("\ufeff \n", "", "nothing"),
    ],
)
def test_words_are_found_elsewhere(body: str, text: str, form: str) -> None:
    found = find_words(body)
    assert (found.text, found.form) == (text, form)


def test_the_machines_names_are_found() -> None:
    error = {"message": "m", "type": "insufficient_quota", "code": "c1", "param": "max_tokens"}
    found = find_words(json.dumps({"error": error}))
    assert (found.kind, found.code, found.param) == ("insufficient_quota", "c1", "max_tokens")
    assert find_words('{"error": {"message": "m", "code": 429}}').code == "429"
    assert find_words('{"error": {"message": "m", "code": ["x"], "param": {}}}').code == ""
    assert find_words(json.dumps({"error": {"code": 10**4000}})).code == ""


def test_what_drives_a_terminal_is_spelt_out() -> None:
    body = json.dumps({"error": {"message": "a\x1b]0;t\x07 \x9b2J \u202e \ud83d b\nc"}})
    assert find_words(body).text == r"a\x1b]0;t\x07 \x9b2J \u202e \ud83d b c"


def test_words_are_bounded_and_on_one_line() -> None:
    found = find_words(json.dumps({"error": {"message": "word\n" * 100_000}})).text
    assert len(found) == 400
    assert found.endswith("…")
    assert "\n" not in short_line("a\r\nb\u2028c")


@pytest.mark.parametrize(
    "body",
    [
        "[" * 200_000,
        '{"error":' * 100_000,
        "<" * 200_000,
        "<html>" + "<script>" * 50_000,
        "<html>" + "<a" * 100_000,
        "data: {\n" * 50_000,
        '"' + '\\"' * 100_000,
        "\n" * 500_000,
        "data:" + "[" * 100_000,
    ],
    ids=range(9),
)
def test_hostile_bodies_take_no_time(body: str) -> None:
    assert len(find_words(body).text) <= 400
    assert cpu_seconds(lambda: find_words(body)) < 0.5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "detail", "loc", "msg", "title", "code", "choices"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(JSON)
def test_no_json_is_too_strange(value: Any) -> None:
    found = find_words(json.dumps(value))
    hidden = [char for char in found.text if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")]
    assert not hidden


@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    assert len(find_words(text).text) <= 400
