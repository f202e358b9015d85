"""Log-probabilities of tokens in the forms in which servers return them, also damaged."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mitools.annotate.token_logprobs import read_tokens
from tests.server import logprobs


def texts(found: Any) -> list[str]:
    return [token.text for token in read_tokens(found)]


def test_tokens_and_their_alternatives() -> None:
    tokens = read_tokens(logprobs({"sea": 0.75, " sea": 0.125}, {".": 1.0}))
    assert [token.text for token in tokens] == ["sea", "."]
    assert tokens[0].alternatives() == pytest.approx({"sea": 0.75, " sea": 0.125})
    assert tokens[1].log_prob == 0


def test_a_token_that_is_not_listed_is_added() -> None:
    item = {"token": "x", "logprob": math.log(0.1), "top_logprobs": logprobs({"y": 0.8})["content"]}
    [token] = read_tokens({"content": [item]})
    assert token.alternatives() == pytest.approx({"y": 0.8, "x": 0.1})


def test_tokens_of_equal_text_are_added_up() -> None:
    listed = [*logprobs({"a": 0.5})["content"], *logprobs({"a": 0.25})["content"]]
    [token] = read_tokens({"content": [{"token": "a", "logprob": -1, "top_logprobs": listed}]})
    assert token.alternatives() == pytest.approx({"a": 0.75})


def test_a_character_of_several_tokens_belongs_to_the_last() -> None:
    first, second = "é".encode()
    content = [
        {"token": "\ufffd", "logprob": -0.1, "bytes": [first]},
        {"token": "\ufffd", "logprob": -0.2, "bytes": [second]},
    ]
    assert texts({"content": content}) == ["", "é"]


def test_spellings_of_white_space_without_bytes() -> None:
    content = [{"token": token, "logprob": -1} for token in ("\u0120sea", "\u2581sea", "\u010a")]
    assert texts({"content": content}) == [" sea", " sea", "\n"]


def test_the_older_form_of_completions() -> None:
    found = {
        "tokens": ["so", " a"],
        "token_logprobs": [-0.5, -0.25],
        "top_logprobs": [None, {" a": -0.25, " b": -1.5}],
    }
    tokens = read_tokens(found)
    assert [token.text for token in tokens] == ["so", " a"]
    assert tokens[1].alternatives() == pytest.approx({" a": math.exp(-0.25), " b": math.exp(-1.5)})


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        "content",
        {"content": None},
        {"content": [None]},
        {"content": [{"token": 1, "logprob": -1}]},
        {"content": [{"token": "a", "logprob": None}]},
        {"content": [{"token": "a", "logprob": True}]},
        {"content": [{"token": "a", "logprob": 3.0}]},
        {"content": [{"token": "a", "logprob": float("nan")}]},
        {"tokens": "ab", "token_logprobs": [-1]},
    ],
)
def test_what_is_not_usable_gives_no_tokens(found: Any) -> None:
    assert read_tokens(found) == ()


def test_damaged_alternatives_are_left_out() -> None:
    top = [None, 3, {"token": "b"}, {"token": "c", "logprob": -1, "bytes": [999]}]
    [token] = read_tokens({"content": [{"token": "a", "logprob": -2, "top_logprobs": top}]})
    assert token.alternatives() == pytest.approx({"c": math.exp(-1), "a": math.exp(-2)})


def test_an_impossible_token_has_the_probability_0() -> None:
    content = [{"token": "a", "logprob": float("-inf")}, {"token": "b", "logprob": -9999.0}]
    assert [token.alternatives() for token in read_tokens({"content": content})] == [
        {"a": 0.0},
        {"b": 0.0},
    ]
