from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.evaluate.measures.metric import Metric
from mitools.evaluate.measures.simulatability import (
    ASSOCIATION,
    QUALITY,
    RATIONALE_EDITING,
    rationale_editing,
)
from mitools.evaluate.sample import SampledRecord
from mitools.evaluate.simulators.association import (
    ENOUGH_EXCEEDANCES,
    RESOLUTION,
    associate,
    leak_adjusted,
    rate_quality,
)
from mitools.evaluate.simulators.choose import Simulation, simulate

pytestmark = pytest.mark.usefixtures("few_resamples")


def simulation(n: int = 100, *, says: str = "own", gold: bool = True) -> Simulation:
    """Two labels; the rationale tells the student's own answer, or gold, in words of no label."""
    rng = np.random.default_rng(0)
    names = ("agree", "refuse")
    items = []
    for number in range(n):
        right = int(rng.integers(2))
        own = right if rng.random() < 0.7 else 1 - right
        spoken = {"own": own, "gold": right}.get(says, 0)
        text = f"{('sun', 'rain')[right if rng.random() < 0.7 else 1 - right]} {number}"
        told = f"because {('warm', 'cold')[spoken]}" if says != "nothing" else ""
        items.append(SampledRecord(text, told, names[own], names[right] if gold else None, names))
    found = simulate(items, "labels", 0)
    assert isinstance(found, Simulation)
    return found


def slow_las(right_xe: list[int], right_x: list[int], leaks: list[bool]) -> float:
    means = []
    for bin_ in (True, False):
        members = [index for index, leak in enumerate(leaks) if leak is bin_]
        means.append(sum(right_xe[i] - right_x[i] for i in members) / len(members))
    return sum(means) / 2


def test_rationale_editing_does_not_apply_to_a_student_of_two_passes() -> None:
    tests = rationale_editing()
    assert list(tests) == list(RATIONALE_EDITING)
    for metric in tests.values():
        assert (metric.status, metric.value) == ("not_applicable", None)
        assert "never reads the rationale" in (metric.reason or "")


def test_every_figure_follows_its_definition_in_a_slow_loop() -> None:
    found = simulation()
    metrics = associate(found, 0, 3)
    guess = found.simulator.for_target(found.given).guess
    x = guess(found.given, sees_input=True, rationales=None)
    e = guess(found.given, sees_input=False, rationales=found.rationales)
    xe = guess(found.given, sees_input=True, rationales=found.rationales)
    n = len(found.given)
    assert metrics["accuracy_x"].value == sum(x.is_right) / n
    assert metrics["accuracy_e"].value == sum(e.is_right) / n
    rq = sum(int(both) - int(one) for both, one in zip(xe.is_right, x.is_right, strict=True)) / n
    assert metrics["rq"].value == pytest.approx(rq)
    bits = [math.log2(2**both / 2**one) for both, one in zip(xe.bits, x.bits, strict=True)]
    assert metrics["cvi"].value == pytest.approx(sum(bits) / n)
    rng, permuted = np.random.default_rng(0), []
    for _ in range(3):
        other = found.simulator.permute(found.rationales, found.gold, rng)
        again = guess(found.given, sees_input=True, rationales=other).bits
        permuted.append(sum(a - b for a, b in zip(again, x.bits, strict=True)) / n)
    assert metrics["cvi_net"].value == pytest.approx(sum(bits) / n - sum(permuted) / 3)
    assert metrics["cvi_net"].details["permuted_cvi"] == pytest.approx(sorted(permuted))
    assert metrics["cvi_net"].details["p_value"] == 0.25
    masked = guess(found.given, sees_input=True, rationales=found.masked).bits - x.bits
    assert metrics["leak_share"].value == pytest.approx(1 - masked.mean() / (sum(bits) / n))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(*[st.booleans()] * 3), min_size=60, max_size=90))
def test_las_follows_its_definition_in_a_slow_loop(rows: list[tuple[bool, bool, bool]]) -> None:
    xe, x, leaks = (np.array(column) for column in zip(*rows, strict=True))
    metric = leak_adjusted(xe.astype(float) - x, leaks, 0)
    if min(leaks.sum(), (~leaks).sum()) < 20:
        assert metric.status == "undefined"
    else:
        slow = slow_las(xe.astype(int).tolist(), x.astype(int).tolist(), leaks.tolist())
        assert metric.value == pytest.approx(slow)


def test_las_by_hand() -> None:
    # leaking: 20 items, 5 gained; others: 40 items, 10 lost
    gain = np.array([1.0] * 5 + [0.0] * 15 + [-1.0] * 10 + [0.0] * 30)
    metric = leak_adjusted(gain, np.arange(60) < 20, 0)
    assert metric.value == pytest.approx((0.25 - 0.25) / 2)
    assert metric.details == {"leaking": 20, "not_leaking": 40}
    assert metric.ci95 is not None


