"""What is asked about a record, and what its ``teacher`` field becomes.

Strategies are generators: they yield questions and are sent replies, so the same code runs at once
over a journal, concurrently over a network, and a step at a time over batches.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from mitools.annotate.leak import says_it_was_told
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Answered, Dialogue, Problem, Question, Reply
from mitools.reading import headers_in
from mitools.records import Record
from mitools.tasks import Answer, How, Task, own_part

__all__ = ["Strategy", "converse", "readable_gold"]

_WORTH_ANOTHER_SAMPLE = ("empty", "truncated", "unreadable")


@dataclass(frozen=True)
class Strategy:
    """How a teacher is questioned; see :class:`~mitools.annotate.options.AnnotateOptions`.

    Attributes:
        name: ``blind``, ``hinted`` or ``star``.
        samples: completions per record, at most.
        stop_after: stop once so many of them agree with gold; None draws them all.
        keep: which sample the record's label and rationale come from.
        reading: the loosest place that a label is read from.
        headers: what begins an example in the prompt, in lower case, such as ``story``; an answer
            ends where a model goes on to invent the next one.
    """

    name: str = AnnotateOptions.strategy
    samples: int = AnnotateOptions.samples
    stop_after: int | None = AnnotateOptions.stop_after
    keep: str | None = AnnotateOptions.keep
    reading: str | None = AnnotateOptions.reading
    headers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, options: AnnotateOptions) -> Strategy:
        """Take what the options say of questioning, and the headers of their template.

        Raises:
            SourceError: the template cannot be read.
        """
        headers: frozenset[str] = frozenset()
        if options.template:
            from mitools.annotate.prompt import read_template

            headers = headers_in(read_template(options.template))
        names = ("samples", "stop_after", "keep", "reading")
        chosen = {name: getattr(options, name) for name in names}
        return cls(options.strategy, headers=headers, **chosen)

    @property
    def needs_gold(self) -> bool:
        return self.name == "hinted"

    def how(self, record: Record, *, has_gold: bool) -> How:
        """Tell how a completion for a record is read."""
        loosest = self.reading or ("statement" if has_gold else "line")
        return How(loosest, record["input"], self.headers)

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


class _Sample(NamedTuple):
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
        if is_answered and self.answer.read_by is not None:
            verdict["read_by"] = self.answer.read_by
        if self.is_hinted:
            verdict["hinted"] = True
        if self.is_leak:
            verdict["leak"] = True
        return verdict


def readable_gold(record: Record, task: Task) -> str | None:
    """Give the gold label; None where there is none, or where it is not an answer of the task."""
    gold: str | None = record.get("label")
    return gold if task.is_valid(gold) else None


class _Case(NamedTuple):
    """One record, and how it is questioned.

    Attributes:
        gold: its gold label; None where there is none, or where it is not an answer of the task.
        how: how its completions are read.
    """

    record: Record
    task: Task
    strategy: Strategy
    gold: str | None
    how: How


def converse(record: Record, task: Task, strategy: Strategy, resamples: int) -> Dialogue:
    """Question a teacher about one record.

    Args:
        record: with ``input``, and with ``choices`` and ``label`` where they are known.
        task: reads the answers.
        strategy: what to ask.
        resamples: how often a completion that cannot be read is drawn again; where agreement is
            looked for, the next sample serves for that.
    """
    gold = readable_gold(record, task)
    case = _Case(record, task, strategy, gold, strategy.how(record, has_gold=gold is not None))
    if strategy.needs_gold:
        if gold is None:
            return _without_gold(record)
        samples = yield from _draw(case, resamples, gold)
    else:
        samples = yield from _draw(case, resamples, None)
        is_star = strategy.name == "star" and gold is not None
        is_missed = is_star and not any(sample.agrees for sample in samples)
        if is_missed and any(map(_is_askable_again, samples)):
            once = case._replace(strategy=Strategy())
            samples += yield from _draw(once, resamples, gold)
    return _answered(record, task, strategy, samples)


Drawing = Generator[Sequence[Question], Sequence[Reply], list[_Sample]]


def _draw(case: _Case, resamples: int, hint: str | None) -> Drawing:
    """Draw samples of one prompt, numbered from 0."""
    if case.strategy.stop_after is not None and case.gold is not None:
        return (yield from _draw_until(case.strategy.stop_after, case, hint))
    drawn = yield from _ask(range(case.strategy.samples), case, hint)
    fresh = drawn
    for _ in range(resamples):
        unreadable = sum(map(_is_unreadable, fresh))
        if not unreadable:
            break
        fresh = yield from _ask(range(len(drawn), len(drawn) + unreadable), case, hint)
        drawn = drawn + fresh
    return drawn


def _draw_until(wanted: int, case: _Case, hint: str | None) -> Drawing:
    """Draw until so many agree, and never more at once than are surely needed."""
    drawn: list[_Sample] = []
    while True:
        agreeing = sum(sample.agrees is True for sample in drawn)
        count = min(wanted - agreeing, case.strategy.samples - len(drawn))
        if count <= 0:
            return drawn
        fresh = yield from _ask(range(len(drawn), len(drawn) + count), case, hint)
        drawn += fresh
        if len(fresh) < count or not any(map(_is_askable_again, fresh)):
            return drawn


def _ask(numbers: Iterable[int], case: _Case, hint: str | None) -> Drawing:
    questions = [Question(case.record, case.task, number, hint) for number in numbers]
    replies = yield questions
    return [
        _read_safely(reply, case, is_hinted=hint is not None)
        for question, reply in zip(questions, replies, strict=True)
        if question.sample == 0 or reply.problem is None or reply.problem.kind != "missing"
    ]


def _is_unreadable(sample: _Sample) -> bool:
    return sample.problem is not None and sample.problem.kind in _WORTH_ANOTHER_SAMPLE


def _is_askable_again(sample: _Sample) -> bool:
    return sample.problem is None or _is_unreadable(sample)


def _read_safely(reply: Reply, case: _Case, *, is_hinted: bool) -> _Sample:
    """Read a reply; one that cannot be read, for whatever reason, is its own record's fault."""
    try:
        return _read(reply, case, is_hinted=is_hinted)
    except Exception as exc:
        message = f"reading the answer failed: {type(exc).__name__}: {exc}"[:400]
        problem = Problem("unreadable", message)
        return _Sample(Answer(None, ""), None, problem, reply, is_hinted, False)


