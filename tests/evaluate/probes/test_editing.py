from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.evaluate.measures.simulatability import RATIONALE_EDITING
from mitools.evaluate.probes.editing import (
    cut_short,
    filled,
    mistaken,
    perturbed,
    probe_editing,
)
from tests.evaluate.probes.subjects import Talker, choice, subject

pytestmark = pytest.mark.usefixtures("few_resamples")

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=9)


def rng() -> random.Random:
    return random.Random(0)


def test_a_rationale_is_cut_after_a_share_of_its_words() -> None:
    text = "one two three four five"
    assert [cut_short(text, share) for share in (0, 0.25, 0.5, 0.99, 1)] == [
        "",
        "one",
        "one two",
        "one two three four",
        text,
    ]


def test_filler_has_as_many_words() -> None:
    assert filled("It is  the sea.") == "... ... ... ..."


def test_a_mistake_is_another_number_or_else_another_choice() -> None:
    found = mistaken("12 + 7.5 is it", [], rng())
    assert found is not None
    assert found.endswith(" + 7.5 is it")
    assert 13 <= int(found.split()[0]) <= 21
    assert mistaken("Fish are in the Sea, not the seaside.", ["sea", "box"], rng()) == (
        "Fish are in the box, not the seaside."
    )
    assert mistaken("Fish swim.", ["sea", "box"], rng()) is None


@given(WORDS, WORDS)
def test_half_of_the_words_come_from_other_rationales(own: list[str], other: list[str]) -> None:
    found = perturbed(" ".join(own), [" ".join(other)], rng())
    if not set(other) - set(own):
        assert found is None
    else:
        assert found is not None
        pairs = list(zip(own, found.split(), strict=True))
        changed = [after for before, after in pairs if before != after]
        assert len(changed) == (len(own) + 1) // 2
        assert set(changed) <= set(other) - set(own)


def first_word(text: str) -> str:
    return text.split()[0] if text.split() else "box"


def last_word(text: str) -> str:
    return text.split()[-1] if text.split() else "box"


def values(after: Any, rationales: list[str]) -> dict[str, Any]:
    texts = {choice(number)["input"]: text for number, text in enumerate(rationales)}
    student = Talker(lambda _text: "", lambda text: texts[text], after)
    found = probe_editing(subject(student, map(choice, range(len(rationales)))))
    assert list(found) == list(RATIONALE_EDITING)
    return found


def test_a_student_of_two_passes_is_no_subject_and_is_asked_nothing() -> None:
    student = Talker(lambda _text: "sea")
    prepared = subject(student, [choice(1)])
    student.asked.clear()
    found = probe_editing(prepared)
    assert {one.status for one in found.values()} == {"not_applicable"}
    assert {one.reason for one in found.values()} == {
        "the label never reads the rationale: it is given in a pass of its own, or before it"
    }
    assert student.asked == []


def test_a_label_that_ignores_its_rationale_changes_under_no_edit() -> None:
    found = values(lambda _text, _told: "sea", ["1 fish swims there", "2 cats climb up"])
    assert {name: one.value for name, one in found.items()} == dict.fromkeys(RATIONALE_EDITING, 0)


def test_a_label_that_is_the_last_word_changes_until_the_end() -> None:
    found = values(lambda _text, told: last_word(told), ["x y z tree", "x y z sea"])
    early = found["early_answering"]
    assert early.value == pytest.approx(0.875)
    assert [point["same_label"] for point in early.details["by_fraction"]] == [0, 0, 0, 0, 1]
    assert found["added_mistakes"].value == 1  # a named choice, the last word of both
    assert found["filler_tokens"].value == 1
    assert found["indirect_effect"].value == 1
    assert found["early_answering"].n == 2


def test_a_label_that_is_the_first_word_is_known_after_a_quarter() -> None:
    # Share known 0, 1, 1, 1, 1: the first trapezoid has an area of 1/8, the others of 1/4.
    found = values(lambda _text, told: first_word(told), ["sea y z x", "tree y z x"])
    assert found["early_answering"].value == pytest.approx(1 - (1 / 8 + 3 / 4))


def test_an_edit_that_is_impossible_is_undefined() -> None:
    found = values(lambda _text, told: told, ["only this", "only this"])
    assert found["indirect_effect"].reason == "no rationale can be edited so"
    assert found["perturbed_rationale"].status == "undefined"
    assert found["filler_tokens"].status == "ok"


def test_without_rationales_nothing_is_determined() -> None:
    found = values(lambda _text, _told: "sea", ["", " "])
    assert {one.status for one in found.values()} == {"undefined"}
    assert found["filler_tokens"].reason == "no record has a rationale by the student"


def test_open_labels_are_decoded_behind_the_rationale() -> None:
    student = Talker(lambda _text: "", lambda _text: "2 + 2", lambda _text, told: told)
    record = {"id": "1", "input": "Two and two?", "label": "4", "task": "equation"}
    found = probe_editing(subject(student, [record]))
    assert found["added_mistakes"].value == 1
    assert found["early_answering"].value == 0.875


def test_the_reading_behind_the_rationale_is_probed_where_a_student_has_two() -> None:
    texts = {choice(number)["input"]: text for number, text in enumerate(["y z tree", "y z sea"])}
    student = Talker(
        lambda _text: "box",
        lambda text: texts[text],
        lambda _, told: last_word(told),
        concludes=True,
    )
    prepared = subject(student, map(choice, range(2)))
    assert {record["student"]["label"] for record in prepared.records} == {"box"}
    found = probe_editing(prepared)
    assert found["added_mistakes"].value == 1
    assert found["indirect_effect"].value == 1
    assert found["early_answering"].value == pytest.approx(0.875)


def test_a_run_of_digits_that_is_too_long_is_not_changed() -> None:
    assert mistaken(f"{'9' * 4_400} apples", (), random.Random(0)) is None
    edited = mistaken(f"{'9' * 4_400} is 3", (), random.Random(0))
    assert edited is not None
    assert edited.startswith("9" * 4_400 + " is ")
