"""What a student's readings of a record give, and the answer in one of the ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from mitools.asking.answering import EVEN, WAYS, Answering, Way
from mitools.asking.combine import Candidates, WeightFit, pool
from mitools.asking.predict import about_input, closed_answer, open_answer
from mitools.errors import StudentError
from mitools.student.protocol import Generation, can_conclude, can_explain, can_predict

__all__ = [
    "ABOUT_THE_WAY",
    "Reading",
    "answer",
    "best_decoded",
    "check_ways",
    "has_both",
    "known_fit",
]

ABOUT_THE_WAY = ("draws", "weight", "fitted_on", "tokens", "votes")
"""Fields of an answer that are about the way of answering, not about the label."""


def has_both(metadata: Mapping[str, Any]) -> bool:
    """Whether a student reads the label in its predict pass, and by its rationale as well."""
    if not can_predict(metadata):
        return False
    return can_conclude(metadata) or (
        can_explain(metadata) and metadata.get("order") != "label-rationale"
    )


def check_ways(metadata: Mapping[str, Any], way: Way) -> None:
    """Check that a student can answer in a way.

    Raises:
        StudentError: it cannot; the hint names what to train.
    """
    if way == "named" or (way == "both" and not can_conclude(metadata)):
        _check_explains(metadata, way)
        return
    if way == "conclude" and not can_conclude(metadata):
        raise StudentError(
            'this student gives no label after its rationale, as "--answer conclude" needs',
            hint='train one with "mitools train --mi conclude", or use "--answer predict"',
        )
    if way == "both" and not can_predict(metadata):
        raise StudentError(
            "this student gives every label after its rationale, so it has one reading only",
            hint='use "--answer conclude", or train one with "mitools train --mi conclude"',
        )


def _check_explains(metadata: Mapping[str, Any], way: Way) -> None:
    """Check that a student gives rationales that its label can be read from.

    Raises:
        StudentError: it does not; the hint names what to do.
    """
    if not can_explain(metadata):
        raise StudentError(
            f'this student gives no rationale, as "--answer {way}" needs',
            hint="train one with --alpha below 1",
        )
    if metadata.get("order") == "label-rationale":
        raise StudentError(
            f'this student gives its rationale after its label, so "--answer {way}" adds nothing',
            hint='use "--answer predict"',
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What a student gives for one record, by each of its readings.

    Attributes:
        candidates: the possible answers; None where they were not scored by both readings.
        answers: the finished answers of the ways ``predict``, ``conclude`` and ``named``.
        rationale: the greedy rationale; None where it was not decoded.
        is_closed: whether the candidates are the record's choices, and not decoded labels.
        truncated: the decoded labels that ran into the length limit.
        is_cut: whether the input was cut at the student's length limit; None if unknown.
    """

    candidates: Candidates | None
    answers: Mapping[Way, Mapping[str, Any]]
    rationale: Generation | None
    is_closed: bool
    truncated: frozenset[str] = frozenset()
    is_cut: bool | None = None


def answer(reading: Reading, way: Way, fit: WeightFit) -> dict[str, Any]:
    """Answer in one way, and keep the answers in all ways that there are.

    Args:
        reading: what the student gave.
        way: whose label, confidence and choices become the answer. Where a record has no choices,
            a student that gives no label behind its rationale has no second reading of it: both
            readings are the predict pass then.
        fit: λ of the way ``both``.
    """
    answers: dict[Way, Mapping[str, Any]] = dict(reading.answers)
    if reading.candidates is not None:
        answers["both"] = _pooled(reading, reading.candidates, fit)
    if way == "both" and way not in answers:
        way = "predict"
    chosen = {name: value for name, value in answers[way].items() if name not in ABOUT_THE_WAY}
    if reading.rationale is not None:
        chosen["rationale"] = reading.rationale.text
        chosen["rationale_truncated"] = reading.rationale.is_truncated
    chosen |= about_input(reading.is_cut)
    ways = {name: dict(answers[name]) for name in WAYS if name in answers}
    return {**chosen, "answered_by": way, "answers": ways}


def _pooled(reading: Reading, candidates: Candidates, fit: WeightFit) -> dict[str, Any]:
    """Answer by both readings.

    The confidence among a record's choices is their share of the pool. Decoded labels are not all
    the possible ones, and a single one would always have a share of 1. So there it is the pool's
    own p^λ · q^(1-λ), which never exceeds the probability in the normalized pool.
    """
    scores = pool(candidates, fit.weight)
    # What a rationale names counts the tokens of the predict pass already.
    parts: tuple[Way, ...] = ("predict", "conclude")
    tokens = sum(
        reading.answers[way]["tokens"]
        for way in (parts if "conclude" in reading.answers else ("named",))
    )
    about = {"weight": fit.weight, "fitted_on": fit.records, "tokens": tokens}
    if reading.is_closed:
        found = closed_answer(candidates.labels, scores)
        del found["in_set_mass"]  # of a pool, not the probability of a text
        return {**found, **about}
    return {**best_decoded(candidates.labels, scores, reading.truncated), **about}


def best_decoded(
    labels: Sequence[str], scores: Sequence[float], truncated: Set[str]
) -> dict[str, Any]:
    """Answer with the decoded label of the best score; ties go to the first by alphabet."""
    best = max(sorted(range(len(labels)), key=labels.__getitem__), key=scores.__getitem__)
    one = Generation(labels[best], scores[best], labels[best] in truncated, 0)
    return open_answer(one)


def known_fit(answering: Answering, metadata: Mapping[str, Any]) -> WeightFit:
    """Return the weight that is given, or ½; with what it was fitted on if it is the student's."""
    if answering.weight is None:
        return WeightFit(EVEN, 0)
    saved = metadata.get("answer_weight") or {}
    is_own = saved.get("value") == answering.weight
    return WeightFit(answering.weight, int(saved["fitted_on"]) if is_own else 0)
