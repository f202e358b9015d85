"""Answer with the label that a student's rationales name, or tell how sure they name it.

Needs no label behind the rationale: its words are read as those of a teacher
(:meth:`mitools.tasks.Task.supported`). Of several rationales the label that most of them name is
taken. Where a record has choices, the student's probabilities of naming each of them at that place
are a reading of the label as well.

Source: Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models",
arXiv:2203.11171.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mitools.errors import StudentError
from mitools.reading.in_place import InPlace, choices_in_place
from mitools.records import Record
from mitools.rounding import rounded
from mitools.tasks import task_of

__all__ = ["mention_of", "named_answer", "named_shares"]


def named_answer(
    record: Record,
    rationales: Sequence[str],
    own: Mapping[str, Any],
    task: str | None = None,
) -> dict[str, Any]:
    """Answer a record with the label that most of its rationales name.

    Equal votes are decided by the student's own label if it is among them, else by the order of
    the rationales. The confidence is (v + 1) / (n + N) among N choices, where v of the n
    rationales that name an answer name this one: one vote is added to each choice, so that a
    single rationale is not certain. Without choices it is v / (n + 1), with one vote for an answer
    that was not named.

    Args:
        record: its task and choices are used.
        rationales: K texts by the student.
        own: the student's own answer, which is given where no rationale names one.
        task: the task to read by, in place of the record's.

    Returns:
        The fields of an answer, and ``votes``: v, 0 for the student's own answer.
    """
    read, choices = task_of(record, task), record.get("choices") or None
    found = [read.supported(text, choices) for text in rationales]
    labels = [label for label in found if label is not None]
    if not labels:
        return {**own, "votes": 0}
    mine = own.get("label")
    named = [*filter(lambda label: read.is_equal(label, mine), labels), *labels]
    votes = {label: sum(read.is_equal(label, one) for one in labels) for label in named}
    best = max(votes, key=votes.__getitem__)  # the first of equal ones
    answer: dict[str, Any] = {"label": best}
    if choices:
        names = list(dict.fromkeys(choices))
        total = len(labels) + len(names)
        shares = {
            name: (1 + sum(read.is_equal(name, one) for one in labels)) / total for name in names
        }
        confidence = (1 + votes[best]) / total
        answer |= {"confidence": confidence, "choices": shares}
    else:
        confidence = votes[best] / (len(labels) + 1)
        answer |= {"confidence": confidence, "label_truncated": False}
    answer["log_prob"] = math.log(confidence)
    return {**dict(rounded(answer)), "votes": votes[best]}


def mention_of(record: Record, rationale: str, task: str | None = None) -> InPlace | None:
    """Find where a rationale names one of a record's choices, and what it would say of each.

    Args:
        record: its task and choices are used.
        rationale: a text by the student.
        task: the task to read by, in place of the record's.

    Returns:
        None where it names no choice, several, or one at a place that is not known.
    """
    choices = record.get("choices") or None
    found = task_of(record, task).find_support(rationale, choices)
    return None if found is None else choices_in_place(rationale, *found, choices)


def named_shares(
    names: Sequence[str], mention: InPlace, log_probs: Sequence[float]
) -> tuple[float, ...]:
    """Turn the probabilities of what a rationale may name into those of a record's choices.

    Args:
        names: [N] the choices, each once.
        mention: what may be named; by letter, equal choices stand there twice.
        log_probs: of each of its forms.

    Returns:
        [N] ln q(y | x, r), normalized over the choices; -inf for one that has no form of its own.

    Raises:
        StudentError: the scores are not log-probabilities.
    """
    top = max(log_probs, default=math.nan)
    if any(map(math.isnan, log_probs)) or not -math.inf < top < math.inf:
        raise StudentError(
            "the student's scores of its rationale are not log-probabilities",
            hint="its weights may be damaged; train it again",
        )
    masses = dict.fromkeys(names, 0.0)
    for choice, log_prob in zip(mention.choices, log_probs, strict=True):
        masses[choice] += math.exp(log_prob - top)
    total = math.fsum(masses.values())
    return tuple(math.log(mass / total) if mass else -math.inf for mass in masses.values())
