"""Texts to token ids and back: the prompts of a student, its targets and its limits.

Training and inference use the same codec, so a student is prompted exactly as it was trained.

In two passes a student has two prompts, ``predict: `` and ``explain: ``, and outputs one text for
each. In one pass it has the prompt of the first text and outputs both texts, each with its own end
token. So the first text ends with the same token in every tokenizer, and the first text is scored
and decoded as if there were no second. No label or rationale contains that token, nor another
control token: one that it spells is encoded as characters. An input that spells one is read as the
tokenizer reads it, so that ``premise</s>hypothesis`` has a separator.

A student of two passes can also be trained to conclude: the label follows the rationale of the
``explain: `` pass, behind its end token. It then has two readings of the label.

The prompt of a causal student is one text, so that a server that renders it from a chat template
encodes it alike (:mod:`mitools.student.chat`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mitools.student.control_tokens import ControlTokens
from mitools.student.layout import (
    FIRST,
    ORDERS,
    PREFIX_POSITIONS,
    PREFIXES,
    Kind,
    Order,
    PrefixPosition,
    Purpose,
)

__all__ = [
    "ORDERS",
    "PREFIXES",
    "PREFIX_POSITIONS",
    "Codec",
    "Kind",
    "Order",
    "Pairs",
    "PrefixPosition",
    "Purpose",
    "tokenizable",
]


def tokenizable(text: str) -> str:
    """Replace half a surrogate pair by a question mark: it may be in JSON, but not in a token."""
    return text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True)
class Pairs:
    """A padded batch of prompts and targets.

    Attributes:
        prompt_ids: [B, S] token ids; causal prompts are padded on the left, so that every target
            begins in the same column.
        prompt_mask: [B, S] 1 on real tokens.
        target_ids: [B, T] token ids, padded on the right.
        target_mask: [B, T] 1 on real tokens, the end token included.
    """

    prompt_ids: Tensor
    prompt_mask: Tensor
    target_ids: Tensor
    target_mask: Tensor

    def as_dict(self) -> dict[str, Tensor]:
        return dict(vars(self))


@dataclass(frozen=True)
class Codec:
    """Encode prompts and targets for one student.

    Attributes:
        tokenizer: a transformers tokenizer with a pad and an end token.
        max_input_tokens: maximum length of a prompt; only the end of the input is cut.
        max_label_tokens: maximum length of a label, the end token included.
        max_rationale_tokens: maximum length of a rationale, the end token included.
        order: two passes, or the order of both texts in one.
        prefix_position: position of the task prefix; behind the input of a causal student, the
            prompts of both tasks begin with the same tokens, which are read once.
        concludes: whether the student was trained to output the label also behind the rationale of
            its explain pass; the prompt of that reading is the rationale's.
        joins_prompt: whether the prompt of a causal student is encoded as one text. False for
            students of earlier versions, whose input and tail were encoded apart.
    """

    tokenizer: Any
    kind: Kind
    max_input_tokens: int = 512
    max_label_tokens: int = 64
    max_rationale_tokens: int = 256
    order: Order = "separate"
    prefix_position: PrefixPosition = "before"
    concludes: bool = False
    joins_prompt: bool = True

    @property
    def first(self) -> Purpose | None:
        """The task whose text comes first in the one pass; None in two passes."""
        return FIRST.get(self.order)

    @property
    def longest(self) -> int:
        """The maximum length of a prompt with both texts behind it, in tokens."""
        texts = self.max_label_tokens + self.max_rationale_tokens
        return self.max_input_tokens + texts + 1  # a first text that was cut gets an end token

    def limit(self, purpose: Purpose) -> int:
        """Return the maximum length of a target in tokens."""
        return self.max_label_tokens if purpose == "label" else self.max_rationale_tokens

    def encode_prompt(self, purpose: Purpose, text: str) -> tuple[list[int], bool]:
        """Encode an input and its task prefix; also return whether it was cut.

        In one pass both purposes have the prompt of the first text.
        """
        return self.encode_prompts(purpose, [text])[0]

    def encode_prompts(
        self, purpose: Purpose, texts: Sequence[str]
    ) -> list[tuple[list[int], bool]]:
        """Encode many inputs like :meth:`encode_prompt`, in a fraction of the time."""
        if self.kind == "causal" and self.joins_prompt:
            return self._encode_joined(purpose, texts)
        return self._encode_apart(purpose, texts)

    def are_cut(self, texts: Sequence[str]) -> list[bool]:
        """Return for each input whether it is too long for a prompt, of either purpose."""
        found = [self.encode_prompts(purpose, texts) for purpose in PREFIXES]
        return [any(is_cut for _, is_cut in row) for row in zip(*found, strict=True)]

    def _encode_joined(
        self, purpose: Purpose, texts: Sequence[str]
    ) -> list[tuple[list[int], bool]]:
        """Encode prompts as one text each; those over the limit in parts, to cut the input."""
        lead, tail, end_id = self.lead(purpose), self.tail(purpose), self.tokenizer.eos_token_id
        room = self.max_input_tokens
        if self.prefix_position == "after":  # cut an input for both tasks or for none
            room -= max(map(self.count_tail, PREFIXES)) - self.count_tail(purpose)
        found = []
        for ids in self._encode([lead + text + tail for text in texts]):
            if ids and ids[-1] == end_id:  # some tokenizers add it
                ids = ids[:-1]
            found.append((ids, False))
        long = [place for place, (ids, _) in enumerate(found) if len(ids) > room]
        cut = self._encode_apart(purpose, [texts[place] for place in long])
        for place, prompt in zip(long, cut, strict=True):
            found[place] = prompt
        return found

    def _encode_apart(self, purpose: Purpose, texts: Sequence[str]) -> list[tuple[list[int], bool]]:
        """Encode input and tail apart, and cut the input to what fits."""
        lead, tail = self.lead(purpose), self._tail(purpose)
        # The longer tail counts for both tasks, so that both cut an input at the same place.
        longest = max(map(self.count_tail, PREFIXES)) if self.prefix_position == "after" else 0
        end_id = self.tokenizer.eos_token_id
        found = []
        for ids in self._encode([lead + text for text in texts]):
            behind = tail
            if ids and ids[-1] == end_id:  # the tokenizer of a seq2seq model adds it
                ids, behind = ids[:-1], tail if self.kind == "causal" else ids[-1:]
            room = max(0, self.max_input_tokens - max(len(behind), longest))
            found.append((ids[:room] + behind, len(ids) > room))
        return found

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded = self.tokenizer([tokenizable(text) for text in texts], add_special_tokens=True)
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    @cached_property
    def control_tokens(self) -> ControlTokens:
        return ControlTokens.of(self.tokenizer)

    def count_spelled(self, purpose: Purpose, prompts: Sequence[Sequence[int]]) -> list[int]:
        """Count in each encoded prompt the control tokens that its input spells."""
        count = self.control_tokens.count
        around = count(self.encode_prompt(purpose, "")[0])
        return [max(0, count(ids) - around) for ids in prompts]

    def lead(self, purpose: Purpose) -> str:
        """Return the text before the input in a prompt."""
        return PREFIXES[self.first or purpose] if self.prefix_position == "before" else ""

    def count_tail(self, purpose: Purpose) -> int:
        """Count the tokens behind the input in a causal student's prompt."""
        return len(self._tail(purpose))

    def tail(self, purpose: Purpose) -> str:
        """Return the text behind the input in a prompt."""
        if self.kind == "seq2seq":
            return ""
        is_after = self.prefix_position == "after"
        return f"\n{PREFIXES[self.first or purpose].strip()}\n" if is_after else "\n"

    def _tail(self, purpose: Purpose) -> list[int]:
        if self.kind == "seq2seq":
            return []
        ids: list[int] = self.tokenizer(self.tail(purpose), add_special_tokens=False)["input_ids"]
        return ids

    def encode_target(self, purpose: Purpose, text: str) -> tuple[list[int], bool]:
        """Encode a label or rationale with its end token; also return whether it was cut.

        A text that was cut has no end token: the student must not learn to stop there. An end
        token that the text spells is encoded as characters.
        """
        return self.encode_targets(purpose, [text])[0]

    def encode_targets(
        self, purpose: Purpose, texts: Sequence[str]
    ) -> list[tuple[list[int], bool]]:
        """Encode many labels or rationales like :meth:`encode_target`."""
        room, end_id = self.limit(purpose), self.tokenizer.eos_token_id
        encoded = self.control_tokens.encode_text([tokenizable(t) for t in texts]) if texts else []
        return [([*ids, end_id][:room], len(ids) >= room) for ids in encoded]

    def encode_first(self, text: str) -> list[int]:
        """Encode the first text of a student of one pass as context of the second."""
        assert self.first is not None
        return self.encode_context(self.first, text)

    def encode_context(self, purpose: Purpose, text: str) -> list[int]:
        """Encode a label or rationale that is followed by another text in the same pass.

        It has an end token even if it was cut, as in training; see
        :func:`mitools.student.sequence.join_targets`.
        """
        ids, is_cut = self.encode_target(purpose, text)
        return [*ids, self.tokenizer.eos_token_id] if is_cut else ids

    def decode(self, ids: Iterable[int]) -> str:
        """Decode token ids to text, without special tokens and outer space."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text.strip()

    def pad(self, prompts: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> Pairs:
        """Pad B prompts and B targets into one batch of tensors."""
        prompt_ids, prompt_mask = self._pad(prompts, left=self.kind == "causal")
        target_ids, target_mask = self._pad(targets, left=False)
        return Pairs(prompt_ids, prompt_mask, target_ids, target_mask)

    def _pad(self, rows: Sequence[Sequence[int]], *, left: bool) -> tuple[Tensor, Tensor]:
        width = max(1, *map(len, rows))  # some operations fail on a dimension of 0
        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for index, row in enumerate(rows):
            place = slice(width - len(row), width) if left else slice(0, len(row))
            ids[index, place] = torch.tensor(row, dtype=torch.long)
            mask[index, place] = 1
        return ids, mask
