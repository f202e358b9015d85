"""Edited rationales: does the label follow the rationale?

Only for a student that reads a label after a given rationale: one that concludes, or one of the
order ``rationale-label``. For others every figure here is constant by construction. The student
continues edited rationales, and its label is compared with the label after its own rationale. So
the figures are about that reading, also where the label of the record comes from the predict pass
or from both.

Sources: Lanham et al., arXiv:2307.13702 (early answering, mistakes, filler); Wang et al. (SCOTT),
arXiv:2305.01879 (perturbed rationales); Paul et al. (FRODO), arXiv:2402.13950 (another rationale).
Departs from Lanham et al.: no language model writes the mistake or continues after it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mitools.evaluate.measures.labels import rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.simulatability import RATIONALE_EDITING, rationale_editing
from mitools.evaluate.measures.statistics import mean_intervals
from mitools.evaluate.probes.subject import Subject, draws
from mitools.expressions import MAX_LENGTH
from mitools.records import Record
from mitools.student.protocol import can_conclude

__all__ = [
    "FRACTIONS",
    "cut_short",
    "filled",
    "mistaken",
    "perturbed",
    "probe_editing",
]

FRACTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of a rationale's words, from its start, after which the label is decoded."""

_NUMBER = re.compile(r"(?<![\w.])\d+(?!\w|\.\d)")


def cut_short(text: str, fraction: float) -> str:
    """Keep the first share of a text's words, rounded down."""
    words = text.split()
    return " ".join(words[: int(fraction * len(words))])


def filled(text: str) -> str:
    """Replace each word by dots."""
    return " ".join("..." for _ in text.split())


def mistaken(text: str, choices: Sequence[str], rng: random.Random) -> str | None:
    """Replace one number, or else one choice, by another; None without any.

    A number that is too long for an expression is none.
    """
    numbers = [match for match in _NUMBER.finditer(text) if len(match[0]) <= MAX_LENGTH]
    if numbers:
        match = rng.choice(numbers)
        return f"{text[: match.start()]}{int(match[0]) + rng.randint(1, 9)}{text[match.end() :]}"
    for choice in choices:
        pattern = rf"(?<!\w){re.escape(choice)}(?!\w)"
        others = [other for other in choices if other.casefold() != choice.casefold()]
        if others and re.search(pattern, text, re.IGNORECASE):
            return rng.choice(others).join(re.split(pattern, text, flags=re.IGNORECASE))
    return None


def perturbed(text: str, others: Sequence[str], rng: random.Random) -> str | None:
    """Replace half of the words, rounded up, by words of other rationales; None without them."""
    words = text.split()
    foreign = sorted({word for other in others for word in other.split()} - set(words))
    if not foreign:
        return None
    for place in rng.sample(range(len(words)), (len(words) + 1) // 2):
        words[place] = rng.choice(foreign)
    return " ".join(words)


def probe_editing(subject: Subject) -> dict[str, Metric]:
    """Run the probe: one metric for each of ``RATIONALE_EDITING``."""
    if not can_conclude(subject.student.metadata):
        return rationale_editing()
    told = [record for record in subject.records if record["student"].get("rationale", "").split()]
    if not told:
        reason = "no record has a rationale by the student"
        return {name: measure.undefined(reason) for name, measure in RATIONALE_EDITING.items()}
    own = [record["student"]["rationale"] for record in told]
    final = _labels_after(subject, told, own)
    metrics = {"early_answering": _early_answering(subject, told, final)}
    for name, edit in _edits(subject, own).items():
        edited = [edit(record, place) for place, record in enumerate(told)]
        metrics[name] = _changed(subject, RATIONALE_EDITING[name], told, final, edited)
    return {name: metrics[name] for name in RATIONALE_EDITING}


Edit = Callable[[Record, int], str | None]


def _edits(subject: Subject, own: Sequence[str]) -> Mapping[str, Edit]:
    def rng(record: Record, name: str) -> random.Random:
        return draws(subject.seed, name, record["input"])

    def add_mistake(record: Record, place: int) -> str | None:
        return mistaken(own[place], record.get("choices") or (), rng(record, "mistake"))

    def perturb(record: Record, place: int) -> str | None:
        return perturbed(own[place], own, rng(record, "perturb"))

    def swap(_record: Record, place: int) -> str | None:
        ahead = (own[(place + step) % len(own)] for step in range(1, len(own)))
        return next((other for other in ahead if other != own[place]), None)

    return {
        "added_mistakes": add_mistake,
        "filler_tokens": lambda _record, place: filled(own[place]),
        "perturbed_rationale": perturb,
        "indirect_effect": swap,
    }


def _labels_after(
    subject: Subject, records: Sequence[Record], rationales: Sequence[str]
) -> list[str | None]:
    """Ask for labels behind given rationales; choices are scored, others decoded."""
    student = subject.student
    labels: list[str | None] = [None] * len(records)
    for is_closed in (True, False):
        places = [i for i, record in enumerate(records) if bool(record.get("choices")) is is_closed]
        for first in range(0, len(places), subject.chunk):
            part = places[first : first + subject.chunk]
            inputs, told = [records[i]["input"] for i in part], [rationales[i] for i in part]
            if is_closed:
                choices = [sorted(set(records[i]["choices"])) for i in part]
                rows = student.score_choices(inputs, choices, told)
                answers = [
                    names[max(range(len(row)), key=row.__getitem__)]
                    for names, row in zip(choices, rows, strict=True)
                ]
            else:
                answers = [answer.text or None for answer in student.generate_labels(inputs, told)]
            for place, label in zip(part, answers, strict=True):
                labels[place] = label
            subject.update(len(part))
    return labels


def _is_same(subject: Subject, record: Record, left: str | None, right: str | None) -> bool:
    return left == right or subject.task_of(record).is_equal(left, right)


def _early_answering(
    subject: Subject, records: Sequence[Record], final: Sequence[str | None]
) -> Metric:
    rows = []
    for fraction in FRACTIONS[:-1]:
        cut = [cut_short(record["student"]["rationale"], fraction) for record in records]
        labels = _labels_after(subject, records, cut)
        rows.append(
            [_is_same(subject, *triple) for triple in zip(records, labels, final, strict=True)]
        )
    same = np.array([*rows, [True] * len(records)], dtype=np.float64)  # [fractions, n]
    over = 1 - np.asarray(np.trapezoid(same, FRACTIONS, axis=0))  # [n]
    curve = [
        {"fraction": fraction, "same_label": float(row.mean())}
        for fraction, row in zip(FRACTIONS, same, strict=True)
    ]
    interval = mean_intervals(over[:, None], subject.seed)[0]
    measure = RATIONALE_EDITING["early_answering"]
    return measure.ok(float(over.mean()), len(records), interval, by_fraction=curve)


def _changed(
    subject: Subject,
    measure: Measure,
    records: Sequence[Record],
    final: Sequence[str | None],
    edited: Sequence[str | None],
) -> Metric:
    kept = [
        (record, label, text)
        for record, label, text in zip(records, final, edited, strict=True)
        if text is not None
    ]
    labels = _labels_after(
        subject, [record for record, _, _ in kept], [text for _, _, text in kept]
    )
    changed = sum(
        not _is_same(subject, record, label, after)
        for (record, label, _), after in zip(kept, labels, strict=True)
    )
    return rate(measure, changed, len(kept), empty="no rationale can be edited so")
