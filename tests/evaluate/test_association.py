from __future__ import annotations

from mitools.evaluate.association import RATIONALE_EDITING, rationale_editing


def test_rationale_editing_does_not_apply_to_a_student_of_two_passes() -> None:
    tests = rationale_editing()
    assert tuple(tests) == RATIONALE_EDITING
    for metric in tests.values():
        assert (metric.status, metric.value) == ("not_applicable", None)
        assert "never reads the rationale" in (metric.reason or "")
