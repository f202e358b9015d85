"""Answers in JSON and in tags."""

from __future__ import annotations

import pytest

from mitools.reading.characters import fold
from mitools.reading.fields import FieldAnswer, answer_field


def field_in(text: str) -> FieldAnswer | None:
    return answer_field(text, fold(text))


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ('{"answer": 42}', "42"),
        ('{"answer": "the sea"}', "the sea"),
        ('```json\n{"answer": 42}\n```', "42"),
        ('{"answer": 1} and {"answer": 2}', "2"),
        ("<answer>42</answer>", "42"),
        ("<answer>1</answer> <answer>2</answer>", "2"),
        ('{"answer": 42', "42"),
        ("<answer>42", "42"),
        ('{"answer": null}', ""),
        ('{"answer": {"x": 1}}', ""),
    ],
)
def test_the_last_field_for_an_answer_counts(text: str, held: str) -> None:
    found = field_in(text)
    assert found is not None
    assert found.text == held


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ('[{"label": "a", "score": 0.1}, {"label": "b", "score": 0.7}]', "b"),
        (
            '[{"label": "b", "score": 0.7}, {"label": "a", "score": 0.2},'
            ' {"label": "c", "score": 0.1}]',
            "b",
        ),
        ('{"answer": "a", "confidence": 0.9}\nNo:\n{"answer": "b", "confidence": 0.6}', "b"),
        ('[{"label": "a", "score": "high"}, {"label": "b", "score": "low"}]', "b"),
    ],
)
def test_the_most_probable_label_of_a_list_counts(text: str, held: str) -> None:
    found = field_in(text)
    assert found is not None
    assert found.text == held


@pytest.mark.parametrize("text", ["42", '{"value": 42}', "<answer", '{"answer"'])
def test_a_text_without_a_field_for_an_answer_has_none(text: str) -> None:
    assert field_in(text) is None


def test_reasons_beside_the_answer_are_kept() -> None:
    found = field_in('So: {"reasoning": ["Take 2.", "Add 3."], "answer": 5} done')
    assert found is not None
    assert found.rationale == "Take 2.\nAdd 3."
    assert found.begin == 4


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ('{"category": "refund", "confidence": 0.9}', "refund"),
        (
            'It is about money.\n```json\n{"reason": "x", "Predicted Class": "refund"}\n```\n',
            "refund",
        ),
        ('{"final_intent": ["refund"]}', "refund"),
        ('{"rating": 4}', "4"),
    ],
)
def test_a_field_with_the_name_of_a_class_is_likely_the_answer(text: str, held: str) -> None:
    found = field_in(text)
    assert found is not None
    assert (found.text, found.is_likely) == (held, True)


@pytest.mark.parametrize(
    "text",
    [
        '{"category": "refund", "topic": "money"}',
        '{"category": "refund"} is what the mail says, but it is a complaint.',
        '{"label": "complaint"} {"category": "refund"}',
        '{"category": "refund", "answer": "complaint"}',
    ],
)
def test_other_fields_and_words_come_before_a_likely_one(text: str) -> None:
    found = field_in(text)
    assert found is None or (found.text, found.is_likely) == ("complaint", False)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"why": "42", "answer": "42"}', (25, 27)),
        ('{"answer": 42, "why": "42"}', (11, 13)),
        ('{"why": "42", "answer": [ "42" ]}', (27, 29)),
        ('{"42": {"answer": 1}, "answer": null}', (32, 36)),
        ("{\"answer\": '42'", (12, 14)),
        ("42 <answer> 42 </answer>", (11, 15)),
    ],
)
def test_the_place_of_the_content_is_known(text: str, place: tuple[int, int]) -> None:
    found = field_in(text)
    assert found is not None
    assert found.held == place
