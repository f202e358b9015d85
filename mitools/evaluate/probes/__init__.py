"""Interventions: change what the student reads, ask again, and compare. Each is asked for by name.

- ``robustness``: noise on the input, the same in both passes;
- ``attribution``: do label and rationale hang on the same words of the input?
- ``counterfactual``: where an inserted word changes the label, does the rationale mention it?
- ``cue``: does the student follow a wrong answer that is suggested to it, and say so?
- ``editing``: does the label follow the rationale? Only where it is decoded behind the rationale.

They show self-consistency under intervention, not mechanism. Importing this package imports none.
"""

from typing import Literal

__all__ = ["PROBES", "ProbeName"]

ProbeName = Literal["robustness", "attribution", "counterfactual", "cue", "editing"]

PROBES: tuple[ProbeName, ...] = ("robustness", "attribution", "counterfactual", "cue", "editing")
