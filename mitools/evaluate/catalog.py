"""What a summary can hold: the measure of every figure by its dotted path, as a JSON Schema too.

A summary is plain JSON, without the titles and descriptions of its figures. They are on the
measures; this module says which measure is at which path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mitools.evaluate import beside_teacher, by_field, outcomes
from mitools.evaluate.baselines import compare
from mitools.evaluate.confidences import AFTER, CHOICE_MEASURES, TEMPERATURE
from mitools.evaluate.costs import figures as cost_figures
from mitools.evaluate.judge import judging
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
from mitools.evaluate.operating import figures
from mitools.evaluate.probes import attribution, counterfactual, cue, robustness
from mitools.evaluate.ways import BY_WAY, READINGS

__all__ = [
    "BLOCKS",
    "FIGURES",
    "REFERENCES",
    "figures_table",
    "measure_at",
    "summary_schema",
    "with_reference",
]

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
        "input_truncated": labels.INPUT_TRUNCATED,
    },
    "calibration": {
        **calibration.MEASURES,
        "classwise_ece": CLASSWISE_ECE,
        **CHOICE_MEASURES,
    },
    "temperature": {"temperature": TEMPERATURE, **AFTER},
    "operating": figures.MEASURES,
    "teacher": beside_teacher.MEASURES,
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
    "answers": READINGS,
    **{f"answers.{way}": measures for way, measures in BY_WAY.items()},
    "by.*.*": by_field.MEASURES,
    "probes.robustness": robustness.MEASURES,
    "probes.attribution": attribution.MEASURES,
    "probes.counterfactual": counterfactual.MEASURES,
    "probes.cue": cue.MEASURES,
    "judge": judging.MEASURES,
    "costs": cost_figures.MEASURES,
    "baselines.systems.*": compare.MEASURES,
    "comparison.metrics": outcomes.MEASURES,
    "seeds": outcomes.MEASURES,
}
"""The measures of each block of a summary, by the block's path. Those of ``probes.robustness`` by
level of noise are in :data:`~mitools.evaluate.probes.robustness.LEVEL_MEASURES`. A star is the name
of a baseline, ``student`` or ``teacher``; those of ``by`` are a field and a value of it."""

FIGURES: Mapping[str, Measure] = {
    f"{block}.{name}": measure
    for block, measures in BLOCKS.items()
    for name, measure in measures.items()
}
"""The measure at each dotted path of a summary, such as ``label.accuracy``."""


def measure_at(path: str) -> Measure | None:
    """Return the measure at a dotted path of a summary; None where no summary has a figure."""
    block, _, name = path.rpartition(".")
    if block.startswith(_SYSTEMS):
        path = f"{_SYSTEMS}*.{name}"
    elif block.startswith(_BY):
        path = f"{_BY}*.*.{name}"
    return FIGURES.get(path)


_SYSTEMS = "baselines.systems."
_BY = "by."


Schema = dict[str, Any]

_METRIC: Schema = {
    "type": "object",
    "required": ["value", "ci95", "n", "status", "reason", "unit", "higher_is_better"],
    "properties": {
        "value": {"type": ["number", "null"], "description": "the figure; null unless ok"},
        "ci95": {
            "type": ["array", "null"],
            "items": {"type": "number"},
            "description": "95% confidence interval, where there is one",
        },
        "n": {"type": "integer", "description": "items that the value is computed from"},
        "status": {
            "enum": ["ok", "undefined", "not_applicable", "skipped"],
            "description": "ok; undefined for these records; not applicable to this student or "
            "task; skipped, because it was not asked for",
        },
        "reason": {"type": ["string", "null"], "description": "why there is no value"},
        "unit": {"type": "string"},
        "higher_is_better": {
            "type": ["boolean", "null"],
            "description": "null where neither direction is better",
        },
        "null_mean": {"type": "number", "description": "mean under perfect calibration"},
        "null95": {
            "type": "array",
            "items": {"type": "number"},
            "description": "middle 95% of the values under perfect calibration",
        },
        "null_p": {"type": "number", "description": "p-value against perfect calibration"},
        "p_value": {"type": "number", "description": "two-sided, or of a permutation test"},
        "p_holm": {"type": "number", "description": "p-value adjusted for all measures (Holm)"},
        "p_bootstrap": {
            "type": "number",
            "description": "of a comparison of several runs: p-value of resampled records and runs",
        },
        "p_seeds": {
            "type": "number",
            "description": "of the same: p-value of a t-test over the runs; p_value is the larger",
        },
        "before": {"type": "number", "description": "value without the temperature"},
        "smallest_detectable": {
            "type": "number",
            "description": "difference that a test at 5% finds in 80% of experiments",
        },
    },
}
"""The form of a figure. More keys of single figures may follow."""


def _counts(description: str) -> Schema:
    return {
        "type": "object",
        "additionalProperties": {"type": "integer"},
        "description": description,
    }


def _rows(description: str) -> Schema:
    return {"type": ["array", "null"], "items": {"type": "object"}, "description": description}


_OF_A_RUN: Mapping[str, Schema] = {
    "records": {"type": "integer", "description": "records that were evaluated"},
    "tasks": _counts("records by task"),
    "models": _counts("records by the student that answered"),
    "data_hash": {"type": "string", "description": "hash of the records without the answers"},
    "seed": {"type": "integer", "description": "seed of all resampling and random draws"},
    "intervals": {"type": "string", "description": "how the intervals are computed"},
    "quadrants": {
        "type": ["object", "null"],
        "description": "records by label right or wrong, and by whose answer the rationale "
        "supports; null without rationales",
    },
    "simulator": {
        "type": ["object", "null"],
        "description": "family of the simulators and the records that they were fitted on",
    },
    "reliability": _rows("equal-width bins of the confidence, with the accuracy in each"),
    "confusion": _rows("records by gold and given label, for a fixed set of labels"),
}
"""What the summary of a run holds beside its figures."""

_PAIRS: Mapping[str, Schema] = {
    "records": {"type": "integer", "description": "records that all runs have"},
    "unmatched": {"type": "integer", "description": "records that only some runs have"},
    "differing": {
        "type": "integer",
        "description": "ids that stand for another input, label, choices or task in another run",
    },
}

_OF_BLOCKS: Mapping[str, Mapping[str, Schema]] = {
    "judge": {"about": {"type": "object", "description": "model, records shown, and of how many"}},
    "baselines": {
        "about": {
            "type": "object",
            "description": "training records, how many were learned from, whose labels, and what "
            "each baseline is",
        }
    },
    "by.*.*": {
        "records": {"type": "integer", "description": "records with this value of the field"},
        "values": {
            "type": "integer",
            "description": "values that are told together, as (other values)",
        },
    },
    "comparison": _PAIRS,
    "seeds": _PAIRS,
}
"""What blocks hold beside their figures; noise levels are added to ``probes.robustness``."""

_OF_SEVERAL_RUNS = ("comparison.metrics", "seeds")


def figures_table() -> str:
    """Render :data:`FIGURES` as a Markdown table, one figure a line."""
    rows = ["| figure | title | unit | better | what it measures |", "|---|---|---|---|---|"]
    better = {True: "higher", False: "lower", None: ""}
    for path, measure in FIGURES.items():
        direction = better[measure.higher_is_better]
        rows.append(
            f"| `{path}` | {measure.title} | {measure.unit} | {direction} | {measure.about} |"
        )
    return "\n".join(rows)


def summary_schema() -> Schema:
    """Return the JSON Schema, draft 2020-12, of what ``mitools eval --summary`` writes.

    Every figure has the title, the description, the unit and the direction of its measure.
    """
    run: Schema = {name: dict(schema) for name, schema in _OF_A_RUN.items()}
    several: Schema = {}
    for path, measures in BLOCKS.items():
        block = _block_at(several if path in _OF_SEVERAL_RUNS else run, path)
        block |= {name: _figure(measure) for name, measure in measures.items()}
    for path, extra in _OF_BLOCKS.items():
        _block_at(several if path in several else run, path).update(extra)
    levels = {"sigma": {"type": "number", "description": "standard deviation of the noise"}}
    levels |= {name: _figure(measure) for name, measure in robustness.LEVEL_MEASURES.items()}
    _block_at(run, "probes.robustness")["by_sigma"] = {
        "type": "array",
        "items": _object(levels),
        "description": "figures by level of noise",
    }
    several["runs"] = {
        "type": "array",
        "items": _object(run),
        "description": "one summary for each run, with --seeds",
    }
    provenance = {"type": "object", "description": "software versions, student and decoding"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mitools summary",
        **_object({**run, **several, "provenance": provenance}),
        "$defs": {"metric": _METRIC},
    }


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _block_at(properties: Schema, path: str) -> Schema:
    """Return the properties of the block at a dotted path, and make the block where needed.

    A star is any name.
    """
    schema: Schema = {"properties": properties}
    for name in path.split("."):
        if name == "*":
            if not schema.get("additionalProperties"):
                schema["additionalProperties"] = _object({})
            schema = schema["additionalProperties"]
        else:
            schema = schema["properties"].setdefault(name, _object({}))
    found: Schema = schema["properties"]
    return found


def _figure(measure: Measure) -> Schema:
    return {
        "$ref": "#/$defs/metric",
        "title": measure.title,
        "description": measure.about,
        "properties": {
            "unit": {"const": measure.unit},
            "higher_is_better": {"const": measure.higher_is_better},
        },
    }
