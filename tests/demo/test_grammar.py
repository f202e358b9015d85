from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict

import pytest

from mitools.demo import KINDS, problems, solve
from mitools.errors import TeacherError
from mitools.expressions import parse_expression
from mitools.records import Record
from mitools.schema import SPLITS, validate
from mitools.tasks import task_named

EQUATION = task_named("equation")


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [record for seed in (0, 1) for record in problems(3000, seed)]


def by_split(records: list[Record], pattern: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        found[record["split"]].update(re.findall(pattern, record["input"]))
    return found


def test_no_name_is_in_two_parts(records: list[Record]) -> None:
    names = by_split(records, r"\b(?!How\b|There\b)[A-Z]\w+")
    assert min(map(len, names.values())) >= 20
    for one, other in itertools.combinations(SPLITS, 2):
        assert not names[one] & names[other]


def test_no_number_above_nine_is_in_two_parts(records: list[Record]) -> None:
    numbers = by_split(records, r"\b\d{2,}\b")
    assert min(map(len, numbers.values())) >= 30
    for one, other in itertools.combinations(SPLITS, 2):
        assert not numbers[one] & numbers[other]


def test_every_problem_holds_a_number_above_nine_and_none_above_399(records: list[Record]) -> None:
    for record in records:
        numbers = [int(number) for number in re.findall(r"\d+", record["input"])]
        assert 9 < max(numbers) < 400
        assert min(numbers) > 1


def test_training_shows_every_digit_at_every_place(records: list[Record]) -> None:
    numbers = by_split(records, r"\b\d{2,}\b")["train"]
    for length, firsts in ((2, "123456789"), (3, "123")):
        digits = list(zip(*(number for number in numbers if len(number) == length), strict=True))
        assert set(digits[0]) == set(firsts)
        assert all(set(place) == set("0123456789") for place in digits[1:])


def test_every_kind_of_problem_is_in_every_part(records: list[Record]) -> None:
    for split in SPLITS:
        assert {r["type"] for r in records if r["split"] == split} == set(KINDS)


def test_one_record_in_twenty_is_held_out_for_each_of_valid_and_test() -> None:
    sizes = Counter(record["split"] for record in problems(400, 0))
    assert sizes == {"train": 360, "valid": 20, "test": 20}


def test_twenty_records_have_all_parts() -> None:
    assert {record["split"] for record in problems(20, 5)} == set(SPLITS)


def test_records_are_valid_and_have_ids_of_their_own(records: list[Record]) -> None:
    for record in records:
        validate(record)
        assert record["task"] == "equation"
    assert len({record["id"] for record in records}) == len(records)


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    assert list(problems(7, 3)) == list(problems(50, 3))[:7]


def test_another_seed_makes_other_problems() -> None:
    one, other = ([r["input"] for r in problems(50, seed)] for seed in (0, 1))
    assert not set(one) & set(other)


def test_a_number_of_records_that_is_not_positive_makes_none() -> None:
    assert not list(problems(0, 0))
    assert not list(problems(-3, 0))


def test_labels_come_to_a_positive_whole_number(records: list[Record]) -> None:
    for record in records:
        found = parse_expression(record["label"])
        assert found
        assert found.value > 0
        assert found.value.denominator == 1


def test_a_teacher_without_errors_finds_every_label(records: list[Record]) -> None:
    for record in records:
        answer = EQUATION.parse(solve(record["input"], 0, 0.0))
        assert EQUATION.is_equal(answer.label, record["label"]), record


def test_a_teacher_that_always_errs_never_finds_the_label(records: list[Record]) -> None:
    for record in records:
        answer = EQUATION.parse(solve(record["input"], 0, 1.0))
        assert answer.label is not None
        assert not EQUATION.is_equal(answer.label, record["label"]), record


def test_a_mistake_is_the_operation_and_not_the_numbers(records: list[Record]) -> None:
    for record in records:
        label = EQUATION.parse(solve(record["input"], 0, 1.0)).label or ""
        assert sorted(re.findall(r"\d+", label)) == sorted(re.findall(r"\d+", record["label"]))


def test_the_teacher_errs_at_the_stated_rate(records: list[Record]) -> None:
    wrong = sum(
        not EQUATION.is_equal(EQUATION.parse(solve(r["input"], 0, 0.1)).label, r["label"])
        for r in records
    )
    # Six standard deviations of a binomial with 6,000 draws are 139.
    assert abs(wrong - 0.1 * len(records)) < 139


def test_a_higher_error_rate_adds_mistakes_and_mends_none(records: list[Record]) -> None:
    for record in records[:500]:
        right, rare, often = (solve(record["input"], 0, rate) for rate in (0.0, 0.1, 0.5))
        if rare != right:
            assert often == rare


def test_an_answer_depends_on_text_and_seed_alone(records: list[Record]) -> None:
    texts = [record["input"] for record in records[:500]]
    first = [solve(text, 0, 0.3) for text in texts]
    assert first == [solve(text, 0, 0.3) for text in reversed(texts)][::-1]
    assert first != [solve(text, 1, 0.3) for text in texts]


def test_a_rationale_argues_for_its_answer_whether_right_or_wrong(records: list[Record]) -> None:
    for record, rate in itertools.product(records[:1000], (0.0, 1.0)):
        answer = EQUATION.parse(solve(record["input"], 0, rate))
        assert EQUATION.is_equal(EQUATION.supported(answer.rationale), answer.label)
        assert "answer" not in answer.rationale


def test_a_rationale_names_the_one_asked_about_and_every_number(records: list[Record]) -> None:
    for record in records[:1000]:
        rationale = EQUATION.parse(solve(record["input"], 0, 0.0)).rationale
        asked = re.search(r"\b(?!How\b|There\b)[A-Z]\w+", record["input"])
        assert asked
        assert asked[0] in rationale
        for number in re.findall(r"\d+", record["input"]):
            assert len(re.findall(rf"\b{number}\b", rationale)) >= 2  # in the reason and the step


def test_a_completion_reads_like_a_published_one() -> None:
    text = (
        "Luke has 12 marbles. Ann gives Luke 7 more marbles. How many marbles does Luke have now?"
    )
    expected = (
        "Luke has 12 marbles and gets 7 more, which makes ( 12 + 7 ). The answer is (12 + 7)."
    )
    assert solve(text, 0, 0.0) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How many apples are there?",
        "Ada shares 40 shells equally among 0 friends. How many shells does each friend get?",
        "Ada collects 12 shells every day. How many beads does Ada collect in 3 days?",
    ],
)
def test_a_text_of_another_kind_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(TeacherError, match='name another teacher with "-m MODEL"'):
        solve(text, 0, 0.0)
