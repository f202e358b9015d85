"""Open a judge from its options: a model at an endpoint, asked through the client of annotate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitools.annotate.notices import Notices
from mitools.annotate.options import AnnotateOptions
from mitools.evaluate.judge.judging import (
    SYSTEM,
    Ask,
    Query,
    compare_rationales,
    in_both,
    rate_rationales,
)
from mitools.evaluate.options import JudgeOptions
from mitools.tasks import task_named

if TYPE_CHECKING:
    from mitools.annotate.protocol import Question, Reply, Teacher
    from mitools.evaluate.sample import KeptRecord, Sample

__all__ = ["Judge", "OnReply", "open_judge"]

OnReply = Callable[[int, int], None]
"""Receives the number of replies so far, from 0, and the number of questions; from any thread."""


@dataclass(frozen=True)
class Judge:
    """An open judge.

    Attributes:
        options: its options.
        ask: gets a reply to each question.
    """

    options: JudgeOptions
    ask: Ask

    def judge(
        self, run: Sample[KeptRecord], baseline: Sample[KeptRecord] | None, seed: int
    ) -> dict[str, Any]:
        """Rate a run's rationales, or compare them with a baseline's.

        Args:
            run: the records kept of the run.
            baseline: the records kept of the baseline; None where there is none.
            seed: of the bootstrap and of the test.

        Returns:
            The block ``judge`` of a summary.

        Raises:
            TeacherError: the endpoint cannot be reached, or refuses.
        """
        ours = [kept.record for kept in run.items()]
        theirs = [] if baseline is None else [kept.record for kept in baseline.items()]
        if baseline is not None:  # before the limit, or records of one run only would use it up
            ours = in_both(ours, theirs)
        ours = ours[: self.options.records]
        about = {"model": self.options.model, "records": len(ours), "of": run.seen}
        if baseline is None:
            return {**rate_rationales(ours, self.ask, seed), "about": about}
        return {**compare_rationales(ours, theirs, self.ask, seed), "about": about}


@contextlib.contextmanager
def open_judge(
    options: JudgeOptions, notices: Notices | None = None, on_reply: OnReply | None = None
) -> Iterator[Judge]:
    """Open the judge; open it before the evaluation, so a missing key is found at the start.

    It uses the client of annotate, and its replies are kept in a journal.

    Args:
        options: of the judge.
        notices: receive a warning about missing replies, and pauses that the server asks for.
        on_reply: called before the first question, and for each reply.

    Raises:
        UsageError, SourceError, OutputError, TeacherError: as
            :func:`~mitools.annotate.open_teacher.open_teacher` does.
    """
    from mitools.annotate.loop_thread import LoopThread
    from mitools.annotate.open_teacher import open_teacher
    from mitools.annotate.protocol import Question

    teacher_options = AnnotateOptions(
        model=options.model, base_url=options.url, journal=options.journal, system=SYSTEM
    )
    notices = notices or Notices()
    with open_teacher(teacher_options, notices) as opened, LoopThread() as loop:

        def ask(queries: Sequence[Query]) -> list[str | None]:
            text = task_named("text")
            questions = [Question({"id": q.record, "input": q.text}, text) for q in queries]
            replies = loop.wait_for(_replies(opened.teacher, questions, on_reply))
            _warn_of_missing(replies, notices)
            return [None if reply.problem else reply.text for reply in replies]

        try:
            yield Judge(options, ask)
        finally:
            loop.wait_for(opened.teacher.close())


def _warn_of_missing(replies: Sequence[Reply], notices: Notices) -> None:
    problems = [reply.problem for reply in replies if reply.problem is not None]
    if problems:
        what = f"{len(problems):,} of {len(replies):,} questions"
        notices.warn(f"the judge gave no reply to {what} ({problems[0].kind})")
    cut = sum(reply.is_truncated for reply in replies)
    if cut:
        notices.warn(
            f"{cut:,} of {len(replies):,} replies of the judge were cut off by the server's "
            "limit of tokens, so they may lack a verdict"
        )


async def _replies(
    teacher: Teacher, questions: Sequence[Question], on_reply: OnReply | None
) -> list[Reply]:
    """Ask all questions concurrently; the endpoint limits the requests in flight.

    If one fails, no other is sent, but those in flight are finished and kept, as they are paid for.
    """
    from mitools.annotate.protocol import UnaskedError

    count = 0

    def advance(by: int) -> None:
        nonlocal count
        count += by
        if on_reply is not None:
            on_reply(count, len(questions))

    async def reply_to(question: Question) -> Reply:
        try:
            reply = teacher.recall(question)
            if reply is None:
                reply = await teacher.ask(question)
        except BaseException:
            teacher.stop()
            raise
        advance(1)
        return reply

    advance(0)
    outcomes = await asyncio.gather(*map(reply_to, questions), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failures:  # prefer the error that stopped the others to UnaskedError
        raise min(failures, key=lambda failure: isinstance(failure, UnaskedError))
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
