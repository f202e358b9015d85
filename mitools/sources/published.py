"""Presets: the mapping of fields of well-known data sets.

Each preset fits the published files (JSON Lines, CSV or Parquet, from the Hub or from the authors),
so loading them takes one option. Nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitools.sources.label_forms import LabelForm

__all__ = ["CHAT", "PRESETS", "Preset", "preset_for"]


@dataclass(frozen=True)
class Preset:
    """The mapping of one data set.

    Attributes:
        title: its name in messages.
        columns: the fields that identify it.
        fields: specifications, as in ``--map``.
        labels: its label set, if it is the same for every example.
        task: how its labels are compared; None depends on the choices.
        label_likely: form of its labels if its rows fit several.
        sign: a field and a text in it that tell it from data sets with the same fields.
        is_chat: whether its rows are those of a chat log (:mod:`mitools.sources.chat`).
    """

    title: str
    columns: tuple[str, ...]
    fields: Mapping[str, str]
    labels: tuple[str, ...] = ()
    task: str | None = None
    label_likely: LabelForm | None = None
    sign: tuple[str, str] | None = None
    is_chat: bool = False

    def fits(self, values: Mapping[str, Any]) -> bool:
        """Tell whether a row looks like one of this data set."""
        if not all(name in values for name in self.columns):
            return False
        return self.sign is None or self.sign[1] in str(values[self.sign[0]])


def _quiz(question: str, choices: str) -> str:
    """Make the template of a question followed by its choices."""
    return f"{{{{ {question} }}}}\nAnswer Choices:\n{{{{ {choices} | lettered }}}}"


CHAT = "chat"
"""The preset of chat logs and reasoning traces."""

_NLI = ("entailment", "neutral", "contradiction")
_PAIR = "Premise: {{ %s }}\nHypothesis: {{ %s }}"

PRESETS: Mapping[str, Preset] = {
    "anli": Preset(
        "ANLI",
        ("uid", "premise", "hypothesis", "label", "reason"),
        {"id": "uid", "input": _PAIR % ("premise", "hypothesis"), "rationale": "reason"},
        labels=_NLI,
        label_likely="index0",
    ),
    "aqua": Preset(
        "AQuA-RAT",
        ("question", "options", "correct"),
        {"input": _quiz("question", "options"), "choices": "options", "label": "correct"},
        label_likely="key",
    ),
    "arc": Preset(
        "ARC",
        ("question", "choices", "answerKey"),
        {"input": _quiz("question", "choices"), "label": "answerKey"},
        label_likely="key",
    ),
    "arc-original": Preset(
        "ARC, OpenBookQA and CommonsenseQA as their authors publish them",
        ("question", "answerKey"),
        {
            "input": _quiz("question.stem", "question.choices"),
            "choices": "question.choices",
            "label": "answerKey",
        },
        label_likely="key",
        sign=("question", "'stem'"),
    ),
    "boolq": Preset(
        "BoolQ",
        ("question", "passage", "answer"),
        {"input": "{{ passage }}\n{{ question }}", "label": "answer"},
        labels=("yes", "no"),
    ),
    CHAT: Preset("a chat log", ("messages",), {}, is_chat=True),
    "csqa": Preset(
        "CommonsenseQA",
        ("question", "question_concept", "choices", "answerKey"),
        {"input": _quiz("question", "choices"), "label": "answerKey"},
        label_likely="key",
    ),
    "esnli": Preset(
        "e-SNLI",
        ("premise", "hypothesis", "label", "explanation_1"),
        {"input": _PAIR % ("premise", "hypothesis"), "rationale": "explanation_1"},
        labels=_NLI,
        label_likely="index0",
    ),
    "esnli-original": Preset(
        "e-SNLI as its authors publish it",
        ("gold_label", "Sentence1", "Sentence2", "Explanation_1"),
        {
            "id": "pairID",
            "input": _PAIR % ("Sentence1", "Sentence2"),
            "label": "gold_label",
            "rationale": "Explanation_1",
        },
        labels=_NLI,
        label_likely="text",
    ),
    "gsm8k": Preset(
        "GSM8K",
        ("question", "answer"),
        {
            "input": "question",
            "label": "{{ answer | after('####') }}",
            "rationale": "{{ answer | before('####') }}",
        },
        task="equation",
        sign=("answer", "####"),
    ),
    "hellaswag": Preset(
        "HellaSwag",
        ("ctx", "endings", "label"),
        {"input": _quiz("ctx", "endings"), "choices": "endings"},
        label_likely="index0",
    ),
    "mmlu": Preset(
        "MMLU",
        ("question", "subject", "choices", "answer"),
        {"input": _quiz("question", "choices"), "label": "answer"},
        label_likely="index0",
    ),
    "openbookqa": Preset(
        "OpenBookQA",
        ("question_stem", "choices", "answerKey"),
        {"input": _quiz("question_stem", "choices"), "label": "answerKey"},
        label_likely="key",
    ),
    "piqa": Preset(
        "PIQA",
        ("goal", "sol1", "sol2"),
        {"input": _quiz("goal", "[sol1, sol2]"), "choices": "sol1,sol2"},
        label_likely="index0",
    ),
    "race": Preset(
        "RACE",
        ("article", "question", "options", "answer"),
        {
            "input": "{{ article }}\n" + _quiz("question", "options"),
            "choices": "options",
            "label": "answer",
        },
        label_likely="letter",
    ),
    "siqa": Preset(
        "SocialIQA",
        ("context", "question", "answerA", "answerB", "answerC"),
        {
            "input": "{{ context }}\n" + _quiz("question", "[answerA, answerB, answerC]"),
            "choices": "answerA,answerB,answerC",
        },
        label_likely="index1",
    ),
    "winogrande": Preset(
        "WinoGrande",
        ("sentence", "option1", "option2", "answer"),
        {
            "input": _quiz("sentence", "[option1, option2]"),
            "choices": "option1,option2",
            "label": "answer",
        },
        label_likely="index1",
    ),
}
"""The presets by name; a row matches the first preset with the most columns."""


def preset_for(values: Mapping[str, Any]) -> str | None:
    """Find the preset that matches a row; None if none does."""
    fitting = [name for name, preset in PRESETS.items() if preset.fits(values)]
    return max(fitting, key=lambda name: len(PRESETS[name].columns), default=None)
