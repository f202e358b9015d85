from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from typing import Any

import pytest

from mitools.evaluate.baselines.bench import Bench
from mitools.evaluate.baselines.compare import MEASURES, NO_TRAINING, compare_baselines
from mitools.evaluate.baselines.majority import Majority
from mitools.evaluate.baselines.protocol import Baseline
from mitools.evaluate.baselines.tfidf import tfidf_baseline
from mitools.evaluate.measures.comparison import holm
from tests.evaluate.baselines.problems import WORDS, labelled

pytestmark = pytest.mark.usefixtures("few_resamples")


def bench(
    *,
    gold: Mapping[int, str] | None = None,
    right_every: int = 3,
    train: int = 60,
    sure: float | None = None,
) -> Bench:
    """Collect 60 training records and 30 evaluated ones; the student is right on some."""
    found = Bench()
    for number in range(train):
        found.add_training(_record(number))
    for number in range(100, 130):
        record = _record(number)
        is_right = number % right_every == 0
        record["student"] = {"label": "billing", "confidence": 0.5}
        record["scores"] = {"correct": is_right}
        record["teacher"] = {"label": record["label"] if number % 5 else "billing"}
        record["teacher"]["confidence"] = sure
        if gold is not None:
            record["label"] = gold.get(number, record["label"])
        found.add(record)
    return found


def _record(number: int) -> dict[str, Any]:
    example = labelled(number)
    return {
        "id": example.problem.name,
        "input": example.problem.input,
        "label": example.label,
        "task": "labels",
        "choices": [*WORDS],
    }


def both() -> dict[str, Baseline]:
    return {"majority": Majority(), "tfidf": tfidf_baseline(0)}


def test_a_linear_model_that_solves_the_task_is_ahead_in_a_paired_test() -> None:
    found = compare_baselines(bench(), both(), "auto", 0)["systems"]
    assert [*found] == ["student", "majority", "tfidf", "teacher"]
    assert found["student"]["accuracy"].value == pytest.approx(1 / 3)
    assert found["tfidf"]["accuracy"].value == 1
    difference = found["tfidf"]["difference"]
    assert difference.value == pytest.approx(-2 / 3)
    assert difference.details["test"] == "McNemar, exact"
    assert difference.details["p_value"] == pytest.approx(2 * 0.5**20)
    assert (difference.details["better"], difference.details["worse"]) == (0, 20)


def test_p_values_are_adjusted_over_the_baselines_without_the_teacher() -> None:
    found = compare_baselines(bench(), both(), "auto", 0)["systems"]
    tested = {name: found[name]["difference"].details["p_value"] for name in both()}
    adjusted = {name: found[name]["difference"].details["p_holm"] for name in both()}
    assert adjusted == holm(tested)
    assert "p_holm" not in found["teacher"]["difference"].details


def test_a_teacher_that_states_confidences_has_a_calibration_error() -> None:
    found = compare_baselines(bench(sure=0.9), {}, "auto", 0)["systems"]["teacher"]
    assert found["ece_width"].value == pytest.approx(abs(0.9 - found["accuracy"].value))
    assert found["ece_width"].value > 0
    found = compare_baselines(bench(), {}, "auto", 0)["systems"]["teacher"]
    assert found["ece_width"].reason == "it states no confidence"


def test_changed_gold_labels_of_evaluated_records_change_no_answer() -> None:
    answers = []
    wrong = dict.fromkeys(range(100, 130), "account")
    for gold in (None, wrong):
        collected, baselines = bench(gold=gold), both()
        compare_baselines(collected, baselines, "auto", 0)
        problems = [one.problem for one in collected.evaluated]
        answers.append({name: one.answer(problems) for name, one in baselines.items()})
    assert answers[0] == answers[1]
    assert {guess.label for guess in answers[0]["tfidf"]} == set(WORDS)


def test_figures_but_times_are_the_same_again() -> None:
    runs = [compare_baselines(bench(), both(), "auto", 0) for _ in range(2)]
    for one, other in itertools.pairwise(runs):
        assert one["about"] == other["about"]
        for name in one["systems"]:
            for key in ("accuracy", "difference", "ece_width", "reachable"):
                assert one["systems"][name][key] == other["systems"][name][key]


def test_every_row_has_every_figure() -> None:
    for figures in compare_baselines(bench(), both(), "auto", 0)["systems"].values():
        assert figures.keys() == MEASURES.keys()
        assert all(metric.measure is MEASURES[key] for key, metric in figures.items())


def test_without_training_records_each_figure_has_the_reason() -> None:
    found = compare_baselines(bench(train=0), both(), "auto", 0)["systems"]
    assert {metric.reason for metric in found["tfidf"].values()} == {NO_TRAINING}
    assert found["student"]["accuracy"].status == "ok"


def test_without_gold_there_is_nothing_to_compare() -> None:
    collected = bench()
    collected.evaluated.clear()
    found = compare_baselines(collected, both(), "auto", 0)["systems"]
    assert found["majority"]["accuracy"].reason == "no record has a gold label"
    assert found["student"]["accuracy"].reason == "no record has a gold label"
    assert "teacher" not in found


def test_what_is_fitted_is_told_before_it_is() -> None:
    told: list[str] = []

    class Slow(Majority):
        def fit(self, examples: Any) -> None:
            told.append("fitted")
            super().fit(examples)

    compare_baselines(bench(), {"slow": Slow()}, "gold", 0, step=told.append)
    assert told == ["baseline slow", "fitted"]


def test_the_order_of_the_records_changes_no_interval() -> None:
    found = []
    for shuffled in (False, True):
        collected = bench(right_every=4)
        if shuffled:
            random.Random(1).shuffle(collected.evaluated)
        systems = compare_baselines(collected, {"majority": Majority()}, "auto", 0)["systems"]
        found.append([systems[name]["difference"].as_json() for name in ("majority", "teacher")])
    assert found[0] == found[1]
    assert found[0][0]["ci95"] is not None
