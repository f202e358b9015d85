"""A trained student on this machine: scoring choices and decoding texts in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

from mitools.errors import StudentError
from mitools.student.boundary import is_out_of_memory
from mitools.student.causal import can_share_prefix
from mitools.student.codec import Codec, Order, Purpose
from mitools.student.decoding import Decoded, EncodedPrompts, decode, drops_rows_alike
from mitools.student.protocol import Generation
from mitools.student.scoring import Asked, score_rows

__all__ = ["LocalStudent"]

_ORDER_OF: dict[Purpose, Order] = {"label": "rationale-label", "rationale": "label-rationale"}


class LocalStudent:
    """A :class:`mitools.student.protocol.Student` around a transformers model.

    Rows are sorted by length and batched under a token budget, so a batch holds little padding;
    the results come back in the order of the inputs.

    A student of one pass continues from the *text* of what it said first, tokenized as in training;
    so it does not matter whether that text was decoded just now or handed over by the caller.
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

    @cached_property
    def shares_prompts(self) -> bool:
        """Whether a prompt can be read once for all choices behind it."""
        return self.codec.kind == "seq2seq" or can_share_prefix(self.model)

    @torch.inference_mode()
    def score_choices(
        self,
        inputs: Sequence[str],
        choices: Sequence[Sequence[str]],
        rationales: Sequence[str] | None = None,
    ) -> list[list[float]]:
        """Score every choice of every input: the log-probability of its tokens, end included."""
        prompts = self._prompts("label", inputs)
        contexts = self._contexts("label", inputs, rationales)
        targets = [
            [self.codec.encode_target("label", choice)[0] for choice in row] for row in choices
        ]
        return self._score(prompts, contexts, targets)

    def score_targets(
        self, prompts: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
    ) -> list[float]:
        """Sum the log-probabilities of each target's tokens behind its prompt."""
        found = self._score(prompts, [[] for _ in prompts], [[target] for target in targets])
        return [score for (score,) in found]

    def _score(
        self,
        prompts: Sequence[Sequence[int]],
        contexts: Sequence[Sequence[int]],
        targets: Sequence[Sequence[Sequence[int]]],
    ) -> list[list[float]]:
        """Score targets that come behind a prompt and what the student has said already."""
        if self.codec.kind == "causal":
            prompts = [[*p, *c] for p, c in zip(prompts, contexts, strict=True)]
            contexts = [[] for _ in prompts]
        jobs = [
            (index, part)
            for index, row in enumerate(targets)
            for part in self._parts(len(prompts[index]) + len(contexts[index]), row)
        ]
        lengths = [
            len(part) * (len(prompts[i]) + len(contexts[i]) + max(len(targets[i][c]) for c in part))
            for i, part in jobs
        ]
        scores = [[0.0] * len(row) for row in targets]
        with self._evaluating():
            for batch in self._batches(lengths):
                chosen = [jobs[number] for number in batch]
                rows = [(place, c) for place, (_, part) in enumerate(chosen) for c in part]
                asked = Asked(
                    [prompts[index] for index, _ in chosen],
                    [place for place, _ in rows],
                    [[*contexts[chosen[p][0]], *targets[chosen[p][0]][c]] for p, c in rows],
                    [len(contexts[chosen[place][0]]) for place, _ in rows],
                )
                found = score_rows(self.model, self.codec, asked, shares=self.shares_prompts)
                for (place, choice), score in zip(rows, found, strict=True):
                    scores[chosen[place][0]][choice] = score
        return scores

    def _parts(self, length: int, targets: Sequence[Sequence[int]]) -> Iterator[range]:
        """Cut the targets behind one prompt into pieces that fit into a batch."""
        longest = max((len(target) for target in targets), default=0)
        size = max(1, self.tokens_per_batch // max(1, length + longest))
        for low in range(0, len(targets), size):
            yield range(low, min(low + size, len(targets)))

    def generate_labels(
        self, inputs: Sequence[str], rationales: Sequence[str] | None = None
    ) -> list[Generation]:
        """Decode one label per input, greedily."""
        return self._generate("label", inputs, rationales)

    def generate_rationales(
        self, inputs: Sequence[str], labels: Sequence[str] | None = None
    ) -> list[Generation]:
        """Decode one rationale per input, greedily."""
        return self._generate("rationale", inputs, labels)

    def _prompts(self, purpose: Purpose, inputs: Sequence[str]) -> list[list[int]]:
        return [self.codec.encode_prompt(purpose, text)[0] for text in inputs]

    def _contexts(
        self, purpose: Purpose, inputs: Sequence[str], first_texts: Sequence[str] | None
    ) -> list[list[int]]:
        """Encode what comes before the wanted text in the one pass; nothing where it is first."""
        first = self.codec.first
        if first is None or purpose == first:
            if first_texts is not None:
                message = f"this student gives its {purpose} before, or apart from, anything else"
                raise StudentError(message, hint=f"train one with --order {_ORDER_OF[purpose]}")
            return [[] for _ in inputs]
        if first_texts is None:
            first_texts = [found.text for found in self._generate(first, inputs, None)]
        if len(first_texts) != len(inputs):
            message = f"{len(first_texts)} texts to continue from for {len(inputs)} inputs"
            raise StudentError(message, hint="give one for each input")
        return [self.codec.encode_first(text) for text in first_texts]

    @torch.inference_mode()
    def _generate(
        self, purpose: Purpose, inputs: Sequence[str], first_texts: Sequence[str] | None
    ) -> list[Generation]:
        prompts = self._prompts(purpose, inputs)
        contexts = self._contexts(purpose, inputs, first_texts)
        keys = [len(context) for context in contexts]
        if self.codec.kind == "causal":
            prompts = [p + c for p, c in zip(prompts, contexts, strict=True)]
            contexts, keys = [[] for _ in prompts], [0 for _ in prompts]
        found: dict[int, Generation] = {}
        limit = self.codec.limit(purpose)
        lengths = [len(p) + k + limit for p, k in zip(prompts, keys, strict=True)]
        with self._evaluating():
            # A decoder has no left padding that all architectures agree on, so what it continues
            # is of one length in a batch.
            for batch in self._batches(lengths, keys):
                rows = self._generate_batch(
                    [prompts[index] for index in batch], [contexts[index] for index in batch], limit
                )
                found.update(zip(batch, rows, strict=True))
        return [found[index] for index in range(len(prompts))]

    def _generate_batch(
        self, prompts: Sequence[Sequence[int]], contexts: Sequence[Sequence[int]], limit: int
    ) -> list[Generation]:
        asked = self._behind(prompts, contexts)
        found = decode(self.model, self.codec.kind, asked, limit, drops_rows=self.drops_rows)
        return [self._finish(text) for text in found]

    def _behind(
        self, prompts: Sequence[Sequence[int]], contexts: Sequence[Sequence[int]]
    ) -> EncodedPrompts:
        tokenizer = self.codec.tokenizer
        pairs = self.codec.pad(prompts, [[]] * len(prompts))
        start = None
        if self.codec.kind == "seq2seq":
            first = self.model.config.decoder_start_token_id
            start = torch.tensor([[first, *context] for context in contexts], device=self.device)
        return EncodedPrompts(
            pairs.prompt_ids.to(self.device),
            pairs.prompt_mask.to(self.device),
            start,
            tokenizer.eos_token_id,
            tokenizer.pad_token_id,
        )

    @cached_property
    def drops_rows(self) -> bool:
        """Whether rows that are done can leave a batch."""
        prompts = [self.codec.encode_prompt("label", text)[0] for text in ("1", "One, two, three.")]
        with self._evaluating():
            return drops_rows_alike(self.model, self.codec.kind, self._behind(prompts, [[], []]))

    def _finish(self, found: Decoded) -> Generation:
        is_truncated = self.codec.tokenizer.eos_token_id not in found.tokens
        text = self.codec.decode(found.tokens)
        return Generation(text, sum(found.log_probs), is_truncated, len(found.tokens))

    def _batches(
        self, lengths: Sequence[int], keys: Sequence[int] | None = None
    ) -> Iterator[list[int]]:
        """Group row numbers, longest first, so that rows × longest stays within the budget.

        Where there are keys, the rows of a batch have the same one.
        """
        keys = keys or [0] * len(lengths)
        order = sorted(range(len(lengths)), key=lambda index: (keys[index], -lengths[index]))
        while order:
            size = max(1, self.tokens_per_batch // max(1, lengths[order[0]]))
            size = len([row for row in order[:size] if keys[row] == keys[order[0]]])
            yield order[:size]
            order = order[size:]

    def _evaluating(self) -> _Evaluating:
        return _Evaluating(self.model)


class _Evaluating:
    """Switch a model to evaluation and back, so that a model in training can be asked too.

    Also says what to do when memory runs out inside.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.was_training = model.training

    def __enter__(self) -> None:
        self.model.eval()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.model.train(self.was_training)
        if error is not None and is_out_of_memory(error):
            hint = 'lower --tokens-per-batch, or use "--device cpu"'
            raise StudentError("not enough memory to ask the student", hint=hint) from error
