"""Decoding, greedy or by sampling, that stops computing rows that are done.

``generate`` computes every row of a batch until the longest has ended; for rationales that adds
half the work for nothing. Here rows that are done leave the batch and its cache. Texts and
probabilities stay the same.

Samples are drawn by inverting the cumulative distribution at a given uniform number. So a text
depends on its own numbers and not on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from mitools.student.causal import given_cache, taken_by
from mitools.student.codec import Kind

__all__ = ["Decoded", "EncodedPrompts", "Sampling", "decode", "drops_rows_alike"]

_WASTE = 0.1
"""Share of done rows above which the batch is made smaller; that copies its cache."""

_TRIED_TOKENS = 4
_TRIED_ERROR = 1e-3


@dataclass(frozen=True)
class EncodedPrompts:
    """What N texts are decoded behind: B prompts, each of them read once.

    Attributes:
        ids: [B, S] prompt tokens; those of causal models are padded on the left.
        mask: [B, S] 1 on real tokens.
        start: [N, C] first tokens of a decoder; None for causal models.
        end_id: the token that ends a text.
        pad_id: the token that pads.
        owners: [N] the prompt of each text; None where text i belongs to prompt i.
    """

    ids: Tensor
    mask: Tensor
    start: Tensor | None
    end_id: int
    pad_id: int
    owners: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids if self.owners is None else self.owners)

    def expanded(self) -> EncodedPrompts:
        """Repeat the prompts so that each text has its own."""
        if self.owners is None:
            return self
        ids, mask = self.ids[self.owners], self.mask[self.owners]
        return replace(self, ids=ids, mask=mask, owners=None)


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn where the likeliest one is not taken.

    Attributes:
        temperature: divides the logits; above 0.
        uniforms: [N, L] numbers from 0 up to 1, one for each token of each text.
    """

    temperature: float
    uniforms: Tensor


@dataclass(frozen=True)
class Decoded:
    """One text.

    Attributes:
        tokens: its tokens; the end token is the last one where it was reached.
        log_probs: of the tokens at temperature 1, in nats.
    """

    tokens: list[int]
    log_probs: list[float]


@torch.inference_mode()
def decode(
    model: Any,
    kind: Kind,
    prompts: EncodedPrompts,
    limit: int,
    *,
    drops_rows: bool,
    sampling: Sampling | None = None,
) -> list[Decoded]:
    """Decode N texts, each until its end token or the limit.

    Args:
        model: a transformers model in evaluation mode.
        kind: kind of the model.
        prompts: what the texts are decoded behind.
        limit: maximum number of tokens of a text.
        drops_rows: whether rows leave the batch when done; see :func:`drops_rows_alike`.
        sampling: how tokens are drawn; None takes the likeliest token.
    """
    if drops_rows:
        return _decode_dropping(model, kind, prompts, limit, sampling)
    return _generate(model, prompts.expanded(), limit, sampling)


@torch.inference_mode()
def drops_rows_alike(model: Any, kind: Kind, prompts: EncodedPrompts) -> bool:
    """Test on a few tokens whether dropping rows gives the same texts as ``generate``.

    It does not where a model's cache cannot be cut, or where its configuration makes ``generate``
    do more than take the likeliest token.

    Args:
        model: a transformers model in evaluation mode.
        kind: kind of the model.
        prompts: two prompts of different length, with one text each.
    """
    expected = _generate(model, prompts, _TRIED_TOKENS)
    try:
        texts = _decode_dropping(model, kind, prompts, _TRIED_TOKENS)
        rest = _decode_dropping(model, kind, prompts, _TRIED_TOKENS, leaving={0: 1})[1]
    except (AttributeError, TypeError, ValueError, RuntimeError, IndexError, KeyError):
        return False
    return all(map(_is_alike, [*texts, rest], [*expected, expected[1]]))


def _is_alike(left: Decoded, right: Decoded) -> bool:
    pairs = zip(left.log_probs, right.log_probs, strict=False)
    return left.tokens == right.tokens and all(abs(a - b) < _TRIED_ERROR for a, b in pairs)


