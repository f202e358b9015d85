"""Reasons for plots without data."""

from __future__ import annotations

from typing import Any

from mitools.explain.page.missing_plots import NO_CONFIDENCE, NO_GOLD, NO_SUMMARY, missing_plots

NOTHING: dict[str, Any] = dict.fromkeys(("reliability", "quadrants", "confusion", "permutations"))


def reasons(plots: dict[str, Any], summary: dict[str, Any], has_summary: bool = False) -> list[str]:
    return [one.reason for one in missing_plots(plots, summary, has_summary=has_summary)]


def test_every_plot_without_data_has_a_reason() -> None:
    assert reasons(NOTHING, {}) == [NO_CONFIDENCE, NO_GOLD, NO_GOLD, NO_SUMMARY]
    assert reasons({name: [1] for name in NOTHING}, {}) == []


def test_the_reason_of_the_figures_goes_first() -> None:
    def undefined(reason: str) -> dict[str, Any]:
        return {"status": "undefined", "value": None, "reason": reason}

    summary = {
        "consistency": {"consistency": undefined("no rationales")},
        "label": {"macro_f1": undefined("not one set")},
        "association": {"cvi_net": undefined("too few")},
    }
    expected = [NO_CONFIDENCE, "no rationales", "not one set", "too few"]
    assert reasons(NOTHING, summary, has_summary=True) == expected
    assert reasons(NOTHING, {}, has_summary=True)[-1] == "not in the summary"
