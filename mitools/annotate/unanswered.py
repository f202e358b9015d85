"""Records whose reply holds no answer: when a run stops for them, and what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Answered
from mitools.annotate.tally import OF_THE_REPLY, Tally
from mitools.errors import TeacherError
from mitools.records import Record

__all__ = ["Unanswered", "reason_of"]

_SHOWN = 3
_GO_ON = 'to continue anyway: "--max-error-rate 1"'


class Unanswered:
    """Keeps the first records without an answer, and judges the counts of a run.

    Attributes:
        examples: the first records without an answer.
        reasons: by kind of failure, why the first record of that kind has no answer.
    """

    def __init__(self, options: AnnotateOptions) -> None:
        self.examples: list[Record] = []
        self.reasons: dict[str, str] = {}
        self._options = options

    def add(self, answered: Answered) -> None:
        """Keep a record as an example, if it has no answer."""
        if answered.problem is None:
            return
        if len(self.examples) < _SHOWN:
            self.examples.append(answered.record)
        if answered.problem.kind not in self.reasons:
            self.reasons[answered.problem.kind] = reason_of(answered.record)

    def main_reason(self, tally: Tally) -> str | None:
        """Say why most of the records without an answer have none; None if all have one."""
        if not tally.failed:
            return None
        kind = _first(tally.failed)
        return (
            f"{kind}: {self.reasons[kind]}"
            if len(tally.failed) == 1
            else f"mostly {kind}: {self.reasons[kind]}"
        )

    def too_many_at_first(self, tally: Tally) -> TeacherError | None:
        """Return the error of a run whose first replies hold no answer; None if it can go on."""
        most = self._options.max_unanswered
        kinds = Counter({kind: tally.failed[kind] for kind in OF_THE_REPLY if tally.failed[kind]})
        is_answered = tally.answered > tally.by_student
        if most is None or is_answered or kinds.total() < most:
            return None
        message = f"none of the first {kinds.total():,} replies holds an answer ({_listed(kinds)})"
        return TeacherError(message, hint="; ".join([*self.advice(kinds), _GO_ON]))

    def too_many(self, tally: Tally, of: int) -> TeacherError:
        """Return the error of a run with more failures than the options allow."""
        message = (
            f"{tally.failed.total():,} of {of:,} records got no answer, more than --max-error-rate "
            f"{self._options.max_error_rate:g} allows (mostly: {_first(tally.failed)})"
        )
        message += f"; {self.reasons[_first(tally.failed)]}"
        return TeacherError(message, hint="; ".join(self.advice(tally.failed)))

    def none_at_all(self, tally: Tally) -> TeacherError:
        """Return the error of a finished run whose teacher answered no record."""
        failed, kind = tally.failed, _first(tally.failed)
        by = "" if failed.total() == tally.finished else " from the teacher"
        message = f"none of {failed.total():,} records got an answer{by} (mostly: {kind})"
        message += f"; {self.reasons[kind]}"
        return TeacherError(message, hint="; ".join(self.advice(failed)))

    def advice(self, kinds: Counter[str]) -> list[str]:
        """Say what to change, by the most frequent kind of failure."""
        kind = _first(kinds)
        if kind == "unreadable":
            return ["change the prompt or --task"]
        if kind == "truncated":
            given = self._options.max_tokens
            now = "" if given is None else f", which is {given:,}"
            return [f"raise --max-tokens{now}"]
        if kind == "empty":
            return [*self._about_thoughts()] or ["check -m, and the log of the server"]
        return ["change the prompt or the model"] if kind in OF_THE_REPLY else []

    def _about_thoughts(self) -> Iterable[str]:
        errors = (record["teacher"]["error"]["message"] for record in self.examples)
        if any("thoughts only" in message for message in errors):
            yield "raise --max-tokens, or turn the thinking of the model off"


def reason_of(record: Record) -> str:
    """Say in one line why a record has no answer."""
    return f"record {record['id']}: {record['teacher']['error']['message']}"


def _first(kinds: Counter[str]) -> str:
    return kinds.most_common(1)[0][0]


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
