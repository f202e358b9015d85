"""The input of the reading behind the rationale: the explain pass, or a changed copy of it.

By default the label follows the rationale in the explain pass, at the cost of the label's tokens.
Masked label words, a hidden input and shuffled rationales need a separate pass, so that they do not
change the rationale task. It costs about one more decoder pass over rationale and label.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mitools.student.codec import Codec
from mitools.train.label_words import blank_token
from mitools.train.losses.objective import Objective
from mitools.train.task_tensors import Task

__all__ = ["ConclusionInput"]


class ConclusionInput:
    """Make the input of the reading behind the rationale.

    Masking and shuffling apply in training only, like dropout; a hidden input is also hidden in
    validation.
    """

    def __init__(self, codec: Codec, objective: Objective) -> None:
        self.objective = objective
        self.blank_id = blank_token(codec.tokenizer)
        self.empty_prompt = codec.encode_prompt("rationale", "")[0]

    @property
    def takes_a_pass(self) -> bool:
        """Whether a step of training reads the label behind the rationale in a pass of its own."""
        objective = self.objective
        return objective.shuffled_share > 0 or objective.mask_label > 0 or objective.hides_input

    def change(
        self, rationale: Task, is_pair: Tensor, *, is_training: bool
    ) -> tuple[Task, Tensor] | None:
        """Change the rationale task for this reading.

        Args:
            rationale: the rationale task of B records.
            is_pair: [B] records with a label and a rationale.
            is_training: whether masking and shuffling apply.

        Returns:
            The task whose target the label follows, and [B] the records that have this reading;
            None if the label follows the explain pass itself.
        """
        objective = self.objective
        shuffles = is_training and objective.shuffled_share > 0
        masks = is_training and objective.mask_label > 0
        if not (shuffles or masks or objective.hides_input):
            return None
        changed = dict(rationale)
        if masks:
            changed["target_ids"] = self._masked(rationale)
        if shuffles:
            # Roll the pairs by one: a record reads the rationale of the one before it, if any.
            rows = is_pair.nonzero()[:, 0]
            is_moved = torch.rand(len(rows), device=rows.device) < objective.shuffled_share
            sources = torch.where(is_moved, rows.roll(1), rows)
            for name in ("target_ids", "target_mask"):
                changed[name] = changed[name].index_copy(0, rows, changed[name][sources])
            is_pair = is_pair & (len(rows) > 1)
        if objective.hides_input:
            ids = rationale["prompt_ids"].new_tensor(self.empty_prompt)
            changed["prompt_ids"] = ids.expand(len(is_pair), -1)
            changed["prompt_mask"] = torch.ones_like(changed["prompt_ids"])
        return changed, is_pair

    def _masked(self, rationale: Task) -> Tensor:
        """Replace the words of the label by blanks, in a share of the records: [B, T] token ids."""
        ids = rationale["target_ids"]
        is_drawn = torch.rand(len(ids), 1, device=ids.device) < self.objective.mask_label
        is_masked = rationale["label_words"].bool() & is_drawn
        return ids.masked_fill(is_masked, self.blank_id)
