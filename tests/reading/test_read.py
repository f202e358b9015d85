"""Where a label stood, which reasons go with it, and what is remembered of texts."""

from __future__ import annotations

import tracemalloc

import pytest

from mitools import expressions
from mitools.reading import characters
from mitools.tasks import Task, task_named

CHOICE, EQUATION = map(task_named, ("choice", "equation"))


@pytest.mark.parametrize(
    ("completion", "rank"),
    [
        ('{"answer": 42}', "field"),
        ("<answer>42</answer>", "field"),
        ("\\boxed{42}", "boxed"),
        ("Add.\n#### 42", "hashes"),
        ("The answer is 42.", "cue"),
        ("42", "line"),
        ("Add.\n42 km", "line"),
        ("Add them. This makes 42 km.", "statement"),
        ("Add them.", None),
    ],
)
def test_a_label_says_where_it_stood(completion: str, rank: str | None) -> None:
    assert EQUATION.parse(completion).read_by == rank


@pytest.mark.parametrize(
    ("completion", "rationale"),
    [
        ("2 + 3 = 5. The answer is 5.", "2 + 3 = 5."),
        ("2 + 3 = 5.\n\n**Final Answer**\n\\[\n\\boxed{5}\n\\]", "2 + 3 = 5."),
        ("2 + 3 = 5.\n#### 5", "2 + 3 = 5."),
        ("5\n\n2 and 3 are added.", "2 and 3 are added."),
        ("2 and 3 are added.\n\n5", "2 and 3 are added."),
        ("**Answer: 5**\n\n**Explanation:** 2 and 3 are added.", "2 and 3 are added."),
        ('{"reasoning": "2 and 3", "answer": 5}', "2 and 3"),
        ('{"steps": ["Take 2.", "Add 3."], "answer": 5}', "Take 2.\nAdd 3."),
        ('2 and 3.\n```json\n{"answer": 5}\n```', "2 and 3."),
        ("2 and 3.\n<answer>5</answer>", "2 and 3."),
        ("2 and 3. The answer is 5. I hope the answer helps!", "2 and 3."),
        ("Take 2 and 3. This makes 5.", "Take 2 and 3. This makes 5."),
    ],
)
def test_the_reasons_are_what_stands_beside_the_answer(completion: str, rationale: str) -> None:
    answer = EQUATION.parse(completion)
    assert (answer.label, answer.rationale) == ("5", rationale)


@pytest.mark.parametrize(
    ("task", "completion", "label"),
    [
        (EQUATION, "( ( 2 * 66 ) + 267 )", "((2 * 66) + 267)"),
        (EQUATION, "( 7 * 3 ) - ( 4 + 2 ) kites", "(7 * 3) - (4 + 2)"),
        (EQUATION, "5 + 3\n5 + 3", "5 + 3"),
        (CHOICE, "(b) salt", "salt"),
        (CHOICE, "Option B: salt", "salt"),
        (CHOICE, "A Drawer Under The Sink Or A Shelf.", "a drawer under the sink or a shelf"),
    ],
)
def test_a_bare_answer_is_not_its_own_reason(task: Task, completion: str, label: str) -> None:
    """A student that is asked as a teacher outputs the label alone; training would repeat it."""
    choices = ["a drawer under the sink or a shelf", "salt"] if task is CHOICE else None
    answer = task.parse(completion, choices)
    assert (answer.label, answer.rationale) == (label, "")
    thought = task.parse(f"<think>Look at both.</think>{completion}", choices)
    assert (thought.label, thought.rationale) == (label, "Look at both.")


def test_reasons_behind_a_letter_stay() -> None:
    said = "B. Salt is a mineral."
    assert CHOICE.parse(said, ["sugar", "salt"]).rationale == "Salt is a mineral."


def test_what_is_kept_of_texts_is_bounded() -> None:
    """A cache of whole texts grew by 120 MB in 30,000 rows."""
    expressions._parse.cache_clear()
    characters._normalized.cache_clear()
    tracemalloc.start()
    for number in range(3_000):
        EQUATION.parse(f"{'It is so. ' * 300}The answer is {number} + {number}.")
        CHOICE.parse(f"The answer is {'x' * 2_000}{number}.", [f"{'y' * 2_000}{number}", "b"])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 6_000_000


@pytest.mark.parametrize(
    ("completion", "label", "rank"),
    [
        ('{"why": "x", "category": "refund"}', "refund", "field"),
        ('```json\n{"reason": "Money.", "category": "Refund"}\n```', "refund", "field"),
        ('The answer is refund. {"category": "money"}', "refund", "cue"),
        ('{"category": "money"}', None, None),
    ],
)
def test_a_likely_field_counts_where_it_holds_an_answer(
    completion: str, label: str | None, rank: str | None
) -> None:
    answer = task_named("labels").parse(completion, ["refund", "complaint"])
    assert (answer.label, answer.read_by) == (label, rank)


def test_the_reason_beside_a_likely_field_is_the_rationale() -> None:
    completion = '{"reason": "They want money.", "category": "refund"}'
    answer = task_named("labels").parse(completion, ["refund", "complaint"])
    assert answer.rationale == "They want money."
