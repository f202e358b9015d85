"""Measures of simulators where there is nothing to compute."""

from __future__ import annotations

from mitools.evaluate.measures.simulatability import (
    ASSOCIATION,
    QUALITY,
    RATIONALE_EDITING,
    rationale_editing,
    unasked_editing,
    without_simulator,
)


def test_both_blocks_say_why_no_simulator_was_fitted() -> None:
    found = without_simulator("skipped", "because")
    assert {block: list(metrics) for block, metrics in found.items()} == {
        "association": list(ASSOCIATION),
        "quality": list(QUALITY),
    }
    metrics = [metric for block in found.values() for metric in block.values()]
    assert {(metric.status, metric.reason, metric.value) for metric in metrics} == {
        ("skipped", "because", None)
    }
    assert found["quality"]["cvi"].measure is QUALITY["cvi"]


def test_association_measures_what_quality_measures_with_another_target() -> None:
    assert QUALITY.keys() < ASSOCIATION.keys()
    for name, measure in QUALITY.items():
        other = ASSOCIATION[name]
        assert (measure.unit, measure.higher_is_better) == (other.unit, other.higher_is_better)
        assert measure.title != other.title


def test_edited_rationales_do_not_apply_or_were_not_asked_for() -> None:
    for found, status in (
        (rationale_editing("so"), "not_applicable"),
        (unasked_editing(), "skipped"),
    ):
        assert list(found) == list(RATIONALE_EDITING)
        assert {metric.status for metric in found.values()} == {status}
    assert {metric.reason for metric in rationale_editing("so").values()} == {"so"}
    assert "--probe editing" in str(unasked_editing()["filler_tokens"].reason)
