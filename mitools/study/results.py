"""What is stored of the runs of a study, and what a report needs of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitools.asking.answering import WAYS
from mitools.errors import DataError
from mitools.files import input_errors
from mitools.records import Reader, Record
from mitools.study.make_run import COMPLETE, Order
from mitools.study.plan import Run, Study, runs_of
from mitools.tasks import task_of

__all__ = [
    "RESULT_NAMES",
    "SHARES",
    "RecordName",
    "Result",
    "Verdict",
    "Verdicts",
    "is_complete",
    "read_results",
]

RESULT_NAMES = ("accuracy", "consistency", "cvi_net", "wordless", "ece", "nll")
"""Figures of one run: ``wordless`` is the share of rationales without a letter."""

SHARES = ("accuracy", "consistency", "wordless", "ece")
"""Those of them that are from 0 to 1."""

_FIGURES = {
    "consistency": ("consistency", "consistency"),
    "cvi_net": ("association", "cvi_net"),
    "ece": ("calibration", "ece_width"),
    "nll": ("calibration", "nll"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one judged record says of a student: is its answer right, has its rationale words?

    None where that is not known: without a gold label no answer is right or wrong.

    Attributes:
        group: the record's field ``group``; records of one group are not independent.
    """

    is_correct: bool | None
    has_words: bool | None
    group: str | None = None


RecordName = tuple[str, str, int]
"""A record's id and input, and its number among those that have the same."""

Verdicts = Mapping[RecordName, Verdict]


@dataclass(frozen=True)
class Result:
    """One run, asked in one way.

    Attributes:
        verdicts: by record; records with the same id and input are told apart by their order.
        figures: one number for each of :data:`RESULT_NAMES` that this run has.
        step_seconds: wall time of one optimizer step, with all else that ran at the same time.
    """

    run: Run
    answer: str
    verdicts: Verdicts
    figures: Mapping[str, float]
    step_seconds: float | None


def is_complete(order: Order) -> bool:
    """Tell whether a run is stored whole.

    Raises:
        DataError: it is, but was made with other options or records.
    """
    stored = _read_json(order.folder / COMPLETE)
    if stored is None:
        return False
    wanted = {
        "digest": order.run.digest,
        "records_digest": order.records_digest,
        "student": order.student,
    }
    changed = [name for name, value in wanted.items() if stored.get(name) != value]
    if changed:
        what = {"digest": "options", "records_digest": "records", "student": "--student"}
        message = f"{order.folder} was made with other {what[changed[0]]}"
        raise DataError(message, hint='choose another "--out", or delete that folder')
    return True


def read_results(study: Study, runs: Path) -> Iterator[Result]:
    """Read every run that is stored whole, in the study's order.

    Args:
        runs: the folder of all runs.

    Raises:
        DataError, SourceError: what is stored is damaged, or of other options.
    """
    for run in runs_of(study):
        stored = _read_json(runs / run.name / COMPLETE)
        if stored is None:
            continue
        if stored.get("digest") != run.digest:
            message = f"{runs / run.name} was made with other options"
            raise DataError(message, hint="use the study file that it was made with")
        told: set[str] = set()
        for answer in run.objective.answers:
            seconds, asked = stored.get("step_seconds"), study.eval_options(answer).get("answer")
            for result in _read_answers(runs / run.name, run, answer, seconds, asked):
                if result.answer not in told:  # two evaluations may ask in the same further way
                    told.add(result.answer)
                    yield result


def _read_answers(
    folder: Path, run: Run, answer: str, step_seconds: float | None, asked: str | None
) -> Iterator[Result]:
    """Read one evaluation; where it asked a student in several ways, each way is a result.

    What the student answered has the evaluation's name.

    Args:
        asked: the way that the study asks for; the other ways are results as well then. None leaves
            it to the student, and another seed's may choose another way.
    """
    summary = _read_json(folder / f"{answer}.json")
    if summary is None:
        raise DataError(f"{folder / answer}.json is missing", hint="delete the run's folder")
    own: dict[RecordName, Verdict] = {}
    by_way: dict[str, dict[RecordName, Verdict]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    fields = ("id", "input", "student", "scores")
    for record in Reader((str(folder / f"{answer}.jsonl.gz"),), fields):
        if record.get("split", "test") != "test" or "role" in record["scores"]:
            continue  # answered to fit a weight or a temperature, or to choose a threshold
        same = str(record["id"]), record["input"]
        name = (*same, seen[same])
        seen[same] += 1
        has_words, group = _has_words(record["student"].get("rationale")), record.get("group")
        own[name] = Verdict(record["scores"].get("correct"), has_words, group)
        for way, is_correct in _verdicts(record):
            by_way.setdefault(way, {})[name] = Verdict(is_correct, has_words, group)
    if own:
        yield Result(run, answer, own, _figures(summary, True, own), step_seconds)
    for way, verdicts in by_way.items():
        other = way if answer in WAYS else f"{answer}.{way}"
        if asked is None or way == asked or other in run.objective.answers:
            continue  # the last one has an evaluation of its own, with all figures
        figures = _figures(summary["answers"][way], False, verdicts)
        yield Result(run, other, verdicts, figures, step_seconds)


def _has_words(rationale: str | None) -> bool | None:
    return None if rationale is None else any(one.isalpha() for one in rationale)


def _verdicts(record: Record) -> Iterator[tuple[str, bool | None]]:
    """Judge the answer of each way, where the student was asked in several."""
    answers = record["student"].get("answers")
    if not answers:
        return
    task, has_gold = task_of(record), record["scores"].get("correct") is not None
    for way, answer in answers.items():
        is_correct = task.is_equal(answer.get("label"), record.get("label"))
        yield way, is_correct if has_gold else None


def _figures(summary: Mapping[str, Any], is_whole: bool, verdicts: Verdicts) -> dict[str, float]:
    """Take figures from a summary, or from its part about one way."""
    figures = {}
    for name, path in _FIGURES.items():
        value: Any = summary
        for key in path if is_whole else path[-1:]:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, Mapping) and value.get("value") is not None:
            figures[name] = float(value["value"])
    judged = [one.is_correct for one in verdicts.values() if one.is_correct is not None]
    if judged:
        figures["accuracy"] = sum(judged) / len(judged)
    known = [one.has_words for one in verdicts.values() if one.has_words is not None]
    if known:
        figures["wordless"] = known.count(False) / len(known)
    return figures


def _read_json(path: Path) -> Any:
    """Read a file of JSON; None where there is none."""
    if not path.exists():
        return None
    try:
        with input_errors(str(path)):
            return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise DataError(f"{path} is damaged: {exc}", hint="delete the run's folder") from exc
