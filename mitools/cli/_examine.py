"""The judge of ``mitools eval``: asked when all records have passed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitools.cli._stage import Stage

if TYPE_CHECKING:
    from mitools.annotate import Question, Reply, Teacher
    from mitools.evaluate.judging import Query
    from mitools.evaluate.run import Evaluation

__all__ = ["Judge", "JudgeOptions", "judging"]


@dataclass(frozen=True)
class JudgeOptions:
    """Which model judges, where it is, and how much it is asked; no model: nobody judges."""

    model: str | None
    url: str | None
    journal: str | None
    records: int

    def as_teacher(self, system: str) -> list[str]:
        """Write what ``mitools annotate`` would be told in order to ask it."""
        given = {"model": self.model, "base-url": self.url, "journal": self.journal}
        options = [f"--{name}={value}" for name, value in given.items() if value is not None]
        return [*options, f"--system={system}"]


@dataclass(frozen=True)
class Judge:
    """A judge that is ready to be asked.

    Attributes:
        options: what it was made of.
        ask: has questions answered, one reply each.
    """

    options: JudgeOptions
    ask: Callable[[Sequence[Query]], list[str | None]]

    def judge(self, run: Evaluation, baseline: Evaluation | None, seed: int) -> dict[str, Any]:
        """Let it rate a run's rationales, or compare them with a baseline's."""
        from mitools.evaluate.judging import compare_rationales, rate_rationales

        ours = [kept.record for kept in run.sample.items()][: self.options.records]
        about = {"model": self.options.model, "records": len(ours), "of": run.sample.seen}
        if baseline is None:
            return {**rate_rationales(ours, self.ask, seed), "about": about}
        theirs = [kept.record for kept in baseline.sample.items()][: self.options.records]
        return {**compare_rationales(ours, theirs, self.ask, seed), "about": about}


@contextlib.contextmanager
def judging(stage: Stage, options: JudgeOptions) -> Iterator[Judge | None]:
    """Make the judge at the start: a missing key must not cost an evaluation.

    It is asked as a teacher is, through the same client, and its replies are kept in a journal.
    """
    if options.model is None:
        yield None
        return
    from mitools.annotate import Question
    from mitools.cli._teacher import make_teacher
    from mitools.cli.annotate import command as annotate
    from mitools.evaluate.judging import SYSTEM
    from mitools.tasks import task_named

    with annotate.make_context("annotate", options.as_teacher(SYSTEM)) as context:
        teacher = make_teacher(stage, context.params).teacher
    with asyncio.Runner() as runner:

        def ask(queries: Sequence[Query]) -> list[str | None]:
            task = task_named("text")
            asked = [Question({"id": one.record, "input": one.text}, task) for one in queries]
            with stage.console.progress("judging", len(asked), "replies") as update:
                replies = runner.run(_replies(teacher, asked, lambda: update(1, "")))
            failed = [reply.problem for reply in replies if reply.problem is not None]
            if failed:
                kind = failed[0].kind
                stage.console.warn(f"the judge gave no reply to {len(failed):,} questions ({kind})")
            return [None if reply.problem else reply.text for reply in replies]

        try:
            yield Judge(options, ask)
        finally:
            runner.run(teacher.close())


async def _replies(
    teacher: Teacher, questions: Sequence[Question], update: Callable[[], None]
) -> list[Reply]:
    async def reply_to(question: Question) -> Reply:
        reply = teacher.recall(question)
        if reply is None:
            reply = await teacher.ask(question)
        update()
        return reply

    try:
        return await asyncio.gather(*map(reply_to, questions))
    except BaseException:
        teacher.stop()
        raise
