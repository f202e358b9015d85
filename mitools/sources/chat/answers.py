"""The field ``teacher``, read out of the replies of a chat log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mitools.errors import Where
from mitools.reading import clean
from mitools.records import Record
from mitools.replies import Problem, ReplyText, error_field, read_reply, verdict_fields
from mitools.sources.chat.exchange import Exchange, Given
from mitools.sources.chat.report import ChatReport
from mitools.sources.chat.shorten import shorten
from mitools.tasks import Answer, How, Task, task_of

__all__ = ["Answers"]

_GOLD = How(loosest="line")
_SHORT_GOLD = 8  # words: a solution that is the label alone


class _Read(NamedTuple):
    """A reply, read."""

    given: Given
    answer: Answer
    problem: Problem | None
    agrees: bool | None

    @property
    def verdict(self) -> dict[str, Any]:
        """The fields that ``teacher`` and each of its ``samples`` have in common."""
        verdict = verdict_fields(self.answer, self.problem, self.agrees)
        if self.problem is not None:
            verdict["error"] = error_field(self.problem)
        return verdict


@dataclass(frozen=True, slots=True)
class Answers:
    """Reads replies by the options of load, and counts them.

    Attributes:
        report: receives the counts.
        rationale_from: where a rationale is read first: in the ``answer``, then in the thoughts, or
            in the ``thoughts``, then in the answer.
        most_words: maximum number of words of a rationale; None does not cut.
    """

    report: ChatReport
    rationale_from: str = "answer"
    most_words: int | None = None

    def shortened(self, record: Record) -> Record:
        """Cut the human rationale of a record."""
        if self.most_words is None or not isinstance(record.get("rationale"), str):
            return record
        return {**record, "rationale": self._cut(record["rationale"])}

    def add(self, record: Record, exchange: Exchange, where: Where) -> Record:
        """Add the field ``teacher``, and gold where the log has a solution.

        Args:
            record: made of the row; its task and choices are known.
            exchange: the question with its replies.
            where: the place of the row.
        """
        task = task_of(record)
        if exchange.is_followed:
            record = self._without_gold(record)
        gold = record.get("label")
        if gold is None and exchange.gold_solution:
            gold = _gold_of(exchange.gold_solution, task, record)
            record = {**record, "label": gold}
        is_readable = isinstance(gold, str) and task.is_valid(gold)
        how = How(asked=record["input"])
        read = [
            self._read(given, record, how, task, gold if is_readable else None)
            for given in exchange.replies
        ]
        chosen = _best(read, task)
        self.report.add(exchange, chosen.answer.read_by, chosen.problem, chosen.agrees)
        teacher = chosen.verdict
        error = teacher.pop("error", None)
        if len(read) > 1:
            teacher["samples"] = [one.verdict for one in read]
        if exchange.model:
            teacher["model"] = exchange.model
        if exchange.usage:
            teacher["usage"] = dict(exchange.usage)
        teacher["source"] = f"{where} turn {exchange.turn}" if exchange.turn else str(where)
        if error is not None:
            teacher["error"] = error
        return {**record, "teacher": teacher}

    def _without_gold(self, record: Record) -> Record:
        """Remove the gold label of a conversation, which is that of its last question."""
        has_gold = record.get("label") is not None
        self.report.add_earlier_turn(had_gold=has_gold)
        gold = {"label": None} if "label" in record else {}
        return {**{name: record[name] for name in record if name != "rationale"}, **gold}

    def _read(self, given: Given, record: Record, how: How, task: Task, gold: str | None) -> _Read:
        if given.problem is not None:
            return _Read(given, Answer(None, ""), given.problem, None)
        text = ReplyText(given.text, given.thoughts, given.is_truncated)
        answer, problem = read_reply(text, task, record.get("choices"), how)
        if problem is not None:
            return _Read(given, answer, problem, None)
        rationale = answer.rationale
        if self.rationale_from == "thoughts":
            rationale = given.thoughts or clean(given.text).thoughts or rationale
        answer = Answer(answer.label, self._cut(rationale), answer.read_by)
        agrees = None if gold is None else task.is_equal(answer.label, gold)
        return _Read(given, answer, None, agrees)

    def _cut(self, rationale: str) -> str:
        if self.most_words is None:
            return rationale
        cut = shorten(rationale, self.most_words)
        self.report.add_cut(cut.words, cut.kept)
        return cut.text


def _gold_of(solution: str, task: Task, record: Record) -> str | None:
    """Read the gold label that a solution ends in; None if it is not clear."""
    choices = record.get("choices")
    label = task.parse(solution, choices, _GOLD).label
    if label is None and len(solution.split()) <= _SHORT_GOLD and task.is_valid(solution, choices):
        return solution.strip()
    return label


def _best(read: Sequence[_Read], task: Task) -> _Read:
    """Choose the sample of the record's answer.

    One that agrees with gold, else one that the file calls right, else one of the majority; the
    first among equals. Without a readable one, the last.
    """
    readable = [one for one in read if one.problem is None]
    if not readable:
        return read[-1]
    for fits in (lambda one: one.agrees, lambda one: one.given.is_right):
        found = next(filter(fits, readable), None)
        if found is not None:
            return found
    labels = [one.answer.label for one in readable]
    votes = [sum(task.is_equal(label, other) for other in labels) for label in labels]
    return readable[votes.index(max(votes))]
