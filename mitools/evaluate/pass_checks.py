"""Checks of a pass: the answers that records hold, and what to warn about when it is over."""

from __future__ import annotations

from collections.abc import Iterator

from mitools.errors import InvalidFieldError, MissingFieldError
from mitools.evaluate.select import Selection
from mitools.evaluate.summary import SummaryBuilder
from mitools.records import Record

__all__ = ["HINT_OF_ANSWER", "held_answer", "pass_warnings"]

HINT_OF_ANSWER = 'name the student that is to answer: "--student DIR"'


def held_answer(record: Record, *, rationales: bool) -> Record:
    """Return a record that holds an answer, as it is judged.

    Args:
        record: with the answer in ``student``.
        rationales: keep the rationale; otherwise it is left out.

    Raises:
        MissingFieldError: it holds no answer.
        InvalidFieldError: the confidence of the answer is not a probability.
    """
    student = record.get("student")
    if student is None:
        raise MissingFieldError(
            f'record "{record.get("id")}": field "student" is missing',
            hint=HINT_OF_ANSWER,
        )
    confidence = student.get("confidence")
    if confidence is not None and not 0 <= confidence <= 1:
        message = f'record "{record.get("id")}": "student.confidence" must be between 0 and 1'
        raise InvalidFieldError(message, hint="correct the field, or remove it")
    if rationales:
        return record
    dropped = ("rationale", "rationale_truncated")
    kept = {name: value for name, value in student.items() if name not in dropped}
    return {**record, "student": kept}


def pass_warnings(tally: SummaryBuilder, selection: Selection, set_apart: int) -> Iterator[str]:
    """Yield a sentence for each thing about the records that may mislead.

    Args:
        tally: the figures of the pass; it has records.
        selection: of its records.
        set_apart: records that chose the threshold of an earlier pass, and are left out.
    """
    tasks = sorted(tally.tasks)
    if warning := selection.repetition():
        yield warning
    if len(tasks) > 1:
        kinds = ", ".join(f"{task}: {tally.tasks[task]:,}" for task in tasks)
        yield f"the records are of several tasks ({kinds}); the figures mix them"
    if not tally.has_valid_labels:
        reason = "too little training, or another task?"
        yield f'no label given is one of the task "{" or ".join(tasks)}": {reason}'
    if set_apart:
        which = "s chose the threshold and are" if set_apart > 1 else " chose the threshold and is"
        yield f"{set_apart:,} record{which} left out (scores.role)"
    if cut := tally.cut_inputs:
        yield (
            f"{cut:,} of {tally.records:,} inputs are longer than the student reads, and "
            "their end was cut, which may be the question itself; shorten them, or train with "
            "a larger --max-input-tokens"
        )
    if len(tally.models) > 1:
        yield f"{len(tally.models)} students answered; the figures mix them"
    yield from filter(None, (selection.without_split(), *selection.gold.warnings()))
