"""What ``mitools explain`` was asked for: its options, and what they mean to the library."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mitools.errors import UsageError
from mitools.files import STDOUT

if TYPE_CHECKING:
    from mitools.explain.filters import Criteria, Selection
    from mitools.explain.run import ExplainOptions
    from mitools.explain.view import Change

__all__ = ["Options", "Probability", "compile_pattern"]


_FILTERS = (
    "wrong",
    "right",
    "inconsistent",
    "consistent",
    "low_conf",
    "high_conf_wrong",
    "supports",
    "teacher_wrong",
    "disagree",
    "fixed",
    "broken",
    "changed",
    "grep",
    "label",
    "id",
    "split",
    "sample",
    "limit",
)


@dataclass(frozen=True)
class Options:
    """The command's own options."""

    wrong: bool
    right: bool
    inconsistent: bool
    consistent: bool
    low_conf: float | None
    high_conf_wrong: float | None
    supports: tuple[str, ...]
    teacher_wrong: bool
    disagree: bool
    grep: re.Pattern[str] | None
    label: tuple[str, ...]
    id: tuple[str, ...]
    split: tuple[str, ...]
    sort: str | None
    reverse: bool
    limit: int | None
    sample: int | None
    seed: int
    json: bool
    student: str | None
    text: str | None
    choices: str | None
    task: str | None
    batch_size: int
    device: str | None
    width: int | None
    color: str
    pager: bool
    vs: str | None
    fixed: bool
    broken: bool
    changed: bool
    html: str | None
    summary: str | None
    vs_summary: str | None

    @property
    def is_for_terminal(self) -> bool:
        """Whether records are shown as text."""
        return not self.json and self.html is None

    def check(self, output: str | None) -> None:
        """Refuse what makes no sense together.

        Raises:
            UsageError: and why.
        """
        if self.vs_summary is not None and (self.vs is None or self.html is None):
            raise UsageError(
                "--vs-summary is for a page of two students", hint="add --vs FILE and --html FILE"
            )
        if self.summary is not None and self.html is None and self.json:
            raise UsageError(
                "--summary is for people, --json is not", hint="add --html FILE, or drop one"
            )
        if self.html is None:
            return
        if self.json and self.html == (output or STDOUT):
            raise UsageError("one output cannot hold both a page and records", hint="name two")
        if not self.json and output is not None:
            raise UsageError("with --html, -o is for records", hint="add --json, or drop -o")

    def selection(self) -> str:
        """Write the filters in force as they are typed."""
        words = []
        for name in _FILTERS:
            value = getattr(self, name)
            option = "--" + name.replace("_", "-")
            if value is True:
                words.append(option)
            elif isinstance(value, tuple):
                words += [f"{option} {shlex.quote(one)}" for one in value]
            elif isinstance(value, re.Pattern):
                words.append(f"{option} {shlex.quote(value.pattern)}")
            elif value is not None and value is not False:
                words.append(f"{option}={value}")
        return " ".join(words)

    def settings(self) -> ExplainOptions:
        from mitools.explain.run import ExplainOptions
        from mitools.explain.view import HIGH_CONFIDENCE, LOW_CONFIDENCE, Thresholds

        low = LOW_CONFIDENCE if self.low_conf is None else self.low_conf
        high = HIGH_CONFIDENCE if self.high_conf_wrong is None else self.high_conf_wrong
        return ExplainOptions(
            self._criteria(), self._selection(), Thresholds(low, high), self.task, self.batch_size
        )

    def _criteria(self) -> Criteria:
        from mitools.explain.filters import Criteria

        return Criteria(
            is_right=_either(self, "right", "wrong"),
            is_consistent=_either(self, "consistent", "inconsistent"),
            low_confidence=self.low_conf,
            confidently_wrong=self.high_conf_wrong,
            supports=frozenset(self.supports),  # type: ignore[arg-type]
            teacher_wrong=self.teacher_wrong,
            disagrees=self.disagree,
            pattern=self.grep,
            labels=self.label,
            ids=frozenset(self.id),
            splits=frozenset(self.split),
            changes=self._changes(),
            is_changed=True if self.changed else None,
        )

    def _changes(self) -> frozenset[Change]:
        asked: dict[Change, bool] = {"fixed": self.fixed, "broken": self.broken}
        if self.vs is None and (self.fixed or self.broken or self.changed):
            name = next(name for name in ("fixed", "broken", "changed") if getattr(self, name))
            raise UsageError(f"--{name} needs a second student to compare", hint="add --vs FILE")
        return frozenset(change for change, is_asked in asked.items() if is_asked)

    def _selection(self) -> Selection:
        from mitools.explain.filters import Selection

        return Selection(self.sample, self.seed, self.sort, self.reverse, self.limit)  # type: ignore[arg-type]


def _either(options: Options, yes: str, no: str) -> bool | None:
    if getattr(options, yes) and getattr(options, no):
        raise UsageError(f"no record is both {yes} and {no}", hint=f"drop --{yes} or --{no}")
    return True if getattr(options, yes) else False if getattr(options, no) else None


class Probability(click.FloatRange):
    """A number from 0 to 1; says how to write it where it may be left out."""

    name = "probability"

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            name = param.opts[0] if param else ""
            self.fail(f'"{value}" is no number from 0 to 1; write "{name}=0.9"', param, ctx)


def compile_pattern(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> re.Pattern[str] | None:
    try:
        return None if value is None else re.compile(value)
    except re.error as exc:
        raise click.BadParameter(f'"{value}" is no regular expression ({exc})') from exc
