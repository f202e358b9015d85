"""The figures of several runs together: runs with seeds of their own, and runs with a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mitools.errors import MitoolsError
from mitools.evaluate.judge.judging import failed_judge
from mitools.evaluate.outcomes import compare, count_pairs, over_seeds
from mitools.evaluate.run import Evaluation

if TYPE_CHECKING:
    from mitools.evaluate.judge.open_judge import Judge

__all__ = ["check_side", "join_runs"]


def check_side(runs: Sequence[Evaluation]) -> None:
    """Check, when everything else is written, what only the whole input shows.

    Raises:
        MitoolsError: a probe, or the judge of :func:`join_runs`, failed; with its status.
        DataError: baselines had no records to learn from, or no record has a field of ``--by``.
    """
    for run in runs:
        for error in (*run.late_errors, run.side.missing_training(), run.tally.by.missing()):
            if error is not None:
                raise error


def join_runs(
    runs: Sequence[Evaluation],
    baselines: Sequence[Evaluation] = (),
    *,
    by_seed: bool = False,
    judge: Judge | None = None,
    update: Callable[[int], None] = lambda _count: None,
    step: Callable[[str], None] = lambda _what: None,
) -> dict[str, Any]:
    """Compute the figures of one run or of several, and compare them with a baseline.

    Args:
        runs: passes that are over; the options of the first one hold for all.
        baselines: passes over a baseline's records, one for each of its seeds.
        by_seed: the runs are trainings with different seeds; their mean and spread are added.
        judge: an open judge; it rates the only run, or compares it with the only baseline. Where it
            fails, its figures are undefined, and :func:`check_side` raises the error: the answers
            and the other figures must not be lost with it.
        update: called with the number of the probes' questions answered since.
        step: told what is done next, for people.

    Returns:
        The figures of the only run, or ``runs`` with the figures of each and ``seeds``; with
        ``comparison`` where there are baselines. They are
        :class:`~mitools.evaluate.measures.metric.Metric` objects.

    Raises:
        DataError: no record is in all runs.
    """
    figures_by_run = [run.figures(update, step) for run in runs]
    seed, outcomes = runs[0].options.seed, [run.outcomes for run in runs]
    if judge is not None:
        baseline = baselines[0].sample if baselines else None
        try:
            figures_by_run[0]["judge"] = judge.judge(runs[0].sample, baseline, seed)
        except MitoolsError as exc:
            runs[0].late_errors.append(exc)
            figures_by_run[0]["judge"] = failed_judge()
    figures: dict[str, Any] = {"runs": figures_by_run} if by_seed else figures_by_run[0]
    if by_seed:
        figures["seeds"] = {**count_pairs(outcomes), **over_seeds(outcomes, seed)}
    if baselines:
        theirs = [baseline.outcomes for baseline in baselines]
        figures["comparison"] = compare(outcomes, theirs, seed)
    return figures
