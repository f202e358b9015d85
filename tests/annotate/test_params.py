"""Request fields that a user adds."""

from __future__ import annotations

import pytest

from mitools.annotate.options import AnnotateOptions
from mitools.annotate.params import check_params
from mitools.errors import UsageError


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n", 3, "answers that are not read"),
        ("messages", [], "messages is not set here"),
        ("model", "other", "model is not set here"),
        ("stream", True, "an answer is read whole"),
        ("temperature", float("nan"), "nan is not a number that JSON has"),
        ("logit_bias", {"5": float("inf")}, "is not a number that JSON has"),
        ("stop", object(), "JSON cannot hold a value of type object"),
    ],
)
def test_a_field_that_cannot_be_sent_is_refused_in_python_too(
    name: str, value: object, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        AnnotateOptions(model="m", params={name: value}).check()


def test_other_fields_pass() -> None:
    check_params({"top_p": 0.9, "stop": ["\n"], "seed": 1, "extra": {"a": None}, "stream": False})
