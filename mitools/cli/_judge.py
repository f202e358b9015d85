"""Progress of what ``mitools eval`` does behind the last record: judge, probes and figures."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mitools.cli._stage import Stage

if TYPE_CHECKING:
    from mitools.evaluate.judge.open_judge import Judge, OnReply
    from mitools.evaluate.options import EvalOptions, JudgeOptions

__all__ = ["judging", "measuring", "probing"]


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
def measuring(stage: Stage) -> Iterator[None]:
    """Show the time of what follows the last record: figures, their intervals and permutations."""
    with stage.console.progress("measuring", unit="") as update:
        update(0)
        yield


@contextlib.contextmanager
def probing(stage: Stage, options: EvalOptions) -> Iterator[Callable[[int], None]]:
    """Show the progress of the probes, where there are any."""
    if not options.probes:
        yield lambda _count: None
        return
    with stage.console.progress("probing", unit="questions") as update:
        yield lambda count: update(count)
