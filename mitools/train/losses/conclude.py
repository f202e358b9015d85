"""The term ``conclude``: information of the rationale about the label, for the label task.

The student reads the label twice: p(y | x) in the predict pass, and q(y | x, r) behind the
rationale of the explain pass. With P and Q the logits of both readings at the same label tokens,

    γ · CE_q(y) + β · τ² / N_y · Σ_b g_b Σ_t m · KL( sg softmax(Q/τ) ‖ softmax(P/τ) )

is added to the loss. H(Y|X) − CE_q is the Barber–Agakov bound on I(Y; R | X), so the first term
makes q a better estimate; the second moves p towards q in the records b where the rationale helps:
g_b = 1 where i_b = Σ_t m · (log q − log p) > 0, else 0. sg stops the gradient. The mean of i_b
estimates the conditional V-information of the rationale.

This module has the plain form and a fused form that never holds the scores of all label tokens.
Both return losses of single tokens; sums, weights and the count N_y are up to the caller. B is the
batch, L the length of labels, V the vocabulary, D the size of decoder states and N the number of
real label tokens of a batch.

Sources: conditional V-information of rationales, arXiv:2210.04982; the bound, Barber and Agakov,
"The IM algorithm", NIPS 2003; temperature and the factor τ², arXiv:1503.02531.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mitools.train.losses.fused import Head, product_dtype, scores_of, scores_per_chunk
from mitools.train.losses.objective import ShapeError, token_losses

__all__ = [
    "Readings",
    "fused_readings",
    "informative_weights",
    "plain_readings",
    "tempered_divergences",
]


@dataclass(frozen=True)
class Readings:
    """Losses of two readings of the same B labels.

    Attributes:
        label_losses: [B, L] −log p of each label token, nats; 0 on padding.
        conclusion_losses: [B, L] −log q likewise.
        divergences: [B, L] KL(teacher ‖ p) at temperature τ, times τ², nats; 0 on padding; without
            a gradient in the teacher. None where it was not requested.
        teacher_losses: [B, L] −log of the teacher's probability of each token, without a gradient.
            The teacher is q unless another one was given.
    """

    label_losses: Tensor
    conclusion_losses: Tensor
    divergences: Tensor | None
    teacher_losses: Tensor

    def information(self) -> Tensor:
        """Compute the information of the rationale about each label: Σ_t (log q − log p).

        Returns:
            [B] nats, without a gradient; higher is more, below 0 where the rationale misleads.
        """
        return (self.label_losses - self.conclusion_losses).detach().sum(dim=-1)

    def distillation(self) -> Tensor:
        """Compute the distillation loss of records where the teacher is better than p.

        Returns:
            [B] Σ_t of τ² · KL in nats; 0 where the label is not more probable in the teacher than
            in p.
        """
        assert self.divergences is not None
        gain = (self.label_losses.detach() - self.teacher_losses).sum(dim=-1)
        return self.divergences.sum(dim=-1) * (gain > 0)


def informative_weights(
    information: Tensor, tokens: Tensor, is_pair: Tensor, temperature: float
) -> Tensor:
    """Compute weights of rationales that grow with their information about the label.

    The weight of a record is proportional to σ(i/τ), normalized so that the mean over all rationale
    tokens of the batch is 1.

    Args:
        information: [B] nats, as from :meth:`Readings.information`.
        tokens: [B] rationale tokens of each record, times its loss weight.
        is_pair: [B] records with a label and a rationale; the weight of the others is 1.
        temperature: τ > 0; lower values make weights more different.

    Returns:
        [B] weights without a gradient.
    """
    raw = torch.sigmoid(information.detach() / temperature)
    counts = tokens.to(raw.dtype) * is_pair
    total = (raw * counts).sum()
    scale = torch.where(total > 0, counts.sum() / total, torch.ones_like(total))
    return torch.where(is_pair, raw * scale, torch.ones_like(raw))


def tempered_divergences(
    teacher_logits: Tensor, logits: Tensor, mask: Tensor, temperature: float
) -> Tensor:
    """Compute τ² · KL( softmax(teacher/τ) ‖ softmax(logits/τ) ) at every position.

    Args:
        teacher_logits: [B, L, V] raw scores; no gradient flows here.
        logits: [B, L, V] raw scores.
        mask: [B, L] positions that take part.
        temperature: τ > 0; higher values give improbable tokens more weight.

    Returns:
        [B, L] nats, at least float32; 0 where both agree, and 0 without a gradient on masked
        positions.

    Raises:
        ShapeError: the logits differ in shape.
    """
    if teacher_logits.shape != logits.shape or mask.shape != logits.shape[:2]:
        shapes = f"{tuple(teacher_logits.shape)} and {tuple(logits.shape)}"
        raise ShapeError(f"teacher logits and logits {shapes} do not fit together")
    full = torch.float64 if logits.dtype == torch.float64 else torch.float32
    log_q = (teacher_logits.detach().to(full) / temperature).log_softmax(dim=-1)
    log_p = (logits.to(full) / temperature).log_softmax(dim=-1)
    found = (log_q.exp() * (log_q - log_p)).sum(dim=-1) * temperature**2  # (B, L)
    return torch.where(mask.bool(), found, torch.zeros_like(found))


def plain_readings(
    logits: tuple[Tensor, Tensor],
    labels: tuple[Tensor, Tensor],
    temperature: float | None,
    teacher_logits: Tensor | None = None,
) -> Readings:
    """Compute the losses of two readings of the same labels from their logits.

    Args:
        logits: P and Q, [B, L, V] raw scores each.
        labels: [B, L] token ids; and [B, L] real label tokens, the end token included.
        temperature: τ of the divergences; None computes none.
        teacher_logits: [B, L, V] the teacher of P in place of Q, without a gradient.

    Raises:
        ShapeError: sizes differ.
    """
    label_logits, conclusion_logits = logits
    targets, mask = labels
    conclusion_losses = token_losses(conclusion_logits, targets, mask)
    teacher_losses = conclusion_losses.detach()
    if teacher_logits is not None:
        teacher_losses = token_losses(teacher_logits.detach(), targets, mask)
    divergences = None
    if temperature is not None:
        teacher = conclusion_logits if teacher_logits is None else teacher_logits
        divergences = tempered_divergences(teacher, label_logits, mask, temperature)
    label_losses = token_losses(label_logits, targets, mask)
    return Readings(label_losses, conclusion_losses, divergences, teacher_losses)


def fused_readings(
    states: tuple[Tensor, Tensor],
    head: Head,
    labels: tuple[Tensor, Tensor],
    temperature: float | None,
    teacher_logits: Tensor | None = None,
    *,
    chunk: int | None = None,
) -> Readings:
    """Compute :func:`plain_readings` from decoder states, without a [B, L, V] tensor of scores.

    Only real label tokens are scored, a chunk of them at a time. The backward pass computes the
    scores of a chunk again, except where there is only one chunk, which is kept.

    Args:
        states: [B, L, D] decoder states of both readings, p first.
        head: the vocabulary head.
        labels: [B, L] token ids; and [B, L] real label tokens, the end token included.
        temperature: τ of the divergences; None computes none.
        teacher_logits: [B, L, V] the teacher of P in place of Q, without a gradient.
        chunk: label tokens processed at a time; None chooses by device. It does not change the
            result.

    Returns:
        Losses in float32 (float64 for float64 states); under autocast only the products are in half
        precision.
    """
    targets, mask = labels
    rows, columns = mask.bool().nonzero(as_tuple=True)
    both = torch.stack([state[rows, columns] for state in states])  # (2, N, D)
    picked = targets[rows, columns]
    teacher = None if teacher_logits is None else teacher_logits.detach()[rows, columns]  # (N, V)
    # A label token has two rows of scores.
    size = chunk or max(1, scores_per_chunk(both) // (2 * len(head.weight)))
    plan = _Plan(size, product_dtype(both), temperature, teacher)
    losses, divergences = _FusedReadings.apply(  # type: ignore[no-untyped-call]
        both, head.weight, head.bias, picked, plan
    )

    def scatter(values: Tensor) -> Tensor:
        return values.new_zeros(targets.shape).index_put((rows, columns), values)

    label_losses, conclusion_losses = scatter(losses[0]), scatter(losses[1])
    teacher_losses = conclusion_losses.detach()
    if teacher is not None:
        log_probs = teacher.to(losses.dtype).log_softmax(dim=-1)
        teacher_losses = scatter(-log_probs.gather(-1, picked[:, None])[:, 0])
    return Readings(
        label_losses,
        conclusion_losses,
        None if temperature is None else scatter(divergences),
        teacher_losses,
    )


@dataclass(frozen=True)
class _Plan:
    """How N label tokens are processed.

    Attributes:
        chunk: label tokens processed at a time.
        dtype: the precision of the matrix products.
        temperature: τ; None computes no divergences.
        teacher: [N, V] scores of the teacher of P in place of Q.
    """

    chunk: int
    dtype: torch.dtype
    temperature: float | None
    teacher: Tensor | None

    def chunks(self, size: int) -> list[slice]:
        return [slice(low, min(size, low + self.chunk)) for low in range(0, size, self.chunk)]

    def teacher_of(self, part: slice, scores: Tensor) -> Tensor:
        """Return the teacher's scores of a chunk, [n, V], given those of P and Q, [2, n, V]."""
        return scores[1] if self.teacher is None else self.teacher[part].to(scores.dtype)


