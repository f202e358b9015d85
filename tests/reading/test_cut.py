"""A completion ends where it goes on to invent another example."""

from __future__ import annotations

import pytest

from mitools.reading import How, template_headers
from mitools.tasks import own_part, task_named

LABELS, EQUATION = map(task_named, ("labels", "equation"))
NLI = ["entailment", "neutral", "contradiction"]
PREMISE = "Premise: Ann sold 12 hats.\nHypothesis: Ann sold hats.\nLabel:"
INVENTED = "Premise: Bob sings.\nHypothesis: Bob sleeps.\nSo the answer is contradiction."


@pytest.mark.parametrize(
    ("completion", "asked", "kept"),
    [
        ("So 5.\n\nQ: Next?\nA: 6", "", "So 5."),
        ("So 5.\nQuestion", "", "So 5."),
        ("So 5.\n### Question 2\nMore", "", "So 5."),
        ("So 5.\n**Question:** More", "", "So 5."),
        ("The answer is 5.\n\nUser: And 6?", "", "The answer is 5."),
        ("The answer is 5.\n\nHuman: And 6?", "", "The answer is 5."),
        ("The answer is 5.\n\nExample 2:\nBob has 6.", "", "The answer is 5."),
        ("The answer is 5.\n\nProblem: Bob has 6.", "", "The answer is 5."),
        ("The answer is 5.\n\nInput: Bob has 6.", "", "The answer is 5."),
        ("The answer is 5. Q: Bob has 6?", "", "The answer is 5."),
        (f"The answer is neutral.\n\n{INVENTED}", "", "The answer is neutral."),
        (f"It is told.\n\n{INVENTED}", PREMISE, "It is told."),
        (f"Neutral\n\n{INVENTED}", "", "Neutral"),
        ("The answer is 5.\nStory: Bob has 6.", "Story: Ann has 5.", "The answer is 5."),
        ("The answer is 5.\nTale: Bob has 6.", "Tale: Ann has 5.", "The answer is 5."),
        ("The answer is 5.\nTale: Bob has 6.", "", "The answer is 5.\nTale: Bob has 6."),
        ("The answer is 5.\nNote: it is odd.", "", "The answer is 5.\nNote: it is odd."),
        ("A: 2 + 3 = 5. The answer is 5.", "", "2 + 3 = 5. The answer is 5."),
    ],
)
def test_an_answer_ends_where_another_example_begins(
    completion: str, asked: str, kept: str
) -> None:
    from mitools.reading import own_text

    assert own_text(completion, How(asked=asked)) == kept


def test_a_repeated_question_does_not_end_its_answer() -> None:
    completion = (
        "Let me see.\n\nPremise: Ann sold 12 hats.\nHypothesis: Ann sold hats.\n\n"
        f"So the answer is entailment.\n\n{INVENTED}"
    )
    answer = LABELS.parse(completion, NLI, How(asked=PREMISE))
    assert answer.label == "entailment"
    assert "Bob" not in answer.rationale


@pytest.mark.parametrize(
    ("reasons", "label"),
    [
        (
            "There are 2 sorts.\n\n**Case 1:** it is red: 1 way.\n**Case 2:** it is blue: 3 ways.",
            "4",
        ),
        ("It may look odd.\nExample 1: 1 + 3 = 4, which is even.\nExample 2: 3 + 5 = 8.", "4"),
        ("Bo counts hats.\nProblem: two hats are lost.", "4"),
        ("Bo counts hats.\n\n**Claim:** two hats are lost.\n\nContext: he had six.", "4"),
        ("Bo counts hats.\nUser: wants the number of hats.", "4"),
    ],
)
@pytest.mark.parametrize("asked", ["How many hats has Bo left?", ""])
def test_a_header_inside_the_reasons_does_not_end_them(
    reasons: str, label: str, asked: str
) -> None:
    answer = EQUATION.parse(f"{reasons}\nThe answer is {label}.", None, How(asked=asked))
    assert (answer.label, answer.read_by) == (label, "cue")
    assert answer.rationale == reasons


