"""Counts of what load read in chat logs, left out and cut, as lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from mitools.replies import Problem
from mitools.sources.chat.exchange import Exchange

__all__ = ["ChatReport"]

_HALF = 0.5


@dataclass
class ChatReport:
    """Counts of one run.

    Attributes:
        on_form: called once for each part that is a chat log, with a line about its form.
        context: the option ``--context``.
    """

    on_form: Callable[[str], None] | None = None
    context: str = "none"
    _answers: int = 0
    _samples: int = 0
    _read_by: Counter[str] = field(default_factory=Counter)
    _problems: Counter[str] = field(default_factory=Counter)
    _compared: int = 0
    _agreed: int = 0
    _with_turns: int = 0
    _with_system: int = 0
    _after_tool: int = 0
    _bare_turns: int = 0
    _rationales: int = 0
    _cut: int = 0
    _emptied: int = 0
    _words: int = 0
    _kept: int = 0

    def see(self, part: str, title: str) -> None:
        """Report the form of a part."""
        if self.on_form is not None:
            self.on_form(
                f"{part}: {title}; the last message of the user becomes input, and the answer "
                'becomes teacher (to map fields yourself: "--map input=FIELD")'
            )

    def add(
        self, exchange: Exchange, read_by: str | None, problem: Problem | None, agrees: bool | None
    ) -> None:
        """Count one record."""
        self._answers += 1
        self._samples += len(exchange.replies)
        if problem is not None:
            self._problems[problem.kind] += 1
        elif read_by is not None:
            self._read_by[read_by] += 1
        self._compared += agrees is not None
        self._agreed += agrees is True
        roles = {message["role"] for message in exchange.context}
        self._with_turns += "user" in roles
        self._with_system += "system" in roles
        self._after_tool += exchange.is_after_tool

    def add_earlier_turn(self, *, had_gold: bool) -> None:
        """Count a question before the last one of its conversation."""
        self._bare_turns += had_gold

    def add_cut(self, words: int, kept: int) -> None:
        """Count one rationale, and how many of its words were kept."""
        self._rationales += 1
        self._cut += kept < words
        self._emptied += words > 0 and not kept
        self._words += words
        self._kept += kept

    def notes(self) -> list[str]:
        """Return what was done, a line for each kind."""
        lines = []
        if self._answers:
            lines.append(self._labels())
        if self._compared:
            share = self._agreed / self._compared
            text = f"{self._agreed:,} of {self._compared:,} ({share:.1%})"
            lines.append(f"labels that agree with gold: {text}")
        lines += self._left_out()
        if self._cut:
            lines.append(self._cuts())
        return lines

    def _labels(self) -> str:
        ranks = ", ".join(f"{count:,} by {name}" for name, count in self._read_by.most_common())
        of = f" from {self._samples:,} samples" if self._samples > self._answers else ""
        read = sum(self._read_by.values())
        return f"{read:,} of {self._answers:,} answers have a label{of}" + (
            f" ({ranks})" if ranks else ""
        )

    def _left_out(self) -> list[str]:
        lines = []
        if self._with_turns and self.context == "none":
            what = "earlier turns, which are kept in context and are not part of input"
            lines.append(f'{_records(self._with_turns)} {what}; add them: "--context turns"')
        if self._with_system and self.context != "all":
            what = "a system prompt, which is kept in context and is not part of input"
            lines.append(f'{_records(self._with_system)} {what}; add it: "--context all"')
        if self._bare_turns:
            what = "no gold label: that of a conversation is the gold label of its last question"
            lines.append(f"{_records(self._bare_turns)} {what}")
        if self._after_tool:
            what = "an answer behind a call of a tool, whose result is not part of input"
            lines.append(f"{_records(self._after_tool)} {what}")
        return lines

    def _cuts(self) -> str:
        shares = f"{self._kept:,} of {self._words:,} words kept"
        empty = (
            f", {self._emptied:,} have no sentence that is short enough" if self._emptied else ""
        )
        return f"{self._cut:,} of {self._rationales:,} rationales were cut ({shares}{empty})"

    def warning(self) -> str | None:
        """Return a warning about answers without a label; None if there are none."""
        missing = sum(self._problems.values())
        if not missing:
            return None
        kinds = ", ".join(f"{count:,} {name}" for name, count in self._problems.most_common())
        text = f"{missing:,} of {self._answers:,} answers have no label ({kinds})"
        if self._problems["unreadable"] > _HALF * self._answers:
            text += '; say how labels are written: "--labels A,B,C" or "--task equation"'
        return text


def _records(count: int) -> str:
    return f"{count:,} {'record has' if count == 1 else 'records have'}"
