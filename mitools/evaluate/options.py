"""How ``mitools eval`` goes over records: one class of options, no work."""

from __future__ import annotations

from dataclasses import dataclass

from mitools.evaluate.measures.text import Similarity
from mitools.evaluate.predict import CHUNK
from mitools.evaluate.probes import ProbeName
from mitools.evaluate.simulators.association import PERMUTATIONS
from mitools.evaluate.simulators.tally import SimulatorName

__all__ = ["EvalOptions"]


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """How to evaluate.

    Attributes:
        task: use this task instead of each record's own.
        part: evaluate only the records of this part of a split, or ``all``; None means the test
            records and those that were never split.
        rationales: ask for rationales too; without it, those already there are dropped.
        decode: decode a label beside scored choices.
        temperature: also answer the validation records, without rationales, and fit a temperature
            on them; they leave with their answers and enter no other figure.
        simulator: what measures association and quality, ``local`` or ``none``.
        permutations: at most so many permutations of rationales for the chance baseline.
        chunk: how many records are asked at once.
        distinct: refuse an id that comes twice, as a shard does that is merged twice.
        outcomes: keep each record's outcomes, for a comparison of runs.
        probes: the interventions that will be asked for when the pass is over.
        kept: how many records are kept for them, and for a judge; 0 keeps none.
        similarity: compares rationales with their references by meaning; None leaves that out.
    """

    task: str | None = None
    part: str | None = None
    rationales: bool = True
    decode: bool = False
    temperature: bool = False
    simulator: SimulatorName = "none"
    permutations: int = PERMUTATIONS
    chunk: int = CHUNK
    distinct: bool = False
    outcomes: bool = False
    probes: tuple[ProbeName, ...] = ()
    kept: int = 0
    similarity: Similarity | None = None
