"""An average of the student's past weights as teacher of its predict pass: a control."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mitools.student.codec import Kind, Pairs
from mitools.student.forward import target_logits

__all__ = ["PastStudent"]

_DECAY = 0.99


class PastStudent(nn.Module):
    """An exponential average of the trained weights of a student.

    The decay is 0.99 per step, and less in the first steps, so that the initial weights soon lose
    their influence. The module has no parameters, only buffers, which a checkpoint keeps.

    Source: weight averages as teachers, arXiv:1703.01780.
    """

    steps: Tensor

    def __init__(self, student: Any) -> None:
        super().__init__()
        self.names = [name for name, weight in _trained(student)]
        for index, (_, weight) in enumerate(_trained(student)):
            self.register_buffer(f"weight_{index}", weight.detach().clone())
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, student: Any) -> None:
        """Update the average with the weights after an optimizer step."""
        self.steps += 1
        count = int(self.steps)
        decay = min(_DECAY, count / (count + 10))
        for index, (_, weight) in enumerate(_trained(student)):
            self.get_buffer(f"weight_{index}").lerp_(weight, 1 - decay)

    @torch.no_grad()
    def logits(self, student: Any, kind: Kind, pairs: Pairs) -> Tensor:
        """Compute the logits of the averaged weights, without dropout: [B, T, V]."""
        averages = {
            f"student.{name}": self.get_buffer(f"weight_{index}")
            for index, name in enumerate(self.names)
        }
        was_training = student.training
        student.eval()
        try:
            logits: Tensor = functional_call(_Pass(student, kind), averages, (pairs,))
        finally:
            student.train(was_training)
        return logits


class _Pass(nn.Module):
    """One forward pass as a module, so that its weights can be replaced for a call."""

    def __init__(self, student: Any, kind: Kind) -> None:
        super().__init__()
        self.student = student
        self.kind: Kind = kind

    def forward(self, pairs: Pairs) -> Tensor:
        return target_logits(self.student, self.kind, pairs)


def _trained(student: Any) -> list[tuple[str, nn.Parameter]]:
    return [(name, weight) for name, weight in student.named_parameters() if weight.requires_grad]
