"""A completion ends where it goes on to invent another example."""

from __future__ import annotations

import pytest

from mitools.reading import How, headers_in
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


def test_the_headers_of_a_template_begin_an_example() -> None:
    names = headers_in("Tale: {{ input }}\n\nAnswer:\nReasoning: x\n12:30 it was")
    assert names == {"tale"}
    completion = "The answer is 5.\nTale: Bob has 6. The answer is 6."
    assert EQUATION.parse(completion, None, How(names=names)).label == "5"


def test_the_own_part_has_no_thoughts_and_no_next_question() -> None:
    assert own_part("<think>x</think>So 5.\n\nQ: Next?") == "So 5."
