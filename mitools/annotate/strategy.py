"""What is asked about a record, and what its ``teacher`` field becomes.

Strategies are generators: they yield questions and are sent replies, so the same code runs at once
over a journal, concurrently over a network, and a step at a time over batches.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitools.annotate.api import Answered, Dialogue, Problem, Question, Reply
from mitools.annotate.leak import says_it_was_told
from mitools.errors import UsageError
from mitools.records import Record
from mitools.tasks import Answer, Task, own_part

__all__ = ["KEEPS", "STRATEGIES", "Strategy", "converse"]

STRATEGIES = ("blind", "hinted", "star")
KEEPS = ("all", "agree", "vote")

_WORTH_ANOTHER_SAMPLE = ("empty", "truncated", "unreadable")


@dataclass(frozen=True)
class Strategy:
    """How a teacher is questioned.

    Attributes:
        name: ``blind`` asks without showing the gold label; ``hinted`` shows it and wants the
            reasons; ``star`` asks blind first and shows it to those records that missed it (STaR,
            arXiv 2203.14465).
        samples: at most so many completions a record.
        stop_after: stop once so many of them agree with gold; None draws them all.
        keep: which sample the record's label and rationale come from: the first (``all``), the
            first that agrees with gold or else the first (``agree``), or the first of the label
            that most samples have (``vote``, self-consistency, arXiv 2203.11171). None is
            ``agree`` where the strategy looks for agreement, else ``all``.

    Raises:
        UsageError: the numbers do not fit together.
    """

    name: str = "blind"
    samples: int = 1
    stop_after: int | None = None
    keep: str | None = None

    def __post_init__(self) -> None:
        if self.stop_after is not None and self.stop_after > self.samples:
            message = f"--stop-after {self.stop_after} needs as many --samples"
            raise UsageError(message, hint=f"add --samples {2 * self.stop_after}")

    @property
    def needs_gold(self) -> bool:
        return self.name == "hinted"

    @property
    def kept(self) -> str:
        """The rule in force."""
        looks_for_agreement = self.name != "blind" or self.stop_after is not None
        return self.keep or ("agree" if looks_for_agreement else "all")

    def most_calls(self, resamples: int, *, has_gold: bool = True) -> int:
        """Bound the completions that one record can take; without gold, none can agree with it."""
        spare = 0 if self.stop_after is not None and has_gold else self.samples * resamples
        hinted = 1 + resamples if self.name == "star" and has_gold else 0
        return self.samples + spare + hinted

    def expected_calls(self, share: float) -> float:
        """Tell how many completions a record takes where a share of answers agrees with gold.

        Every completion can be read and agrees by the same chance, which flatters hard records.
        """
        missed = (1 - share) ** self.samples if self.name == "star" else 0.0
        if self.stop_after is None:
            return self.samples + missed
        # Draws until the m-th success, cut at K: Σ_{k<K} P(fewer than m successes in k draws).
        calls = sum(
            math.comb(k, successes) * share**successes * (1 - share) ** (k - successes)
            for k in range(self.samples)
            for successes in range(min(self.stop_after, k + 1))
        )
        return calls + missed


@dataclass(frozen=True, slots=True)
class _Sample:
    """One completion, read."""

    answer: Answer
    agrees: bool | None
    problem: Problem | None
    reply: Reply
    is_hinted: bool
    is_leak: bool

    @property
    def verdict(self) -> dict[str, Any]:
        """What the ``teacher`` field and each of its ``samples`` say alike."""
        is_answered = self.problem is None
        verdict: dict[str, Any] = {
            "label": self.answer.label if is_answered else None,
            "rationale": self.answer.rationale if is_answered else None,
            "agrees": self.agrees,
        }
        if self.is_hinted:
            verdict["hinted"] = True
        if self.is_leak:
            verdict["leak"] = True
        return verdict


def converse(record: Record, task: Task, strategy: Strategy, resamples: int) -> Dialogue:
    """Question a teacher about one record.

    Args:
        record: with ``input``, and with ``choices`` and ``label`` where they are known.
        task: reads the answers.
        strategy: what to ask.
        resamples: how often a completion that cannot be read is drawn anew; where agreement is
            looked for, the next sample serves for that.
    """
    gold = record.get("label")
    if strategy.needs_gold:
        if gold is None:
            return _without_gold(record)
        samples = yield from _draw(record, task, strategy, resamples, gold)
    else:
        samples = yield from _draw(record, task, strategy, resamples, None)
        is_missed = gold is not None and not any(sample.agrees for sample in samples)
        if strategy.name == "star" and is_missed and any(map(_is_askable_again, samples)):
            samples += yield from _draw(record, task, Strategy(), resamples, gold)
    return _answered(record, task, strategy, samples)


Drawing = Generator[Sequence[Question], Sequence[Reply], list[_Sample]]


def _draw(
    record: Record, task: Task, strategy: Strategy, resamples: int, hint: str | None
) -> Drawing:
    """Draw samples of one prompt, numbered from 0."""
    if strategy.stop_after is not None and record.get("label") is not None:
        return (yield from _draw_until(strategy.stop_after, strategy.samples, record, task, hint))
    drawn = yield from _ask(range(strategy.samples), record, task, hint)
    fresh = drawn
    for _ in range(resamples):
        unreadable = sum(map(_is_unreadable, fresh))
        if not unreadable:
            break
        fresh = yield from _ask(range(len(drawn), len(drawn) + unreadable), record, task, hint)
        drawn = drawn + fresh
    return drawn


def _draw_until(wanted: int, most: int, record: Record, task: Task, hint: str | None) -> Drawing:
    """Draw until so many agree, and never more at once than are surely needed."""
    drawn: list[_Sample] = []
    while True:
        agreeing = sum(sample.agrees is True for sample in drawn)
        count = min(wanted - agreeing, most - len(drawn))
        if count <= 0:
            return drawn
        fresh = yield from _ask(range(len(drawn), len(drawn) + count), record, task, hint)
        drawn += fresh
        if len(fresh) < count or not any(map(_is_askable_again, fresh)):
            return drawn


def _ask(numbers: Iterable[int], record: Record, task: Task, hint: str | None) -> Drawing:
    questions = [Question(record, task, number, hint) for number in numbers]
    replies = yield questions
    return [
        _read_safely(reply, question)
        for question, reply in zip(questions, replies, strict=True)
        if question.sample == 0 or reply.problem is None or reply.problem.kind != "missing"
    ]


def _is_unreadable(sample: _Sample) -> bool:
    return sample.problem is not None and sample.problem.kind in _WORTH_ANOTHER_SAMPLE


def _is_askable_again(sample: _Sample) -> bool:
    return sample.problem is None or _is_unreadable(sample)


def _read_safely(reply: Reply, question: Question) -> _Sample:
    """Read a reply; one that cannot be read, for whatever reason, is its own record's fault."""
    try:
        return _read(reply, question)
    except Exception as exc:
        message = f"reading the answer failed: {type(exc).__name__}: {exc}"[:400]
        is_hinted = question.hint is not None
        problem = Problem("unreadable", message)
        return _Sample(Answer(None, ""), None, problem, reply, is_hinted, False)


