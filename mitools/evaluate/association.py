"""What ties label and rationale together beyond their words.

For a student of two passes, the tests that edit a rationale and watch the label are constant by
construction and are reported as such. Measures of statistical association (RQ, LAS and conditional
V-information, through simulators) belong here too.
"""

from __future__ import annotations

from mitools.evaluate.metric import Measure, Metric

__all__ = ["RATIONALE_EDITING", "rationale_editing"]

_CHANGED = Measure("fraction", higher_is_better=None)

RATIONALE_EDITING = (
    "early_answering",
    "added_mistakes",
    "filler_tokens",
    "perturbed_rationale",
    "indirect_effect",
)
"""Share of labels that change when the rationale is cut short, given a mistake, replaced by filler
(Lanham et al., arXiv:2307.13702), perturbed (SCOTT, arXiv:2305.01879), or set to a counterfactual
(FRODO, arXiv:2402.13950)."""


def rationale_editing() -> dict[str, Metric]:
    """State every rationale-editing test of a two-pass student: none applies."""
    reason = "the student gives its label in a pass of its own that never reads the rationale"
    return {name: _CHANGED.not_applicable(reason) for name in RATIONALE_EDITING}
