"""Everything that an evaluation found: the dictionary that ``mitools eval --summary`` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mitools.evaluate.outcomes import compare, over_seeds
from mitools.evaluate.provenance import describe_run, software
from mitools.evaluate.summary import as_json

if TYPE_CHECKING:
    from mitools.evaluate.run import Evaluation

__all__ = ["as_document", "join_runs"]


def join_runs(
    runs: Sequence[Evaluation],
    summaries: Sequence[dict[str, Any]],
    baselines: Sequence[Evaluation] = (),
    *,
    seed: int = 0,
    by_seed: bool = False,
) -> dict[str, Any]:
    """Join the summaries of one run or several, and compare them with a baseline.

    Args:
        runs: passes that are over.
        summaries: one for each run, from :meth:`~mitools.evaluate.run.Evaluation.summary`.
        baselines: passes over a baseline's records, one for each of its seeds.
        seed: of every resampling.
        by_seed: the runs are trainings with different seeds; their mean and spread are added.

    Returns:
        The only run's summary, or ``runs`` with one summary each and ``seeds``; with ``comparison``
        where there are baselines. Figures are :class:`~mitools.evaluate.measures.metric.Metric`.
    """
    found: dict[str, Any] = {"runs": list(summaries)} if by_seed else dict(summaries[0])
    outcomes = [run.outcomes for run in runs]
    if by_seed:
        found["seeds"] = over_seeds(outcomes, seed)
    if baselines:
        found["comparison"] = compare(outcomes, [one.outcomes for one in baselines], seed)
    return found


def as_document(
    found: Mapping[str, Any], run: Evaluation, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Make plain JSON values of what was found, and add where it comes from.

    Args:
        found: see :func:`join_runs`.
        run: the pass whose student is described; one that only scored again has none.
        asked: the options, as plain values.
    """
    described = describe_run(run.opened, asked) if run.opened else None
    return {**as_json(found), "provenance": {"software": software(), "run": described}}
