"""Soft labels: the distribution over labels that a teacher gives a record.

The loss is the cross-entropy of that distribution, -Σ_k p_k log P(y_k | x), where P is the
probability of the whole text of a label y_k. Its minimum is at P(y_k | x) = p_k, so the student
learns what else the teacher thinks possible (Hinton et al., arXiv 1503.02531).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["LEAST_SHARE", "Shares", "soft_label"]

Shares = tuple[tuple[str, float], ...]
"""Labels with their shares, which add up to 1; the largest first."""

LEAST_SHARE = 0.001
"""Labels with a smaller share are left out, as each label takes a forward pass of its own."""


def soft_label(
    teacher: Mapping[str, Any], label: str | None, *, temperature: float = 1.0, weight: float = 1.0
) -> Shares:
    """Make the distribution over labels to learn; empty if the teacher gives none.

    That of an answer is ``choices``, its probabilities; without them, all of it is its label. Of
    several samples it is the mean.

    Args:
        teacher: the field of that name.
        label: the label that is learned without soft labels; None if there is none.
        temperature: each share is raised to the power of 1 / temperature: above 1 the distribution
            becomes more even. The teacher's probabilities are those at temperature 1.
        weight: of this distribution; the label itself has the rest.
    """
    samples = [sample for sample in teacher.get("samples") or () if sample]
    if not samples and teacher.get("choices"):
        samples = [teacher]
    answers = [shares for sample in samples if (shares := _of_answer(sample))]
    if not answers:
        return ()
    mean: dict[str, float] = {}
    for shares in answers:
        for text, share in _scaled(shares, temperature).items():
            mean[text] = mean.get(text, 0.0) + share / len(answers)
    if label and weight < 1:
        mean = {text: weight * share for text, share in mean.items()}
        mean[label] = mean.get(label, 0.0) + 1 - weight
    kept = {text: share for text, share in mean.items() if share >= LEAST_SHARE}
    total = sum(kept.values())
    ordered = sorted(kept.items(), key=lambda item: -item[1])
    return tuple((text, share / total) for text, share in ordered)


def _of_answer(sample: Mapping[str, Any]) -> dict[str, float]:
    """Return the distribution of one answer, normalized; empty if it has no label."""
    label = sample.get("label")
    if not label or str(label).isspace():
        return {}
    choices = {
        text: float(share)
        for text, share in (sample.get("choices") or {}).items()
        if share > 0 and text and not text.isspace()
    }
    return choices or {label: 1.0}


def _scaled(shares: Mapping[str, float], temperature: float) -> dict[str, float]:
    # Relative to the largest share, so that no power of it is 0.
    most = max(shares.values())
    powers = {text: (share / most) ** (1 / temperature) for text, share in shares.items()}
    total = sum(powers.values())
    return {text: power / total for text, power in powers.items()}
