"""Modules that score pairs of labels and rationales: the weights that the MI term adds.

They are used in training only; the saved student does not contain them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["LabelPredictor", "PairCritic", "pooled_states"]

_WIDTH = 128
_TEMPERATURE = 0.1
_MAX_SCALE = 100.0


def pooled_states(states: Tensor, mask: Tensor) -> Tensor:
    """Average the decoder states of a target over its real positions: [B, D]; 0 without any.

    Args:
        states: [B, T, D] decoder states, the input of the vocabulary head.
        mask: [B, T] positions that take part.
    """
    weights = mask.bool()[..., None]
    return states.masked_fill(~weights, 0).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


class PairCritic(nn.Module):
    """Score every label against every rationale of a batch: cosine / τ + b.

    For decoder states, the cosine is of two small projections. Both have the same random
    initialization, so that the first scores are informative. States are centred over the batch
    first: those of a language model share a large common part, with which all cosines are near 1.
    For distributions, the cosine is of their square roots, which is their Bhattacharyya affinity,
    without a projection. τ starts at 0.1 and b at 0; both are learned, τ ≥ 0.01.
    """

    def __init__(self, width: int | None) -> None:
        """Initialize a critic.

        Args:
            width: D, the size of decoder states; None for distributions.
        """
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(-math.log(_TEMPERATURE)))
        self.bias = nn.Parameter(torch.zeros(()))
        self.of_label: nn.Linear | None = None
        self.of_rationale: nn.Linear | None = None
        if width is not None:
            self.of_label = nn.Linear(width, _WIDTH, bias=False)
            self.of_rationale = nn.Linear(width, _WIDTH, bias=False)
            with torch.no_grad():
                self.of_rationale.weight.copy_(self.of_label.weight)

    def forward(
        self, labels: Tensor, rationales: Tensor, is_pair: Tensor, wrong: Tensor | None = None
    ) -> Tensor:
        """Score pairs.

        Args:
            labels: [B, D] pooled states, or [B, V] pooled log-probabilities.
            rationales: likewise.
            is_pair: [B] rows with a label and a rationale; the others do not affect the centre.
            wrong: [B, D] or [B, V] rationales known to be wrong.

        Returns:
            [B, B], or [B, 2B] with wrong ones: entry i, j is for label i and rationale j; float32.
        """
        others = rationales if wrong is None else torch.cat([rationales, wrong])
        if self.of_label is None or self.of_rationale is None:
            # exp(x / 2) is the square root of the probability, without its infinite slope at 0.
            left, right = (labels / 2).exp(), (others / 2).exp()
        else:
            left = self.of_label(labels.float() - _center(labels.float(), is_pair))
            right = self.of_rationale(others.float() - _center(rationales.float(), is_pair))
        cosines = F.normalize(left.float(), dim=-1) @ F.normalize(right.float(), dim=-1).T
        return self.log_scale.exp().clamp(max=_MAX_SCALE) * cosines.float() + self.bias


def _center(states: Tensor, is_pair: Tensor) -> Tensor:
    count = is_pair.sum().clamp(min=1)
    return states.masked_fill(~is_pair[:, None], 0).sum(dim=0) / count


class LabelPredictor(nn.Module):
    """Predict the label's word distribution from the rationale's pooled state.

    One projection before the student's own vocabulary head, initialized as the identity.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)
        with torch.no_grad():
            self.project.weight.copy_(torch.eye(width))
            self.project.bias.zero_()

    def forward(self, rationales: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Predict.

        Args:
            rationales: [B, D] pooled decoder states.
            weight: [V, D] the vocabulary head; no gradient flows into it from here.
            bias: [V] of the head, or None.

        Returns:
            [B, V] log-probabilities, float32.
        """
        logits = F.linear(self.project(rationales), weight.detach())
        if bias is not None:
            logits = logits + bias.detach()
        return logits.float().log_softmax(dim=-1)