def _read(reply: Reply, question: Question) -> _Sample:
    record, task = question.record, question.task
    answer, problem = _parse(reply, task, record.get("choices"))
    gold = record.get("label")
    is_comparable = problem is None and gold is not None
    agrees = task.is_equal(answer.label, gold) if is_comparable else None
    is_hinted = question.hint is not None
    is_leak = is_hinted and says_it_was_told(reply.text)
    return _Sample(answer, agrees, problem, reply, is_hinted, is_leak)


def _parse(
    reply: Reply, task: Task, choices: Sequence[str] | None
) -> tuple[Answer, Problem | None]:
    if reply.problem is not None:
        return Answer(None, ""), reply.problem
    if not reply.text:
        kind = "truncated" if reply.is_truncated else "empty"
        held = "thoughts only" if reply.thoughts else "nothing"
        return Answer(None, ""), Problem(kind, f"the completion holds {held}")
    # A label in the last, cut-off sentence may itself be cut off: 12 of 120.
    text = _finished_part(reply.text) if reply.is_truncated else reply.text
    answer = task.parse(text, choices)
    if answer.label is None:
        if reply.is_truncated:
            return answer, Problem("truncated", "the token limit came before the answer")
        return answer, Problem(
            "unreadable", f"no answer can be read: {_tail(own_part(reply.text))}"
        )
    return Answer(answer.label, answer.rationale or reply.thoughts), None


def _finished_part(text: str) -> str:
    """Drop the sentence that a token limit cut off."""
    ends = [match.end() for match in re.finditer(r"[.!?](?=\s)|\n", text)]
    return text[: ends[-1]] if ends else ""


def _tail(text: str, length: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"…{line[-length:]}"


def _without_gold(record: Record) -> Answered:
    problem = Problem("no_gold", "there is no gold label to give as a hint")
    teacher = {"label": None, "rationale": None, "agrees": None, "error": _error(problem)}
    return Answered({**record, "teacher": teacher}, problem, 0, 0)


def _answered(
    record: Record, task: Task, strategy: Strategy, samples: Sequence[_Sample]
) -> Answered:
    chosen = _choose(samples, strategy.kept, task)
    field = chosen.verdict
    if strategy.samples > 1 or len({sample.is_hinted for sample in samples}) > 1:
        field["samples"] = [_listed(sample) for sample in samples]
    if chosen.reply.model:
        field["model"] = chosen.reply.model
    if chosen.reply.prompt:
        field["prompt"] = chosen.reply.prompt
    replies = [sample.reply for sample in samples]
    if usage := _total(replies):
        field["usage"] = usage
    if chosen.problem is not None:
        field["error"] = _error(chosen.problem)
    fresh = [reply for reply in replies if not reply.is_recalled]
    whole = {**record, "teacher": field}
    recalled = len(replies) - len(fresh)
    return Answered(whole, chosen.problem, len(replies), recalled, _total(fresh))


def _choose(samples: Sequence[_Sample], keep: str, task: Task) -> _Sample:
    """Pick the sample that speaks for the teacher; the last one where none can be read."""
    readable = [sample for sample in samples if sample.problem is None]
    if not readable:
        return samples[-1]
    if keep == "agree":
        return next((sample for sample in readable if sample.agrees), readable[0])
    if keep == "vote":

        def votes(sample: _Sample) -> int:
            return sum(task.is_equal(sample.answer.label, other.answer.label) for other in readable)

        return max(readable, key=votes)  # of equals, the first
    return readable[0]


def _listed(sample: _Sample) -> dict[str, Any]:
    if sample.problem is None:
        return sample.verdict
    return {**sample.verdict, "error": _error(sample.problem)}


def _error(problem: Problem) -> dict[str, str]:
    return {"kind": problem.kind, "message": problem.message}


def _total(replies: Sequence[Reply]) -> Mapping[str, int]:
    total: dict[str, int] = {}
    for reply in replies:
        for name, count in (reply.usage or {}).items():
            total[name] = total.get(name, 0) + count
    return total
