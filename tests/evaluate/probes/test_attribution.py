from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mitools.evaluate.probes.attribution import (
    MEASURES,
    probe_attribution,
    rank_correlation,
    top_overlap,
)
from tests.evaluate.probes.subjects import Talker, choice, subject

pytestmark = pytest.mark.usefixtures("few_resamples")

ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=12)


@given(ROWS)
def test_the_rank_correlation_is_scipys(pairs: list[tuple[int, int]]) -> None:
    left, right = np.array(pairs, dtype=np.float64).T
    found = rank_correlation(left, right)
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        assert found is None
    else:
        assert found == pytest.approx(scipy.stats.spearmanr(left, right).statistic, abs=1e-12)


def test_the_overlap_of_the_largest_fifths_is_worked_by_hand() -> None:
    left = np.array([9.0, 8, 0, 0, 0, 0, 0, 0, 0, 0])
    right = np.array([0.0, 8, 9, 0, 0, 0, 0, 0, 0, 0])
    assert top_overlap(left, right) == 0.5
    assert top_overlap(left, left) == 1
    assert top_overlap(left[:6], right[:6]) == 0.5  # 1.2 tokens are rounded up to two


@dataclass
class Gradients:
    """Attributions by what is scored: the texts in ``sizes``, else those of the input's number."""

    sizes: dict[str, Sequence[float]]
    seen: list[tuple[str, Any]] = field(default_factory=list)

    def attributions(
        self, purpose: Any, inputs: Sequence[str], targets: Sequence[str], firsts: Any, **more: Any
    ) -> list[dict[tuple[int, int], float]]:
        self.seen.append((purpose, more["is_mean"]))
        return [
            {(place, place + 1): size for place, size in enumerate(self.sizes[target])}
            for target in targets
        ]


def probe(sizes: dict[str, Sequence[float]], said: Sequence[tuple[str, str]]) -> dict[str, Any]:
    texts = {choice(number)["input"]: pair for number, pair in enumerate(said)}
    student = Talker(lambda text: texts[text][0], lambda text: texts[text][1])
    records = [choice(number) for number in range(len(said))]
    return probe_attribution(subject(student, records, Gradients(sizes)))


UP = (1.0, 2.0, 3.0, 4.0, 5.0)
DOWN = (5.0, 4.0, 3.0, 2.0, 1.0)


def test_identical_passes_agree_wholly() -> None:
    found = probe({"sea": UP, "box": DOWN, "s": UP, "b": DOWN}, [("sea", "s"), ("box", "b")])
    assert (found["spearman"].value, found["top_overlap"].value) == (1, 1)
    assert (found["spearman_null"].value, found["top_overlap_null"].value) == (-1, 0)
    assert (found["spearman_gain"].value, found["top_overlap_gain"].value) == (2, 1)
    assert found["spearman"].n == 2


def test_only_the_size_counts_and_not_the_sign() -> None:
    signed = (-1.0, 2.0, -3.0, 4.0, -5.0)
    found = probe({"sea": UP, "s": signed, "t": DOWN}, [("sea", "s"), ("sea", "t")])
    assert found["spearman"].value == 0  # 1 for the first, -1 for the second
    assert found["spearman_gain"].value == 0


def test_a_rationale_that_is_like_any_other_gains_nothing() -> None:
    found = probe({"sea": UP, "s": UP, "t": UP}, [("sea", "s"), ("sea", "t")])
    assert found["spearman"].value == 1
    assert found["spearman_gain"].value == 0


def test_the_mean_is_over_records_and_its_interval_over_them() -> None:
    middle = (2.0, 1.0, 4.0, 3.0, 5.0)  # ρ = 1 - 6·4 / (5·24) = 0.8
    said = [("sea", "s"), ("sea", "t")] * 4
    found = probe({"sea": UP, "s": UP, "t": middle}, said)
    assert found["spearman"].value == pytest.approx(0.9)
    low, high = found["spearman"].ci95
    assert 0.8 <= low < 0.9 < high <= 1


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"sea": (1, 2, 3, 4), "s": (1, 2, 3, 4), "t": (1, 2, 3, 4)}, "no input of 5 tokens"),
        ({"sea": (1,) * 6, "s": (1,) * 6, "t": (1,) * 6}, "attributions that differ"),
    ],
)
def test_what_says_nothing_is_undefined(sizes: Any, reason: str) -> None:
    found = probe(sizes, [("sea", "s"), ("sea", "t")])
    assert {found[name].status for name in MEASURES} == {"undefined"}
    assert reason in found["spearman"].reason


def test_without_a_second_rationale_there_is_no_null() -> None:
    found = probe({"sea": UP, "s": UP}, [("sea", "s"), ("sea", "s")])
    assert "none can be mismatched" in found["spearman_gain"].reason


def test_a_record_without_a_rationale_is_left_out() -> None:
    found = probe({"sea": UP, "s": UP, "t": DOWN}, [("sea", "s"), ("sea", "t"), ("sea", "  ")])
    assert found["spearman"].n == 2


def test_labels_are_scored_by_their_sum_and_rationales_by_their_mean() -> None:
    student = Talker(lambda _text: "sea", lambda text: text)
    texts = [choice(number)["input"] for number in (1, 2)]
    instrument = Gradients({"sea": UP, **dict.fromkeys(texts, UP)})
    probe_attribution(subject(student, [choice(1), choice(2)], instrument))
    assert instrument.seen == [("label", False), ("rationale", True), ("rationale", True)]


def test_a_student_out_of_reach_is_no_subject() -> None:
    found = probe_attribution(subject(Talker(lambda _text: "sea"), [choice(1)]))
    assert {metric.status for metric in found.values()} == {"not_applicable"}


def test_the_rank_correlation_of_any_order_with_itself_is_1() -> None:
    for order in itertools.permutations((1.0, 2.0, 3.0)):
        assert math.isclose(rank_correlation(np.array(order), np.array(order)) or 0, 1)
