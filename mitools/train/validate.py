"""Measurements on the validation records during training."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mitools.bounds import OWN
from mitools.records import parse_line, student_text
from mitools.student.protocol import Student
from mitools.tasks import task_of
from mitools.train.choices import EvalSplit
from mitools.train.mi_estimate import FEATURES, estimate_information, sketch
from mitools.train.task_tensors import COUNTS, LOSS_COUNTS

__all__ = ["Validation", "final_metrics", "measure_accuracy", "partners", "with_rationales_of"]

_MEASURES = (
    "accuracy",
    "label_loss",
    "rationale_loss",
    "conclusion_loss",
    "naming_loss",
    "mi_loss",
    "mi_estimate",
    "mi_shuffled",
)
_TOLD = 4  # the columns of Validation.told
_NO_RATIONALE: Mapping[str, Any] = {"rationale_target": [], "name_place": -1}
"""The fields of a row that belong to its rationale, for one without a rationale."""


@dataclass(frozen=True)
class Validation:
    """Sums over the validation records, which several processes can add up.

    Attributes:
        sums: [5] of the losses, in the order of :data:`mitools.train.task_tensors.LOSS_COUNTS`.
        counts: [5] what they are sums over; see :data:`mitools.train.task_tensors.COUNTS`.
        words: [N, 2 · FEATURES + 1] for each record the sketches of both tasks' distributions, and
            whether it has both texts; 0 for records of other processes.
        told: [N, 4] for each record, with ``conclude`` or ``name``: the information of its
            rationale about its label in nats, and whether it has both; the same for another
            record's rationale.
        measured: [5] above 0 for each loss that was measured.
    """

    sums: Tensor
    counts: Tensor
    words: Tensor
    told: Tensor
    measured: Tensor

    @classmethod
    def of_size(cls, size: int) -> Validation:
        sums, counts = torch.zeros(len(LOSS_COUNTS)).double(), torch.zeros(len(COUNTS)).double()
        words, told = torch.zeros(size, 2 * FEATURES + 1), torch.zeros(size, _TOLD).double()
        return cls(sums, counts, words, told, torch.zeros(len(LOSS_COUNTS)))

    def add(self, first: int, outputs: Mapping[str, Tensor], counts: Tensor) -> None:
        """Add the model's results for the records from number ``first`` on."""
        for index, name in enumerate(LOSS_COUNTS):
            if name in outputs:
                self.sums[index] += outputs[name].double().cpu()
                self.measured[index] = 1
        self.counts.add_(counts.cpu())
        if "label_words" in outputs:
            sides = [sketch(outputs[f"{side}_words"]) for side in ("label", "rationale")]
            rows = torch.cat([*sides, outputs["is_pair"][:, None].float()], dim=1).cpu()
            self.words[first : first + len(rows)] = rows
        self.add_told(first, outputs, shuffled=False)

    def add_told(self, first: int, outputs: Mapping[str, Tensor], *, shuffled: bool) -> None:
        """Add the information of rationales: the records' own, or those of other records."""
        if "information" in outputs:
            rows = torch.stack([outputs["information"], outputs["is_pair"]], dim=1).double().cpu()
            columns = slice(2, 4) if shuffled else slice(0, 2)
            self.told[first : first + len(rows), columns] = rows * rows[:, 1:]

    def reduced(self, add_up: Callable[[Tensor], Tensor]) -> Validation:
        """Add up the results of all processes."""
        return Validation(*map(add_up, vars(self).values()))

    def losses(self, mi_count: str) -> dict[str, float]:
        """Compute means: nats per token for both tasks, nats per ``mi_count`` for the MI term.

        A loss without a measurement is left out.
        """
        counts = dict(zip(COUNTS, self.counts.tolist(), strict=True))
        by = [counts[count] for count in {**LOSS_COUNTS, "mi_loss": mi_count}.values()]
        return {
            name: total / count
            for name, total, count, is_there in zip(
                LOSS_COUNTS, self.sums.tolist(), by, self.measured.tolist(), strict=True
            )
            if is_there and count > 0
        }

    def information(self, seed: int) -> dict[str, float]:
        """Estimate the information of the rationale about the label; empty with too few pairs.

        With ``conclude``, ``mi_estimate`` is the mean of Σ_t (log q − log p) over the records: the
        plug-in estimate of the conditional V-information I(R → Y | X), arXiv:2210.04982. It is
        negative where the rationale makes the label less probable. With ``name`` it is the same for
        the words before the named choice, and probabilities among choices. With other terms it
        is a lower bound on I(Z; V), see :mod:`mitools.train.mi_estimate`. Unit: nats per record;
        higher is more. ``mi_shuffled`` is the same with the rationales of other records.
        """
        told, pairs, strange, strange_pairs = self.told.sum(dim=0).tolist()
        if pairs:
            found = {"mi_estimate": told / pairs}
            return {**found, "mi_shuffled": strange / strange_pairs} if strange_pairs else found
        is_pair = self.words[:, -1] > 0
        labels, rationales = self.words[is_pair, :-1].chunk(2, dim=1)
        bound = estimate_information(labels, rationales, seed)
        return {} if bound is None else {"mi_estimate": bound.true, "mi_shuffled": bound.shuffled}


