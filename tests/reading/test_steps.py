"""The steps before a label is read: what is thought, where an answer ends, what its reasons are."""

from __future__ import annotations

import tracemalloc

import pytest

from mitools import expressions
from mitools.reading import How, characters, clean, headers_in
from mitools.tasks import own_part, task_named

CHOICE, LABELS, EQUATION, TEXT = map(task_named, ("choice", "labels", "equation", "text"))
ANALYSIS = "<|channel|>analysis<|message|>6 * 7"
FINAL = "<|channel|>final<|message|>"
NLI = ["entailment", "neutral", "contradiction"]


@pytest.mark.parametrize(
    ("text", "said", "thoughts"),
    [
        ("No thoughts.", "No thoughts.", ""),
        ("<think>6 * 7</think>42", "42", "6 * 7"),
        ("<THINK>\n6 * 7\n</THINK>\n\n42", "42", "6 * 7"),
        ("<thinking>6 * 7</thinking>42", "42", "6 * 7"),
        ("<reasoning>6 * 7</reasoning>42", "42", "6 * 7"),
        ("[THINK]6 * 7[/THINK]42", "42", "6 * 7"),
        ("<|begin_of_thought|>6 * 7<|end_of_thought|>42", "42", "6 * 7"),
        ("\u25c1think\u25b76 * 7\u25c1/think\u25b742", "42", "6 * 7"),
        ("6 * 7</think>42", "42", "6 * 7"),
        ("<think>6 * 7", "", "6 * 7"),
        ("<think>6<think>*</think>7</think>42", "42", "6\n*\n7"),
        ("<think>6</think>so <think>7</think>42", "so 42", "6\n7"),
        ("Well. <think>6 * 7</think>42", "Well. 42", "6 * 7"),
        (f"{ANALYSIS}<|end|><|start|>assistant{FINAL}42<|return|>", "42", "6 * 7"),
        (ANALYSIS, "", "6 * 7"),
        ("<|channel|>commentary to=x<|message|>6<|end|><|channel|>final<|message|>42", "42", "6"),
        ("analysisWe need 6 * 7.assistantfinal42", "42", "We need 6 * 7."),
        ("42<|im_end|>", "42", ""),
        ("42</s><s>more", "42", ""),
        ("42<|eot_id|><|start_header_id|>user<|end_header_id|>5?", "42", ""),
        ("42<end_of_turn>", "42", ""),
        ("42<\uff5cend\u2581of\u2581sentence\uff5c>", "42", ""),
        ("<s>[INST]42", "42", ""),
        ("<|im_start|>assistant\n42", "42", ""),
        ("\ufeff4\u200b2", "42", ""),
        ("5 < 7 and 9 > 3", "5 < 7 and 9 > 3", ""),
        ("a <b> tag", "a <b> tag", ""),
    ],
)  # fmt: skip
def test_thoughts_and_tokens_are_taken_off(text: str, said: str, thoughts: str) -> None:
    found = clean(text)
    assert (found.text, found.thoughts) == (said, thoughts)


def test_a_thought_alone_answers_nothing() -> None:
    assert EQUATION.parse("<think>The answer is 42.</think>").label is None
    assert EQUATION.parse("<think>The answer is 42.").label is None


def test_thoughts_are_the_rationale_of_an_answer_without_reasons() -> None:
    answer = EQUATION.parse("<think>6 * 7 is 42.</think>\\boxed{42}")
    assert (answer.label, answer.rationale) == ("42", "6 * 7 is 42.")


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
    ("completion", "label"),
    [
        ("The answer is Lima.", "Lima"),
        ("It is in Peru. The answer is **Lima**.", "Lima"),
        ("The answer is Dr. Smith.", "Dr. Smith"),
        ("The answer is J. R. R. Tolkien. He wrote it.", "J. R. R. Tolkien"),
        ('The answer is "A Hard Day".', "A Hard Day"),
        ("The answer is g{y}.", "g{y}"),
        ("The answer is 3 June 1999.", "3 June 1999"),
        ("The answer is simple: Lima.", "Lima"),
        ("Answer: Lima", "Lima"),
        ("Lima", "Lima"),
        ("Antwort: Lima", "Lima"),
        ("The answer is Lima. This answer is correct.", "Lima"),
        ("The answer is not Lima.", None),
        ("It is a city. It is large.", None),
    ],
)
def test_texts_are_read_as_they_stand(completion: str, label: str | None) -> None:
    assert TEXT.parse(completion).label == label


def test_the_own_part_has_no_thoughts_and_no_next_question() -> None:
    assert own_part("<think>x</think>So 5.\n\nQ: Next?") == "So 5."


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
