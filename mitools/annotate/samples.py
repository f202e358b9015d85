"""Samples: completions read as answers, and the ``teacher`` field that is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mitools.annotate.leak import says_it_was_told
from mitools.annotate.probabilities import answer_probabilities
from mitools.annotate.protocol import Answered, Problem, Reply
from mitools.records import Record
from mitools.replies import ReplyText, error_field, read_reply, verdict_fields
from mitools.tasks import Answer, How, Task

__all__ = [
    "Case",
    "Sample",
    "Scoring",
    "answer_record",
    "choose",
    "has_choices",
    "read_sample",
    "readable_gold",
    "without_gold",
]

_WORTH_ANOTHER_SAMPLE = ("empty", "truncated", "unreadable")


def readable_gold(record: Record, task: Task) -> str | None:
    """Return the gold label; None if there is none, or if it is not an answer of the task."""
    gold: str | None = record.get("label")
    return gold if task.is_valid(gold) else None


def has_choices(record: Record, task: Task) -> bool:
    """Tell whether a record lists the possible answers of its task."""
    return task.name in ("choice", "labels") and bool(record.get("choices"))


class Case(NamedTuple):
    """One record, and how its completions are read.

    Attributes:
        gold: its gold label; None if there is none, or if it is not an answer of the task.
        how: how its completions are read.
    """

    record: Record
    task: Task
    gold: str | None
    how: How


class Sample(NamedTuple):
    """One completion, read."""

    answer: Answer
    agrees: bool | None
    problem: Problem | None
    reply: Reply
    is_hinted: bool
    is_leak: bool
    probabilities: Mapping[str, Any] = {}

    @property
    def verdict(self) -> dict[str, Any]:
        """The fields that ``teacher`` and each of its ``samples`` have in common."""
        verdict = verdict_fields(self.answer, self.problem, self.agrees)
        verdict |= self.probabilities
        if self.is_hinted:
            verdict["hinted"] = True
        if self.is_leak:
            verdict["leak"] = True
        return verdict

    @property
    def is_unreadable(self) -> bool:
        """Whether the completion is unreadable, so another sample may help."""
        return self.problem is not None and self.problem.kind in _WORTH_ANOTHER_SAMPLE

    @property
    def is_askable_again(self) -> bool:
        """Whether the teacher may be asked about the record once more."""
        return self.problem is None or self.is_unreadable


class Scoring(NamedTuple):
    """What scoring the choices of a record gave, and its replies.

    Attributes:
        probabilities: as of :func:`~mitools.annotate.scoring.score`; empty if they are not known.
        replies: one for each text that was scored.
        problem: why they are not known, where scoring failed.
    """

    probabilities: Mapping[str, Any] = {}
    replies: Sequence[Reply] = ()
    problem: Problem | None = None


_UNSCORED = Scoring()


def read_sample(reply: Reply, case: Case, *, is_hinted: bool) -> Sample:
    """Read a reply; an error while reading it is a problem of its record alone."""
    try:
        return _read(reply, case, is_hinted=is_hinted)
    except Exception as exc:
        message = f"reading the answer failed: {type(exc).__name__}: {exc}"[:400]
        problem = Problem("unreadable", message)
        return Sample(Answer(None, ""), None, problem, reply, is_hinted, False)


def _read(reply: Reply, case: Case, *, is_hinted: bool) -> Sample:
    answer, problem = _parse(reply, case)
    is_comparable = problem is None and case.gold is not None
    agrees = case.task.is_equal(answer.label, case.gold) if is_comparable else None
    is_leak = is_hinted and says_it_was_told(reply.text)
    chances: Mapping[str, Any] = {}
    if reply.tokens and problem is None:
        choices = case.record.get("choices") if has_choices(case.record, case.task) else None
        chances = answer_probabilities(reply.tokens, reply.text, answer, choices)
    return Sample(answer, agrees, problem, reply, is_hinted, is_leak, chances)


def _parse(reply: Reply, case: Case) -> tuple[Answer, Problem | None]:
    if reply.problem is not None:
        return Answer(None, ""), reply.problem
    text = ReplyText(reply.text, reply.thoughts, reply.is_truncated)
    return read_reply(text, case.task, case.record.get("choices"), case.how)


def without_gold(record: Record) -> Answered:
    """Make the output record if there is no gold label to show to the teacher."""
    message = "there is no gold label to give as a hint"
    if record.get("label") is not None:
        message = "the gold label cannot be read as an answer of the task"
    problem = Problem("no_gold", message)
    teacher = {"label": None, "rationale": None, "agrees": None, "error": error_field(problem)}
    return Answered({**record, "teacher": teacher}, problem, 0, 0)


def answer_record(
    case: Case,
    samples: Sequence[Sample],
    chosen: Sample,
    *,
    lists: bool,
    scoring: Scoring = _UNSCORED,
) -> Answered:
    """Make the output record.

    Args:
        samples: one or more, in the order in which they were drawn.
        chosen: the one that the label and the rationale come from.
        lists: whether all of them are listed, also where they are of one prompt.
        scoring: of the choices, behind the chosen sample's text.
    """
    field = {**chosen.verdict, **scoring.probabilities}
    is_mixed = len(samples) > 1 and len({sample.is_hinted for sample in samples}) > 1
    if lists or is_mixed:
        field["samples"] = [_listed(sample) for sample in samples]
    if chosen.reply.model:
        field["model"] = chosen.reply.model
    if chosen.reply.prompt:
        field["prompt"] = chosen.reply.prompt
    replies = [*(sample.reply for sample in samples), *scoring.replies]
    if usage := _total(replies):
        field["usage"] = usage
    if chosen.problem is not None:
        field["error"] = error_field(chosen.problem)
    recalled = sum(sample.reply.is_recalled for sample in samples)
    fresh = [reply for reply in replies if not reply.is_recalled]
    spent = usage if len(fresh) == len(replies) else _total(fresh)
    record = {**case.record, "teacher": field}
    problem = chosen.problem
    return Answered(record, problem, len(samples), recalled, spent, scoring.problem)


def choose(samples: Sequence[Sample], keep: str, task: Task) -> Sample:
    """Choose the sample of the record's answer; the last one if none is readable.

    Args:
        samples: one or more, in the order in which they were drawn.
        keep: ``all``, ``agree`` or ``vote``.
        task: compares their labels.
    """
    if len(samples) == 1:
        return samples[0]
    readable = [sample for sample in samples if sample.problem is None]
    if not readable:
        return samples[-1]
    if keep == "agree":
        return next((sample for sample in readable if sample.agrees), readable[0])
    if keep == "vote":

        def votes(sample: Sample) -> int:
            return sum(task.is_equal(sample.answer.label, other.answer.label) for other in readable)

        return max(readable, key=votes)  # the first among equals
    return readable[0]


def _listed(sample: Sample) -> dict[str, Any]:
    if sample.problem is None:
        return sample.verdict
    return {**sample.verdict, "error": error_field(sample.problem)}


def _total(replies: Sequence[Reply]) -> Mapping[str, int]:
    total: dict[str, int] = {}
    for reply in replies:
        for name, count in (reply.usage or {}).items():
            total[name] = total.get(name, 0) + count
    return total
