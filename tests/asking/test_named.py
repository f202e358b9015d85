"""The answer that a student's rationales name: votes, confidence, and what is asked for it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.asking.answering import Answering, draw_seed
from mitools.asking.combine import WeightFit
from mitools.asking.named import mention_of, named_answer, named_shares
from mitools.asking.reader import Reader, ask
from mitools.asking.readings import answer, check_ways
from mitools.errors import StudentError
from mitools.schema import validate
from tests.asking.two_readings import TwoReadings, closed, equation

OWN = {"label": "tree", "confidence": 0.6, "choices": {"sea": 0.4, "tree": 0.6}, "log_prob": -0.5}
SEA, TREE, BOTH = "Fish swim in the sea.", "Apes climb a tree.", "The sea, or a tree."


def test_one_rationale_is_not_certain() -> None:
    found = named_answer(closed("fish"), [SEA], OWN)
    # (1 + 1) / (1 + 2): one vote, and one more for each of the two choices.
    assert found["choices"] == pytest.approx({"sea": 2 / 3, "tree": 1 / 3}, abs=1e-6)
    assert (found["label"], found["confidence"]) == ("sea", pytest.approx(2 / 3, abs=1e-6))
    assert found["log_prob"] == pytest.approx(-0.405465, abs=1e-6)
    assert found["votes"] == 1


def test_most_votes_win_and_rationales_that_name_nothing_have_none() -> None:
    found = named_answer(closed("fish"), [SEA, TREE, BOTH, SEA, ""], OWN)
    assert (found["label"], found["votes"]) == ("sea", 2)
    assert found["choices"] == pytest.approx({"sea": 3 / 5, "tree": 2 / 5})


def test_equal_votes_are_decided_by_the_own_label() -> None:
    assert named_answer(closed("fish"), [SEA, TREE], OWN)["label"] == "tree"
    assert named_answer(closed("fish"), [SEA, TREE], {"label": "box"})["label"] == "sea"
    assert named_answer(closed("fish"), [TREE, SEA], {"label": None})["label"] == "tree"


@pytest.mark.parametrize("rationales", [[], [""], [BOTH, "So."]])
def test_without_a_named_answer_the_own_one_stays(rationales: list[str]) -> None:
    assert named_answer(closed("fish"), rationales, OWN) == {**OWN, "votes": 0}


def test_a_choice_that_is_listed_twice_is_one_choice() -> None:
    record = closed("fish", choices=["sea", "tree", "sea"])
    assert named_answer(record, [SEA], OWN)["confidence"] == pytest.approx(2 / 3, abs=1e-6)


def test_equal_values_are_one_answer_without_choices() -> None:
    told = ["So 45 * 10 were planted.", "There were 10 * 45.", "Then 45 + 10."]
    found = named_answer(equation("seeds", "450"), told, {"label": "55"})
    assert (found["label"], found["votes"]) == ("45 * 10", 2)
    assert found["confidence"] == 0.5  # 2 of 3, and one for an answer that was not named
    assert "choices" not in found


def test_another_task_reads_the_rationales() -> None:
    record = equation("seeds", "450")
    assert named_answer(record, ["The answer is sea."], OWN)["votes"] == 0
    assert named_answer(record, ["The answer is sea."], OWN, task="text")["label"] == "sea"


@given(st.lists(st.sampled_from([SEA, TREE, BOTH, "box", ""]), max_size=6))
def test_shares_add_up_to_one_and_the_label_has_the_largest(rationales: list[str]) -> None:
    record = closed("fish", choices=["sea", "tree", "box"])
    found = named_answer(record, rationales, {**OWN, "choices": {"tree": 0.6, "sea": 0.4}})
    assert sum(found["choices"].values()) == pytest.approx(1, abs=1e-4)
    assert max(found["choices"].values()) == pytest.approx(found["confidence"], abs=1e-6)
    assert found["choices"][found["label"]] == found["confidence"]


def plain(**more: Any) -> TwoReadings:
    """Make a student without a reading behind its rationales."""
    return TwoReadings(
        {"fish": {"sea": 0.2, "tree": 0.3}, "two": {"3": 0.4}},
        {},
        {"fish": SEA, "two": "That makes 1 + 1."},
        **{"metadata": {"order": "separate"}, **more},
    )


def test_a_student_without_a_second_reading_answers_so() -> None:
    student = plain()
    closed_one, open_one = ask(student, [closed("fish"), equation("two", "2")], Answering("named"))
    assert (closed_one["label"], closed_one["answered_by"]) == ("sea", "named")
    assert closed_one["rationale"] == SEA
    assert set(closed_one["answers"]) == {"predict", "named"}
    assert closed_one["answers"]["predict"]["label"] == "tree"
    assert (open_one["label"], open_one["answers"]["predict"]["label"]) == ("1 + 1", "3")
    # A rationale of 10 tokens; the predict pass decodes a label of 2 where there are no choices.
    assert [one["answers"]["named"]["tokens"] for one in (closed_one, open_one)] == [10, 12]
    assert sorted(student.asked) == [("decode", 1), ("explain", 2), ("score", 1)]
    for record, found in ((closed("fish"), closed_one), (equation("two", "2"), open_one)):
        validate({**record, "student": found})


def test_several_rationales_are_drawn_and_vote() -> None:
    student = plain(drawn=(SEA, TREE))
    reading = Reader(student, Answering("named", draws=5)).read([closed("fish")])[0]
    found = answer(reading, "named", WeightFit(0.5, 0))
    votes = [seed % 2 for seed in student.seeds]  # 1 names the tree
    assert len(votes) == 5
    assert found["choices"] == pytest.approx(
        {"sea": (6 - sum(votes)) / 7, "tree": (1 + sum(votes)) / 7}, abs=1e-5
    )
    assert found["answers"]["named"]["draws"] == 5
    assert found["rationale"] == SEA  # the greedy one
    assert "votes" not in found


def test_a_student_that_concludes_is_not_asked_behind_its_rationale() -> None:
    student = plain(metadata={"concludes": True})
    (found,) = ask(student, [closed("fish")], Answering("named"))
    assert set(found["answers"]) == {"predict", "named"}
    assert not [name for name, _ in student.asked if "behind" in name]


@pytest.mark.parametrize(
    ("metadata", "message", "hint"),
    [
        (
            {"trained": ["label"]},
            'this student gives no rationale, as "--answer named" needs',
            "train one with --alpha below 1",
        ),
        (
            {"order": "label-rationale"},
            'this student gives its rationale after its label, so "--answer named" adds nothing',
            'use "--answer predict"',
        ),
    ],
)
def test_a_student_that_cannot_is_refused(
    metadata: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(StudentError) as caught:
        check_ways(metadata, "named")
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_student_that_explains_may() -> None:
    for metadata in ({}, {"trained": ["label", "rationale"]}, {"order": "rationale-label"}):
        check_ways(metadata, "named")


HOW = {"metadata": {"order": "separate", "trained": ["label", "rationale"]}}


def explainer(**more: Any) -> TwoReadings:
    """A student that explains and gives no label behind its rationale."""
    return TwoReadings(
        {"fish": {"sea": 0.2, "tree": 0.3}, "ape": {"sea": 0.1, "tree": 0.8}},
        {},
        {"fish": SEA, "ape": "Who knows."},
        [SEA, TREE, "Who knows."],
        {
            "Fish swim in the ": {"sea": 0.06, "tree": 0.02},
            "Apes climb a ": {"sea": 0.1, "tree": 0.3},
            "It is (": {"a": 0.3, "b": 0.1, "c": 0.4},
        },
        **HOW,
        **more,
    )


def pooled(student: TwoReadings, record: dict[str, Any], **how: Any) -> dict[str, Any]:
    (found,) = ask(student, [record], Answering("both", **how))
    return found


def test_what_a_rationale_names_is_a_reading_beside_the_predict_pass() -> None:
    found = pooled(explainer(), closed("fish"))
    # √(0.2 · 0.75) = 0.387298 and √(0.3 · 0.25) = 0.273861: shares 0.585786 and 0.414214.
    assert found["choices"] == pytest.approx({"sea": 0.585786, "tree": 0.414214}, abs=1e-6)
    assert (found["label"], found["answered_by"]) == ("sea", "both")
    ways = found["answers"]
    assert {way: ways[way]["label"] for way in ways} == {
        "predict": "tree",
        "both": "sea",
        "named": "sea",
    }
    assert ways["both"]["tokens"] == ways["named"]["tokens"] == 10
    validate({**closed("fish"), "student": {**found, "model": "m"}}, "eval")


def test_a_rationale_that_names_no_choice_leaves_the_predict_pass_alone() -> None:
    student = explainer()
    found = pooled(student, closed("ape"), weight=0.1)
    assert found["choices"] == pytest.approx({"sea": 1 / 9, "tree": 8 / 9}, abs=1e-6)
    assert "score mentions" not in dict(student.asked)


def test_several_rationales_name_with_the_mean_of_their_probabilities() -> None:
    student = explainer()
    seeds = [draw_seed(0, "fish", number) % 3 for number in range(6)]
    assert {*seeds} == {0, 1, 2}
    found = pooled(student, closed("fish"), draws=6, weight=0.0)
    said = [{0: 0.75, 1: 0.25}[seed] for seed in seeds if seed < 2]  # the third names nothing
    assert found["choices"]["sea"] == pytest.approx(sum(said) / len(said), abs=1e-6)
    assert ("score mentions", len(said)) in student.asked


def test_without_choices_the_predict_pass_answers() -> None:
    student = TwoReadings({"seeds": {"55": 0.6}}, {}, {"seeds": "So 45 + 10."}, **HOW)
    found = pooled(student, equation("seeds", "55"))
    assert (found["label"], found["answered_by"]) == ("55", "predict")
    assert "both" not in found["answers"]


def test_only_the_way_of_both_readings_scores_what_is_named() -> None:
    student = explainer()
    ask(student, [closed("fish")], Answering("named"))
    assert "score mentions" not in dict(student.asked)


def test_equal_choices_share_what_their_letters_have() -> None:
    names, choices = ["sea", "tree"], ["sea", "tree", "sea"]
    mention = mention_of(closed("fish", choices=choices), "It is (a) sea. So the answer is (a).")
    assert mention is not None
    assert mention.forms == ("a", "b", "c")
    shares = named_shares(names, mention, [math.log(p) for p in (0.3, 0.1, 0.4)])
    assert [math.exp(one) for one in shares] == pytest.approx([7 / 8, 1 / 8])


def test_scores_that_are_not_probabilities_are_refused() -> None:
    mention = mention_of(closed("fish"), SEA)
    assert mention is not None
    assert named_shares(["sea", "tree"], mention, [-1.0, -math.inf]) == (0.0, -math.inf)
    for scores in ([math.nan, -1.0], [-math.inf, -math.inf], [math.inf, -1.0]):
        with pytest.raises(StudentError, match="not log-probabilities"):
            named_shares(["sea", "tree"], mention, scores)
