"""What to tell people about an operating point that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mitools.operating.point import OperatingPoint

__all__ = ["point_notes", "selected_on_valid"]


def selected_on_valid(metadata: Mapping[str, Any]) -> bool:
    """Return whether training selected the student's checkpoint on the valid split."""
    options, results = metadata.get("options"), metadata.get("results")
    if not isinstance(options, Mapping) or not isinstance(results, Mapping):
        return False
    return options.get("select_by") not in (None, "last")


def point_notes(
    point: OperatingPoint, metadata: Mapping[str, Any], saved_in: str | None
) -> list[str]:
    """Describe a threshold that was chosen, one sentence each.

    Args:
        point: it; one without a threshold has a warning of its own.
        metadata: of the student; empty where records hold the answers.
        saved_in: the path of its file; None where it was not saved.
    """
    where = f"saved in {saved_in}" if saved_in else 'not saved: no "--student DIR" was given'
    if point.threshold is None:
        return [f"the operating point, at which no answer is sure, is {where}"]
    what = "accuracy" if point.reference == "gold" else "agreement with the teacher"
    notes = [
        f"answers with a confidence of {point.threshold:.6g} or more reach {point.target:.4g} "
        f"{what} with probability {1 - point.risk:.4g}, if new records come from where the "
        f"{point.records:,} that chose it came from; {where}"
    ]
    seen = ["selected the checkpoint"] if selected_on_valid(metadata) else []
    if point.answer == "both" and metadata.get("answer_weight") is not None:
        seen.append("fitted the weight of both readings")
    if point.calibrated_on == "valid" and seen:
        notes.append(
            f"training {' and '.join(seen)} on the valid split, so this probability is "
            'approximate; "--calibrate-on test" uses half of the test records instead'
        )
    return notes
