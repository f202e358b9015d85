"""The console of the judge of ``mitools eval``: its progress and its warnings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mitools.cli._stage import Stage

if TYPE_CHECKING:
    from mitools.evaluate.judge.open_judge import Judge, OnReply
    from mitools.evaluate.options import JudgeOptions

__all__ = ["judging"]


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
