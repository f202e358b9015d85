"""Greedy decoding that stops working on rows that are done.

``generate`` goes on computing every row of a batch until the longest has ended; with rationales,
that is half as much work again for nothing. Here the rows that are done leave the batch and its
cache. Texts and probabilities are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from mitools.student.causal import given_cache, taken_by
from mitools.student.codec import Kind

__all__ = ["Decoded", "EncodedPrompts", "decode", "drops_rows_alike"]

_WASTE = 0.1
"""The share of rows that may be done before the batch is made smaller, which copies its cache."""

_TRIED_TOKENS = 4
_TRIED_ERROR = 1e-3


@dataclass(frozen=True)
class EncodedPrompts:
    """What B texts are decoded behind.

    Attributes:
        ids: [B, S] prompt tokens; those of causal models are padded on the left.
        mask: [B, S] 1 on real ones.
        start: [B, C] what a decoder begins with; None for causal models.
        end_id: the token that ends a text.
        pad_id: the token that pads.
    """

    ids: Tensor
    mask: Tensor
    start: Tensor | None
    end_id: int
    pad_id: int


@dataclass(frozen=True)
class Decoded:
    """One text: its tokens, the end among them where it was reached, and their log-probabilities.

    Attributes:
        log_probs: in nats, as many as there are tokens.
    """

    tokens: list[int]
    log_probs: list[float]


@torch.inference_mode()
def decode(
    model: Any, kind: Kind, prompts: EncodedPrompts, limit: int, *, drops_rows: bool
) -> list[Decoded]:
    """Take the likeliest token each time, until the end token or the limit.

    Args:
        model: a transformers model in evaluation mode.
        kind: what it is.
        prompts: of B rows.
        limit: the most tokens of a text.
        drops_rows: whether rows leave when they are done; see :func:`drops_rows_alike`.
    """
    if drops_rows:
        return _decode_dropping(model, kind, prompts, limit)
    return _generate(model, prompts, limit)


@torch.inference_mode()
def drops_rows_alike(model: Any, kind: Kind, prompts: EncodedPrompts) -> bool:
    """Try out whether dropping rows gives what ``generate`` gives, on a few tokens.

    It does not where a model's cache cannot be cut, or where its configuration makes ``generate``
    do more than to take the likeliest token.

    Args:
        model: a transformers model in evaluation mode.
        kind: what it is.
        prompts: two rows of different length.
    """
    expected = _generate(model, prompts, _TRIED_TOKENS)
    try:
        found = _decode_dropping(model, kind, prompts, _TRIED_TOKENS)
        rest = _decode_dropping(model, kind, prompts, _TRIED_TOKENS, leaving={0: 1})[1]
    except (AttributeError, TypeError, ValueError, RuntimeError, IndexError, KeyError):
        return False
    return all(map(_is_alike, [*found, rest], [*expected, expected[1]]))


def _is_alike(left: Decoded, right: Decoded) -> bool:
    pairs = zip(left.log_probs, right.log_probs, strict=False)
    return left.tokens == right.tokens and all(abs(a - b) < _TRIED_ERROR for a, b in pairs)


class _Batch:
    """The rows that are still being decoded."""

    def __init__(self, model: Any, kind: Kind, prompts: EncodedPrompts) -> None:
        self._model = model
        self._is_causal = kind == "causal"
        self._mask = prompts.mask
        self._states: Tensor | None = None
        if self._is_causal:
            self._cache: Any = DynamicCache(config=model.config)
            self._next = prompts.ids
        else:
            assert prompts.start is not None
            encoded = model.get_encoder()(input_ids=prompts.ids, attention_mask=prompts.mask)
            self._states = encoded.last_hidden_state
            config = getattr(model.config, "decoder", None) or model.config
            own, cross = DynamicCache(config=config), DynamicCache(config=config)
            self._cache = EncoderDecoderCache(own, cross)
            self._next = prompts.start
        self._past = given_cache(model, self._cache)

    def step(self) -> tuple[Tensor, Tensor]:
        """Give every row's likeliest next token and its log-probability, [B] each."""
        if self._is_causal:
            positions = (self._mask.cumsum(-1) - 1).clamp(min=0)[:, -self._next.shape[1] :]
            output = self._model(
                input_ids=self._next,
                attention_mask=self._mask,
                use_cache=True,
                **taken_by(self._model, position_ids=positions, logits_to_keep=1),
                **self._past,
            )
        else:
            output = self._model(
                decoder_input_ids=self._next,
                attention_mask=self._mask,
                encoder_outputs=BaseModelOutput(last_hidden_state=self._states),
                use_cache=True,
                **self._past,
            )
        log_probs, best = output.logits[:, -1].float().log_softmax(-1).max(-1)
        self._next = best[:, None]
        if self._is_causal:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(best), 1)], dim=1)
        return best, log_probs

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows only."""
        chosen = torch.tensor(places, device=self._next.device)
        self._cache.batch_select_indices(chosen)
        self._next, self._mask = self._next[chosen], self._mask[chosen]
        if self._states is not None:
            self._states = self._states[chosen]


def _decode_dropping(
    model: Any,
    kind: Kind,
    prompts: EncodedPrompts,
    limit: int,
    leaving: dict[int, int] | None = None,
) -> list[Decoded]:
    """Decode, and let rows leave: at their end, or after as many tokens as ``leaving`` says."""
    limits = [(leaving or {}).get(row, limit) for row in range(len(prompts.ids))]
    texts = [Decoded([], []) for _ in limits]
    batch = _Batch(model, kind, prompts)
    rows = list(range(len(texts)))  # which text each row of the batch belongs to
    going = set(rows)
    for _ in range(limit):
        best, log_probs = batch.step()
        for row, token, log_prob in zip(rows, best.tolist(), log_probs.tolist(), strict=True):
            if row in going:
                texts[row].tokens.append(token)
                texts[row].log_probs.append(log_prob)
                if token == prompts.end_id or len(texts[row].tokens) == limits[row]:
                    going.discard(row)
        if not going:
            break
        if len(going) <= (1 - _WASTE) * len(rows):
            batch.keep([place for place, row in enumerate(rows) if row in going])
            rows = [row for row in rows if row in going]
    return texts


def _generate(model: Any, prompts: EncodedPrompts, limit: int) -> list[Decoded]:
    """Decode by the model's own ``generate``."""
    tracker = _GreedyLogProbs()
    config = GenerationConfig(
        max_new_tokens=limit,
        do_sample=False,
        num_beams=1,
        eos_token_id=prompts.end_id,
        pad_token_id=prompts.pad_id,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
    )
    begun = {} if prompts.start is None else {"decoder_input_ids": prompts.start}
    output = model.generate(
        input_ids=prompts.ids,
        attention_mask=prompts.mask,
        generation_config=config,
        logits_processor=LogitsProcessorList([tracker]),
        trust_remote_code=False,
        **begun,
    )
    written = output[:, -len(tracker.steps) :].tolist()
    log_probs = torch.stack(tracker.steps, dim=1).tolist()  # [B, T]
    return [_cut(row, steps, prompts.end_id) for row, steps in zip(written, log_probs, strict=True)]


def _cut(tokens: list[int], log_probs: list[float], end_id: int) -> Decoded:
    length = tokens.index(end_id) + 1 if end_id in tokens else len(tokens)
    return Decoded(tokens[:length], log_probs[:length])


class _GreedyLogProbs(LogitsProcessor):  # type: ignore[misc]
    """Note the log-probability of the token that greedy decoding is about to take.

    Keeping only this, [B] a step, instead of every step's [B, V] scores keeps long texts cheap.
    """

    def __init__(self) -> None:
        self.steps: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.steps.append(scores.float().log_softmax(-1).amax(-1))
        return scores
