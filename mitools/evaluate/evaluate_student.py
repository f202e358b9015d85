"""Evaluation from Python: one call for a student, one to compare two runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mitools.asking.opening import open_later
from mitools.evaluate.measures.metric import as_json
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.outcomes import compare
from mitools.evaluate.run import Evaluation
from mitools.records import Record, Reject, raise_fault

if TYPE_CHECKING:
    from mitools.student.protocol import Student

__all__ = ["compare_runs", "evaluate_student"]


def evaluate_student(
    records: Iterable[Record],
    options: EvalOptions | None = None,
    student: str | os.PathLike[str] | Student | None = None,
    *,
    warn: Callable[[str], None] = lambda _text: None,
    reject: Reject = raise_fault,
) -> Evaluation:
    """Evaluate a student on records, as ``mitools eval`` does.

    The records stream: each one is read, answered and judged when the evaluation is iterated over.

    Example:
        >>> from mitools import EvalOptions, evaluate_student
        >>> records = [
        ...     {"id": "1", "input": "2 + 3?", "label": "5", "task": "equation",
        ...      "student": {"label": "5", "confidence": 0.9, "rationale": "2 + 3 = 5"}},
        ...     {"id": "2", "input": "4 + 4?", "label": "8", "task": "equation",
        ...      "student": {"label": "7", "confidence": 0.6, "rationale": "4 + 4 = 8"}},
        ... ]
        >>> evaluation = evaluate_student(records, EvalOptions(seed=1))
        >>> [record["scores"]["correct"] for record in evaluation]
        [True, False]
        >>> evaluation.summary()["label"]["accuracy"]["value"]
        0.5

    Args:
        records: what to evaluate.
        options: how to evaluate; by default ``EvalOptions()``.
        student: the folder of a trained student, or one that is open already; None where the
            records hold answers in ``student``.
        warn: receives warnings, one sentence each.
        reject: called with each record that cannot be judged, and the reason; by default the
            reason is raised.

    Returns:
        An evaluation to iterate over: it yields the judged records. Its
        :meth:`~mitools.evaluate.run.Evaluation.summary` reads what is left of the records and
        returns the document that ``mitools eval --summary`` writes.

    Raises:
        UsageError: the options do not go together, or there is no such device.
        SourceError: the sentence encoder or the journal of the judge cannot be used.
        TeacherRefusedError: there is no API key for the judge.
        MitoolsError: while iterating, see :meth:`~mitools.evaluate.run.Evaluation.run`.
    """
    chosen = options or EvalOptions()
    opener = None
    if student is not None:
        opener = open_later(student, chosen.device, chosen.tokens_per_batch, chosen.precision)
    if chosen.judge is not None:
        from mitools.evaluate.judge.open_judge import open_judge

        with open_judge(chosen.judge):
            pass  # it is opened again for the summary; a missing key must not cost an evaluation
    evaluation = Evaluation(chosen, opener, warn)
    evaluation.start(records, reject)
    return evaluation


def compare_runs(
    ours: Iterable[Record], theirs: Iterable[Record], options: EvalOptions | None = None
) -> dict[str, Any]:
    """Compare two runs on the records that both of them answered, paired by id and question.

    Records with the same id but another input, label, choices or task are not compared.

    Example:
        >>> from mitools import compare_runs
        >>> def answered(*labels):
        ...     return [
        ...         {"id": str(number), "input": "1 + 1?", "label": "2", "task": "equation",
        ...          "student": {"label": label}}
        ...         for number, label in enumerate(labels)
        ...     ]
        >>> comparison = compare_runs(answered("2", "2", "2"), answered("2", "3", "3"))
        >>> comparison["metrics"]["accuracy"]["better"]
        2

    Args:
        ours: judged records of one run, or records that hold answers in ``student``.
        theirs: the same of the baseline.
        options: which records count, and the seed; by default ``EvalOptions()``.

    Returns:
        The block ``comparison`` of a summary: ``records`` in both runs, ``unmatched`` ones,
        ``differing`` ids, and ``metrics``, whose values are ours minus theirs.

    Raises:
        DataError: no record is in both runs, or a record holds no answer.
    """
    scoring = (options or EvalOptions()).for_scoring()
    runs = [Evaluation(replace(scoring, judge=None)) for _ in range(2)]
    for run, records in zip(runs, (ours, theirs), strict=True):
        for _ in run.run(records):
            pass
    block: dict[str, Any] = as_json(compare([runs[0].outcomes], [runs[1].outcomes], scoring.seed))
    return block
