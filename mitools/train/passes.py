"""The forward passes of a step, and their results at the target positions of each task.

Two tasks take two passes, or one in a student with both texts in one pass. ``conclude`` reads the
label twice: in the predict pass, and behind the rationale of the explain pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from mitools.student.causal import can_share_prefix
from mitools.student.codec import Codec, Pairs
from mitools.student.forward import (
    has_plain_head,
    packed_states,
    target_logits_and_states,
    target_states,
    two_task_states,
)
from mitools.student.packing_trial import can_pack
from mitools.student.sequence import Joined, join_targets
from mitools.train.conclusion import ConclusionInput
from mitools.train.losses.conclude import Readings, fused_readings, plain_readings
from mitools.train.losses.fused import Head, fused_losses
from mitools.train.losses.objective import Objective, pooled_log_probs, token_losses
from mitools.train.past import PastStudent
from mitools.train.recompute import recomputes_layers
from mitools.train.task_tensors import Task, find_pairs, pairs_of, word_mask

__all__ = ["Seen", "TaskPasses"]


@dataclass(frozen=True)
class Seen:
    """Results of one task for B records.

    Attributes:
        losses: [B, T] nats.
        states: [B, T, D] decoder states, the input of the vocabulary head.
        log_pooled: [B, V] pooled log-probabilities; None where the MI term does not use them.
        logits: [B, T, V]; only in the plain form.
        conclusion: for the label task of ``conclude``, its two readings, and [B] the records that
            have both.
    """

    losses: Tensor
    states: Tensor
    log_pooled: Tensor | None = None
    logits: Tensor | None = None
    conclusion: tuple[Readings, Tensor] | None = None


@dataclass(frozen=True)
class _Output:
    """Results at T target positions: states [B, T, D]; in the plain form logits [B, T, V]."""

    states: Tensor
    logits: Tensor | None = None

    def split(self, joined: Joined) -> tuple[_Output, _Output]:
        """Split the results of two joined targets."""
        states = joined.split(self.states)
        logits = (None, None) if self.logits is None else joined.split(self.logits)
        return _Output(states[0], logits[0]), _Output(states[1], logits[1])


class TaskPasses:
    """Run a student over both tasks of a batch.

    Attributes:
        is_fused: whether [B, T, V] tensors are avoided. They are not for the paper's term, which
            is computed as published, and where logits are more than a matrix product.
        tails: the number of tokens at the end of each task's prompt that differ between the tasks,
            if the rest is read once for both; None if both prompts are read whole.
        past: the teacher of ``conclude`` in place of the reading behind the rationale, if any.
    """

    def __init__(
        self,
        student: Any,
        codec: Codec,
        objective: Objective,
        past: PastStudent | None = None,
        *,
        fused: bool | None = None,
    ) -> None:
        self.student = student
        self.codec = codec
        self.objective = objective
        self.past = past
        self.end_id: int = codec.tokenizer.eos_token_id
        self.conclusion_input = ConclusionInput(codec, objective) if objective.concludes else None
        probe = codec.pad([[self.end_id]], [[self.end_id]])
        on_device = {name: value.to(student.device) for name, value in probe.as_dict().items()}
        can_fuse = objective.mi != "paper"
        can_fuse = can_fuse and has_plain_head(student, codec.kind, Pairs(**on_device))
        self.is_fused = can_fuse and fused is not False
        self.packs = self.is_fused and codec.kind == "causal" and can_pack(student, codec.longest)
        self.tails = self._find_tails()

    def _find_tails(self) -> tuple[int, int] | None:
        """Count the tokens behind the common part of both prompts; None without such a part."""
        if self.codec.prefix_position == "before" or not can_share_prefix(self.student):
            return None
        if not self.packs and recomputes_layers(self.student):  # layers then keep no cache
            return None
        return self.codec.count_tail("label"), self.codec.count_tail("rationale")

    def states(self, task: Task) -> Tensor:
        """Run one task without the vocabulary head: [B, T, D]."""
        if self.packs:
            return packed_states(self.student, [pairs_of(task)])[0]
        return target_states(self.student, self.codec.kind, pairs_of(task))

    @property
    def head(self) -> Head:
        """The student's vocabulary head."""
        module = self.student.get_output_embeddings()
        return Head(module.weight, getattr(module, "bias", None))

    def run(self, label: Task, rationale: Task | None) -> tuple[Seen, ...]:
        """Run the label task and, if given, the rationale task of the same records."""
        if rationale is None:
            return self._look([label], self._outputs([pairs_of(label)]))
        if self.codec.first is not None:
            return self._run_sequence(label, rationale)
        if self.conclusion_input is not None:
            return self._run_concluding(label, rationale, self.conclusion_input)
        tasks = [label, rationale]
        return self._look(tasks, self._outputs(list(map(pairs_of, tasks))))

    def run_alone(self, rationale: Task, label: Task) -> Seen:
        """Run rationales other than those of the batch.

        Args:
            rationale: the rationale task.
            label: the label task of the same records, which only a student of one pass needs.
        """
        if self.codec.first is None:
            return self.run(rationale, None)[0]
        return self._run_sequence(label, rationale)[1]

    def _run_sequence(self, label: Task, rationale: Task) -> tuple[Seen, ...]:
        """Run both texts as one sequence and split the results."""
        is_label_first = self.codec.first == "label"
        tasks = [label, rationale] if is_label_first else [rationale, label]
        joined = join_targets(pairs_of(tasks[0]), pairs_of(tasks[1]), self.end_id)
        (output,) = self._outputs([joined.pairs])
        seen = self._look(tasks, list(output.split(joined)))
        return seen if is_label_first else seen[::-1]

    def _run_concluding(
        self, label: Task, rationale: Task, conclusion_input: ConclusionInput
    ) -> tuple[Seen, ...]:
        """Run both tasks, and read the label again behind the rationale."""
        has_both = find_pairs(label, rationale, self.end_id)
        changed = conclusion_input.change(rationale, has_both, is_training=self.student.training)
        if changed is None:
            joined = join_targets(pairs_of(rationale), pairs_of(label), self.end_id)
            answer, whole = self._outputs([pairs_of(label), joined.pairs])
            explanation, conclusion = whole.split(joined)
        else:
            read, has_both = changed
            joined = join_targets(pairs_of(read), pairs_of(label), self.end_id)
            answer, explanation = self._outputs([pairs_of(label), pairs_of(rationale)])
            (whole,) = self._outputs([joined.pairs])
            conclusion = whole.split(joined)[1]
        readings = self._compare(label, answer, conclusion)
        (explained,) = self._look([rationale], [explanation])
        answered = Seen(readings.label_losses, answer.states, logits=answer.logits)
        return replace(answered, conclusion=(readings, has_both)), explained

    def _compare(self, label: Task, answer: _Output, conclusion: _Output) -> Readings:
        """Compare p(y | x) of the predict pass with q(y | x, r) behind the rationale."""
        objective = self.objective
        teacher = None
        if self.past is not None:
            teacher = self.past.logits(self.student, self.codec.kind, pairs_of(label))
        labels = label["target_ids"], label["target_mask"]
        temperature = objective.temperature if objective.beta > 0 else None
        if answer.logits is not None and conclusion.logits is not None:
            logits = answer.logits, conclusion.logits
            return plain_readings(logits, labels, temperature, teacher)
        states = answer.states, conclusion.states
        return fused_readings(states, self.head, labels, temperature, teacher)

    def _outputs(self, passes: list[Pairs]) -> list[_Output]:
        """Run one pass, or the passes of two tasks of the same records."""
        kind = self.codec.kind
        if not self.is_fused:
            found = (target_logits_and_states(self.student, kind, pairs) for pairs in passes)
            return [_Output(states, logits) for logits, states in found]
        if self.packs:
            return [*map(_Output, packed_states(self.student, passes, self.tails))]
        if len(passes) == 1:
            return [_Output(target_states(self.student, kind, passes[0]))]
        first, second = passes
        return [*map(_Output, two_task_states(self.student, kind, first, second, self.tails))]

    def _look(self, tasks: list[Task], outputs: list[_Output]) -> tuple[Seen, ...]:
        if self.is_fused:
            return self._look_fused(tasks, [output.states for output in outputs])
        return tuple(map(self._look_plain, tasks, outputs))

    def _look_plain(self, task: Task, output: _Output) -> Seen:
        assert output.logits is not None
        losses = token_losses(output.logits, task["target_ids"], task["target_mask"])
        pooled = None
        if self.objective.needs_distributions:
            words = word_mask(task, self.end_id)
            pooled = pooled_log_probs(output.logits, words, self.objective.pool)
        return Seen(losses, output.states, pooled, output.logits)

    def _look_fused(self, tasks: list[Task], states: list[Tensor]) -> tuple[Seen, ...]:
        """Apply the head to the real tokens of all tasks at once, in one pass over its weights."""
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
            found.append(Seen(losses[rows, : state.shape[1]], state, words))
        return tuple(found)


def _widen(tensor: Tensor, width: int) -> Tensor:
    """Pad [B, T, …] with zeros to [B, width, …]."""
    room = [0, 0] * (tensor.dim() - 2) + [0, width - tensor.shape[1]]
    return nn.functional.pad(tensor, room)
