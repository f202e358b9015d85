"""Students whose rationales are made so that theory says what every figure must come to.

Six of them answer the same questions about one of three labels. The question hints at gold, the
student is right about two times in three, and where it is wrong nothing but its rationale tells.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from mitools.evaluate.score import scored
from mitools.records import Record
from mitools.tasks import task_of

LABELS = ("entailment", "neutral", "contradiction")
STUDENTS = ("oracle", "empty", "shuffled", "informative", "pure leak", "informative + leak")

_HINTS = ("walking outside early", "talking quietly maybe", "sleeping never anywhere")
_GROUNDS = (
    ("follows", "surely", "same"),
    ("perhaps", "unsaid", "might"),
    ("cannot", "opposite", "impossible"),
)
_FILLER = ("the", "man", "a", "woman", "dog", "street", "child", "near", "red", "tall", "group")


def _question(gold: int, rng: random.Random) -> str:
    hinted = gold if rng.random() < 0.6 else rng.randrange(3)
    parts = [*rng.sample(_FILLER, 5), *_HINTS[hinted].split()]
    rng.shuffle(parts)
    return " ".join(parts)


def _grounds(label: int, rng: random.Random) -> str:
    """Argue for a label in words that never name it, and not always in the right ones."""
    words = [rng.choice(_GROUNDS[label if rng.random() < 0.85 else rng.randrange(3)])]
    words += rng.sample(_FILLER, 4)
    rng.shuffle(words)
    return " ".join(words) + "."


def _stated(label: int) -> str:
    return f"So the answer is {LABELS[label]}."


_RATIONALES: dict[str, Callable[[int, random.Random], str]] = {
    "oracle": lambda label, rng: f"{_grounds(label, rng)} {_stated(label)}",
    "empty": lambda _label, _rng: "",
    "shuffled": _grounds,
    "informative": _grounds,
    "pure leak": lambda label, _rng: _stated(label),
    "informative + leak": lambda label, rng: f"{_grounds(label, rng)} {_stated(label)}",
}


def answered(student: str, n: int, seed: int = 0) -> list[Record]:
    """Give ``n`` records with the answers of one of :data:`STUDENTS`, and verdicts on them.

    All students meet the same questions, and all but the oracle give the same labels, each with the
    probability at which it is drawn.
    """
    rng, talk = random.Random(seed), random.Random(f"{student}{seed}")
    drafts: list[tuple[int, int, dict[str, float], str]] = []
    for _ in range(n):
        gold = rng.randrange(3)
        question = _question(gold, rng)
        sure = rng.choice((0.4, 0.6, 0.8, 0.95))
        guess = rng.randrange(3)
        # Drawn backwards: given the answer, gold is it with the stated probability.
        others = [label for label in range(3) if label != gold]
        given = gold if rng.random() < sure else others[guess % 2]
        chances = {name: (1 - sure) / 2 for name in LABELS}
        if student == "oracle":
            given, chances = gold, dict.fromkeys(LABELS, 0.0)
            sure = 1.0
        chances[LABELS[given]] = sure
        drafts.append((gold, given, chances, question))
    told = [_RATIONALES[student](given, talk) for _, given, _, _ in drafts]
    if student == "shuffled":
        talk.shuffle(told)
    return [
        _record(number, draft, rationale)
        for number, (draft, rationale) in enumerate(zip(drafts, told, strict=True))
    ]


def _record(number: int, draft: tuple[int, int, dict[str, float], str], rationale: str) -> Record:
    gold, given, chances, question = draft
    student: dict[str, Any] = {
        "label": LABELS[given],
        "confidence": chances[LABELS[given]],
        "choices": chances,
        "rationale": rationale,
        "rationale_truncated": False,
    }
    record: Record = {
        "id": str(number),
        "input": f"{question} {number}",
        "label": LABELS[gold],
        "choices": list(LABELS),
        "task": "labels",
        "teacher": {"label": LABELS[gold], "rationale": f"{_GROUNDS[gold][0]} {_stated(gold)}"},
        "student": student,
    }
    return scored(record, task_of(record))
