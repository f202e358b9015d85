"""The catalog: which measure is at which path of a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from mitools.evaluate.catalog import FIGURES, measure_at
from mitools.evaluate.measures.metric import Metric
from mitools.evaluate.summary import SummaryBuilder

pytestmark = pytest.mark.usefixtures("few_resamples")

LONGEST_TITLE = 37
"""Characters; tables of figures have no room for more."""


def metrics_of(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Metric]]:
    for name, value in values.items():
        if isinstance(value, Metric):
            yield f"{prefix}{name}", value
        elif isinstance(value, Mapping):
            yield from metrics_of(value, f"{prefix}{name}.")


def test_the_catalog_holds_exactly_the_figures_of_a_summary() -> None:
    found = dict(metrics_of(SummaryBuilder().summary(0)))
    of_several_runs = {path for path in FIGURES if path.startswith(("comparison.", "seeds."))}
    assert found.keys() == FIGURES.keys() - of_several_runs


def test_the_measure_of_a_figure_is_the_one_in_the_catalog() -> None:
    for path, metric in metrics_of(SummaryBuilder().summary(0)):
        if not path.startswith("overlap."):  # whose titles name the reference too
            assert metric.measure is measure_at(path), path


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
