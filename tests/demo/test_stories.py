from __future__ import annotations

import itertools
import re

import pytest

from mitools.demo import StoryOptions, solve, story_problems
from mitools.errors import TeacherError
from mitools.expressions import parse_expression
from mitools.records import Record
from mitools.schema import SPLITS, validate
from mitools.tasks import task_named

EQUATION = task_named("equation")
VALUE = StoryOptions(steps=3, distractors=2)
EXPRESSION = StoryOptions(steps=4, distractors=1, answer="equation")
KINDS = [VALUE, EXPRESSION, StoryOptions(1), StoryOptions(8, 4)]
EVERY_KIND = pytest.mark.parametrize("options", KINDS, ids=str)


def stories(options: StoryOptions, n: int = 400, seed: int = 0) -> list[Record]:
    return list(story_problems(n, seed, options))


@EVERY_KIND
def test_a_story_is_a_valid_record_with_an_id_of_its_own(options: StoryOptions) -> None:
    records = stories(options)
    for record in records:
        validate(record)
    assert len({record["id"] for record in records}) == len(records)
    assert {record["split"] for record in records[:20]} == set(SPLITS)


@EVERY_KIND
def test_the_teacher_without_errors_finds_every_label(options: StoryOptions) -> None:
    for record in stories(options):
        answer = EQUATION.parse(solve(record["input"], 0, 0.0))
        assert EQUATION.is_equal(answer.label, record["label"]), record
        assert EQUATION.is_equal(EQUATION.supported(answer.rationale), record["label"])


@EVERY_KIND
def test_a_wrong_answer_differs_from_the_label_and_fits_its_rationale(
    options: StoryOptions,
) -> None:
    for record in stories(options):
        answer = EQUATION.parse(solve(record["input"], 0, 1.0))
        assert not EQUATION.is_equal(answer.label, record["label"]), record
        if options.steps > 1:
            assert EQUATION.is_equal(EQUATION.supported(answer.rationale), answer.label)


def test_every_step_of_a_rationale_is_right_arithmetic() -> None:
    for record in stories(VALUE):
        steps = re.findall(r"(\d [-+*/] \d) = (\d)", solve(record["input"], 0, 0.0))
        assert len(steps) == VALUE.steps
        for left, right in steps:
            found = parse_expression(left)
            assert found
            assert found.value == int(right)
            assert 1 <= found.value <= 9


def test_a_story_has_its_steps_and_the_sentences_that_do_not_matter() -> None:
    for record in stories(EXPRESSION):
        sentences = re.findall(r"[^.?]+[.?]", record["input"])
        assert len(sentences) == 1 + EXPRESSION.steps + EXPRESSION.distractors + 1
        assert len(re.findall(r"[-+*/]", record["label"])) == EXPRESSION.steps


def test_no_name_and_no_solution_of_a_test_or_valid_story_is_in_another_part() -> None:
    names: dict[str, set[str]] = {split: set() for split in SPLITS}
    labels: dict[str, set[str]] = {split: set() for split in SPLITS}
    for record in stories(StoryOptions(2, 1, "equation"), 4000):
        names[record["split"]] |= set(re.findall(r"of ([A-Z][a-z]+) holds", record["input"]))
        labels[record["split"]].add(record["label"])
    for found in (names, labels):
        assert min(map(len, found.values())) >= 20
        for one, other in itertools.combinations(SPLITS, 2):
            assert not found[one] & found[other]


def test_a_longer_run_begins_with_the_shorter_one_and_a_seed_makes_others() -> None:
    assert stories(VALUE, 7, 3) == stories(VALUE, 50, 3)[:7]
    one, other = ({r["input"] for r in stories(VALUE, 50, seed)} for seed in (0, 1))
    assert not one & other


def test_a_higher_error_rate_keeps_every_mistake_of_a_lower_one() -> None:
    for record in stories(VALUE):
        right, rare, often = (solve(record["input"], 0, rate) for rate in (0.0, 0.1, 0.5))
        if rare != right:
            assert often == rare


def test_a_completion_quotes_each_step_and_states_what_it_gives() -> None:
    text = "The box of Ann holds 3 beads. 4 are added. Bob has 7 at home. 2 are lost. "
    value = "3 at first. 4 are added: 3 + 4 = 7. 2 are lost: 7 - 2 = 5. The answer is 5."
    assert solve(f"{text}How many beads does the box hold now?", 0, 0.0) == value
    expression = (
        "3 at first. 4 are added: ( 3 + 4 ). 2 are lost: ( ( 3 + 4 ) - 2 ). "
        "The answer is ((3 + 4) - 2)."
    )
    asked = f"{text}Which expression gives the beads in the box now?"
    assert solve(asked, 0, 0.0) == expression


@pytest.mark.parametrize(
    "text",
    [
        "The box of Ann holds 3 beads. How many beads does the box hold now?",
        "The box of Ann holds 3 beads. 4 are added. How many shells does the box hold now?",
        "The box of Ann holds 3 beads. 44 are added. How many beads does the box hold now?",
        "The box of Ann holds 3 beads. Nothing else. How many beads does the box hold now?",
        "The box of Ann holds 3 beads. 4 are added.",
    ],
)
def test_a_text_that_is_not_a_story_is_refused(text: str) -> None:
    with pytest.raises(TeacherError, match="the demo teacher cannot solve"):
        solve(text, 0, 0.0)
