"""The students of :mod:`tests.evaluate.synthetic`: every figure comes to what theory says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mitools.evaluate.measures import statistics
from mitools.evaluate.summary import SummaryBuilder
from mitools.tasks import task_of
from tests.evaluate.synthetic import STUDENTS, answered

N = 240

Summaries = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def summaries() -> Iterator[Summaries]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "RESAMPLES", 400)
        patch.setattr(statistics, "_FEWEST_RESAMPLES", 400)
        found = {}
        for student in STUDENTS:
            tally = SummaryBuilder(simulator="local", permutations=19)
            for record in answered(student, N):
                tally.add(record, task_of(record))
            found[student] = tally.summary(0)
        yield found


def value(summary: dict[str, Any], section: str, name: str) -> float:
    found = summary[section][name]
    assert found.value is not None, found.reason
    return float(found.value)


def test_an_oracle_is_right_sure_and_ranks_perfectly(summaries: Summaries) -> None:
    oracle = summaries["oracle"]
    assert value(oracle, "label", "accuracy") == 1
    assert value(oracle, "label", "macro_f1") == 1
    for name in ("aurc", "excess_aurc", "brier", "ece_width", "ece_mass", "classwise_ece"):
        assert value(oracle, "calibration", name) == 0
    assert value(oracle, "calibration", "nll") == pytest.approx(0, abs=1e-6)
    assert value(oracle, "calibration", "gold_nll") == 0


def test_students_that_state_honest_probabilities_lie_in_the_null_bands(
    summaries: Summaries,
) -> None:
    for name in ("ece_width", "ece_mass"):
        found = summaries["empty"]["calibration"][name]
        assert found.details["null95"][0] <= found.value <= found.details["null95"][1]


def test_all_but_the_oracle_answer_alike(summaries: Summaries) -> None:
    accuracies = {value(summaries[name], "label", "accuracy") for name in STUDENTS[1:]}
    assert len(accuracies) == 1


def test_an_oracles_rationale_tells_nothing_beyond_gold(summaries: Summaries) -> None:
    net = summaries["oracle"]["association"]["cvi_net"]
    assert abs(net.value) < 0.03
    assert net.details["p_value"] > 0.05


def test_an_empty_rationale_tells_nothing_at_all(summaries: Summaries) -> None:
    for section in ("association", "quality"):
        for name in ("rq", "las", "cvi"):
            assert value(summaries["empty"], section, name) == 0
    assert value(summaries["empty"], "association", "cvi_net") == 0
    assert value(summaries["empty"], "rationale", "empty") == 1


def test_a_shuffled_rationale_tells_nothing_and_its_interval_says_so(summaries: Summaries) -> None:
    net = summaries["shuffled"]["association"]["cvi_net"]
    assert net.ci95[0] <= 0 <= net.ci95[1]
    assert net.details["p_value"] > 0.05


def test_an_informative_rationale_tells_without_a_word_of_the_label(summaries: Summaries) -> None:
    found = summaries["informative"]["association"]
    assert found["cvi_net"].ci95[0] > 0
    assert found["cvi_net"].details["p_value"] == 0.05
    assert found["leak_share"].value == pytest.approx(0, abs=0.02)
    assert found["rq"].value > 0.15
    assert value(summaries["informative"], "consistency", "coverage") == 0


def test_a_pure_leak_is_all_label_words(summaries: Summaries) -> None:
    found = summaries["pure leak"]["association"]
    assert found["las"].status == "undefined"
    assert found["accuracy_e"].value == 1
    assert found["leak_share"].value == pytest.approx(1, abs=0.02)
    assert found["cvi_masked"].value == pytest.approx(0, abs=0.02)
    assert value(summaries["pure leak"], "consistency", "consistency") == 1


def test_grounds_with_a_leak_lie_between(summaries: Summaries) -> None:
    found = summaries["informative + leak"]["association"]
    assert 0.2 < found["leak_share"].value < 0.8
    assert found["cvi_masked"].ci95[0] > 0
    assert found["las"].status == "undefined"


def test_what_tells_of_the_own_answer_is_worth_less_for_gold(summaries: Summaries) -> None:
    for name in ("informative", "pure leak", "informative + leak"):
        own = value(summaries[name], "association", "cvi")
        assert value(summaries[name], "quality", "cvi") < own / 2
