"""Seeded records with answers, in which nothing is round: every figure has something to measure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from mitools.evaluate.score import scored
from mitools.records import Record
from mitools.tasks import task_of

__all__ = ["LABELS", "Said", "equation_records", "label_records", "told_by_choice"]

LABELS = ("contradiction", "entailment", "neutral")
_HINTS = ("sleeping never anywhere", "walking outside early", "talking quietly maybe")
_GROUNDS = (
    ("cannot", "opposite", "impossible"),
    ("follows", "surely", "same"),
    ("perhaps", "unsaid", "might"),
)
_FILLER = ("the", "man", "a", "woman", "dog", "street", "child", "near", "red", "tall", "group")


@dataclass(frozen=True)
class Said:
    """What went into a record, so that what is measured of it is known without reading it.

    Attributes:
        gold: index of the label that is right.
        given: index of the answer; None where it is none of the labels.
        stated: index of the label that the rationale ends on; None where it states none.
        chances: the probability of each label; None where they were not scored.
    """

    gold: int
    given: int | None
    stated: int | None
    chances: tuple[float, ...] | None


def _grounds(label: int, rng: random.Random) -> list[str]:
    words = [rng.choice(_GROUNDS[label if rng.random() < 0.8 else rng.randrange(3)])]
    words += rng.sample(_FILLER, 5)
    rng.shuffle(words)
    return words


def _rationale(given: int, question: str, rng: random.Random) -> tuple[str, int | None]:
    """Argue for a label: now and then with an echo, in circles, or not at all."""
    if rng.random() < 0.05:
        return "", None
    words = _grounds(given, rng)
    if rng.random() < 0.3:
        words += question.split()[:6]
    if rng.random() < 0.2:
        words += words[:5]
    text = " ".join(words) + "."
    if rng.random() < 0.4:
        return text, None
    stated = given if rng.random() < 0.8 else rng.randrange(3)
    return f"{text} So the answer is {LABELS[stated]}.", stated


def label_records(n: int, seed: int) -> tuple[list[Record], list[Said]]:
    """Make answered records of a fixed set of labels, by a student that misjudges itself."""
    rng, draw = random.Random(seed), np.random.default_rng(seed)
    records, known = [], []
    for number in range(n):
        chances = draw.dirichlet([0.9] * 3)
        # Where it is sure it is too sure, and where it is not, not sure enough.
        gold = int(np.argmax(chances) if rng.random() < 0.3 else draw.choice(3, p=chances))
        stated = chances**1.8 / (chances**1.8).sum()
        hinted = gold if rng.random() < 0.6 else rng.randrange(3)
        words = [*rng.sample(_FILLER, 5), *_HINTS[hinted].split()]
        rng.shuffle(words)
        question = " ".join(words) + f" {number}"
        record, said = _answered(gold, stated, question, rng)
        record |= {"id": str(number), "split": "test"}
        records.append(scored(record, task_of(record)))
        known.append(said)
    return records, known


def _answered(
    gold: int, stated: np.ndarray, question: str, rng: random.Random
) -> tuple[Record, Said]:
    record: Record = {
        "input": question,
        # Upper case is the same label to the task, and not the same characters.
        "label": LABELS[gold].upper() if rng.random() < 0.1 else LABELS[gold],
        "choices": list(LABELS),
        "task": "labels",
    }
    given: int | None = int(np.argmax(stated))
    text, ends_on = _rationale(given or 0, question, rng)
    student: dict[str, Any] = {"rationale": text, "rationale_truncated": rng.random() < 0.1}
    if rng.random() < 0.05:
        record["student"] = {**student, "label": rng.choice(("perhaps", None))}
        return _with_references(record, gold, rng), Said(gold, None, ends_on, None)
    chances = dict(zip(LABELS, stated.tolist(), strict=True))
    label = LABELS[given or 0]
    student |= {"label": label, "confidence": chances[label], "choices": chances}
    student["in_set_mass"] = rng.uniform(0.5, 1)
    if rng.random() < 0.5:
        student["decoded"] = label if rng.random() < 0.9 else rng.choice(LABELS)
    record["student"] = student
    return _with_references(record, gold, rng), Said(gold, given, ends_on, tuple(stated.tolist()))


def _with_references(record: Record, gold: int, rng: random.Random) -> Record:
    told = gold if rng.random() < 0.8 else rng.randrange(3)
    teacher = " ".join(_grounds(told, rng))
    teacher = f"{teacher}. So the answer is {LABELS[told]}."
    record["teacher"] = {"label": LABELS[told], "rationale": teacher, "agrees": told == gold}
    if rng.random() < 0.5:
        record["rationale"] = " ".join(_grounds(gold, rng)) + "."
    return record


def equation_records(n: int, seed: int) -> tuple[list[Record], list[tuple[bool, int, int]]]:
    """Make decoded answers whose confidences are tied, 0 and 1 among them.

    Returns:
        The records, and of each whether it is right, its steps, and how many of them hold.
    """
    rng = random.Random(seed)
    records, known = [], []
    for number in range(n):
        a, b = rng.randint(20, 90), rng.randint(2, 19)
        sure = rng.randint(0, 20) / 20
        is_right = rng.random() < 0.15 + 0.7 * sure
        steps = [rng.random() < 0.7 for _ in range(rng.randint(0, 3))]
        said = [f"{a + k} + {b} = {a + b + k + (not holds)}." for k, holds in enumerate(steps)]
        label = f"{a} - {b}" if is_right else f"{a} + {b}"
        said.append(f"That makes {label if rng.random() < 0.6 else f'{b} * {a}'}.")
        record: Record = {
            "id": str(number),
            "input": f"Ann has {a} pears and gives {b} of them away. How many are left?",
            "label": f"( {a} - {b} )",
            "task": "equation",
            "student": {
                "label": label,
                "confidence": sure,
                "rationale": " ".join(["Count what is left.", *said]),
            },
        }
        records.append(scored(record, task_of(record)))
        known.append((is_right, len(steps), sum(steps)))
    return records, known


_PLACES = ("sea", "garden", "school", "bridge", "forest", "kitchen", "station", "market")


def told_by_choice(n: int, seed: int) -> list[Record]:
    """Make answered records whose choices differ from one to the next."""
    rng = random.Random(seed)
    records = []
    for number in range(n):
        choices = rng.sample(_PLACES, rng.randint(3, 5))
        gold, given = rng.choice(choices), rng.choice(choices)
        hinted = given if rng.random() < 0.5 else rng.choice(choices)
        said = given if rng.random() < 0.7 else rng.choice(choices)
        record: Record = {
            "id": str(number),
            "input": f"Where would one look near the {hinted} on day {number % 31}?",
            "label": gold,
            "choices": choices,
            "task": "choice",
            "student": {"label": given, "rationale": f"One would go to the {said} first."},
        }
        records.append(scored(record, task_of(record)))
    return records
