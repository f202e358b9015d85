"""The messages for people about a run: what was shown, and what other students changed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from mitools.explain.run import ExplanationRun
from mitools.explain.second_student import LabelChanges, SecondStudent

__all__ = ["RunMessage", "run_messages"]


@dataclass(frozen=True)
class RunMessage:
    """One line for the user, a note or a warning."""

    text: str
    is_warning: bool = False


def run_messages(run: ExplanationRun) -> Iterator[RunMessage]:
    """Yield the messages about a run, in order; none about a text that was typed."""
    if run.options.text is not None:
        return
    if run.others:
        yield from _unanswered(run)
    for other, (who, changes) in zip(run.others, run.comparisons.items(), strict=True):
        yield from _comparison(run, other, changes, run.left_out(who))
    counts = run.counts
    if not counts.matching:
        yield RunMessage(f"none of {counts.read:,} records matches")
        has_answers = counts.with_student or run.options.student
        if run.options.criteria.needs_student and not has_answers:
            yield RunMessage('no record has a student\'s answer; add "--student DIR"', True)
        elif run.options.criteria.is_sure is not None and not counts.with_point:
            student = run.options.student
            asked = f"--student {shlex.quote(student)} " if student else ""
            hint = f'run "mitools eval {asked}--target-accuracy 0.95" on the records first'
            yield RunMessage(f"no record says whether its answer is sure; {hint}", True)
        return
    if run.overview is not None and run.is_complete:
        yield RunMessage(f"{counts.shown:,} of {counts.matching:,} records, drawn at random")
        return
    if not run.is_complete:
        tail = "; stopped when the pager was closed"
    elif not run.options.selection.reads_all and counts.shown == run.options.limit:
        tail = "; stopped at --limit"
    else:
        tail = ""
    yield RunMessage(f"{counts}{tail}")


def _unanswered(run: ExplanationRun) -> Iterator[RunMessage]:
    if count := run.counts.unanswered:
        names = " and ".join(other.name for other in run.others)
        what = f"{_of(count, run.counts.read)} without an answer in {names}"
        yield RunMessage(what, is_warning=True)


def _of(count: int, total: int) -> str:
    return f"{count:,} of {_plural(total)}"


def _plural(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"


def _comparison(
    run: ExplanationRun, second: SecondStudent, changes: LabelChanges, left: int
) -> Iterator[RunMessage]:
    name, read, counts = second.name, second.read, run.counts
    for count, total, what in (
        (second.again, counts.read, "with a repeated id; all are compared"),
        (second.silent, read, f"of {name} without an answer"),
        (second.repeated, read, f"of {name} with a repeated id, left out"),
        (second.differing, counts.read, f"with another input, gold, choices or task in {name}"),
    ):
        if count:
            yield RunMessage(f"{_of(count, total)} {what}", is_warning=True)
    if run.has_read_all and second.unmet:
        many = second.unmet
        text = f"{many:,} answer{'s' * (many != 1)} in {name} to records that were not read"
        yield RunMessage(text, is_warning=True)
    part = "" if run.has_read_all else f", of the {counts.read:,} read"
    text = changes.as_text(is_tested=run.has_read_all)
    if left:
        part = f"{part}; {_plural(left)} of train or valid left out"
    yield RunMessage(f"{name} against the first: {text}{part}")
