"""Progress of ``mitools eval``: its records, judge, probes and figures."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mitools.cli._stage import Stage, watched

if TYPE_CHECKING:
    from mitools.evaluate.judge.open_judge import Judge, OnReply
    from mitools.evaluate.options import EvalOptions, JudgeOptions
    from mitools.evaluate.run import Evaluation
    from mitools.records import Record

__all__ = ["judging", "measuring", "pass_records", "probing"]


@contextlib.contextmanager
def judging(stage: Stage, options: JudgeOptions | None) -> Iterator[Judge | None]:
    """Open the judge, if there is one, and show on the console how far it is."""
    if options is None:
        yield None
        return
    from mitools.annotate.notices import Notices
    from mitools.evaluate.judge.open_judge import open_judge

    notices = Notices(stage.console.note, stage.console.warn)
    with _progress(stage) as on_reply, open_judge(options, notices, on_reply) as judge:
        yield judge


@contextlib.contextmanager
def _progress(stage: Stage) -> Iterator[OnReply]:
    """Yield a callback that shows the number of replies, from the first question on."""
    with contextlib.ExitStack() as stack:
        update = None

        def on_reply(count: int, total: int) -> None:
            nonlocal update
            if update is None:  # the first question: open the display
                update = stack.enter_context(stage.console.progress("judging", total, "replies"))
            if count:
                update(1)
            if count == total:
                stack.close()

        yield on_reply


@contextlib.contextmanager
def measuring(stage: Stage) -> Iterator[Callable[[str], None]]:
    """Show the time of what follows the last record, and what is done where that is told."""
    with stage.console.progress("measuring", unit="") as update:
        update(0)
        yield lambda what: update(0, what)


@contextlib.contextmanager
def probing(stage: Stage, options: EvalOptions) -> Iterator[Callable[[int], None]]:
    """Show the progress of the probes, where there are any."""
    if not options.probes:
        yield lambda _count: None
        return
    with stage.console.progress("probing", unit="questions") as update:
        yield lambda count: update(count)


def pass_records(
    stage: Stage,
    evaluation: Evaluation,
    write: Callable[[Record], None],
    total: int | None = None,
) -> None:
    with stage.reading("input") as records, stage.console.progress(total=total) as update:
        for record in evaluation.run(watched(records, update), records.reject, update):
            write(record)
