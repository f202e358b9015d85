"""The questions about a record: how many, with or without the gold label, and until when.

A strategy is a generator: it yields questions and receives replies, so the same code works with a
journal, with concurrent requests, and with batches.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import SCORED, Dialogue, Problem, Question, Reply
from mitools.annotate.samples import (
    Case,
    Sample,
    Scoring,
    answer_record,
    choose,
    has_choices,
    read_sample,
    readable_gold,
    without_gold,
)
from mitools.annotate.scoring import score
from mitools.reading import template_headers
from mitools.reading.in_place import choices_in_place
from mitools.records import Record
from mitools.tasks import How, Task

__all__ = ["Strategy", "converse"]


@dataclass(frozen=True)
class Strategy:
    """How a teacher is asked; see :class:`~mitools.annotate.options.AnnotateOptions`.

    Attributes:
        name: ``blind``, ``hinted`` or ``star``.
        samples: maximum number of completions per record.
        stop_after: number of agreeing completions after which drawing stops; None draws all.
        keep: which sample the record's label and rationale come from.
        reading: the loosest place that a label is read from.
        headers: headings of an example in the prompt, in lower case, such as ``story``; an answer
            ends where the model starts to invent a next example.
        scores_choices: whether every choice of an answered record is scored.
    """

    name: str = AnnotateOptions.strategy
    samples: int = AnnotateOptions.samples
    stop_after: int | None = AnnotateOptions.stop_after
    keep: str | None = AnnotateOptions.keep
    reading: str | None = AnnotateOptions.reading
    headers: frozenset[str] = frozenset()
    scores_choices: bool = False

    @classmethod
    def of(cls, options: AnnotateOptions) -> Strategy:
        """Make the strategy of the options, with the headers of their template.

        Raises:
            SourceError: the template cannot be read.
        """
        headers: frozenset[str] = frozenset()
        if options.template:
            from mitools.annotate.prompt import read_template

            headers = template_headers(read_template(options.template))
        names = ("samples", "stop_after", "keep", "reading")
        chosen = {name: getattr(options, name) for name in names}
        scores_choices = options.score_choices is not None
        return cls(options.strategy, headers=headers, scores_choices=scores_choices, **chosen)

    @property
    def needs_gold(self) -> bool:
        return self.name == "hinted"

    def how(self, record: Record, *, has_gold: bool) -> How:
        """Return how a completion for a record is read."""
        loosest = self.reading or ("statement" if has_gold else "line")
        return How(loosest, record["input"], self.headers)

    def scores(self, record: Record, task: Task) -> bool:
        """Tell whether the choices of a record are scored."""
        return self.scores_choices and has_choices(record, task)

    @property
    def kept(self) -> str:
        """The effective rule of ``keep``."""
        looks_for_agreement = self.name != "blind" or self.stop_after is not None
        return self.keep or ("agree" if looks_for_agreement else "all")

    def most_calls(self, resamples: int, *, has_gold: bool = True) -> int:
        """Bound the completions of one record; without gold, none can agree with it."""
        spare = 0 if self.stop_after is not None and has_gold else self.samples * resamples
        hinted = 1 + resamples if self.name == "star" and has_gold else 0
        return self.samples + spare + hinted

    def expected_calls(self, share: float) -> float:
        """Estimate the completions of one record if a share of answers agrees with gold.

        Assumes that every completion is readable and agrees with the same probability, which is
        too optimistic for hard records.
        """
        missed = (1 - share) ** self.samples if self.name == "star" else 0.0
        if self.stop_after is None:
            return self.samples + missed
        # Draws until the m-th success, at most K: Σ_{k<K} P(fewer than m successes in k draws).
        calls = sum(
            math.comb(k, successes) * share**successes * (1 - share) ** (k - successes)
            for k in range(self.samples)
            for successes in range(min(self.stop_after, k + 1))
        )
        return calls + missed


def converse(record: Record, task: Task, strategy: Strategy, resamples: int) -> Dialogue:
    """Ask a teacher about one record.

    Args:
        record: with ``input``, and with ``choices`` and ``label`` where they are known.
        task: reads the answers.
        strategy: what to ask.
        resamples: how often an unreadable completion is drawn again; with ``stop_after``, the next
            sample replaces it anyway.
    """
    gold = readable_gold(record, task)
    case = Case(record, task, gold, strategy.how(record, has_gold=gold is not None))
    if strategy.needs_gold:
        if gold is None:
            return without_gold(record)
        samples = yield from _draw(case, strategy, resamples, gold)
    else:
        samples = yield from _draw(case, strategy, resamples, None)
        # STaR: the gold label is shown once to a record that missed it.
        is_star = strategy.name == "star" and gold is not None
        is_missed = is_star and not any(sample.agrees for sample in samples)
        if is_missed and any(sample.is_askable_again for sample in samples):
            samples += yield from _draw(case, Strategy(), resamples, gold)
    chosen = choose(samples, strategy.kept, case.task)
    scoring = Scoring()
    if strategy.scores(record, task):
        scoring = yield from _score_choices(case, chosen, gold)
    return answer_record(case, samples, chosen, lists=strategy.samples > 1, scoring=scoring)


Drawing = Generator[Sequence[Question], Sequence[Reply], list[Sample]]
ScoringChoices = Generator[Sequence[Question], Sequence[Reply], Scoring]


def _score_choices(case: Case, chosen: Sample, gold: str | None) -> ScoringChoices:
    """Ask for the probability of the chosen answer, and of the same with each other choice."""
    if chosen.problem is not None:
        return Scoring()
    answer = chosen.answer
    texts = choices_in_place(
        chosen.reply.text, answer.label, answer.closest, case.record["choices"]
    )
    if texts is None:
        message = "the place of the label in the answer was not found"
        return Scoring(problem=Problem("unreadable", message))
    hint = gold if chosen.is_hinted else None
    replies = yield [Question(case.record, case.task, SCORED, hint, text) for text in texts.texts]
    problem = next((reply.problem for reply in replies if reply.problem is not None), None)
    found = {} if problem else score(texts, replies)
    if not found and problem is None:
        problem = Problem("server_error", "the tokens of the choices do not differ")
    return Scoring(found, replies, problem)


def _draw(case: Case, strategy: Strategy, resamples: int, hint: str | None) -> Drawing:
    """Draw samples of one prompt, numbered from 0."""
    if strategy.stop_after is not None and case.gold is not None:
        return (yield from _draw_until(strategy.stop_after, strategy.samples, case, hint))
    drawn = yield from _ask(range(strategy.samples), case, hint)
    fresh = drawn
    for _ in range(resamples):
        unreadable = sum(sample.is_unreadable for sample in fresh)
        if not unreadable:
            break
        fresh = yield from _ask(range(len(drawn), len(drawn) + unreadable), case, hint)
        drawn = drawn + fresh
    return drawn


def _draw_until(wanted: int, most: int, case: Case, hint: str | None) -> Drawing:
    """Draw until enough samples agree, and at most as many at once as are needed in any case."""
    drawn: list[Sample] = []
    while True:
        agreeing = sum(sample.agrees is True for sample in drawn)
        count = min(wanted - agreeing, most - len(drawn))
        if count <= 0:
            return drawn
        fresh = yield from _ask(range(len(drawn), len(drawn) + count), case, hint)
        drawn += fresh
        if len(fresh) < count or not any(sample.is_askable_again for sample in fresh):
            return drawn


def _ask(numbers: Iterable[int], case: Case, hint: str | None) -> Drawing:
    questions = [Question(case.record, case.task, number, hint) for number in numbers]
    replies = yield questions
    return [
        read_sample(reply, case, is_hinted=hint is not None)
        for question, reply in zip(questions, replies, strict=True)
        if question.sample == 0 or reply.problem is None or reply.problem.kind != "missing"
    ]
