"""What holds for every label and every text: stated labels are read back, in linear time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.annotate.leak import says_it_was_told
from mitools.expressions import find_expressions
from mitools.reading import RANKS, How, clean, own_text
from mitools.tasks import normalize, task_named

CHOICE, LABELS, EQUATION, TEXT = map(task_named, ("choice", "labels", "equation", "text"))

AWKWARD = [
    "not entailment",
    "NOT ENOUGH INFO",
    "no",
    "none of the above",
    "neither",
    "both A and B",
    "A or B",
    "5 or 7",
    "5-7",
    "-3",
    ".5",
    "1,000",
    "a",
    "I",
    "B",
    "(c) sea",
    "the answer is unclear",
    "if it rains",
    "J. K. Rowling",
    "Dr. Smith",
    "f{x}",
    "**bold**",
    "$5",
    "Q: what?",
    "one\nQ: two",
    "<think>",
    "a </think> b",
    "</s>",
    "\u200bx",
    "\u00bd",
    "?",
    "isn't it",
    "wrong",
    "x: y",
]


@pytest.mark.parametrize("label", AWKWARD)
@pytest.mark.parametrize("task", [CHOICE, LABELS], ids=["choice", "labels"])
@pytest.mark.parametrize("reasons", ["", "It follows from the text. "])
def test_an_awkward_label_is_read_back(task: object, label: str, reasons: str) -> None:
    choices = ["red", label, "blue"]
    sentence = task.state(label, choices)  # type: ignore[attr-defined]
    assert task.parse(f"{reasons}{sentence}", choices).label == label  # type: ignore[attr-defined]


NAMES = st.lists(
    st.text(max_size=20).filter(lambda name: bool(normalize(name))),
    min_size=1,
    max_size=6,
    unique_by=normalize,
)


@given(NAMES, st.data())
def test_every_choice_is_read_back(choices: list[str], data: st.DataObject) -> None:
    label = data.draw(st.sampled_from(choices))
    for task in (CHOICE, LABELS):
        read = task.parse(task.state(label, choices), choices).label
        assert task.is_equal(read, label)


@given(st.text(alphabet="0123456789.,+-*/()%$ ", max_size=40))
def test_every_expression_is_read_back(label: str) -> None:
    if EQUATION.is_valid(label):
        assert EQUATION.is_equal(EQUATION.parse(EQUATION.state(label)).label, label)


@given(st.fractions(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_every_number_is_read_back(fraction: object, whole: int, decimal: object) -> None:
    for number in (str(fraction), str(whole), str(decimal)):
        if EQUATION.is_valid(number):
            assert EQUATION.is_equal(EQUATION.parse(EQUATION.state(number)).label, number)


@given(st.from_regex(r"[A-Z][a-z]{1,8}( [A-Za-z0-9][a-z0-9]{0,8}){0,4}", fullmatch=True))
def test_every_short_text_is_read_back(label: str) -> None:
    if normalize(label).split()[0] not in ("not", "cannot"):
        assert TEXT.is_equal(TEXT.parse(TEXT.state(label)).label, label)


@given(st.text(alphabet=st.sampled_from("<>/thinkQA:\n#*()1234 .-=\\{}[]answer is"), max_size=120))
def test_a_stricter_reading_reads_the_same_or_nothing(text: str) -> None:
    for task, choices in ((CHOICE, ["1", "2"]), (EQUATION, None), (TEXT, None)):
        loose = task.parse(text, choices)
        assert (loose.label is None) == (loose.read_by is None)
        for rank in RANKS:
            strict = task.parse(text, choices, How(loosest=rank))
            assert strict.label in (None, loose.label)
            if strict.read_by is not None:
                assert RANKS.index(strict.read_by) <= RANKS.index(rank)


FRAGMENTS = [
    "the answer is", "Answer:", "\\boxed{", "}", "{", "####", "\n", ". ", ", ", "(A)", "B", "(",
    ")", "[", "]", "1", "2.5", "1,000", "-", "\u2013", "\u2014", "+", "*", "/", "=", "^", "%",
    "$", "\xbd", "\xb2", "\u0663", "\u4e07", "\u4e09", "\\frac{1}{2}", "\\frac", "\\text{x}",
    "<think>", "</think>", "<answer>", '{"answer": ', '"x"', "```", "**", "_", "~", "\xb1",
    "not ", "or ", "and ", "but ", "either ", "one ", "half ", "a ", "dozen", "million", "thirds",
    "squared", "plus", "out of", "per cent", "km", "m^2", "USD", "5-7", "3:45", "Q:", "Premise:",
    "red", "not entailment", "if ", "because ", "\u200b", "\u7b54\u6848\uff1a", "\u3067\u3059",
    "<", "channel", ">", "<<", ">>", "#", "\\", "\\(",
]  # fmt: skip


@given(st.lists(st.sampled_from([*FRAGMENTS, " "]), max_size=30).map("".join))
def test_no_mix_of_notations_breaks_a_reader(text: str) -> None:
    for task, choices in (
        (CHOICE, ["red", "12"]),
        (LABELS, ["no"]),
        (EQUATION, None),
        (TEXT, None),
    ):
        label = task.parse(text, choices, How(asked="Premise: x")).label
        assert label is None or task.is_valid(label, choices)
        task.supported(text, choices)


@given(st.text())
def test_what_was_cleaned_stays_clean(text: str) -> None:
    once = clean(text).text
    assert clean(once).text == once


HOSTILE = {
    "line breaks": "\n",
    "spaces": " ",
    "dashes": "-",
    "spaced dashes": "- ",
    "parentheses": "(",
    "braces": "{",
    "thoughts": "<think>",
    "ends of thoughts": "</think>",
    "digits": "1",
    "groups": ",234",
    "commas": ",",
    "backslashes": "\\",
    "boxes": "\\boxed{",
    "fractions": "\\frac{",
    "stars": "*",
    "cues": "the answer is ",
    "headers": "premise:\n",
    "questions": "q: x\n",
    "objects": '{"a":',
    "tags": "<answer>",
    "sums": "1 + ",
    "powers": "2^",
    "number words": "hundred ",
    "adjectives": "given ",
    "fences": "```\n",
}
READERS: dict[str, Callable[[str], object]] = {
    "choice": lambda text: CHOICE.parse(text, ["red", "blue"]),
    "equation": EQUATION.parse,
    "text": TEXT.parse,
    "supported": EQUATION.supported,
    "own part": own_text,
    "expressions": lambda text: list(find_expressions(text)),
    "told": says_it_was_told,
}


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_time_grows_with_the_length_and_no_faster(piece: str) -> None:
    for read in READERS.values():
        for before, behind in (("", ""), ("So.\n", "\nThe answer is 5.")):
            whole = HOSTILE[piece] * (50_000 // len(HOSTILE[piece]))
            started = time.process_time()
            read(f"{before}{whole}{behind}")
            # Some 20 ms; with a quadratic step it was 10 to 20 seconds.
            assert time.process_time() - started < 1.0
