"""Words where a script writes no spaces, and letters with signs on them."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.reading.options import mentions, place_of
from mitools.reading.scripts import count_letters, find_words, is_letter, is_unspaced
from mitools.tasks import task_named


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the sea, 12 km", ["the", "sea", "12", "km"]),
        ("首都是北京。", list("首都是北京")),
        ("答えは東京です", list("答えは東京です")),
        ("GPT是模型", ["GPT", "是", "模", "型"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("कमल खिला", ["कमल", "खिला"]),
        ("сад naïve", ["сад", "naïve"]),
        ("a・b", ["a", "b"]),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_or_single_letters_without_spaces(
    text: str, words: list[str]
) -> None:
    assert find_words(text) == words


@given(st.text(st.characters(exclude_categories=["M", "Lo", "Nl"])))
def test_other_texts_are_split_as_ever(text: str) -> None:
    if not any(map(is_unspaced, text)):
        assert find_words(text) == re.findall(r"[^\W_]+", text)


@given(st.text())
def test_every_letter_is_in_a_word(text: str) -> None:
    joined = "".join(find_words(text))
    assert [c for c in joined if c.isalnum()] == [c for c in text if c.isalnum()]


def test_a_sign_is_part_of_the_word_before_it() -> None:
    assert is_letter("\u0301")
    assert is_letter("ा")
    assert not is_letter("。")
    assert find_words(unicodedata.normalize("NFD", "é là")) == ["e\u0301", "la\u0300"]


def test_letters_are_counted_by_script() -> None:
    assert count_letters("see 北京 now") == (8, 2, 2)
    assert count_letters("答え") == (2, 2, 1)
    assert count_letters("plain 1") == (6, 0, 0)


@pytest.mark.parametrize(
    ("rationale", "choices", "label"),
    [
        ("中国的首都是北京。", ["北京", "上海"], "北京"),
        ("可以看出这座城市是上海", ["北京", "上海"], "上海"),
        ("首都不是上海,而是北京。", ["北京", "上海"], "北京"),
        ("これは東京ではない。大阪だ。", ["東京", "大阪"], "大阪"),
        ("เมืองนี้คือกรุงเทพ", ["กรุงเทพ", "เชียงใหม่"], "กรุงเทพ"),
        ("北京和上海都是城市", ["北京", "上海"], None),
        ("这座城市很大", ["北京", "上海"], None),
        ("这是一座城市", ["是", "否"], None),  # one letter is in too many words
    ],
)
def test_what_a_rationale_supports_is_found_amid_other_letters(
    rationale: str, choices: list[str], label: str | None
) -> None:
    assert task_named("labels").supported(rationale, choices) == label


def test_the_words_that_decided_are_placed() -> None:
    text = "可以看出这座城市是上海"
    found = task_named("labels").find_support(text, ["北京", "上海"])
    assert found is not None
    assert found.place is not None
    assert text[slice(*found.place)] == "上海"
    assert place_of("sea", "overseas", 0) is None


def test_a_word_that_goes_on_with_a_sign_is_another_word() -> None:
    assert mentions("रामा आया", ["राम"], within=True) == []
    assert mentions("राम आया", ["राम"], within=True) == ["राम"]


def test_an_answer_is_not_read_amid_other_letters() -> None:
    assert mentions("首都是北京", ["北京", "上海"]) == []
