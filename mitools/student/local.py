"""A trained student on this machine: scoring choices and decoding texts in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from mitools.student.api import Generation
from mitools.student.codec import Codec, Purpose
from mitools.student.network import target_logits

__all__ = ["LocalStudent"]


class LocalStudent:
    """A :class:`mitools.student.api.Student` around a transformers model.

    Rows are sorted by length and batched under a token budget, so a batch holds little padding;
    the results come back in the order of the inputs.
    """

    def __init__(
        self,
        model: Any,
        codec: Codec,
        metadata: Mapping[str, Any] | None = None,
        *,
        tokens_per_batch: int = 4096,
    ) -> None:
        self.model = model
        self.codec = codec
        self.metadata: Mapping[str, Any] = metadata or {}
        self.tokens_per_batch = tokens_per_batch

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.model.dtype
        return dtype

    @torch.inference_mode()
    def score_choices(
        self, inputs: Sequence[str], choices: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Score every choice of every input: the log-probability of its tokens, end included."""
        prompts = [self.codec.encode_prompt("label", text)[0] for text in inputs]
        targets = [
            [self.codec.encode_target("label", choice)[0] for choice in row] for row in choices
        ]
        rows = [(index, target) for index, row in enumerate(targets) for target in row]
        flat = self.score_targets([prompts[index] for index, _ in rows], [t for _, t in rows])
        scores = iter(flat)
        return [[next(scores) for _ in row] for row in choices]

    def score_targets(
        self, prompts: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
    ) -> list[float]:
        """Sum the log-probabilities of each target's tokens behind its prompt."""
        scores = [0.0] * len(prompts)
        lengths = [len(p) + len(t) for p, t in zip(prompts, targets, strict=True)]
        with self._evaluating():
            for batch in self._batches(lengths):
                pairs = self.codec.pad([prompts[i] for i in batch], [targets[i] for i in batch])
                pairs = type(pairs)(**{k: v.to(self.device) for k, v in pairs.as_dict().items()})
                logits = target_logits(self.model, self.codec.kind, pairs)
                log_probs = logits.float().log_softmax(-1)
                picked = log_probs.gather(-1, pairs.target_ids[..., None])[..., 0]
                sums = (picked * pairs.target_mask).sum(-1).tolist()
                for index, value in zip(batch, sums, strict=True):
                    scores[index] = value
        return scores

    def generate_labels(self, inputs: Sequence[str]) -> list[Generation]:
        """Decode one label per input, greedily."""
        return self._generate("label", inputs)

    def generate_rationales(self, inputs: Sequence[str]) -> list[Generation]:
        """Decode one rationale per input, greedily."""
        return self._generate("rationale", inputs)

    @torch.inference_mode()
    def _generate(self, purpose: Purpose, inputs: Sequence[str]) -> list[Generation]:
        prompts = [self.codec.encode_prompt(purpose, text)[0] for text in inputs]
        found: dict[int, Generation] = {}
        limit = self.codec.limit(purpose)
        with self._evaluating():
            for batch in self._batches([len(prompt) + limit for prompt in prompts]):
                rows = self._generate_batch([prompts[index] for index in batch], limit)
                found.update(zip(batch, rows, strict=True))
        return [found[index] for index in range(len(prompts))]

    def _generate_batch(self, prompts: Sequence[Sequence[int]], limit: int) -> list[Generation]:
        tokenizer = self.codec.tokenizer
        pairs = self.codec.pad(prompts, [[]] * len(prompts))
        tracker = _GreedyLogProbs()
        config = GenerationConfig(
            max_new_tokens=limit,
            do_sample=False,
            num_beams=1,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            decoder_start_token_id=getattr(self.model.config, "decoder_start_token_id", None),
        )
        output = self.model.generate(
            input_ids=pairs.prompt_ids.to(self.device),
            attention_mask=pairs.prompt_mask.to(self.device),
            generation_config=config,
            logits_processor=LogitsProcessorList([tracker]),
        )
        skip = pairs.prompt_ids.shape[1] if self.codec.kind == "causal" else 1
        log_probs = torch.stack(tracker.steps, dim=1).tolist()  # [B, T]
        return [
            self._finish(ids, steps)
            for ids, steps in zip(output[:, skip:].tolist(), log_probs, strict=True)
        ]

    def _finish(self, ids: list[int], log_probs: list[float]) -> Generation:
        end = self.codec.tokenizer.eos_token_id
        is_truncated = end not in ids
        length = len(ids) if is_truncated else ids.index(end) + 1
        text = self.codec.decode(ids[:length])
        return Generation(text, sum(log_probs[:length]), is_truncated, length)

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Group row numbers, longest first, so that rows × longest stays within the budget."""
        order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
        while order:
            size = max(1, self.tokens_per_batch // max(1, lengths[order[0]]))
            yield order[:size]
            order = order[size:]

    def _evaluating(self) -> _Evaluating:
        return _Evaluating(self.model)


class _Evaluating:
    """Switch a model to evaluation and back, so that a model in training can be asked too."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.was_training = model.training

    def __enter__(self) -> None:
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        self.model.train(self.was_training)


class _GreedyLogProbs(LogitsProcessor):  # type: ignore[misc]
    """Note the log-probability of the token that greedy decoding is about to take.

    Keeping only this, [B] a step, instead of every step's [B, V] scores keeps long texts cheap.
    """

    def __init__(self) -> None:
        self.steps: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.steps.append(scores.float().log_softmax(-1).amax(-1))
        return scores
