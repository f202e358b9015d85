"""Thoughts and chat tokens are separated from the text of a completion."""

from __future__ import annotations

import pytest

from mitools.reading import clean
from mitools.tasks import task_named

EQUATION = task_named("equation")
ANALYSIS = "<|channel|>analysis<|message|>6 * 7"
FINAL = "<|channel|>final<|message|>"


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
