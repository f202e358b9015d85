"""Training targets of one record: its label and rationale, and alternatives to them.

A pure function of a record and the options, before tokenization.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitools.gold import label_to_learn, teacher_answer
from mitools.records import Record, student_text
from mitools.train.options import TrainOptions
from mitools.train.soft_labels import Shares, soft_label

__all__ = ["BLANK", "Example", "example_of", "learned_teacher"]

BLANK = " "
"""The rationale of a reply that gave none, where such a reply is trained on."""


@dataclass(frozen=True)
class Example:
    """Training targets of one record; None or empty where it has none.

    Attributes:
        label_weight: loss weight of its label, 0 to 1.
        rationale_weight: loss weight of its rationale, also in the MI term.
        soft_label: labels with their shares; empty where the label itself is learned.
        rationales: rationales to choose from, without duplicates; empty where there is no choice.
        wrong: rationales of answers that missed gold.
    """

    input: str
    label: str | None
    rationale: str | None
    label_weight: float = 1.0
    rationale_weight: float = 1.0
    soft_label: Shares = ()
    rationales: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def is_used(self) -> bool:
        """Whether there is anything to learn."""
        return bool(self.label or self.rationale)


def example_of(record: Record, options: TrainOptions) -> Example:
    """Choose the training targets of a record.

    By default the label is gold where known, else the teacher's; the rationale is the teacher's
    where it gave one, else the human one. A text of white space counts as missing. Where a
    teacher was asked and gave no rationale, ``unreadable_rationales`` can make it :data:`BLANK`,
    as in data_utils.py, lines 261 and 279, of https://github.com/xinchen9/cot_distillation_ACL2024.

    Where the teacher's label is wrong, its rationale supports a wrong answer and has the weight
    ``agreement_weight``, and so has its label where that is the target. With ``rationales`` other
    than ``one``, the samples that support a wrong answer are left out if there is another one,
    which has full weight; they can serve as negatives.

    An answer that a student gave in the teacher's place is left out, unless ``student_answers`` is
    ``use``.
    """
    teacher = learned_teacher(record, options)
    by_student = options.student_answers == "use"
    whose_label, label = label_to_learn(record, options.labels_from, by_student=by_student)
    soft: Shares = ()
    if options.soft_labels:
        temperature, share = options.soft_temperature, options.soft_weight
        soft = soft_label(teacher, label, temperature=temperature, weight=share)
    weight = options.agreement_weight if teacher.get("agrees") is False else 1.0
    is_from_teacher = whose_label == "teacher" or bool(soft)
    example = Example(
        student_text(record),
        label if label is not None or not soft else soft[0][0],
        None,
        label_weight=weight if is_from_teacher else 1.0,
        soft_label=soft,
    )
    if not options.needs_rationales:
        return example
    rationales = {"teacher": teacher.get("rationale"), "human": record.get("rationale")}
    whose, rationale = _choose(rationales, options.rationales_from)
    if rationale is None and _wants_blank(teacher, options):
        return _with(example, rationale=BLANK)
    if whose != "teacher" or rationale is None:
        return _with(example, rationale=rationale)
    choices: tuple[str, ...] = (rationale,)
    if options.rationales != "one" and (fit := _fitting(teacher)):
        # Where the chosen answer is wrong but another sample is right, only the latter is used.
        misses = teacher.get("agrees") is False
        choices = tuple(dict.fromkeys(fit if misses else [rationale, *fit]))
        weight = 1.0
    return _with(
        example,
        rationale=choices[0],
        rationale_weight=weight,
        rationales=choices if len(choices) > 1 else (),
        wrong=_wrong(teacher) if options.wrong_rationales else (),
    )


def learned_teacher(record: Record, options: TrainOptions) -> Mapping[str, Any]:
    """Return the teacher's answer that may be learned; empty where there is none."""
    if options.student_answers == "use":
        return record.get("teacher") or {}
    return teacher_answer(record)


def _wants_blank(teacher: Mapping[str, Any], options: TrainOptions) -> bool:
    """Return whether to train an empty rationale, as the teacher's is missing."""
    is_teachers = options.rationales_from != "human" and bool(teacher)
    return is_teachers and options.unreadable_rationales == "blank"


def _with(example: Example, **changes: Any) -> Example:
    return Example(**{**vars(example), **changes})


def _choose(found: Mapping[str, str | None], wanted: str) -> tuple[str, str | None]:
    order = list(found) if wanted == "auto" else [wanted]
    return next(
        ((name, text) for name in order if (text := found[name]) and not text.isspace()),
        ("", None),
    )


def _samples(teacher: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [sample for sample in teacher.get("samples") or () if sample]


def _says(sample: Mapping[str, Any], name: str) -> bool:
    text = sample.get(name)
    return bool(text) and not str(text).isspace()


def _fitting(teacher: Mapping[str, Any]) -> list[str]:
    """Give the sampled rationales that do not support a wrong answer."""
    fit = [sample for sample in _samples(teacher) if sample.get("agrees") is not False]
    return [sample["rationale"] for sample in fit if _says(sample, "rationale")]


def _wrong(teacher: Mapping[str, Any]) -> tuple[str, ...]:
    missed = [sample for sample in _samples(teacher) if sample.get("agrees") is False]
    texts = [sample["rationale"] for sample in missed if _says(sample, "rationale")]
    return tuple(dict.fromkeys(texts))