class _FusedReadings(torch.autograd.Function):
    """Losses [2, N] of both readings, and τ² · KL [N] of the teacher and the first."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, plan: _Plan
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.plan, ctx.dtypes = plan, (states.dtype, weight.dtype)
        full = torch.float64 if states.dtype == torch.float64 else torch.float32
        states, weight = states.to(plan.dtype), weight.to(plan.dtype)
        size = states.shape[1]
        losses = torch.empty(2, size, dtype=full, device=states.device)
        divergences = losses.new_zeros(size)
        ctx.scores = None
        chunks = plan.chunks(size)
        for part in chunks:
            scores = scores_of(states[:, part], weight, bias, full)  # (2, n, V)
            places = targets[part].expand(2, -1)[..., None]
            losses[:, part] = scores.logsumexp(dim=-1) - scores.gather(-1, places)[..., 0]
            if plan.temperature is not None:
                divergences[part] = _divergences(plan.teacher_of(part, scores), scores[0], plan)
            ctx.scores = scores if len(chunks) == 1 else None
        ctx.save_for_backward(states, weight, bias, targets)
        return losses, divergences

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_losses: Tensor | None, of_divergences: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        plan: _Plan = ctx.plan
        states, weight, bias, targets = ctx.saved_tensors
        full = torch.float64 if states.dtype == torch.float64 else torch.float32
        of_states = torch.empty_like(states)  # (2, N, D)
        of_weight: Tensor | None = None
        of_bias = None if bias is None else torch.zeros_like(bias, dtype=full)
        for part in plan.chunks(states.shape[1]):
            scores = ctx.scores
            if scores is None:
                scores = scores_of(states[:, part], weight, bias, full)  # (2, n, V)
            grad = _score_gradient(
                scores,
                targets[part],
                None if of_losses is None else of_losses[:, part],
                None if of_divergences is None else of_divergences[part],
                (plan, part),
            )
            # From the scores to their inputs: scores = states · weightᵀ + bias.
            if of_bias is not None:
                of_bias += grad.sum(dim=(0, 1))
            half = grad.to(plan.dtype).flatten(0, 1)  # (2n, V)
            of_states[:, part] = (half @ weight).unflatten(0, (2, -1))
            if ctx.needs_input_grad[1]:
                share = (half.T @ states[:, part].flatten(0, 1)).to(full)  # (V, D)
                of_weight = share if of_weight is None else of_weight.add_(share)
        if of_weight is None and ctx.needs_input_grad[1]:
            of_weight = torch.zeros_like(weight)
        return (
            of_states.to(ctx.dtypes[0]),
            None if of_weight is None else of_weight.to(ctx.dtypes[1]),
            None if of_bias is None else of_bias.to(bias.dtype),
            None,
            None,
        )


def _score_gradient(
    scores: Tensor,
    targets: Tensor,
    of_losses: Tensor | None,
    of_divergences: Tensor | None,
    place: tuple[_Plan, slice],
) -> Tensor:
    """Compute the gradient of the scores of a chunk, [2, n, V].

    Args:
        scores: [2, n, V] of P and Q.
        targets: [n] token ids.
        of_losses: [2, n] gradient of the losses.
        of_divergences: [n] gradient of τ² · KL.
        place: the plan, and which tokens these are.
    """
    if of_losses is None:
        grad = torch.zeros_like(scores)
    else:
        # The gradient of a cross-entropy is softmax − one-hot.
        grad = scores.softmax(dim=-1).mul_(of_losses[..., None])
        places = targets.expand(2, -1)[..., None]
        grad.scatter_add_(-1, places, -of_losses[..., None])
    plan, part = place
    if of_divergences is not None and plan.temperature is not None:
        # That of τ² · KL(t ‖ softmax(P/τ)) is τ · (softmax(P/τ) − t) in P, and 0 in the teacher t.
        tau = plan.temperature
        teacher = (plan.teacher_of(part, scores) / tau).softmax(dim=-1)
        difference = (scores[0] / tau).softmax(dim=-1).sub_(teacher)
        grad[0] += difference.mul_(tau * of_divergences[:, None])
    return grad


def _divergences(teacher: Tensor, scores: Tensor, plan: _Plan) -> Tensor:
    """Compute τ² · KL of tempered distributions from their scores [n, V]: [n]."""
    assert plan.temperature is not None
    log_q = (teacher / plan.temperature).log_softmax(dim=-1)
    log_p = (scores / plan.temperature).log_softmax(dim=-1)
    return (log_q.exp() * (log_q - log_p)).sum(dim=-1) * plan.temperature**2
