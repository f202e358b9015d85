"""What a completion says, label by label."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.errors import UsageError
from mitools.reading.options import mentions as _mentions
from mitools.tasks import Answer, normalize, read_answer, task_named, task_of

DATA = Path(__file__).parents[2] / "shared" / "data"
CHOICES = ["bus depot", "beach", "train station", "bridge", "bridge"]

choice, labels, equation, text = map(task_named, ("choice", "labels", "equation", "text"))


@given(st.text())
def test_no_text_breaks_a_parser(written: str) -> None:
    for task in (choice, labels, equation, text):
        for completion in (written, f"Because. The answer is {written}"):
            label = task.parse(completion, CHOICES).label
            assert label is None or task.is_valid(label, None)
            task.supported(completion, CHOICES)


@pytest.mark.parametrize(
    ("completion", "label", "rationale"),
    [
        ("84 / 2 = 42. The answer is (84 / 2).\n\nQ: There are 5", "(84 / 2)", "84 / 2 = 42."),
        ("So he has 3. The answer is (102 - 22) / 8.", "(102 - 22) / 8", "So he has 3."),
        ("5 + 3 = 8. The answer is 8 apples.", "8", "5 + 3 = 8."),
        ("Yes. The answer is ((8 toys + 1 car) * 4 shelves).", "((8 + 1) * 4)", ""),
        ("It adds up. The answer is $1,234.50.", "1234.50", "It adds up."),
        ("Add them up.\n**Answer:** 42", "42", "Add them up."),
        ("Add them up.\n#### 42", "42", "Add them up."),
        ("Add them up. So \\boxed{42}", "42", "Add them up."),
        ("Since 5 + 3 = 8, the answer is 8.", "8", "Since 5 + 3 = 8"),
        ("The answer is 8. Because 5 + 3 = 8.", "8", "Because 5 + 3 = 8."),
        ("42", "42", ""),
        ("He has 84. So 84 / 2 = 42.", "84 / 2", "He has 84. So 84 / 2 = 42."),
        ("He has 84, so 42 in each of 2 rounds.", None, "He has 84, so 42 in each of 2 rounds."),
        ("Two ways. The answer is (53 + 17) and (14 - 10).", None, "Two ways."),
        ("He had some. The answer is (some - 8).", None, "He had some."),
        ("It is many. The answer is 3 hundred.", "300", "It is many."),
        ("Cut off. The answer is ((491 - 21", None, "Cut off."),
    ],
)
def test_equation_answers(completion: str, label: str | None, rationale: str) -> None:
    answer = equation.parse(completion)
    assert answer.label == label
    if rationale:
        assert answer.rationale == rationale


@pytest.mark.parametrize(
    ("completion", "label"),
    [
        ("So the answer is (c) train station.", "train station"),
        (
            "So the answer is (c) train station.\n\nQ: What?\nA: The answer is (a) x.",
            "train station",
        ),
        ("The closest answer is a beach. So the answer is (b) beach.", "beach"),
        ("So the answer is (e) bridge.", "bridge"),
        ("So the answer is (b).", "beach"),
        ("**Answer: C**", "train station"),
        ("Final answer: \\boxed{D}", "bridge"),
        ("The answer is option b.", "beach"),
        ("The answer is the Train Station!", "train station"),
        ("The answer is a beach.", "beach"),
        ("The correct answer is **(d) bridge** because bums live there.", "bridge"),
        ("So the answer is (a) train station.", "train station"),
        ("So the answer is (b) beech.", "beach"),
        ("The answer is (b) beach, not (c) train station.", "beach"),
        ("c", "train station"),
        ("(b) beach", "beach"),
        ("So the answer is either (a) bus depot or (b) beach.", None),
        ("So the answer is (a) bus depot, (b) beach, or (c) train station.", None),
        ("So the answer is beach or bridge.", None),
        ("So the answer is one of these.", None),
        ("So the answer is (z) moon.", None),
        ("A bum would live under a bridge.", None),
        ("", None),
    ],
)
def test_choice_answers(completion: str, label: str | None) -> None:
    assert choice.parse(completion, CHOICES).label == label


def test_a_choice_rationale_ends_before_its_cue() -> None:
    completion = "A bum. Of these, only a bridge fits. So the answer is (d) bridge.\n\nQ: Next"
    assert choice.parse(completion, CHOICES).rationale == "A bum. Of these, only a bridge fits."


def test_labels_are_read_by_name() -> None:
    nli = ["entailment", "neutral", "contradiction"]
    assert labels.parse("It follows. The answer is Entailment.", nli).label == "entailment"
    assert labels.parse("It follows.\nAnswer: neutral, since", nli).label == "neutral"


def test_text_answers_are_a_sentence() -> None:
    assert text.parse("It is in France. The answer is Paris. It is big.").label == "Paris"
    assert text.parse("Paris").label == "Paris"
    assert text.parse("First this. Then that").label is None


@pytest.mark.parametrize(
    ("task", "left", "right", "is_equal"),
    [
        (choice, "Bridge.", " bridge", True),
        (choice, "bridge", "beach", False),
        (equation, "( 84.0 / 2.0 )", "42", True),
        (equation, "1 / 3", "0.3333333333", False),
        (equation, "1 / 0", "1 / 0", False),
        (text, "New  York", "new york", True),
        (choice, None, None, False),
        (equation, None, None, False),
        (text, None, "x", False),
    ],
)
def test_labels_are_equal_by_the_tasks_rule(
    task: object, left: str | None, right: str | None, is_equal: bool
) -> None:
    assert task.is_equal(left, right) is is_equal  # type: ignore[attr-defined]


def test_validity() -> None:
    assert choice.is_valid("Bridge", CHOICES)
    assert not choice.is_valid("moon", CHOICES)
    assert not choice.is_valid(None, CHOICES)
    assert equation.is_valid("1 + 1")
    assert not equation.is_valid("two")
    assert not text.is_valid("  ")


@pytest.mark.parametrize(
    ("rationale", "label"),
    [
        ("He had 84 in 2 rounds. 84 / 2 = 42 points.", "84 / 2"),
        ("He has 7 * 36 pencils. 7 * 36 is 252.", "7 * 36"),
        ("First 3 + 4 = 7, then 7 * 2 = 14.", "7 * 2"),
        ("That is 12/4 = 3 each.", "12 / 4"),
        ("It took 2-3 days, 24/7.", None),
        ("So the answer is (5 - 3), not 5 + 3.", "(5 - 3)"),
        ("Nothing here.", None),
    ],
)
def test_the_last_equation_is_what_a_rationale_supports(rationale: str, label: str | None) -> None:
    assert equation.supported(rationale) == label


@pytest.mark.parametrize(
    ("rationale", "label"),
    [
        ("A beach is sunny. Of the above choices, only bridges are dry.", "bridge"),
        ("It must be sandy: a beach.", "beach"),
        ("A beach or a bridge.", None),
        ("So the answer is (c).", "train station"),
        ("Nothing fits.", None),
        ("He stood on a footbridge.", None),
    ],
)
def test_the_choice_that_is_named_is_what_a_rationale_supports(
    rationale: str, label: str | None
) -> None:
    assert choice.supported(rationale, CHOICES) == label


def test_a_choice_inside_a_longer_choice_is_not_named() -> None:
    assert choice.supported("We saw sea world.", ["sea", "sea world"]) == "sea world"


@given(st.text("ab s", max_size=20), st.lists(st.text("ab es", max_size=4), max_size=5))
def test_choices_are_found_as_by_one_pattern_of_them_all(shown: str, choices: list[str]) -> None:
    forms = sorted(filter(None, map(normalize, choices)), key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w){form}(?:e?s)?(?!\w)" for form in forms)
    named = [found[0] for found in re.finditer(pattern, normalize(shown))] if forms else []
    expected = [next(form for form in forms if one.startswith(form)) for one in named]
    assert [normalize(one) for one in _mentions(shown, choices)] == list(dict.fromkeys(expected))


def test_the_task_of_a_record() -> None:
    assert task_of({"task": "equation", "choices": ["a"]}).name == "equation"
    assert task_of({"choices": ["a"]}).name == "choice"
    assert task_of({"choices": None}).name == "text"
    assert task_of({"task": "equation"}, "text").name == "text"
    with pytest.raises(UsageError, match="choice, labels, equation, text"):
        task_named("regression")


@pytest.mark.parametrize(
    ("name", "task", "gold", "agree", "unreadable"),
    [
        ("svamp.train.jsonl", equation, "label", 596, 30),
        ("cqa.train.jsonl", choice, "answer", 7344, 287),
    ],
)
def test_released_completions_are_read(
    name: str, task: object, gold: str, agree: int, unreadable: int
) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    read = [task.parse(row["completion"], row.get("choices")) for row in rows]  # type: ignore[attr-defined]
    equal = [task.is_equal(a.label, row[gold]) for a, row in zip(read, rows, strict=True)]  # type: ignore[attr-defined]
    assert sum(equal) == agree
    assert sum(answer.label is None for answer in read) == unreadable
    assert all(answer.rationale for answer in read)


def test_an_answer_is_read_by_the_name_of_its_task() -> None:
    text = "She has 3 + 4 apples. The answer is 7."
    assert read_answer(text, "equation") == Answer("7", "She has 3 + 4 apples.", "cue")
    assert read_answer("The answer is (B).", "choice", ["sea", "tree"]).label == "tree"
    assert read_answer("The answer is blue.").label == "blue"
    assert read_answer("I do not know.", "equation").label is None
    with pytest.raises(UsageError, match='no task "number"; tasks: choice, labels'):
        read_answer(text, "number")


@pytest.mark.parametrize(
    ("task", "rationale", "words"),
    [
        ("equation", "First 3 + 4. Then she has ( 3 + 4 ) * 2 left.", "( 3 + 4 ) * 2"),
        ("equation", "She has 6 × 2 = 12. The answer is 12. Good.", "answer is 12."),
        ("equation", "<think>no</think>The answer is 12", "answer is 12"),
        ("equation", "Answer:\n12 eggs. The rest is gone.", "Answer:\n12 eggs."),
        ("equation", "So:\n#### 12", "#### 12"),
        ("choice", "A tree is dry. All of them swim in seas.", "seas"),
        ("choice", "The Sea  World is wet. It is fun.", "Sea  World"),
        ("choice", "It swims. So the answer is (A) sea.", "answer is (A) sea."),
        ("labels", "Nothing is said of it. The answer is tree.", "answer is tree."),
        ("text", "He was in Rome. The answer is Rome, I think. Bye.", "answer is Rome, I think."),
    ],
)
def test_the_words_that_decide_are_found(task: str, rationale: str, words: str) -> None:
    found = task_named(task).find_support(rationale, ["sea", "tree", "sea world"])
    assert found is not None
    assert found.place is not None
    begin, end = found.place
    assert rationale[begin:end] == words
    assert found.label == task_named(task).supported(rationale, ["sea", "tree", "sea world"])


def test_words_that_reading_has_changed_have_no_place() -> None:
    found = task_named("equation").find_support("The ans\u200bwer is 12.")
    assert found is not None
    assert (found.label, found.place) == ("12", None)
