"""Every figure that a summary can hold: the measure behind each dotted path.

A summary is plain JSON, without the names of its figures for people. They are on the measures;
here stands which measure is at which path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mitools.evaluate import judging, outcomes
from mitools.evaluate.confidences import AFTER, CHOICE_MEASURES, TEMPERATURE
from mitools.evaluate.measures import calibration, labels, surface, text
from mitools.evaluate.measures.classwise import CLASSWISE_ECE
from mitools.evaluate.measures.consistency import CONSISTENCY, COVERAGE
from mitools.evaluate.measures.metric import Measure
from mitools.evaluate.measures.simulatability import (
    ASSOCIATION,
    QUALITY,
    RATIONALE_EDITING,
    WITH_SIMULATOR,
)
from mitools.evaluate.probes import attribution, counterfactual, cue, robustness

__all__ = ["BLOCKS", "FIGURES", "REFERENCES", "measure_at", "with_reference"]

REFERENCES: Mapping[str, str] = {
    "teacher": "teacher",
    "teacher_correct": "correct teacher",
    "human": "human",
}
"""Whose rationales the student's are compared with, and the name for people."""


def with_reference(measure: Measure, reference: str) -> Measure:
    """Name a measure of overlap with the reference that it is computed on."""
    return replace(measure, title=f"{measure.title} with {REFERENCES[reference]}")


BLOCKS: Mapping[str, Mapping[str, Measure]] = {
    "label": {
        "accuracy": labels.ACCURACY,
        "exact_match": labels.EXACT_MATCH,
        "valid": labels.VALID,
        "macro_f1": labels.MACRO_F1,
        "decode_agreement": labels.DECODE_AGREEMENT,
    },
    "calibration": {
        **calibration.MEASURES,
        "classwise_ece": CLASSWISE_ECE,
        **CHOICE_MEASURES,
    },
    "temperature": {"temperature": TEMPERATURE, **AFTER},
    "rationale": surface.MEASURES,
    **{
        f"overlap.{reference}": {
            name: with_reference(measure, reference) for name, measure in text.MEASURES.items()
        }
        for reference in REFERENCES
    },
    "consistency": {
        "consistency": CONSISTENCY,
        "coverage": COVERAGE,
        "with_simulator": WITH_SIMULATOR,
    },
    "association": ASSOCIATION,
    "association.rationale_editing": RATIONALE_EDITING,
    "quality": QUALITY,
    "probes.robustness": robustness.MEASURES,
    "probes.attribution": attribution.MEASURES,
    "probes.counterfactual": counterfactual.MEASURES,
    "probes.cue": cue.MEASURES,
    "judge": judging.MEASURES,
    "comparison.metrics": outcomes.MEASURES,
    "seeds": outcomes.MEASURES,
}
"""The measures of each block of a summary, by the block's path. Those of ``probes.robustness`` by
level of noise are in :data:`~mitools.evaluate.probes.robustness.LEVEL_MEASURES`."""

FIGURES: Mapping[str, Measure] = {
    f"{block}.{name}": measure
    for block, measures in BLOCKS.items()
    for name, measure in measures.items()
}
"""The measure at each dotted path of a summary, such as ``label.accuracy``."""


def measure_at(path: str) -> Measure | None:
    """Return the measure at a dotted path of a summary; None where no summary has a figure."""
    return FIGURES.get(path)