@pytest.mark.parametrize(
    "invented",
    [
        "Problem: Bob sings.\nSo the answer is contradiction.",
        "Example 1: Bob sings.\nSo the answer is contradiction.",
        "User: Bob sings?\nAssistant: The answer is contradiction.",
        "Example 4: Bob sings.\nSo the answer is contradiction.",
    ],
)
def test_an_answer_on_a_line_ends_before_the_next_example(invented: str) -> None:
    for asked in ("Ann sold 12 hats. Did she sell hats?", ""):
        answer = LABELS.parse(f"Neutral\n\n{invented}", NLI, How(asked=asked))
        assert answer.label == "neutral"


@pytest.mark.parametrize(
    "invented",
    [
        "Example 4: Bob sings.\nSo the answer is contradiction.",
        "Problem: Bob sings.\n\nQ: Does he?\nA: The answer is contradiction.",
        "User: Bob sings?\nAssistant: The answer is contradiction.",
        "Problem: Bob sings, a contradiction.",
    ],
)
def test_the_answer_to_an_invented_example_is_not_read(invented: str) -> None:
    how = How(asked="Ann sold 12 hats. Did she sell hats?")
    assert LABELS.parse(f"Nobody can tell from this text.\n\n{invented}", NLI, how).label is None


def test_a_numbered_header_in_the_input_names_no_example() -> None:
    how = How(asked="Question 1: Ann has 5 hats. How many?\nTale: Ann")
    assert EQUATION.parse("The answer is 5.\nTale: Bob has 6.", None, how).label == "5"


def test_the_headers_of_a_template_begin_an_example() -> None:
    names = template_headers("Tale: {{ input }}\n\nAnswer:\nReasoning: x\n12:30 it was")
    assert names == {"tale"}
    completion = "The answer is 5.\nTale: Bob has 6. The answer is 6."
    assert EQUATION.parse(completion, None, How(names=names)).label == "5"


def test_the_form_of_the_answer_in_a_template_begins_no_example() -> None:
    template = (
        "Speech:\n{{ record.speech }}\n"
        'Tone: one of {{ choices | join(", ") }}\nKey fact: what decides'
    )
    names = template_headers(template)
    assert names == {"speech"}
    how = How(asked="Ann sold hats.", names=names)
    completion = "Nothing is told.\nKey fact: Ann sold hats.\nAnswer: neutral"
    assert LABELS.parse(completion, NLI, how).label == "neutral"


def test_the_own_part_has_no_thoughts_and_no_next_question() -> None:
    assert own_part("<think>x</think>So 5.\n\nQ: Next?") == "So 5."


@pytest.mark.parametrize(
    ("task", "choices", "asked", "completion", "label"),
    [
        (
            "labels",
            NLI,
            "Premise: Ann sold 12 hats.\nHypothesis: Ann sold hats.",
            "Answer: entailment\n\nPremise: Ann sold 12 hats.\nHypothesis: Ann sold no hats.\n"
            "Answer: contradiction",
            "entailment",
        ),
        (
            "choice",
            ["lake", "desk"],
            "Q: Where would an otter live?",
            "(a) lake\n\nQ: Where would a pen lie?\nAnswer: (b) desk",
            "lake",
        ),
        (
            "equation",
            None,
            "Ann has 5 hats and buys 3. How many hats does Ann have?",
            "Answer: 8\n\nQuestion: Ann has 6 hats and buys 3. How many hats does Ann have?\n"
            "Answer: 9",
            "8",
        ),
        (
            "labels",
            NLI,
            "Premise: Ann sold 12 hats.\nHypothesis: Ann sold hats.",
            "Neutral\n\nPremise: Ann sold 12 hats.\nHypothesis: Ann sold hats.\nTwelve hats are "
            "hats.\nFinal answer: entailment",
            "entailment",
        ),
    ],
    ids=["label", "choice", "number", "the-same-question"],
)
def test_an_example_that_resembles_the_question_ends_an_answer_of_one_line(
    task: str, choices: list[str] | None, asked: str, completion: str, label: str
) -> None:
    assert task_named(task).parse(completion, choices, How(asked=asked)).label == label


def test_what_repeats_the_question_in_part_stays_where_no_other_answer_follows() -> None:
    completion = "Entailment\n\nHypothesis: Ann sold hats. This is told of, as 12 hats are hats."
    answer = LABELS.parse(completion, NLI, How(asked=PREMISE))
    assert answer.label == "entailment"
    assert "told of" in answer.rationale
