from __future__ import annotations

import pytest

from mitools.evaluate.measures.surface import Surface, copied_share, mentions, repeated_share, words


def folded(*texts: str, source: str = "one two three four five") -> Surface:
    surface = Surface()
    for text in texts:
        surface.add(text, source, is_truncated=False, mentions_label=False)
    return surface


def test_repeated_4grams_by_hand() -> None:
    # "a b c d a b c d" holds five 4-grams, of which the last repeats the first
    assert repeated_share("a b c d a b c d") == pytest.approx(1 / 5)


def test_copied_4grams_by_hand() -> None:
    # of one-two-three-four and two-three-four-six the input holds the first
    assert copied_share("One two three four six", "one two three four five") == pytest.approx(1 / 2)


def test_fewer_than_four_words_have_no_4grams() -> None:
    assert repeated_share("a b c") is None
    assert copied_share("a b c", "a b c") is None


def test_words_read_numbers_by_value_and_keep_operators() -> None:
    assert words("( 84.0 / 2 ) = 1,200.50, x-ray") == ["84", "/", "2", "1200.50", "x", "-", "ray"]


@pytest.mark.parametrize(
    ("text", "label", "expected"),
    [
        ("They planted 10 * 45 seeds.", "( 10.0 * 45.0 )", True),
        ("It is a bridge.", "Bridge", True),
        ("It is a bridgehead.", "bridge", False),
        ("the train leaves the station", "train station", False),
        ("anything", None, False),
        ("anything", "", False),
        ("", "a", False),
        ("中国的首都是北京。", "北京", True),
        ("中国的首都是北京。", "上海", False),
        ("答えは東京です。", "東京", True),
        ("เมืองนี้คือกรุงเทพ", "กรุงเทพ", True),
        ("Это остров.", "остров", True),
    ],
)
def test_a_label_is_mentioned_in_whole_words(text: str, label: str | None, expected: bool) -> None:
    assert mentions(text, label) is expected


def test_rates_count_rationales() -> None:
    surface = Surface()
    for text, is_truncated, mentions_label in (
        ("", None, False),
        ("a", True, True),
        ("b", False, True),
    ):
        surface.add(text, "x", is_truncated=is_truncated, mentions_label=mentions_label)
    metrics = surface.metrics(seed=0)
    assert metrics["empty"].value == pytest.approx(1 / 3)
    assert (metrics["truncated"].value, metrics["truncated"].n) == (0.5, 2)
    assert metrics["label_mention"].value == pytest.approx(2 / 3)


def test_4gram_shares_are_means_over_the_rationales_that_have_any() -> None:
    metrics = folded("a b c d a b c d", "one two three four", "short").metrics(seed=0)
    assert metrics["repeated_4grams"].value == pytest.approx(0.1)
    assert metrics["copied_4grams"].value == pytest.approx(0.5)
    assert metrics["copied_4grams"].n == 2


def test_steps_are_counted_over_all_rationales_and_resampled_by_rationale() -> None:
    surface = folded("a", "b", "c")
    for stated, right in ((3, 3), (1, 0), (0, 0)):
        surface.add_steps(stated, right)
    metric = surface.metrics(seed=0)["steps_right"]
    assert (metric.value, metric.n, metric.details) == (0.75, 4, {"rationales": 2})
    assert metric.ci95 == (0, 1)


def test_without_rationales_everything_is_undefined() -> None:
    assert {metric.status for metric in Surface().metrics(0).values()} == {"undefined"}


def test_reasons_tell_missing_rationales_from_silent_ones() -> None:
    metrics = folded("short").metrics(seed=0)
    assert metrics["steps_right"].reason == "no rationale states an arithmetic step"
    assert metrics["repeated_4grams"].reason == "no rationale has 4 words"


def test_where_no_spaces_are_written_each_letter_is_a_word() -> None:
    assert words("第2题:GPT是模型") == ["第", "2", "题", "gpt", "是", "模", "型"]
    assert words("ที่ ไทย") == ["ที่", "ไ", "ท", "ย"]
    assert words("कमल खिला") == ["कमल", "खिला"]
    assert repeated_share("是是是是是") == pytest.approx(1 / 2)
    assert copied_share("首都是北京", "北京是首都") == 0
