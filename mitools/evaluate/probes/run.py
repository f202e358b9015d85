"""The probes by name: run the requested ones, and state the others as skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mitools.errors import MitoolsError
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.simulatability import RATIONALE_EDITING
from mitools.evaluate.probes import PROBES, ProbeName
from mitools.evaluate.probes.attribution import MEASURES as ATTRIBUTION
from mitools.evaluate.probes.attribution import probe_attribution
from mitools.evaluate.probes.counterfactual import MEASURES as COUNTERFACTUAL
from mitools.evaluate.probes.counterfactual import probe_counterfactual
from mitools.evaluate.probes.cue import MEASURES as CUE
from mitools.evaluate.probes.cue import probe_cue
from mitools.evaluate.probes.editing import probe_editing
from mitools.evaluate.probes.robustness import MEASURES as ROBUSTNESS
from mitools.evaluate.probes.robustness import probe_robustness
from mitools.evaluate.probes.subject import Subject
from mitools.evaluate.simulators.tally import UNTRAINED

__all__ = ["run_probes", "unasked_probes", "untrained_probes"]

_RUN: Mapping[ProbeName, Callable[[Subject], dict[str, Any]]] = {
    "robustness": probe_robustness,
    "attribution": probe_attribution,
    "counterfactual": probe_counterfactual,
    "cue": probe_cue,
    "editing": probe_editing,
}
_MEASURES: Mapping[ProbeName, Mapping[str, Measure]] = {
    "robustness": ROBUSTNESS,
    "attribution": ATTRIBUTION,
    "counterfactual": COUNTERFACTUAL,
    "cue": CUE,
}


def run_probes(
    subject: Subject, names: Iterable[ProbeName], on_error: Callable[[MitoolsError], None]
) -> dict[str, dict[str, Any]]:
    """Run probes, each once, in their own order; ``editing`` is a block of ``association``.

    Args:
        subject: what they work on.
        names: of the probes.
        on_error: receives the error of a probe that failed; its figures are undefined, as those of
            the others must not be lost with it.
    """
    asked = set(names)
    found: dict[str, dict[str, Any]] = {}
    for name in PROBES:
        if name in asked:
            try:
                found[name] = _RUN[name](subject)
            except MitoolsError as exc:
                on_error(exc)
                found[name] = _failed(name, f"the probe failed: {exc.message}")
    return found


def _failed(name: ProbeName, reason: str) -> dict[str, Metric]:
    measures = RATIONALE_EDITING if name == "editing" else _MEASURES[name]
    return {key: measure.undefined(reason) for key, measure in measures.items()}


def untrained_probes(names: Iterable[ProbeName]) -> dict[str, dict[str, Any]]:
    """State probes as not applicable to a student that was not trained to explain."""
    return {
        name: {key: measure.not_applicable(UNTRAINED) for key, measure in _MEASURES[name].items()}
        for name in PROBES
        if name in names and name in _MEASURES
    }


def unasked_probes() -> dict[str, dict[str, Any]]:
    """State every probe that changes the input as skipped."""
    return {
        name: {
            key: measure.skipped(f'it changes the input and asks again: "--probe {name}"')
            for key, measure in measures.items()
        }
        for name, measures in _MEASURES.items()
    }
