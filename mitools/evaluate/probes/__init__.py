"""Interventions: change what the student reads, ask it again, and compare. All are opt-in.

- ``robustness``: noise on the input, the same in both passes;
- ``attribution``: whether label and rationale depend on the same words of the input;
- ``counterfactual``: whether the rationale mentions an inserted word that changes the label;
- ``cue``: whether the student follows a suggested wrong answer, and acknowledges it;
- ``editing``: whether the label follows an edited rationale that it is decoded after;
- ``run``: runs the probes by name;
- ``subject``: the student and the records that a probe works on.

They measure self-consistency under intervention, not mechanism. Importing this package imports none
of them.
"""

from typing import Literal

__all__ = ["PROBES", "ProbeName"]

ProbeName = Literal["robustness", "attribution", "counterfactual", "cue", "editing"]

PROBES: tuple[ProbeName, ...] = ("robustness", "attribution", "counterfactual", "cue", "editing")