def partners(rows: Sequence[Mapping[str, Sequence[int]]], seed: int) -> dict[int, int]:
    """Assign to each record with a label and a rationale another such record at random.

    The records are rolled by one in random order: every rationale is assigned once, and none to its
    own record.

    Args:
        rows: tokenized records.
        seed: the same seed and rows give the same partners.

    Returns:
        Row numbers by row number; empty with fewer than two such records.
    """
    places = [
        place for place, row in enumerate(rows) if row["label_target"] and row["rationale_target"]
    ]
    if len(places) < 2:
        return {}
    random.Random(seed).shuffle(places)
    return dict(zip(places, [*places[1:], places[0]], strict=True))


def with_rationales_of(
    rows: Sequence[Mapping[str, Any]],
    batch: Sequence[Mapping[str, Any]],
    places: Iterable[int],
    partner: Mapping[int, int],
) -> list[dict[str, Any]]:
    """Replace the rationales of a batch by those of other records; empty without a partner.

    Args:
        rows: all tokenized records.
        batch: some of them.
        places: their numbers, at least as many.
        partner: row numbers by row number, as :func:`partners` gives them.
    """
    return [
        {**row, **_rationale_of({} if other is None else rows[other])}
        for row, other in zip(batch, map(partner.get, places), strict=False)
    ]


def _rationale_of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row.get(name, none) for name, none in _NO_RATIONALE.items()}


def measure_accuracy(student: Student, lines: Sequence[str]) -> float | None:
    """Compute the share of records with a correct label, by the task's own equality.

    Unit: share, 0 to 1; higher is better. Records without a label are left out; None without any
    record. A record with choices is answered by the choice with the highest score.

    Args:
        student: the model in training.
        lines: records as JSON, each with ``input``, ``label``, ``task`` and maybe ``choices``.
    """
    records = [
        record
        for record in (parse_line(line, bounds=OWN) for line in lines)
        if record["label"] is not None
    ]
    closed = [record for record in records if record.get("choices")]
    open_ended = [record for record in records if not record.get("choices")]
    answers = _choose(student, closed) + [
        found.text
        for found in student.generate_labels([student_text(record) for record in open_ended])
    ]
    right = [
        task_of(record).is_equal(answer, record["label"])
        for record, answer in zip(closed + open_ended, answers, strict=True)
    ]
    return sum(right) / len(right) if right else None


def _choose(student: Student, records: Sequence[dict[str, object]]) -> list[str]:
    choices: list[list[str]] = [list(record["choices"]) for record in records]  # type: ignore[call-overload]
    scores = student.score_choices([student_text(record) for record in records], choices)
    return [_best(names, row) for names, row in zip(choices, scores, strict=True)]


def _best(names: list[str], scores: Sequence[float]) -> str:
    """Return the choice with the highest score; the first by alphabet wins ties, as in ``eval``."""
    return max(sorted(names), key=lambda name: scores[names.index(name)])


def final_metrics(
    history: list[dict[str, float]], saved_step: int | None, split: EvalSplit = "valid"
) -> dict[str, float]:
    """Return the metrics of the saved model, or the last training loss if it was not measured.

    Args:
        history: the lines of the log.
        saved_step: the step of the saved model; None takes the last measurement there is.
        split: what was measured; the names of the metrics begin with it.
    """
    lines = [line for line in history if "eval_selection" in line]
    found = lines[-1:] if saved_step is None else [x for x in lines if x["step"] == saved_step]
    if found:
        return {
            f"{split}_{name}": found[-1][key]
            for name in _MEASURES
            if (key := f"eval_{name}") in found[-1]
        }
    losses = [line for line in history if "loss" in line][-1:]
    return {"train_loss": losses[0]["loss"]} if losses else {}
