"""The catalog: which measure is at which path of a summary."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest

from mitools.evaluate import by_field
from mitools.evaluate.by_field import ByField
from mitools.evaluate.catalog import FIGURES, figures_table, measure_at, summary_schema
from mitools.evaluate.findings import join_runs
from mitools.evaluate.measures.metric import Metric, as_json
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.probes.robustness import LEVEL_MEASURES
from mitools.evaluate.provenance import with_provenance
from mitools.evaluate.run import Evaluation
from mitools.evaluate.summary import SummaryBuilder
from mitools.records import Record
from mitools.tasks import task_of
from tests.evaluate import test_ways

pytestmark = pytest.mark.usefixtures("few_resamples")

LONGEST_TITLE = 37
"""Characters; tables of figures have no room for more."""


OTHERS = ("answers.", "baselines.", "by.", "comparison.", "costs.", "seeds.")
"""Blocks that are not of the records alone."""


def metrics_of(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Metric]]:
    for name, value in values.items():
        if isinstance(value, Metric):
            yield f"{prefix}{name}", value
        elif isinstance(value, Mapping):
            yield from metrics_of(value, f"{prefix}{name}.")


def test_the_catalog_holds_exactly_the_figures_of_a_summary() -> None:
    found = dict(metrics_of(SummaryBuilder().summary(0)))
    others = {path for path in FIGURES if path.startswith(OTHERS)}
    assert found.keys() == FIGURES.keys() - others


def test_the_catalog_holds_exactly_the_figures_of_ways_of_answering() -> None:
    builder, record = SummaryBuilder(), test_ways.RECORDS[0]
    builder.add(record, task_of(record))
    found = dict(metrics_of(builder.summary(0)))
    assert {path for path in found if path.startswith("answers.")} == {
        path for path in FIGURES if path.startswith("answers.")
    }
    for path, metric in found.items():
        if path.startswith("answers."):
            assert metric.measure is measure_at(path), path


def test_the_measure_of_a_figure_is_the_one_in_the_catalog() -> None:
    for path, metric in metrics_of(SummaryBuilder().summary(0)):
        if not path.startswith("overlap."):  # whose titles name the reference too
            assert metric.measure is measure_at(path), path


def test_the_catalog_holds_the_figures_by_the_values_of_a_field() -> None:
    builder, record = SummaryBuilder(by=ByField(["id", "student.label"])), test_ways.RECORDS[0]
    builder.add(record, task_of(record))
    found = dict(metrics_of(builder.summary(0)["by"], "by."))
    assert len(found) == 2 * len(by_field.MEASURES)
    for path, metric in found.items():
        assert metric.measure is measure_at(path), path
    assert measure_at("by.a.b.v1.0.accuracy") is by_field.MEASURES["accuracy"]


def test_an_unknown_path_has_no_measure() -> None:
    assert measure_at("label.beauty") is None
    assert measure_at("label") is None


@pytest.mark.parametrize("path", FIGURES)
def test_every_measure_has_a_title_and_a_description(path: str) -> None:
    measure = FIGURES[path]
    assert measure.title
    assert len(measure.title) <= LONGEST_TITLE
    assert measure.about.endswith(".")


def test_no_two_figures_of_one_run_have_the_same_title() -> None:
    titles = [
        measure.title
        for path, measure in FIGURES.items()
        if not path.startswith(("comparison.", "seeds."))
    ]
    assert sorted(titles) == sorted(set(titles))


def figures_in(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """List the figures that a schema describes, by path; those of a list have a star in it."""
    if "$ref" in schema:
        yield prefix.removesuffix("."), schema
        return
    for name, inner in schema.get("properties", {}).items():
        yield from figures_in(inner, f"{prefix}{name}.")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from figures_in(schema[key], f"{prefix}*.")


def test_the_schema_describes_every_figure_and_no_other() -> None:
    described = dict(figures_in(summary_schema()))
    levels = {f"probes.robustness.by_sigma.*.{name}" for name in LEVEL_MEASURES}
    of_a_run = {path for path in FIGURES if not path.startswith(("comparison.", "seeds."))}
    of_a_run |= levels
    of_runs = {f"runs.*.{path}" for path in of_a_run}
    assert described.keys() == FIGURES.keys() | levels | of_runs
    for path, measure in FIGURES.items():
        assert (described[path]["title"], described[path]["description"]) == (
            measure.title,
            measure.about,
        )
        assert described[path]["properties"]["unit"] == {"const": measure.unit}


def test_the_schema_is_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(summary_schema())


def answered(number: int, *, right: bool) -> Record:
    """Make a record whose choices were scored; every other rationale names another answer."""
    gold, other = ("yes", "no") if number % 2 else ("no", "yes")
    label = gold if right else other
    return {
        "id": str(number),
        "input": f"Is {number % 7} more than {number % 5}?",
        "label": gold,
        "task": "labels",
        "choices": ["yes", "no"],
        "split": "valid" if number % 3 == 0 else "test",
        "rationale": "It has digits.",
        "teacher": {"label": gold, "rationale": "It is one.", "agrees": True},
        "student": {
            "label": label,
            "confidence": 0.75,
            "choices": {label: 0.75, {"yes": "no", "no": "yes"}[label]: 0.25},
            "in_set_mass": 0.9,
            "decoded": "yes",
            "rationale": f"{number % 5} + 1 = {number % 7}, so {label if number % 4 else other}.",
            "rationale_truncated": False,
        },
    }


def evaluated(every: int, **options: Any) -> Evaluation:
    chosen = EvalOptions(temperature=True, outcomes=True, permutations=2, **options)
    evaluation = Evaluation(chosen)
    records = [answered(number, right=number % every > 0) for number in range(90)]
    list(evaluation.run(records))
    return evaluation


def test_summaries_of_one_run_and_of_several_fit_the_schema() -> None:
    validator = jsonschema.Draft202012Validator(summary_schema())
    runs = [evaluated(4, by=("split", "id")), evaluated(3, simulator="none")]
    alone = runs[0].summary()
    together = with_provenance(join_runs(runs, runs[1:], by_seed=True), None, {})
    for summary in (alone, together):
        validator.validate(json.loads(json.dumps(summary)))
    assert alone["association"]["cvi_net"]["status"] == "ok"
    assert alone["by"]["split"]["test"]["records"] == alone["records"]
    assert together["comparison"]["metrics"]["accuracy"]["status"] == "ok"


def test_a_figure_that_no_measure_describes_does_not_fit_the_schema() -> None:
    summary = SummaryBuilder().summary(0)
    summary["label"]["beauty"] = summary["label"]["accuracy"]
    with pytest.raises(jsonschema.ValidationError, match="beauty"):
        jsonschema.validate(json.loads(json.dumps(as_json(summary))), summary_schema())


def test_noise_levels_fit_the_schema() -> None:
    point = {name: one.skipped("so") for name, one in LEVEL_MEASURES.items()}
    summary = as_json(SummaryBuilder().summary(0))
    summary["probes"]["robustness"]["by_sigma"] = [as_json({"sigma": 0.5, **point})]
    jsonschema.validate(summary, summary_schema())


def test_the_table_has_a_row_for_each_figure() -> None:
    lines = figures_table().splitlines()
    assert len(lines) == 2 + len(FIGURES)
    assert all(line.count(" | ") == 4 for line in lines[2:])
    assert "| `label.accuracy` | accuracy | fraction | higher |" in figures_table()
