"""Measures of simulators: association with the student's label, quality for gold, consistency.

Declares the measures, and states them where there is nothing to compute. They are computed by
:mod:`mitools.evaluate.simulators`, those of edited rationales by
:mod:`mitools.evaluate.probes.editing`.

S_X sees the input, S_E the rationale, S_XE both.
"""

from __future__ import annotations

from collections.abc import Mapping

from mitools.evaluate.measures.metric import Measure, Metric, Status

__all__ = [
    "ASSOCIATION",
    "QUALITY",
    "RATIONALE_EDITING",
    "WITH_SIMULATOR",
    "rationale_editing",
    "unasked_editing",
    "without_simulator",
]

QUALITY: Mapping[str, Measure] = {
    "accuracy_x": Measure(
        "S_X accuracy of gold",
        "fraction",
        higher_is_better=None,
        about="Accuracy of the simulator that reads only the input; the answer is gold.",
    ),
    "accuracy_e": Measure(
        "S_E accuracy of gold",
        "fraction",
        higher_is_better=None,
        about="Accuracy of the simulator that reads only the rationale; the answer is gold.",
    ),
    "accuracy_xe": Measure(
        "S_XE accuracy of gold",
        "fraction",
        higher_is_better=None,
        about="Accuracy of the simulator that reads input and rationale; the answer is gold.",
    ),
    "rq": Measure(
        "RQ of gold",
        "fraction",
        higher_is_better=True,
        about="Rationale quality: S_XE accuracy minus S_X accuracy; the answer is gold.",
    ),
    "las": Measure(
        "LAS of gold",
        "fraction",
        higher_is_better=True,
        about="Leakage-adjusted simulatability: S_XE accuracy minus S_X accuracy, mean over the "
        "records where S_E is right and those where it is wrong; the answer is gold.",
    ),
    "cvi": Measure(
        "CVI of gold",
        "bits",
        higher_is_better=True,
        about="Conditional V-information: mean of log2 S_XE - log2 S_X of the answer's "
        "probability; the answer is gold.",
    ),
}
"""The target is gold. All are means over the records whose target is among the possible answers.

Sources: RQ, Wiegreffe et al., arXiv:2010.12762. LAS, Hase et al., arXiv:2010.04119; it was negative
for truly informative rationales, and is there for comparison with papers. CVI, Hewitt et al.,
arXiv:2109.09234.
"""

ASSOCIATION: Mapping[str, Measure] = {
    "cvi_net": Measure(
        "CVI beyond gold",
        "bits",
        higher_is_better=True,
        about="CVI minus its mean over rationales permuted within each gold class: information of "
        "the rationale on the student's own answer beyond gold.",
    ),
    "accuracy_x": Measure(
        "S_X accuracy",
        "fraction",
        higher_is_better=None,
        about="Accuracy of the simulator that reads only the input; the answer is the student's "
        "own label.",
    ),
    "accuracy_e": Measure(
        "S_E accuracy",
        "fraction",
        higher_is_better=None,
        about="Accuracy of the simulator that reads only the rationale; the answer is the "
        "student's own label.",
    ),
    "accuracy_xe": Measure(
        "S_XE accuracy",
        "fraction",
        higher_is_better=None,
        about="Accuracy of the simulator that reads input and rationale; the answer is the "
        "student's own label.",
    ),
    "rq": Measure(
        "RQ",
        "fraction",
        higher_is_better=True,
        about="Rationale quality: S_XE accuracy minus S_X accuracy; the answer is the student's "
        "own label.",
    ),
    "las": Measure(
        "LAS",
        "fraction",
        higher_is_better=True,
        about="Leakage-adjusted simulatability: S_XE accuracy minus S_X accuracy, mean over the "
        "records where S_E is right and those where it is wrong; the answer is the student's "
        "own label.",
    ),
    "cvi": Measure(
        "CVI",
        "bits",
        higher_is_better=True,
        about="Conditional V-information: mean of log2 S_XE - log2 S_X of the answer's "
        "probability; the answer is the student's own label.",
    ),
    "cvi_masked": Measure(
        "CVI without label words",
        "bits",
        higher_is_better=True,
        about="CVI with the words of all labels removed from the rationales.",
    ),
    "leak_share": Measure(
        "CVI share of label words",
        "ratio",
        higher_is_better=False,
        about="Share of CVI that is lost without the words of the labels: 1 - masked / CVI.",
    ),
}
"""The target is the student's own label. The simulators of ``cvi_net`` are fitted again for every
permutation."""

RATIONALE_EDITING: Mapping[str, Measure] = {
    "early_answering": Measure(
        "early answering (AOC)",
        "fraction",
        higher_is_better=None,
        about="Area over the curve of labels that are already final, against the share of the "
        "rationale that is given: 0 where the rationale changes nothing, 0.875 where only all "
        "of it does.",
    ),
    "added_mistakes": Measure(
        "labels changed by a mistake",
        "fraction",
        higher_is_better=None,
        about="Share of labels that change where one number or choice in the rationale is "
        "replaced.",
    ),
    "filler_tokens": Measure(
        "labels changed by filler",
        "fraction",
        higher_is_better=None,
        about="Share of labels that change where dots replace all words of the rationale.",
    ),
    "perturbed_rationale": Measure(
        "labels changed by new words",
        "fraction",
        higher_is_better=None,
        about="Share of labels that change where words of other rationales replace half of the "
        "words.",
    ),
    "indirect_effect": Measure(
        "labels changed by a swap",
        "fraction",
        higher_is_better=None,
        about="Share of labels that change where another record's rationale replaces the "
        "rationale.",
    ),
}
"""Over the records whose rationale can be edited so.

Sources: Lanham et al., arXiv:2307.13702 (early answering, mistakes, filler); SCOTT,
arXiv:2305.01879 (other words); FRODO, arXiv:2402.13950 (another rationale).
"""


WITH_SIMULATOR = Measure(
    "consistency with simulator",
    "fraction",
    higher_is_better=True,
    about="Share of non-empty rationales that support the student's label, where the simulator "
    "S_E, fitted on the teacher's training rationales, reads those whose words leave it "
    "open.",
)

_UNREAD = "the label never reads the rationale: it is given in a pass of its own, or before it"


def rationale_editing(reason: str = _UNREAD) -> dict[str, Metric]:
    """State every rationale-editing test as not applicable: the label reads no rationale."""
    return {name: measure.not_applicable(reason) for name, measure in RATIONALE_EDITING.items()}


def unasked_editing() -> dict[str, Metric]:
    """State every rationale-editing test as skipped, for a student that could be tested."""
    reason = 'it edits rationales and asks again: "--probe editing"'
    return {name: measure.skipped(reason) for name, measure in RATIONALE_EDITING.items()}


def without_simulator(status: Status, reason: str) -> dict[str, dict[str, Metric]]:
    """State both blocks where no simulator was fitted."""
    return {
        block: {name: Metric(measure, status, reason=reason) for name, measure in measures.items()}
        for block, measures in (("association", ASSOCIATION), ("quality", QUALITY))
    }
