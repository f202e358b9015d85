"""A trained student on this machine: scoring choices and decoding texts in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch

from mitools.errors import StudentError
from mitools.student.boundary import is_out_of_memory
from mitools.student.causal import can_share_prefix
from mitools.student.codec import Codec, Pairs, Purpose
from mitools.student.decoding import Decoded, EncodedPrompts, Sampling, decode, drops_rows_alike
from mitools.student.forward import has_plain_head
from mitools.student.mentions import apart, mention_ids
from mitools.student.packing_trial import can_pack
from mitools.student.protocol import SAMPLING_TEMPERATURE, Generation
from mitools.student.scoring import (
    Asked,
    can_select_positions,
    grouped,
    length_of,
    score_rows,
    score_trees,
)

__all__ = ["LocalStudent"]

_TO_TRAIN: dict[Purpose, str] = {
    "label": 'train one with "--mi conclude" or "--order rationale-label"',
    "rationale": 'train one with "--order label-rationale"',
}


class LocalStudent:
    """A :class:`mitools.student.protocol.Student` around a transformers model.

    Rows are sorted by length and batched under a token budget, so a batch holds little padding;
    results keep the order of the inputs.

    A text that continues another one continues its *text*, tokenized as in training. So it does
    not matter whether the first text was decoded just now or given by the caller.
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

    def convert(self, dtype: torch.dtype) -> None:
        """Convert the weights to another precision.

        What the model supports is tried before: the trials compare results closer than bfloat16
        computes them.
        """
        for trial in ("shares_prompts", "selects_positions", "packs", "drops_rows"):
            getattr(self, trial)
        self.model.to(dtype)

    @cached_property
    def shares_prompts(self) -> bool:
        """Whether a prompt can be read once for all choices behind it."""
        return self.codec.kind == "seq2seq" or can_share_prefix(self.model)

    @cached_property
    def selects_positions(self) -> bool:
        """Whether the vocabulary head can read the scored positions alone."""
        with self._evaluating(), torch.inference_mode():
            return can_select_positions(self.model, self.codec)

    @cached_property
    def packs(self) -> bool:
        """Whether prompts and targets can be scored in one sequence without padding."""
        if self.codec.kind != "causal":
            return False
        end = [[self.codec.tokenizer.eos_token_id]]
        pairs = self.codec.pad(end, end).as_dict()
        probe = Pairs(**{name: tensor.to(self.device) for name, tensor in pairs.items()})
        return has_plain_head(self.model, "causal", probe) and can_pack(
            self.model, self.codec.longest
        )

    @torch.inference_mode()
    def score_choices(
        self,
        inputs: Sequence[str],
        choices: Sequence[Sequence[str]],
        rationales: Sequence[str] | None = None,
    ) -> list[list[float]]:
        """Score every choice of every input: the log-probability of its tokens, end included."""
        codec = self._codec_of("label", rationales)
        prompts = self._prompts(codec, "label", inputs)
        contexts = self._contexts(codec, "label", inputs, rationales)
        targets = [[codec.encode_target("label", choice)[0] for choice in row] for row in choices]
        return self._score(prompts, contexts, targets, is_conclusion=codec is not self.codec)

    @torch.inference_mode()
    def score_mentions(
        self, inputs: Sequence[str], begun: Sequence[str], texts: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Score what a rationale may name next, without an end: log-probabilities."""
        prompts = self._prompts(self.codec, "rationale", inputs)
        contexts, targets = mention_ids(self.codec, begun, texts)
        scores = self._score(prompts, contexts, targets)
        return [apart(row, found) for row, found in zip(targets, scores, strict=True)]

    def score_targets(
        self, prompts: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
    ) -> list[float]:
        """Sum the log-probabilities of each target's tokens behind its prompt."""
        rows = self._score(prompts, [[] for _ in prompts], [[target] for target in targets])
        return [score for (score,) in rows]

    def _score(
        self,
        prompts: Sequence[Sequence[int]],
        contexts: Sequence[Sequence[int]],
        targets: Sequence[Sequence[Sequence[int]]],
        *,
        is_conclusion: bool = False,
    ) -> list[list[float]]:
        """Score targets behind a prompt and the text that they continue.

        Args:
            prompts: token ids of each row's prompt.
            contexts: token ids of the text between prompt and targets; empty for none.
            targets: token ids of each row's targets.
            is_conclusion: whether rows with equal prompts share their reading, and the vocabulary
                head skips the contexts: several rationales of an input stand in rows of their own.
        """
        # A causal model reads prompt and context as one prompt, once for all targets behind it.
        if self.codec.kind == "causal":
            prompts = [[*p, *c] for p, c in zip(prompts, contexts, strict=True)]
            contexts = [[] for _ in prompts]
        # Each job is a prompt with some of its targets: as many as fit into one batch.
        groups = grouped(prompts, targets, shares_prompts=is_conclusion and any(contexts))
        jobs = [
            (rows[0][0], [rows[place] for place in part])
            for rows in groups
            for part in self._parts([length_of(prompts, contexts, targets, *row) for row in rows])
        ]
        lengths = [
            len(part) * max(length_of(prompts, contexts, targets, *row) for row in part)
            for _, part in jobs
        ]
        scores = [[0.0] * len(row) for row in targets]
        with self._evaluating():
            # Batches hold jobs of like length. Within one, a decoder reads context and target as
            # one sequence, of which the context is skipped in the sum.
            for batch in self._batches(lengths):
                chosen = [jobs[number] for number in batch]
                rows = [(place, *row) for place, (_, part) in enumerate(chosen) for row in part]
                asked = Asked(
                    [prompts[index] for index, _ in chosen],
                    [place for place, _, _ in rows],
                    [[*contexts[index], *targets[index][c]] for _, index, c in rows],
                    [len(contexts[index]) for _, index, _ in rows],
                )
                sums = self._sums(asked, selects=is_conclusion)
                for (_, index, choice), score in zip(rows, sums, strict=True):
                    scores[index][choice] = score
        return scores

    def _sums(self, asked: Asked, *, selects: bool) -> list[float]:
        if self.packs:
            return score_trees(self.model, self.codec, asked)
        return score_rows(
            self.model,
            self.codec,
            asked,
            shares=self.shares_prompts,
            selects=selects and self.selects_positions,
        )

    def _parts(self, lengths: Sequence[int]) -> Iterator[range]:
        """Cut the targets behind one prompt into pieces that fit into a batch."""
        size = max(1, self.tokens_per_batch // max(1, *lengths)) if lengths else 1
        for low in range(0, len(lengths), size):
            yield range(low, min(low + size, len(lengths)))

    def are_cut(self, inputs: Sequence[str]) -> list[bool]:
        """Return for each input whether the length limit cuts it."""
        return self.codec.are_cut(inputs)

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

    def sample_rationales(
        self,
        inputs: Sequence[str],
        seeds: Sequence[int],
        temperature: float = SAMPLING_TEMPERATURE,
    ) -> list[Generation]:
        """Draw one rationale per input; each depends on its input and its seed alone."""
        if len(seeds) != len(inputs):
            message = f"{len(seeds)} seeds for {len(inputs)} inputs"
            raise StudentError(message, hint="give one for each input")
        return self._generate("rationale", inputs, None, (seeds, temperature))

    def _codec_of(self, purpose: Purpose, first_texts: Sequence[str] | None) -> Codec:
        """Choose the reading: behind a given rationale a student that concludes has its own."""
        if purpose == "label" and first_texts is not None and self.codec.concludes:
            return replace(self.codec, order="rationale-label", concludes=False)
        return self.codec

    @staticmethod
    def _prompts(codec: Codec, purpose: Purpose, inputs: Sequence[str]) -> list[list[int]]:
        return [codec.encode_prompt(purpose, text)[0] for text in inputs]

    def _contexts(
        self,
        codec: Codec,
        purpose: Purpose,
        inputs: Sequence[str],
        first_texts: Sequence[str] | None,
    ) -> list[list[int]]:
        """Encode the text that comes before the wanted one in a pass; empty where none does."""
        first = codec.first
        if first is None or purpose == first:
            if first_texts is not None:
                message = f"this student gives its {purpose} before, or apart from, anything else"
                raise StudentError(message, hint=_TO_TRAIN[purpose])
            return [[] for _ in inputs]
        if first_texts is None:
            first_texts = [generation.text for generation in self._generate(first, inputs, None)]
        if len(first_texts) != len(inputs):
            message = f"{len(first_texts)} texts to continue from for {len(inputs)} inputs"
            raise StudentError(message, hint="give one for each input")
        return [codec.encode_first(text) for text in first_texts]

    @torch.inference_mode()
    def _generate(
        self,
        purpose: Purpose,
        inputs: Sequence[str],
        first_texts: Sequence[str] | None,
        drawn: tuple[Sequence[int], float] | None = None,
    ) -> list[Generation]:
        """Decode one text per input: greedily, or drawn with a seed each at a temperature."""
        codec = self._codec_of(purpose, first_texts)
        prompts = self._prompts(codec, purpose, inputs)
        contexts = self._contexts(codec, purpose, inputs, first_texts)
        keys = [len(context) for context in contexts]
        if codec.kind == "causal":
            prompts = [p + c for p, c in zip(prompts, contexts, strict=True)]
            contexts, keys = [[] for _ in prompts], [0 for _ in prompts]
        texts: dict[int, Generation] = {}
        limit = codec.limit(purpose)
        lengths = [len(p) + k + limit for p, k in zip(prompts, keys, strict=True)]
        with self._evaluating():
            # A decoder has no left padding that all architectures agree on, so the contexts of one
            # batch have one length.
            for batch in self._batches(lengths, keys):
                asked = self._encoded(
                    [prompts[index] for index in batch],
                    [contexts[index] for index in batch],
                    shares=drawn is not None or codec is not self.codec,
                )
                sampling = None
                if drawn is not None:
                    seeds, temperature = drawn
                    uniforms = _uniforms([seeds[index] for index in batch], limit)
                    sampling = Sampling(temperature, uniforms.to(self.device))
                rows = decode(
                    self.model,
                    codec.kind,
                    asked,
                    limit,
                    drops_rows=self.drops_rows,
                    sampling=sampling,
                )
                texts.update(zip(batch, map(self._finish, rows), strict=True))
        return [texts[index] for index in range(len(prompts))]

    def _encoded(
        self,
        prompts: Sequence[Sequence[int]],
        contexts: Sequence[Sequence[int]],
        *,
        shares: bool = False,
    ) -> EncodedPrompts:
        """Pad the prompts of a batch; ``shares`` keeps one of those that are equal."""
        tokenizer = self.codec.tokenizer
        owners = None
        if shares:
            distinct = list(dict.fromkeys(map(tuple, prompts)))
            if len(distinct) < len(prompts):
                places = {prompt: place for place, prompt in enumerate(distinct)}
                owners = torch.tensor([places[tuple(p)] for p in prompts], device=self.device)
                prompts = distinct
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
            owners,
        )

    @cached_property
    def drops_rows(self) -> bool:
        """Whether rows that are done can leave a batch."""
        prompts = [self.codec.encode_prompt("label", text)[0] for text in ("1", "One, two, three.")]
        with self._evaluating():
            return drops_rows_alike(self.model, self.codec.kind, self._encoded(prompts, [[], []]))

    def _finish(self, decoded: Decoded) -> Generation:
        is_truncated = self.codec.tokenizer.eos_token_id not in decoded.tokens
        text = self.codec.decode(decoded.tokens)
        return Generation(text, sum(decoded.log_probs), is_truncated, len(decoded.tokens))

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


def _uniforms(seeds: Sequence[int], limit: int) -> torch.Tensor:
    """Draw [N, L] numbers from 0 up to 1, each row from its own seed."""
    rows = [torch.rand(limit, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows)


class _Evaluating:
    """Switch a model to evaluation and back, so that a model in training can be asked too.

    Where memory runs out inside, state what to do.
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