def test_las_wants_20_items_in_either_bin() -> None:
    metric = leak_adjusted(np.zeros(60), np.arange(60) < 19, 0)
    assert metric.reason == "19 rationales leak the answer and 41 do not; both bins want 20"


def test_a_rationale_of_the_students_own_answer_tells_more_than_gold() -> None:
    own = associate(simulation(says="own"), 0, 19)["cvi_net"]
    assert own.ci95 is not None
    assert own.ci95[0] > 0
    assert own.details["p_value"] == 0.05


CUES = ("sun", "rain", "fog")


def cued(says: str, *, n: int = 200, cue: float = 0.4, seed: int = 0) -> Simulation:
    """Three labels; a word of the input tells the student's own answer, with probability ``cue``.

    The rationale copies the input, has words of its own, or tells the answer in two of five.
    """
    rng = random.Random(seed)
    names, filler = ("alpha", "beta", "gamma"), [f"w{a}{b}" for a in "abcdefg" for b in "abcdefg"]
    items = []
    for _ in range(n):
        gold = rng.randrange(3)
        own = gold if rng.random() < 0.6 else rng.randrange(3)
        text = " ".join(rng.choices(filler, k=8))
        text += f" {CUES[own]}" if rng.random() < cue else ""
        told = text if says == "copy" else " ".join(rng.choices(filler, k=8))
        told += f" {('warm', 'wet', 'grey')[own]}" if says == "own" and rng.random() < 0.4 else ""
        items.append(SampledRecord(text, told, names[own], names[gold], names))
    found = simulate(items, "labels", 0)
    assert isinstance(found, Simulation)
    return found


def test_a_copy_of_the_input_tells_nothing() -> None:
    found = cued("copy")
    net = associate(found, 0, 19)["cvi_net"]
    assert net.value == pytest.approx(0, abs=0.02)
    assert net.ci95 is not None
    assert net.ci95[0] < 0
    assert net.details["p_value"] > 0.2
    assert (rate_quality(found, 0)["cvi"].value or 0) < 0.01


def test_where_the_input_tells_the_answer_a_copy_reaches_no_small_p() -> None:
    """The copy gains a trace at any weight, so every permutation would fall below it."""
    net = associate(cued("copy", cue=1.0), 0, 19)["cvi_net"]
    assert net.value == pytest.approx(0, abs=RESOLUTION)
    assert net.details["p_value"] == 1


def test_what_is_not_in_the_input_is_told() -> None:
    net = associate(cued("own"), 0, 19)["cvi_net"]
    assert net.ci95 is not None
    assert net.ci95[0] > 0.05
    assert net.details["p_value"] == 0.05
    other = associate(cued("other"), 0, 19)["cvi_net"]
    assert other.details["p_value"] > 0.1


def test_a_rationale_of_gold_tells_nothing_beyond_gold() -> None:
    metrics = associate(simulation(says="gold"), 0, 39)
    net = metrics["cvi_net"]
    assert (metrics["cvi"].value or 0) > 0.05
    assert net.value == pytest.approx(0, abs=1e-9)
    assert net.details["p_value"] == 1


def test_permutations_end_early_where_chance_does_as_well() -> None:
    net = associate(simulation(says="gold"), 0, 39)["cvi_net"]
    assert net.details["permutations"] == ENOUGH_EXCEEDANCES


def test_an_empty_rationale_tells_exactly_nothing() -> None:
    found = simulation(says="nothing")
    for metrics in (associate(found, 0, 5), rate_quality(found, 0)):
        for name in ("rq", "las", "cvi", "cvi_net", "cvi_masked"):
            assert metrics.get(name) is None or metrics[name].value == 0
    assert associate(found, 0, 5)["leak_share"].status == "undefined"


def test_words_of_no_label_leak_nothing() -> None:
    assert associate(simulation(), 0, 1)["leak_share"].value == pytest.approx(0)


def test_without_gold_there_is_no_class_to_deal_within() -> None:
    found = simulation(gold=False)
    metrics = associate(found, 0, 5)
    assert "no record has a gold label" in (metrics["cvi_net"].reason or "")
    assert metrics["cvi"].status == "ok"
    assert {metric.status for metric in rate_quality(found, 0).values()} == {"undefined"}


def test_no_permutations_leave_the_net_unmeasured() -> None:
    assert associate(simulation(), 0, 0)["cvi_net"].status == "skipped"


def test_the_same_seed_gives_the_same_figures() -> None:
    def as_json(metrics: dict[str, Metric]) -> list[object]:
        return [metric.as_json() for metric in metrics.values()]

    assert as_json(associate(simulation(), 3, 3)) == as_json(associate(simulation(), 3, 3))
    assert tuple(associate(simulation(), 3, 3)) == tuple(ASSOCIATION)
    assert tuple(rate_quality(simulation(), 3)) == tuple(QUALITY)
