"""Both tasks of a student in one module, so that every kind of parallelism sees one forward.

A student of one pass has the same two tasks: its sequence is run once, and the losses, states and
words at the positions of each text are that task's. So both weigh as much as in two passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mitools.student.causal import can_share_prefix
from mitools.student.codec import Codec, Pairs
from mitools.student.forward import (
    has_plain_head,
    target_logits_and_states,
    target_states,
    two_task_states,
)
from mitools.student.sequence import join_targets
from mitools.train.losses.contrastive import (
    barber_agakov_losses,
    batch_entropy,
    infonce_losses,
    jsd_losses,
    nwj_losses,
    pair_roles,
    same_rows,
)
from mitools.train.losses.critic import LabelPredictor, PairCritic, pooled_states
from mitools.train.losses.fused import Head, fused_losses
from mitools.train.losses.objective import (
    CONTRASTIVE_TERMS,
    Objective,
    divergence_losses,
    paper_mi_loss,
    pooled_log_probs,
    token_losses,
)

__all__ = [
    "COUNTS",
    "LOSS_COUNTS",
    "Task",
    "TwoTaskModel",
    "count_targets",
    "pairs_of",
    "word_mask",
]

COUNTS = ("label_tokens", "rationale_tokens", "pairs", "rows")
LOSS_COUNTS = ("label_loss", "rationale_loss", "mi_loss")
"""The losses that are means over the first of these counts, in their order."""

_CONTRASTIVE_LOSSES = {"infonce": infonce_losses, "jsd": jsd_losses, "nwj": nwj_losses}

Task = dict[str, Tensor]
"""The fields of a :class:`Pairs`: one task of B records; maybe ``weights`` [B], else all 1."""


def pairs_of(task: Task) -> Pairs:
    return Pairs(**{name: value for name, value in task.items() if name != "weights"})


def count_targets(label: Task, rationale: Task | None, end_id: int) -> Tensor:
    """Count what the losses of a batch are means over, as :data:`COUNTS` names it: [4] float64.

    Tokens and pairs count as much as their record's weight; a pair has its rationale's.
    """
    rows = label["target_mask"].new_tensor(len(label["target_mask"])).double()
    label_tokens = (label["target_mask"].sum(dim=-1) * _weights(label)).sum()
    if rationale is None:
        none = torch.zeros_like(rows)
        return torch.stack([label_tokens, none, none, rows])
    rationale_tokens = (rationale["target_mask"].sum(dim=-1) * _weights(rationale)).sum()
    pairs = (_is_pair(label, rationale, end_id) * _weights(rationale)).sum()
    return torch.stack([label_tokens, rationale_tokens, pairs, rows])


def _weights(task: Task) -> Tensor:
    weights = task.get("weights")
    size = len(task["target_ids"])
    return task["target_mask"].new_ones(size).double() if weights is None else weights.double()


def _is_pair(label: Task, rationale: Task, end_id: int) -> Tensor:
    return word_mask(label, end_id).any(dim=-1) & word_mask(rationale, end_id).any(dim=-1)


def word_mask(task: Task, end_id: int) -> Tensor:
    """Mark target positions that say something, neither padding nor the end: [B, T] bool."""
    return task["target_mask"].bool() & (task["target_ids"] != end_id)


@dataclass(frozen=True)
class _Seen:
    """What one task gave for B records.

    Attributes:
        losses: [B, T] nats.
        states: [B, T, D] what the vocabulary head read.
        log_pooled: [B, V] pooled words; None where the MI term does not read them.
        logits: [B, T, V]; only in the plain form.
    """

    losses: Tensor
    states: Tensor
    log_pooled: Tensor | None = None
    logits: Tensor | None = None


class TwoTaskModel(nn.Module):
    """Compute α · label_loss + (1 − α) · rationale_loss + β · mi_loss in one forward.

    Attributes:
        student: the transformers model that is trained and saved.
        critic: what the MI term adds to it in training, and nobody saves with the student.
        is_fused: whether the [B, T, V] tensors are avoided. They are not for the paper's term,
            which is computed as published, nor where logits are more than a matrix product.
        tails: how many tokens at the end of each task's prompt are its own, where the rest is read
            once for both; None where both are read whole.
    """

    def __init__(
        self, student: Any, codec: Codec, objective: Objective, *, fused: bool | None = None
    ) -> None:
        super().__init__()
        self.student = student
        self.codec = codec
        self.objective = objective
        self.end_id: int = codec.tokenizer.eos_token_id
        probe = codec.pad([[self.end_id]], [[self.end_id]])
        on_device = {name: value.to(student.device) for name, value in probe.as_dict().items()}
        can_fuse = objective.mi != "paper"
        can_fuse = can_fuse and has_plain_head(student, codec.kind, Pairs(**on_device))
        self.is_fused = can_fuse and fused is not False
        self.tails = self._find_tails()
        self.critic = self._make_critic()

    def _find_tails(self) -> tuple[int, int] | None:
        """Count the tokens that are a task's own in prompts that begin alike; None: none do."""
        if self.codec.prefix_position == "before" or not can_share_prefix(self.student):
            return None
        return self.codec.count_tail("label"), self.codec.count_tail("rationale")

    def _make_critic(self) -> nn.Module | None:
        width = self.student.get_output_embeddings().weight.shape[1]
        if self.objective.mi in CONTRASTIVE_TERMS:
            return PairCritic(width if self.objective.critic == "states" else None)
        return LabelPredictor(width) if self.objective.mi == "ba" else None

    def forward(
        self,
        label: Task,
        rationale: Task | None = None,
        wrong: Task | None = None,
        counts: Tensor | None = None,
        *,
        beta_share: float = 1.0,
        wants_words: bool = False,
    ) -> dict[str, Tensor]:
        """Run both tasks.

        Args:
            label: the label task of B rows.
            rationale: the same records' rationale task; None trains labels only.
            wrong: rationales of the same records that are known to be wrong, for the contrastive
                terms; a row without one has an empty target.
            counts: [4] what to divide by, as :func:`count_targets` gives it for all pieces of an
                accumulated batch together; None means this piece alone.
            beta_share: what part of β is in force.
            wants_words: also return what both tasks say.

        Returns:
            ``loss`` and its parts ``label_loss``, ``rationale_loss``, ``mi_loss``: scalars whose
            sums over the pieces are the losses of the whole. With ``wants_words`` also
            ``label_words`` and ``rationale_words``, [B, V] log-probabilities pooled by the maximum
            over positions whatever is trained, and ``is_pair``, [B].
        """
        if counts is None:
            counts = count_targets(label, rationale, self.end_id)
        totals = counts.float().to(label["target_ids"].device)
        # Weights below 1 may add up to less than 1; nothing at all must not divide.
        totals = torch.where(totals > 0, totals, 1)
        seen = self._run(label, rationale)
        alpha, beta = self.objective.alpha, self.objective.beta
        losses = {"label_loss": _sum(seen[0].losses, label) / totals[0]}
        loss = alpha * losses["label_loss"]
        if rationale is not None:
            losses["rationale_loss"] = _sum(seen[1].losses, rationale) / totals[1]
            loss = loss + (1 - alpha) * losses["rationale_loss"]
            if self.objective.mi != "none":
                losses["mi_loss"] = self._mi_loss(seen, (label, rationale, wrong), totals)
                loss = loss + beta * beta_share * losses["mi_loss"]
        outputs = {"loss": loss, **{name: value.detach() for name, value in losses.items()}}
        if wants_words and rationale is not None:
            outputs |= self._words(seen, (label, rationale))
        return outputs

    def mean_losses(self, rationale: Task, label: Task) -> Tensor:
        """Mean loss of each row's rationale, nats a token: [B]; 0 for an empty one.

        Args:
            rationale: the rationale task of B rows.
            label: their label task, which only a student of one pass reads.
        """
        counts = rationale["target_mask"].sum(dim=-1).clamp(min=1)
        return self._run_alone(rationale, label).losses.sum(dim=-1) / counts

    def weigh(self, losses: Mapping[str, float]) -> float:
        """Combine both tasks' losses by α, as training does, without the MI term.

        A loss that was not measured adds nothing.
        """
        alpha = self.objective.alpha
        return alpha * losses.get("label_loss", 0) + (1 - alpha) * losses.get("rationale_loss", 0)

    def _run(self, label: Task, rationale: Task | None) -> tuple[_Seen, ...]:
        kind = self.codec.kind
        if rationale is not None and self.codec.first is not None:
            return self._run_sequence(label, rationale)
        tasks = [label] if rationale is None else [label, rationale]
        if not self.is_fused:
            return tuple(
                self._look_plain(
                    task, *target_logits_and_states(self.student, kind, pairs_of(task))
                )
                for task in tasks
            )
        if rationale is None:
            states = [target_states(self.student, kind, pairs_of(label))]
        else:
            pair = pairs_of(label), pairs_of(rationale)
            states = list(two_task_states(self.student, kind, *pair, self.tails))
        return self._look_fused(tasks, states)

    def _run_sequence(self, label: Task, rationale: Task) -> tuple[_Seen, ...]:
        """Run both texts as one sequence; what comes out belongs to the one or to the other."""
        is_label_first = self.codec.first == "label"
        tasks = [label, rationale] if is_label_first else [rationale, label]
        joined = join_targets(pairs_of(tasks[0]), pairs_of(tasks[1]), self.end_id)
        if self.is_fused:
            states = target_states(self.student, self.codec.kind, joined.pairs)
            seen = self._look_fused(tasks, list(joined.split(states)))
        else:
            found = target_logits_and_states(self.student, self.codec.kind, joined.pairs)
            parts = zip(*map(joined.split, found), strict=True)
            seen = tuple(
                self._look_plain(task, *part) for task, part in zip(tasks, parts, strict=True)
            )
        return seen if is_label_first else seen[::-1]

    def _run_alone(self, rationale: Task, label: Task) -> _Seen:
        """Run other rationales than the batch's own."""
        if self.codec.first is None:
            return self._run(rationale, None)[0]
        return self._run_sequence(label, rationale)[1]

    def _look_plain(self, task: Task, logits: Tensor, states: Tensor) -> _Seen:
        losses = token_losses(logits, task["target_ids"], task["target_mask"])
        words = word_mask(task, self.end_id)
        pooled = None
        if self.objective.needs_distributions:
            pooled = pooled_log_probs(logits, words, self.objective.pool)
        return _Seen(losses, states, pooled, logits)

    def _look_fused(self, tasks: list[Task], states: list[Tensor]) -> tuple[_Seen, ...]:
        """Run the head over the real tokens of all tasks at once: one pass over its weights."""
        width = max(state.shape[1] for state in states)
        pool = self.objective.pool if self.objective.needs_distributions else None
        losses, pooled = fused_losses(
            torch.cat([_widen(state, width) for state in states]),
            self.head,
            torch.cat([_widen(task["target_ids"], width) for task in tasks]),
            (
                torch.cat([_widen(task["target_mask"], width) for task in tasks]),
                torch.cat([_widen(word_mask(task, self.end_id), width) for task in tasks]),
            ),
            pool,
        )
        size = len(states[0])
        found = []
        for index, state in enumerate(states):
            rows = slice(index * size, (index + 1) * size)
            words = None if pooled is None else pooled[rows]
            found.append(_Seen(losses[rows, : state.shape[1]], state, words))
        return tuple(found)

    @property
    def head(self) -> Head:
        module = self.student.get_output_embeddings()
        return Head(module.weight, getattr(module, "bias", None))

    def _mi_loss(
        self,
        seen: tuple[_Seen, ...],
        tasks: tuple[Task, Task, Task | None],
        totals: Tensor,
    ) -> Tensor:
        label, rationale, _ = tasks
        mi = self.objective.mi
        if mi == "paper":
            assert seen[0].logits is not None and seen[1].logits is not None  # noqa: PT018
            share = len(seen[0].logits) / totals[3]
            return paper_mi_loss(seen[0].logits, seen[1].logits) * share
        is_pair = _is_pair(label, rationale, self.end_id)
        weights = _weights(rationale).float() * is_pair
        if mi in CONTRASTIVE_TERMS:
            losses = self._contrastive_losses(seen, tasks, is_pair)
            return (losses * weights).sum() / totals[2]
        log_q, log_p = (self._flow(index, side.log_pooled) for index, side in enumerate(seen))
        if mi == "maxpool":
            losses = divergence_losses(log_q, log_p, self.objective.divergence)
            return (torch.where(is_pair, losses, 0) * weights).sum() / totals[2]
        assert isinstance(self.critic, LabelPredictor)
        states = pooled_states(seen[1].states, word_mask(rationale, self.end_id))
        log_r = self.critic(states, self.head.weight, self.head.bias)
        losses = barber_agakov_losses(log_q, log_r, is_pair)
        entropy = batch_entropy(log_q, is_pair)
        return ((losses - entropy) * weights).sum() / totals[2]

    def _flow(self, index: int, tensor: Tensor | None) -> Tensor:
        """Stop the gradient of the label side where the MI term must not move it."""
        assert tensor is not None
        return tensor if index or self.objective.moves_label else tensor.detach()

    def _contrastive_losses(
        self, seen: tuple[_Seen, ...], tasks: tuple[Task, Task, Task | None], is_pair: Tensor
    ) -> Tensor:
        label, rationale, wrong = tasks
        assert isinstance(self.critic, PairCritic)
        left, right = (
            self._flow(index, self._representation(side, task))
            for index, (side, task) in enumerate(zip(seen, (label, rationale), strict=True))
        )
        others = has_wrong = None
        if wrong is not None:
            others = self._wrong_representation(wrong, label)
            has_wrong = word_mask(wrong, self.end_id).any(dim=-1)
        scores = self.critic(left, right, is_pair, others)
        same = same_rows(label["target_ids"], label["target_mask"])
        roles = pair_roles(is_pair, same, self.objective.same_label, has_wrong)
        return _CONTRASTIVE_LOSSES[self.objective.mi](scores, roles)

    def _wrong_representation(self, wrong: Task, label: Task) -> Tensor:
        if self.objective.critic == "vocabulary":
            return self._representation(self._run_alone(wrong, label), wrong)
        states = target_states(self.student, self.codec.kind, pairs_of(wrong))  # no head needed
        return pooled_states(states, word_mask(wrong, self.end_id))

    def _representation(self, seen: _Seen, task: Task) -> Tensor:
        if self.objective.critic == "vocabulary":
            assert seen.log_pooled is not None
            return seen.log_pooled
        return pooled_states(seen.states, word_mask(task, self.end_id))

    def _words(self, seen: tuple[_Seen, ...], tasks: tuple[Task, Task]) -> dict[str, Tensor]:
        found = {"is_pair": _is_pair(*tasks, self.end_id)}
        names = ("label_words", "rationale_words")
        for name, side, task in zip(names, seen, tasks, strict=True):
            words = word_mask(task, self.end_id)
            if side.log_pooled is not None and self.objective.pool == "max":
                found[name] = side.log_pooled
            elif side.logits is not None:
                found[name] = pooled_log_probs(side.logits, words)
            else:
                masks = (task["target_mask"], words)
                pooled = fused_losses(side.states, self.head, task["target_ids"], masks)[1]
                assert pooled is not None
                found[name] = pooled
        return found


def _sum(losses: Tensor, task: Task) -> Tensor:
    if "weights" not in task:
        return losses.sum()
    return (losses.sum(dim=-1) * task["weights"]).sum()


def _widen(tensor: Tensor, width: int) -> Tensor:
    """Pad [B, T, …] with zeros to [B, width, …]."""
    room = [0, 0] * (tensor.dim() - 2) + [0, width - tensor.shape[1]]
    return nn.functional.pad(tensor, room)
