"""Ask a student about records, and put its answers together by record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mitools.errors import StudentError
from mitools.records import Record, student_text
from mitools.rounding import rounded
from mitools.student.protocol import LimitsInputs, can_explain

if TYPE_CHECKING:
    from mitools.student.protocol import Generation, Student

__all__ = [
    "OpenedStudent",
    "about_input",
    "closed_answer",
    "cut_inputs",
    "one_each",
    "open_answer",
    "origin",
    "predict",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenedStudent:
    """A student ready to answer.

    Attributes:
        name: what its answers carry, see :func:`mitools.asking.identity.name_student`.
        digest: hash of its weights; None where it has no folder.
        folder: its folder; None where it has none.
    """

    student: Student
    name: str
    digest: str | None
    folder: Path | None = None

    @property
    def has_rationales(self) -> bool:
        """Whether it was trained to explain; see :func:`mitools.student.protocol.can_explain`."""
        return can_explain(self.student.metadata)


def origin(opened: OpenedStudent) -> dict[str, Any]:
    """Return the fields about the student that each of its answers holds.

    Returns:
        ``model``; ``order`` where the label is decoded after the rationale; ``concludes`` where it
        can be read there as well; ``trained``, the trained tasks, where explaining is not among
        them.
    """
    metadata: Mapping[str, Any] = opened.student.metadata
    said: dict[str, Any] = {"model": opened.name}
    if metadata.get("order") == "rationale-label":
        said["order"] = "rationale-label"
    if metadata.get("concludes") is True:
        said["concludes"] = True
    if not opened.has_rationales:
        said["trained"] = list(metadata["trained"])
    return said


def predict(
    student: Student,
    records: Sequence[Record],
    *,
    rationales: bool = True,
    decode: bool = False,
) -> list[dict[str, Any]]:
    """Ask the student to answer and to explain a batch of records.

    Where a record has choices, all of them are scored and the best one is the label; elsewhere the
    label is decoded. A student of one pass continues its own first text.

    Args:
        rationales: ask for rationales too.
        decode: decode a label beside scored choices.

    Raises:
        StudentError: it gave no usable number, or not one answer for each record.
    """
    inputs = [student_text(record) for record in records]
    order = student.metadata.get("order")
    explanations: list[Generation] | None = None
    if rationales and order == "rationale-label":
        explanations = [*one_each(student.generate_rationales(inputs), inputs)]
    answers = _labels(student, records, decode, explanations)
    if rationales and explanations is None:
        # Only a student that continues its label takes one.
        said = [answer["label"] or "" for answer in answers]
        behind = (said,) if order == "label-rationale" else ()
        explanations = [*one_each(student.generate_rationales(inputs, *behind), inputs)]
    for answer, one in zip(answers, explanations or [], strict=False):
        answer.update(rationale=one.text, rationale_truncated=one.is_truncated)
    for answer, is_cut in zip(answers, cut_inputs(student, inputs), strict=True):
        answer.update(about_input(is_cut))
    return answers


def cut_inputs(student: Student, inputs: Sequence[str]) -> Sequence[bool | None]:
    """Return for each input whether the student cuts it; None where it does not tell."""
    if not isinstance(student, LimitsInputs):
        return [None] * len(inputs)
    return one_each(student.are_cut(inputs), inputs)


def about_input(is_cut: bool | None) -> dict[str, Any]:
    """Return the field of an answer that says whether its input was cut; empty if unknown."""
    return {} if is_cut is None else {"input_truncated": is_cut}


def _labels(
    student: Student,
    records: Sequence[Record],
    decode: bool,
    rationales: Sequence[Generation] | None,
) -> list[dict[str, Any]]:
    """Score choices or decode labels, after these rationales where there are any."""
    inputs = [student_text(record) for record in records]
    answers: list[dict[str, Any]] = [{} for _ in records]
    closed = [index for index, record in enumerate(records) if record.get("choices")]
    opened = [index for index, record in enumerate(records) if not record.get("choices")]

    def behind(places: Sequence[int]) -> tuple[list[str]] | tuple[()]:
        return () if rationales is None else ([rationales[index].text for index in places],)

    if closed:
        # A choice that is listed twice is scored once, so that its probability counts once.
        choices = [list(dict.fromkeys(records[index]["choices"])) for index in closed]
        asked = [inputs[index] for index in closed]
        found = student.score_choices(asked, choices, *behind(closed))
        for index, names, row in zip(closed, choices, one_each(found, closed), strict=True):
            answers[index] = closed_answer(names, row)
    if closed and decode:
        decoded = student.generate_labels([inputs[index] for index in closed], *behind(closed))
        for index, one in zip(closed, one_each(decoded, closed), strict=True):
            answers[index]["decoded"] = one.text
    if opened:
        labels = student.generate_labels([inputs[index] for index in opened], *behind(opened))
        for index, one in zip(opened, one_each(labels, opened), strict=True):
            answers[index] = open_answer(one)
    return answers


def one_each(results: Sequence[T], asked: Sequence[Any]) -> Sequence[T]:
    """Return the results; raise :class:`StudentError` where they are not as many as were asked."""
    if len(results) != len(asked):
        raise StudentError(f"the student gave {len(results)} answers to {len(asked)} questions")
    return results


def closed_answer(choices: Sequence[str], scores: Sequence[float]) -> dict[str, Any]:
    """Turn log-probabilities into a softmax over the choices; the first by alphabet wins ties."""
    top = max(scores, default=-math.inf)
    if len(scores) != len(choices) or any(map(math.isnan, scores)) or not _is_log_prob(top):
        raise StudentError("the student's scores are not log-probabilities", hint=_DAMAGED)
    total = math.fsum(math.exp(score - top) for score in scores)
    chances = {name: math.exp(s - top) / total for name, s in zip(choices, scores, strict=True)}
    best = max(sorted(choices), key=lambda name: scores[choices.index(name)])
    answer = {
        "label": best,
        "confidence": chances[best],
        "choices": chances,
        "in_set_mass": math.exp(top) * total,
        "log_prob": scores[choices.index(best)],
    }
    return dict(rounded(answer))


_DAMAGED = "its weights may be damaged, or its number type too narrow; train it again"


def _is_log_prob(value: float) -> bool:
    return -math.inf < value <= 1e-3  # slightly above 0 is rounding; NaN fails both comparisons


def open_answer(generation: Generation) -> dict[str, Any]:
    """Turn a decoded label into an answer; its confidence is its probability."""
    if not _is_log_prob(generation.log_prob):
        message = f"the student states a log-probability of {generation.log_prob}"
        raise StudentError(message, hint=_DAMAGED)
    answer = {
        "label": generation.text or None,
        "confidence": min(1.0, math.exp(generation.log_prob)),
        "log_prob": generation.log_prob,
        "label_truncated": generation.is_truncated,
    }
    return dict(rounded(answer))
