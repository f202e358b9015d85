"""What is measured during training, on records that training does not see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mitools.bounds import OWN
from mitools.records import parse_line
from mitools.student.protocol import Student
from mitools.tasks import task_of
from mitools.train.mi_estimate import FEATURES, estimate_information, sketch
from mitools.train.two_task_model import LOSS_COUNTS

__all__ = ["Validation", "final_metrics", "measure_accuracy"]

_MEASURES = ("accuracy", "label_loss", "rationale_loss", "mi_loss", "mi_estimate", "mi_shuffled")


@dataclass(frozen=True)
class Validation:
    """Sums over the validation records, which several processes may gather together.

    Attributes:
        sums: [3] of the losses, as the model names them.
        counts: [4] what they are sums over; see :data:`mitools.train.two_task_model.COUNTS`.
        words: [N, 2 · FEATURES + 1] of each record the sketches of what both tasks say, and whether
            it has both; 0 where another process looked.
        measured: [3] above 0 for each loss that the model gave.
    """

    sums: Tensor
    counts: Tensor
    words: Tensor
    measured: Tensor

    @classmethod
    def of_size(cls, size: int) -> Validation:
        sums, counts = torch.zeros(3).double(), torch.zeros(4).double()
        return cls(sums, counts, torch.zeros(size, 2 * FEATURES + 1), torch.zeros(3))

    def add(self, first: int, outputs: Mapping[str, Tensor], counts: Tensor) -> None:
        """Add what the model gave for the records from number ``first`` on."""
        for index, name in enumerate(LOSS_COUNTS):
            if name in outputs:
                self.sums[index] += outputs[name].double().cpu()
                self.measured[index] = 1
        self.counts.add_(counts.cpu())
        if "is_pair" in outputs:
            sides = [sketch(outputs[f"{side}_words"]) for side in ("label", "rationale")]
            rows = torch.cat([*sides, outputs["is_pair"][:, None].float()], dim=1).cpu()
            self.words[first : first + len(rows)] = rows

    def reduced(self, add_up: Callable[[Tensor], Tensor]) -> Validation:
        """Add up what all processes found."""
        return Validation(*map(add_up, (self.sums, self.counts, self.words, self.measured)))

    def losses(self, *, of_rows: bool) -> dict[str, float]:
        """Divide: nats a token for both tasks, and nats a pair (or a row) for the MI term.

        A loss of which nothing was measured is left out.
        """
        label_tokens, rationale_tokens, pairs, rows = self.counts.tolist()
        by = (label_tokens, rationale_tokens, rows if of_rows else pairs)
        return {
            name: total / count
            for name, total, count, is_there in zip(
                LOSS_COUNTS, self.sums.tolist(), by, self.measured.tolist(), strict=True
            )
            if is_there and count > 0
        }

    def information(self, seed: int) -> dict[str, float]:
        """Estimate how much the rationale says about the label; empty with too few pairs."""
        is_pair = self.words[:, -1] > 0
        labels, rationales = self.words[is_pair, :-1].chunk(2, dim=1)
        found = estimate_information(labels, rationales, seed)
        return {} if found is None else {"mi_estimate": found.true, "mi_shuffled": found.shuffled}


def measure_accuracy(student: Student, lines: Sequence[str]) -> float | None:
    """Share of records whose label the student gets right, by the task's own equality.

    Unit: share, 0 to 1; higher is better. Records without a label are left out; None where none is
    left. A record with choices is answered by the choice with the highest score.

    Args:
        student: the model in training, as one asks it later.
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
        found.text for found in student.generate_labels([record["input"] for record in open_ended])
    ]
    right = [
        task_of(record).is_equal(answer, record["label"])
        for record, answer in zip(closed + open_ended, answers, strict=True)
    ]
    return sum(right) / len(right) if right else None


def _choose(student: Student, records: Sequence[dict[str, object]]) -> list[str]:
    choices: list[list[str]] = [list(record["choices"]) for record in records]  # type: ignore[call-overload]
    scores = student.score_choices([str(record["input"]) for record in records], choices)
    return [
        row[max(range(len(row)), key=row_scores.__getitem__)]
        for row, row_scores in zip(choices, scores, strict=True)
    ]


def final_metrics(history: list[dict[str, float]], best_step: int | None) -> dict[str, float]:
    """Give what the best validation of a run found, or its last training loss without any.

    Args:
        history: what was logged, a line at a time.
        best_step: the step whose model is kept; None where nothing was validated.
    """
    lines = [line for line in history if "eval_selection" in line]
    best = [line for line in lines if line["step"] == best_step] or lines[-1:]
    if best:
        return {
            f"valid_{name}": best[0][key]
            for name in _MEASURES
            if (key := f"eval_{name}") in best[0]
        }
    losses = [line for line in history if "loss" in line][-1:]
    return {"train_loss": losses[0]["loss"]} if losses else {}
