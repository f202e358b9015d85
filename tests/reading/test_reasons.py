"""The rationale of an answer that shares its sentence, or has nothing before it."""

from __future__ import annotations

import pytest

from mitools.reading.reasons import adds_words
from mitools.tasks import task_named

CHOICE, EQUATION = map(task_named, ("choice", "equation"))
WATERS = ["ocean", "pond", "brook"]


@pytest.mark.parametrize(
    ("completion", "rationale"),
    [
        ("Ann had 9 and lost 2, so she has $\\boxed{7}$ coins.", "Ann had 9 and lost 2"),
        ("9 - 2 = 7, so the answer is \\boxed{7}.", "9 - 2 = 7"),
        ("Because she lost 2, the answer is $\\boxed{7}$.", "Because she lost 2"),
        (
            "Ann had 9 and then she lost 2 of her \\boxed{7}.",
            "Ann had 9 and then she lost 2 of her",
        ),
        ("$9 - 2 = \\boxed{7}$", "9 - 2"),
        ("\\[9 - 2 = \\boxed{7}\\]. I hope this helps!", "9 - 2"),
        ("Ann pays $9 and gets $2, so she pays $\\boxed{7}$.", "Ann pays $9 and gets $2"),
        ("It costs $9, so the answer is $\\boxed{7}$.", "It costs $9"),
        ("As $9-2$ is left, this gives $\\boxed{7}$ coins.", "As $9-2$ is left"),
        ("She lost 2 (so \\boxed{7}).", "She lost 2"),
    ],
)
def test_reasons_in_the_sentence_of_a_box_stand_before_it(completion: str, rationale: str) -> None:
    answer = EQUATION.parse(completion)
    assert (answer.label, answer.read_by, answer.rationale) == ("7", "boxed", rationale)


@pytest.mark.parametrize(
    ("completion", "rationale"),
    [
        ("We get $\\boxed{7}$. Reason: Ann lost 2.", "Ann lost 2."),
        ("For this problem, the result is \\boxed{7}. Ann lost 2.", "Ann lost 2."),
        ("**Final Answer:** $\\boxed{7}$\n\nAnn lost 2.", "Ann lost 2."),
        ("$\\boxed{7}$ because Ann lost 2. She had 9.", "Ann lost 2. She had 9."),
        ("\\boxed{7}: Ann lost 2.", "Ann lost 2."),
        ("\\boxed{7} is what Ann has if she loses 2.", "is what Ann has if she loses 2"),
    ],
)
def test_else_the_reasons_are_behind_the_sentence_of_the_box(
    completion: str, rationale: str
) -> None:
    answer = EQUATION.parse(completion)
    assert answer.label == "7"
    assert answer.rationale.rstrip(".") == rationale.rstrip(".")


@pytest.mark.parametrize(
    "completion",
    [
        "$\\boxed{7}$ coins.",
        "$\\boxed{7}$ as required.",
        "The total cost is \\boxed{7}.",
        "Therefore the total cost is $\\boxed{7}$.",
        "So $x = \\boxed{7}$.",
        "The answer is $x = \\boxed{7}$.",
        "The answer is 7 as well.",
        "The answer is 7 coins as a whole.",
        "The answer is 7.\n\n5",
        "Answer:\n- 7",
        "Answer:**\n\n**7**",
    ],
)
def test_the_end_of_a_sentence_or_a_notation_is_not_a_reason(completion: str) -> None:
    answer = EQUATION.parse(completion)
    assert (answer.label, answer.rationale) == ("7", "")


@pytest.mark.parametrize(
    ("completion", "rationale"),
    [
        ("The answer is (a) ocean because it is salty.", "it is salty."),
        ("The answer is ocean, since salt is in it.", "salt is in it."),
        ("The answer is A, as it is salty. Ponds are fresh.", "it is salty. Ponds are fresh."),
        ("It is big. The answer is A because it is salty.", "It is big."),
        ("It is salty, so the answer is ocean.", "It is salty"),
        ("Answer:\nA\n\nIt is salty.", "It is salty."),
        ("The answer is a big ocean as far as we know.", ""),
        ("The answer is an ocean with a lot of blue water as its color.", ""),
        ("The answer is ocean because of salt.", ""),
    ],
)
def test_reasons_behind_a_because_count_where_none_stand_before(
    completion: str, rationale: str
) -> None:
    answer = CHOICE.parse(completion, WATERS)
    assert (answer.label, answer.rationale) == ("ocean", rationale)


def test_a_because_of_the_choice_itself_gives_no_reason() -> None:
    choices = ["wet because it rains", "dry"]
    answer = CHOICE.parse("The answer is wet because it rains, as clouds often say.", choices)
    assert (answer.label, answer.rationale) == (choices[0], "clouds often say.")
    assert CHOICE.parse("The answer is wet because it rains.", choices).rationale == ""


def test_a_sum_behind_an_answer_is_a_reason() -> None:
    assert EQUATION.parse("#### 7\n9 - 2 = 7").rationale == "9 - 2 = 7"


def test_words_that_a_label_does_not_hold_are_counted() -> None:
    assert adds_words("the salty ocean", "Ocean", 1)
    assert not adds_words("the salty ocean", "Ocean", 2)
    assert not adds_words("Ocean", "ocean")