class _TokenChoice:
    """Chooses the next token of each row, from the rows' logits."""

    def __init__(self, sampling: Sampling | None) -> None:
        self.sampling = sampling
        self._column = 0

    def choose(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens [N] and their log-probabilities [N], from logits [N, V]."""
        log_probs = logits.float().log_softmax(-1)
        if self.sampling is None:
            best, tokens = log_probs.max(-1)
            return tokens, best
        # Summed in double precision: a float32 sum over a large vocabulary loses rare tokens.
        scaled = (log_probs / self.sampling.temperature).softmax(-1)
        cumulative = scaled.cumsum(-1, dtype=torch.float64)  # (N, V)
        target = self.sampling.uniforms[:, self._column, None].double() * cumulative[:, -1:]
        tokens = torch.searchsorted(cumulative, target, right=True)[:, 0]
        tokens = tokens.clamp(max=logits.shape[-1] - 1)
        self._column += 1
        return tokens, log_probs.gather(-1, tokens[:, None])[:, 0]

    def keep(self, chosen: Tensor) -> None:
        """Continue with these rows only."""
        if self.sampling is not None:
            self.sampling = replace(self.sampling, uniforms=self.sampling.uniforms[chosen])


class _Batch:
    """The rows that are still being decoded."""

    def __init__(
        self, model: Any, kind: Kind, prompts: EncodedPrompts, choice: _TokenChoice
    ) -> None:
        self._model = model
        self._choice = choice
        self._is_causal = kind == "causal"
        self._mask = prompts.mask
        self._owners = prompts.owners  # of a causal model, until its prompts have been read
        self._states: Tensor | None = None
        if self._is_causal:
            self._cache: Any = DynamicCache(config=model.config)
            self._next = prompts.ids
        else:
            assert prompts.start is not None
            encoded = model.get_encoder()(input_ids=prompts.ids, attention_mask=prompts.mask)
            self._states = encoded.last_hidden_state
            if self._owners is not None:  # from here on each text has its row
                self._states, self._mask = self._states[self._owners], self._mask[self._owners]
            config = getattr(model.config, "decoder", None) or model.config
            own, cross = DynamicCache(config=config), DynamicCache(config=config)
            self._cache = EncoderDecoderCache(own, cross)
            self._next = prompts.start
        self._past = given_cache(model, self._cache)

    def step(self) -> tuple[Tensor, Tensor]:
        """Return every row's next token and its log-probability, [N] each."""
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
        logits = output.logits[:, -1]  # (B, V) after prompts that several texts share, else (N, V)
        if self._is_causal and self._owners is not None:
            self._cache.batch_select_indices(self._owners)
            logits, self._mask = logits[self._owners], self._mask[self._owners]
            self._owners = None
        tokens, log_probs = self._choice.choose(logits)
        self._next = tokens[:, None]
        if self._is_causal:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(tokens), 1)], dim=1)
        return tokens, log_probs

    def keep(self, places: Sequence[int]) -> None:
        """Continue with these rows only."""
        chosen = torch.tensor(places, device=self._next.device)
        self._cache.batch_select_indices(chosen)
        self._choice.keep(chosen)
        self._next, self._mask = self._next[chosen], self._mask[chosen]
        if self._states is not None:
            self._states = self._states[chosen]


def _decode_dropping(
    model: Any,
    kind: Kind,
    prompts: EncodedPrompts,
    limit: int,
    sampling: Sampling | None = None,
    leaving: dict[int, int] | None = None,
) -> list[Decoded]:
    """Decode, and drop rows at their end, or after the number of tokens given in ``leaving``."""
    limits = [(leaving or {}).get(row, limit) for row in range(len(prompts))]
    texts = [Decoded([], []) for _ in limits]
    batch = _Batch(model, kind, prompts, _TokenChoice(sampling))
    rows = list(range(len(texts)))  # the text of each row of the batch
    unfinished = set(rows)
    for _ in range(limit):
        # One token for each row; those of finished rows that still are in the batch are discarded.
        tokens, log_probs = batch.step()
        for row, token, log_prob in zip(rows, tokens.tolist(), log_probs.tolist(), strict=True):
            if row in unfinished:
                texts[row].tokens.append(token)
                texts[row].log_probs.append(log_prob)
                if token == prompts.end_id or len(texts[row].tokens) == limits[row]:
                    unfinished.discard(row)
        if not unfinished:
            break
        # Shrink only when enough rows are done: selecting rows copies the whole cache.
        if len(unfinished) <= (1 - _WASTE) * len(rows):
            batch.keep([place for place, row in enumerate(rows) if row in unfinished])
            rows = [row for row in rows if row in unfinished]
    return texts


def _generate(
    model: Any, prompts: EncodedPrompts, limit: int, sampling: Sampling | None = None
) -> list[Decoded]:
    """Decode by the model's own ``generate``."""
    tracker = _TokenTracker(sampling)
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
    log_probs = torch.stack(tracker.steps, dim=1).tolist()  # (N, T)
    return [_cut(row, steps, prompts.end_id) for row, steps in zip(written, log_probs, strict=True)]


def _cut(tokens: list[int], log_probs: list[float], end_id: int) -> Decoded:
    length = tokens.index(end_id) + 1 if end_id in tokens else len(tokens)
    return Decoded(tokens[:length], log_probs[:length])


class _TokenTracker(LogitsProcessor):  # type: ignore[misc]
    """Record the log-probability of each token that decoding takes; force the drawn ones.

    Keeping only these, [N] a step, instead of every step's [N, V] scores keeps long texts cheap.
    """

    def __init__(self, sampling: Sampling | None) -> None:
        self.steps: list[Tensor] = []
        self._choice = _TokenChoice(sampling)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        tokens, log_probs = self._choice.choose(scores)
        self.steps.append(log_probs)
        if self._choice.sampling is None:
            return scores
        # Greedy decoding takes the drawn token where every other one is impossible.
        return torch.full_like(scores, -torch.inf).scatter(1, tokens[:, None], 0.0)
