"""Both tasks of a student in one module, so that all kinds of parallelism see one forward.

A student of one pass has the same two tasks: its sequence is run once, and the losses, states and
distributions at the positions of a text belong to its task. So both tasks have the same weight as
in two passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mitools.student.codec import Codec
from mitools.train.fill import FILLS
from mitools.train.losses.conclude import informative_weights
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
from mitools.train.losses.naming import (
    Naming,
    choice_scores,
    compare_choices,
    vocabulary_log_sums,
)
from mitools.train.losses.objective import (
    CONTRASTIVE_TERMS,
    Objective,
    divergence_losses,
    paper_mi_loss,
    pooled_log_probs,
)
from mitools.train.passes import Seen, TaskPasses
from mitools.train.past import PastStudent
from mitools.train.task_tensors import (
    Task,
    count_targets,
    counting_rows,
    find_pairs,
    soft_of,
    weights_of,
    word_mask,
)

__all__ = ["TwoTaskModel"]

_CONTRASTIVE_LOSSES = {"infonce": infonce_losses, "jsd": jsd_losses, "nwj": nwj_losses}


class TwoTaskModel(nn.Module):
    """Compute α · label_loss + (1 − α) · rationale_loss + β · mi_loss in one forward.

    The term ``conclude`` reads the label once more, behind the rationale of the explain pass, and
    also adds γ · conclusion_loss; see :mod:`mitools.train.losses.conclude`. The term ``name`` adds
    γ · naming_loss; see :mod:`mitools.train.losses.naming`.

    Attributes:
        student: the transformers model that is trained and saved.
        critic: the module that the MI term adds in training; it is not saved with the student.
        passes: the forward passes of the student over both tasks.
    """

    def __init__(
        self, student: Any, codec: Codec, objective: Objective, *, fused: bool | None = None
    ) -> None:
        super().__init__()
        self.student = student
        self.codec = codec
        self.objective = objective
        self.end_id: int = codec.tokenizer.eos_token_id
        self.critic = self._make_critic()
        past = self.critic if isinstance(self.critic, PastStudent) else None
        self.passes = TaskPasses(student, codec, objective, past, fused=fused)

    @property
    def is_fused(self) -> bool:
        """Whether the [B, T, V] tensors are avoided."""
        return self.passes.is_fused

    @property
    def tails(self) -> tuple[int, int] | None:
        """See :class:`mitools.train.passes.TaskPasses`."""
        return self.passes.tails

    @property
    def head(self) -> Head:
        """The student's vocabulary head."""
        return self.passes.head

    def _make_critic(self) -> nn.Module | None:
        width = self.student.get_output_embeddings().weight.shape[1]
        if self.objective.mi in CONTRASTIVE_TERMS:
            return PairCritic(width if self.objective.critic == "states" else None)
        if self.objective.learns_from_past:
            return PastStudent(self.student)
        return LabelPredictor(width) if self.objective.mi == "ba" else None

    def after_step(self) -> None:
        """Update the average of past weights, if the objective uses one."""
        if isinstance(self.critic, PastStudent):
            self.critic.update(self.student)

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
            counts: [5] divisors of the losses, as from :func:`count_targets` for all pieces of an
                accumulated batch together; None means this piece alone.
            beta_share: share of β to apply, 0 to 1.
            wants_words: also return what the information estimate needs.

        Returns:
            ``loss`` and its parts ``label_loss``, ``rationale_loss``, ``mi_loss``,
            ``conclusion_loss`` and ``naming_loss``: scalars whose sums over the pieces are the
            losses of the whole; a part that the objective does not have is absent. With
            ``wants_words`` also ``is_pair``, [B]; and for ``conclude`` and ``name``
            ``information``, [B] nats, for other terms ``label_words`` and ``rationale_words``,
            [B, V] log-probabilities pooled by the maximum over positions.
        """
        if counts is None:
            counts = count_targets(label, rationale, self.end_id)
        totals = counts.float().to(label["target_ids"].device)
        # Weights may add up to less than 1, but a count of 0 must not divide.
        totals = torch.where(totals > 0, totals, 1)
        self.passes.student = self.student  # a wrapper for parallelism may have replaced it
        soft = soft_of(label)
        seen = self._seen(label, rationale, soft)
        alpha = self.objective.alpha
        losses = {"label_loss": self._label_loss(seen, label, soft) / totals[0]}
        loss = alpha * losses["label_loss"]
        if rationale is not None:
            losses["rationale_loss"] = self._rationale_loss(seen, rationale) / totals[1]
            loss = loss + (1 - alpha) * losses["rationale_loss"]
            losses |= self._term_losses(seen, (label, rationale, wrong), totals)
            for name in ("conclusion_loss", "naming_loss"):
                if name in losses:
                    loss = loss + self.objective.gamma * losses[name]
            if "mi_loss" in losses:
                loss = loss + self.objective.beta * beta_share * losses["mi_loss"]
        outputs = {"loss": loss, **{name: value.detach() for name, value in losses.items()}}
        if wants_words and rationale is not None:
            outputs |= self._words(seen, (label, rationale))
        return outputs

    def _seen(self, label: Task, rationale: Task | None, soft: Task | None) -> tuple[Seen, ...]:
        """Run the tasks; with soft labels, the label alone only if another term needs it."""
        if soft is None or self.objective.mi != "none":
            return self.passes.run(label, rationale)
        tasks = [soft] if rationale is None else [soft, rationale]
        return tuple(self.passes.run(task, None)[0] for task in tasks)

    def _label_loss(self, seen: tuple[Seen, ...], label: Task, soft: Task | None) -> Tensor:
        """Sum the label losses, those of soft labels by their shares."""
        if soft is None:
            return _sum(seen[0].losses, label)
        is_seen = self.objective.mi == "none"
        return _sum(seen[0].losses if is_seen else self.passes.run(soft, None)[0].losses, soft)

    def _rationale_loss(self, seen: tuple[Seen, ...], rationale: Task) -> Tensor:
        """Sum the rationale losses, in training with the weights that the objective chooses."""
        is_weighted = self.training and self.objective.rationale_weights == "informative"
        if not is_weighted or seen[0].conclusion is None:
            return _sum(seen[1].losses, rationale)
        readings, has_both = seen[0].conclusion
        weights = weights_of(rationale).float()
        tokens = rationale["target_mask"].sum(dim=-1) * weights
        temperature = self.objective.temperature
        chosen = informative_weights(readings.information(), tokens, has_both, temperature)
        return (seen[1].losses.sum(dim=-1) * weights * chosen).sum()

    def mean_losses(self, rationale: Task, label: Task) -> Tensor:
        """Compute the mean loss of each row's rationale in nats per token: [B]; 0 if it is empty.

        Args:
            rationale: the rationale task of B rows.
            label: their label task, which only a student of one pass needs.
        """
        counts = rationale["target_mask"].sum(dim=-1).clamp(min=1)
        return self.passes.run_alone(rationale, label).losses.sum(dim=-1) / counts

    def weigh(self, losses: Mapping[str, float]) -> float:
        """Combine the losses of both tasks by α, as in training, without the MI term.

        A loss that was not measured counts as 0.
        """
        alpha = self.objective.alpha
        return alpha * losses.get("label_loss", 0) + (1 - alpha) * losses.get("rationale_loss", 0)

    def _term_losses(
        self,
        seen: tuple[Seen, ...],
        tasks: tuple[Task, Task, Task | None],
        totals: Tensor,
    ) -> dict[str, Tensor]:
        """Compute the losses that the objective adds to those of the two tasks."""
        if seen[0].conclusion is not None:
            readings, has_both = seen[0].conclusion
            weights = weights_of(tasks[1]).float() * has_both
            losses = readings.conclusion_losses.sum(dim=-1)
            found = {"conclusion_loss": (losses * weights).sum() / totals[4]}
            if readings.divergences is not None:
                found["mi_loss"] = (readings.distillation() * weights).sum() / totals[4]
            return found
        if self.objective.names:
            naming = self._naming(seen, *tasks[:2])
            weights = weights_of(tasks[1]).float()
            found = {"naming_loss": (naming.losses * weights).sum() / totals[2]}
            if self.objective.beta > 0:
                found["mi_loss"] = (naming.divergences * weights).sum() / totals[2]
            return found
        if self.objective.mi in ("none", "conclude", "name"):
            return {}
        return {"mi_loss": self._mi_loss(seen, tasks, totals)}

    def _naming(self, seen: tuple[Seen, ...], label: Task, rationale: Task) -> Naming:
        """Compare the label with the choice that the rationale names, among the choices."""
        is_choice = rationale["name_ids"] >= 0
        is_there = find_pairs(label, rationale, self.end_id) & (rationale["name_places"] >= 0)
        is_there = is_there & is_choice.any(dim=-1)
        answered, told = (
            choice_scores(
                side.states, self.head, task["name_places"], task["name_ids"], side.logits
            )
            for side, task in zip(seen, (label, rationale), strict=True)
        )
        place = rationale["name_places"]
        total = vocabulary_log_sums(seen[1].states, self.head, place, seen[1].logits)
        log_named = told.logsumexp(dim=-1) - total
        log_q, log_p = told.log_softmax(dim=-1), answered.log_softmax(dim=-1)
        return compare_choices(log_q, log_p, log_named, label["name_gold"].clamp(min=0), is_there)

    def _mi_loss(
        self,
        seen: tuple[Seen, ...],
        tasks: tuple[Task, Task, Task | None],
        totals: Tensor,
    ) -> Tensor:
        label, rationale, _ = tasks
        mi = self.objective.mi
        if mi == "paper":
            assert seen[0].logits is not None and seen[1].logits is not None  # noqa: PT018
            return _paper_loss(seen[0].logits, seen[1].logits, label, totals[3])
        is_pair = find_pairs(label, rationale, self.end_id)
        weights = weights_of(rationale).float() * is_pair
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
        """Stop the gradient of the label side if the MI term must not have one there."""
        assert tensor is not None
        return tensor if index or self.objective.moves_label else tensor.detach()

    def _contrastive_losses(
        self, seen: tuple[Seen, ...], tasks: tuple[Task, Task, Task | None], is_pair: Tensor
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
            return self._representation(self.passes.run_alone(wrong, label), wrong)
        states = self.passes.states(wrong)  # without the head
        return pooled_states(states, word_mask(wrong, self.end_id))

    def _representation(self, seen: Seen, task: Task) -> Tensor:
        if self.objective.critic == "vocabulary":
            assert seen.log_pooled is not None
            return seen.log_pooled
        return pooled_states(seen.states, word_mask(task, self.end_id))

    def _words(self, seen: tuple[Seen, ...], tasks: tuple[Task, Task]) -> dict[str, Tensor]:
        found = {"is_pair": find_pairs(*tasks, self.end_id)}
        if seen[0].conclusion is not None:
            return {**found, "information": seen[0].conclusion[0].information()}
        if self.objective.names:
            naming = self._naming(seen, *tasks)
            return {"is_pair": naming.is_there, "information": naming.information}
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


def _paper_loss(left: Tensor, right: Tensor, label: Task, total: Tensor) -> Tensor:
    """Compute the paper's term as this piece's share of a batch of ``total`` rows."""
    if FILLS in label:
        left, right = (logits[counting_rows(label)] for logits in (left, right))
        if not len(left):
            return left.sum() + right.sum()  # 0; the mean over no row is not
    return paper_mi_loss(left, right) * (len(left) / total)