def _read(reply: Reply, case: _Case, *, is_hinted: bool) -> _Sample:
    answer, problem = _parse(reply, case)
    is_comparable = problem is None and case.gold is not None
    agrees = case.task.is_equal(answer.label, case.gold) if is_comparable else None
    is_leak = is_hinted and says_it_was_told(reply.text)
    return _Sample(answer, agrees, problem, reply, is_hinted, is_leak)


def _parse(reply: Reply, case: _Case) -> tuple[Answer, Problem | None]:
    if reply.problem is not None:
        return Answer(None, ""), reply.problem
    text, how = reply.text, case.how
    if reply.is_truncated:
        # A label in the last, cut-off sentence may itself be cut off: 12 of 120. And the last
        # sentence that is whole is not the one that was to be the last.
        text, how = _finished_part(text), how.at_most("cue")
    answer = case.task.parse(text, case.record.get("choices"), how)
    if answer.label is None:
        if not own_part(reply.text):
            kind = "truncated" if reply.is_truncated else "empty"
            held = "thoughts only" if reply.thoughts or reply.text.strip() else "nothing"
            return Answer(None, ""), Problem(kind, f"the completion holds {held}")
        if reply.is_truncated:
            return answer, Problem("truncated", "the token limit came before the answer")
        return answer, Problem(
            "unreadable", f"no answer can be read: {_tail(own_part(reply.text))}"
        )
    if not answer.rationale and reply.thoughts:
        answer = replace(answer, rationale=reply.thoughts)
    return answer, None


def _finished_part(text: str) -> str:
    """Drop the sentence that a token limit cut off."""
    ends = [match.end() for match in re.finditer(r"[.!?](?=\s)|\n", text)]
    return text[: ends[-1]] if ends else ""


def _tail(text: str, length: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"…{line[-length:]}"


def _without_gold(record: Record) -> Answered:
    message = "there is no gold label to give as a hint"
    if record.get("label") is not None:
        message = "the gold label cannot be read as an answer of the task"
    problem = Problem("no_gold", message)
    teacher = {"label": None, "rationale": None, "agrees": None, "error": _error(problem)}
    return Answered({**record, "teacher": teacher}, problem, 0, 0)


def _answered(
    record: Record, task: Task, strategy: Strategy, samples: Sequence[_Sample]
) -> Answered:
    chosen = samples[0] if len(samples) == 1 else _choose(samples, strategy.kept, task)
    field = chosen.verdict
    is_mixed = len(samples) > 1 and len({sample.is_hinted for sample in samples}) > 1
    if strategy.samples > 1 or is_mixed:
        field["samples"] = [_listed(sample) for sample in samples]
    if chosen.reply.model:
        field["model"] = chosen.reply.model
    if chosen.reply.prompt:
        field["prompt"] = chosen.reply.prompt
    if usage := _total([sample.reply for sample in samples]):
        field["usage"] = usage
    if chosen.problem is not None:
        field["error"] = _error(chosen.problem)
    recalled = sum(sample.reply.is_recalled for sample in samples)
    fresh = [sample.reply for sample in samples if not sample.reply.is_recalled] if recalled else []
    spent = _total(fresh) if recalled else usage
    return Answered({**record, "teacher": field}, chosen.problem, len(samples), recalled, spent)


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
