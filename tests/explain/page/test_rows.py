"""Rows of a page: small, complete, and harmless inside a script element."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.explain.build_view import view_of
from mitools.explain.page.rows import MAX_BARS, MAX_LABEL, MAX_STEPS, MAX_TEXT, row_of, safe_json
from tests.explain.page.pages import HOSTILE, choice


class Scripts(HTMLParser):
    """Collects tags and what script elements hold, as an HTML parser sees them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(value: Any) -> Any:
    """Give what a page's parser hands to JSON, decoded."""
    page = Scripts(f"<p>before</p><script>{safe_json(value)}</script><p>after</p>")
    assert page.tags == ["p", "script", "p"]
    return json.loads(page.text.removeprefix("before").removesuffix("after"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_inside_its_script_and_comes_back_whole(text: str) -> None:
    assert parsed([text, {text: text}]) == [text, {text: text}]
    assert not re.search("[<>&\u2028\u2029]", safe_json(text))
    safe_json(text).encode()


@given(st.text(st.characters(exclude_categories=[])))
def test_whatever_the_text_it_comes_back_whole(text: str) -> None:
    assert parsed(text) == text


def test_a_row_holds_what_the_page_shows() -> None:
    record = {
        "id": "svamp-7",
        "input": "12 and 7?",
        "label": "19",
        "task": "equation",
        "split": "test",
        "teacher": {"label": "19", "rationale": "12 + 7 = 19."},
        "student": {"label": "18", "rationale": "12 + 7 = 18.", "confidence": 0.4},
    }
    assert row_of(view_of(record, 3)) == {
        "n": 3,
        "id": "svamp-7",
        "input": "12 and 7?",
        "split": "test",
        "task": "equation",
        "gold": {"label": "19"},
        "teacher": {
            "label": "19",
            "rationale": "12 + 7 = 19.",
            "right": True,
            "support": ["12 + 7", "gt", 0, 11],
            "steps": [["12 + 7 = 19", 1, "19"]],
        },
        "student": {
            "label": "18",
            "rationale": "12 + 7 = 18.",
            "right": False,
            "confidence": 0.4,
            "support": ["12 + 7", "gt", 0, 11],
            "supports": "gold",
            "steps": [["12 + 7 = 18", 0, "19"]],
        },
        "flags": ["wrong", "inconsistent", "wrong_step", "low_confidence", "disagrees"],
        "right": False,
        "consistent": False,
    }


def test_bars_say_who_gives_each_answer() -> None:
    second = choice(1, student={"label": "car"})
    row = row_of(view_of(choice(0), others=[second]))
    assert [[name, of] for name, _, of in row["student"]["bars"]] == [
        ["sea", "gt"],
        ["tree", "s"],
        ["car", "2"],
    ]
    assert (row["changed"], row["second"]["label"]) == (True, "car")
    assert (row["second"]["change"], row["second"]["changed"]) == ("both_wrong", True)
    assert "choices" not in row


def test_little_probability_and_another_decoded_label_are_kept() -> None:
    student = {"label": "sea", "decoded": "car", "in_set_mass": 0.0}
    row = row_of(view_of(choice(0, student=student)))
    assert (row["student"]["mass"], row["student"]["decoded"]) == (0.0, "car")
    teacher = {"label": "sea", "source": "log.jsonl:3"}
    assert row_of(view_of(choice(0, teacher=teacher)))["teacher"]["origin"] == "log.jsonl:3"
    much = row_of(
        view_of(choice(0, student={"label": "sea", "decoded": "sea", "in_set_mass": 0.9}))
    )
    assert {"mass", "decoded"}.isdisjoint(much["student"])


def test_what_the_page_does_not_show_is_not_in_it() -> None:
    secret = {
        "mine": "SECRET",
        "completion": "SECRET",
        "group": "SECRET",
        "scores": {"x": "SECRET"},
    }
    teacher = {"label": "sea", "samples": [{"text": "SECRET"}], "prompt": "SECRET", "usage": {}}
    row = row_of(view_of(choice(1, **secret, teacher=teacher)))
    assert "SECRET" not in safe_json(row)


def test_a_rationale_that_supports_nothing_differs_from_none_at_all() -> None:
    silent, open_, none = (
        row_of(view_of(choice(1, student={"label": "sea", "rationale": rationale})))["student"]
        for rationale in (None, "Who knows.", " ")
    )
    assert open_["support"] == [None, ""]
    assert "support" not in silent
    assert "support" not in none


def test_a_bare_record_is_a_small_row() -> None:
    assert row_of(view_of({"id": "x", "input": "?"})) == {
        "n": 1,
        "id": "x",
        "input": "?",
        "task": "text",
    }


def test_an_empty_id_and_an_empty_label_are_not_left_out() -> None:
    student = {"label": "", "rationale": ""}
    row = row_of(view_of({"id": "", "input": "?", "label": "a", "student": student}))
    assert (row["id"], row["student"]["label"]) == ("", "")
    none = row_of(view_of({"id": "", "input": "?", "student": {"label": None, "rationale": "x"}}))
    assert "label" not in none["student"]


def test_a_confidence_of_zero_and_a_wrong_label_are_not_left_out() -> None:
    row = row_of(view_of(choice(0, student={"label": "tree", "confidence": 0.0})))
    assert (row["student"]["confidence"], row["right"]) == (0.0, False)


def test_endless_texts_and_lists_are_cut_and_what_was_cut_is_counted() -> None:
    chances = {f"choice {index}": index / 10_000 for index in range(MAX_BARS + 7)}
    steps = " ".join(f"{index} + 1 = {index + 1}." for index in range(MAX_STEPS + 5))
    student = {"label": "y" * 9999, "rationale": steps, "choices": chances}
    record = {"id": "i" * 9999, "input": "x" * (MAX_TEXT + 11), "student": student}
    row = row_of(view_of(record))
    assert (len(row["id"]), len(row["input"]), row["input_left"]) == (MAX_LABEL, MAX_TEXT, 11)
    side = row["student"]
    assert len(side["label"]) == MAX_LABEL
    assert (len(side["bars"]), side["bars_left"]) == (MAX_BARS, 7)
    assert side["bars"][-1][0] == f"choice {MAX_BARS + 6}"
    assert (len(side["steps"]), side["steps_left"]) == (MAX_STEPS, 5)


def test_a_row_has_the_answers_in_each_way() -> None:
    record = choice(1)
    answers = {"predict": {"label": "x" * 5000, "confidence": 0.5}, "both": {"label": None}}
    student = {**record["student"], "answered_by": "predict", "answers": answers}
    row = row_of(view_of({**record, "student": student}))
    assert row["student"]["ways"] == [
        ["predict", "x" * MAX_LABEL, 0.5, False, 1],
        ["both", None, None, False, 0],
    ]
    assert "ways" not in row_of(view_of(record))["student"]


def test_the_words_that_decide_are_placed_in_units_of_utf16() -> None:
    rationale = "😀 It swims. So the answer is sea."
    student = {"label": "sea", "rationale": rationale}
    row = row_of(view_of(choice(1, student=student)))
    _, _, start, end = row["student"]["support"]
    units = rationale.encode("utf-16-le")
    assert units[2 * start : 2 * end].decode("utf-16-le").rstrip(".").endswith("sea")
    late = {"label": "sea", "rationale": "x" * MAX_TEXT + " So the answer is sea."}
    assert len(row_of(view_of(choice(1, student=late)))["student"]["support"]) == 2
