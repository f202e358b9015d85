"""Summaries with probes and a judge, tame and hostile, as ``eval`` writes them."""

from __future__ import annotations

from typing import Any

from mitools.evaluate.judge.judging import unasked_judge
from mitools.evaluate.measures.metric import Metric, as_json
from mitools.evaluate.probes.run import unasked_probes

__all__ = ["hostile_summary", "metric", "probed"]


def metric(value: float | None = 0.5, **more: Any) -> dict[str, Any]:
    """A metric as a summary holds it."""
    plain = {"value": value, "ci95": [0.4, 0.6], "n": 200, "status": "ok", "reason": None}
    return {**plain, "unit": "fraction", "higher_is_better": None, **more}


def missing(status: str, reason: str) -> dict[str, Any]:
    return metric(None, ci95=None, n=0, status=status, reason=reason)


def probed() -> dict[str, Any]:
    """A summary whose probes found something, and whose judge compared two students."""
    levels = [
        {
            "sigma": sigma,
            "accuracy": metric(0.9 - 0.2 * sigma),
            "consistency": metric(0.8 - 0.1 * sigma),
            "coverage": metric(1.0),
            "same_label": metric(1 - 0.3 * sigma),
        }
        for sigma in (0.0, 0.5, 1.0)
    ]
    curve = [{"fraction": share, "same_label": share} for share in (0.0, 0.5, 1.0)]
    return {
        "records": 200,
        "tasks": {"choice": 200},
        "models": {"mine@0123": 200},
        "label": {"accuracy": metric(0.9)},
        "association": {
            "rationale_editing": {
                "early_answering": metric(0.25, by_fraction=curve),
                "added_mistakes": metric(0.3),
            }
        },
        "probes": {
            "robustness": {
                "accuracy_drop": metric(0.031, ci95=[-0.01, 0.052]),
                "consistency_drop": missing("undefined", "some level leaves nothing to judge"),
                "equivalence_gap": metric(0.04),
                "by_sigma": levels,
            },
            "attribution": {"spearman_gain": metric(0.123, unit="correlation")},
            "counterfactual": {
                "flip_coverage": metric(0.0, ci95=[0, 0.02]),
                "mentioned": missing("undefined", "none of 8 insertions changes a label"),
            },
            "cue": {"accuracy_change": metric(-0.25, ci95=[-0.3, -0.2])},
        },
        "judge": {
            "score": metric(
                3.5,
                ci95=[3.2, 3.8],
                n=10,
                unit="points from 1 to 5",
                by_score={"1": 1, "2": 1, "3": 2, "4": 4, "5": 2},
            ),
            "win_rate": missing("skipped", 'it compares two students: "--compare"'),
            "readable": metric(0.97),
            "about": {"model": "gpt-x", "records": 10, "of": 200},
        },
    }


def unprobed(status: str = "", reason: str = "") -> dict[str, Any]:
    """A summary of a student that nobody probed, or that no probe applies to."""

    def stated(found: Metric) -> Metric:
        return found.measure.not_applicable(reason) if status == "not_applicable" else found

    probes = {
        name: {k: stated(m) for k, m in one.items()} for name, one in unasked_probes().items()
    }
    blocks: dict[str, Any] = as_json({"probes": probes, "judge": unasked_judge()})
    return {"label": {"accuracy": metric(0.9)}, **blocks}


def hostile_summary(text: str) -> dict[str, Any]:
    """A summary with one text wherever there is room for one."""
    found = probed()
    for block in (*found["probes"].values(), found["judge"]):
        for key, value in block.items():
            if isinstance(value, dict) and "status" in value and key != "about":
                block[key] = {**value, "note": text, "unit": text}
    found["probes"]["cue"] = {"followed": missing("undefined", text), "acknowledged": metric(0.5)}
    found["probes"]["attribution"] = {"spearman": missing("not_applicable", text)}
    found["judge"]["about"]["model"] = text
    found["judge"]["readable"] = missing("undefined", f"{text} {text}")
    found["simulator"] = {"family": text}
    net = {"observed_cvi": 0.1, "permuted_cvi": [0.0, 0.01]}
    found["association"]["cvi_net"] = metric(0.1, unit="bits", **net)
    found["models"] = {text: 200}
    found["tasks"] = {text: 200}
    return {**found, text: metric(0.1, unit=text)}
