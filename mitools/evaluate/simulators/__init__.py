"""Local simulators: small models that guess a student's answers from its input and rationale.

- ``choose``: the possible answers of each record, and the simulator family that fits them;
- ``models``: the simulators, for a fixed set of labels and for choices that differ by record;
- ``logit``: the conditional logit of the latter;
- ``equation_features``: its features of an equation;
- ``choice_features``: its features of a choice;
- ``association``: figures computed with them (conditional V-information, LAS, rationale quality);
- ``tally``: collects records, fits the simulators, and gives the figures.

Importing this package imports none of them.
"""

from typing import Literal

__all__ = ["PERMUTATIONS", "SIMULATORS", "SimulatorName"]

SimulatorName = Literal["local", "none"]

SIMULATORS: tuple[SimulatorName, ...] = ("local", "none")

PERMUTATIONS = 99
"""Most permutations of the rationales for the chance baseline, by default."""
