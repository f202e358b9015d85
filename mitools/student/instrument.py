"""Instruments for probing a student: noise on its input, and attribution of its answers.

Both work on the embeddings of the *content*, the tokens that stand for the input itself: the task
prefix, the end of the prompt and the targets stay as they are. They reach the model through a hook
on the module that reads prompts, so a probed student decodes and scores by its own code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mitools.errors import StudentError
from mitools.student.codec import PREFIXES, Codec, Purpose, tokenizable
from mitools.student.forward import target_logits
from mitools.student.local import LocalStudent

__all__ = ["Instrument", "Span", "content_places"]

Span = tuple[int, int]
"""Where a token begins and ends in the input, in characters."""

_ROWS = 8
"""Rows of one batch of attributions: a backward pass keeps every layer's states."""


def content_places(codec: Codec, purpose: Purpose, text: str) -> dict[int, Span]:
    """Return the tokens of a prompt that stand for the input: their places and their spans.

    Raises:
        StudentError: the tokenizer does not report which characters a token covers.
    """
    if not getattr(codec.tokenizer, "is_fast", False):
        message = "the student's tokenizer does not report which characters a token covers"
        raise StudentError(message, hint="train it with a fast tokenizer")
    lead = codec.lead(purpose)
    prompt, _ = codec.encode_prompt(purpose, text)
    encoded = codec.tokenizer(lead + tokenizable(text), return_offsets_mapping=True)
    places: dict[int, Span] = {}
    for index, (token, (start, end)) in enumerate(
        zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    ):
        if index < len(prompt) and prompt[index] == token and end > max(start, len(lead)):
            places[index] = (max(0, start - len(lead)), end - len(lead))
    return places


@dataclass
class _Content:
    """What one or more inputs put into a prompt, its noise, and whether such a prompt was read."""

    places: list[int]
    units: Tensor  # [tokens, D], standard normal
    is_met: bool = False


class Instrument:
    """Adds noise to a :class:`~mitools.student.local.LocalStudent`'s input; differentiates by it.

    The student is otherwise left as it is.
    """

    def __init__(self, student: LocalStudent) -> None:
        self.student = student
        model, kind = student.model, student.codec.kind
        self._reader = model.get_encoder() if kind == "seq2seq" else model.base_model
        self._embed = self._reader.get_input_embeddings()

    @contextmanager
    def noise(self, inputs: Sequence[str], sigma: float, seed: int) -> Iterator[None]:
        """Add Gaussian noise to the content of these inputs while the student answers them.

        The noise of an input depends on what is read of it and on the seed alone: it is the same in
        both passes and in every batch, and ``sigma`` only scales it. Inputs that are cut at a
        length limit to the same text have the same noise.

        Args:
            inputs: all inputs that will be read.
            sigma: standard deviation in units of the root mean square of the disturbed embeddings,
                so at 1 the noise is as loud as the input; 0 changes nothing.
            seed: seed of the noise.
        """
        known: dict[tuple[int, ...], _Content] = {}
        contents: list[list[_Content]] = []
        for text in sorted(set(inputs)):
            units, of_text = self._draw(text, seed), []
            for purpose in PREFIXES:
                prompt = self.student.codec.encode_prompt(purpose, text)[0]
                places = list(content_places(self.student.codec, purpose, text))
                # Up to the last content token: the rest may be read later, and by itself.
                read = tuple(prompt[: max(places, default=-1) + 1])
                of_text.append(known.setdefault(read, _Content(places, units)))
            contents.append(of_text)
        shapes = sorted({(len(ids), self._count_pads(ids)) for ids in known}, reverse=True)

        def disturb(ids: Tensor, embeds: Tensor) -> Tensor:
            changed = embeds.clone()
            for row, tokens in enumerate(ids.tolist()):
                if (found := self._match(tokens, shapes, known)) is None:
                    continue
                start, one = found
                one.is_met = True
                at = [start + place for place in one.places]
                content = embeds[row, at].float()
                units = one.units[: len(at)].to(content)
                loudness = content.square().mean().sqrt() if at else content.new_zeros(())
                changed[row, at] = (content + sigma * loudness * units).to(embeds)
            return changed

        with self._reading(disturb) if sigma else _nothing():
            yield
        if sigma and not all(any(one.is_met for one in of_text) for of_text in contents):
            raise StudentError("the student read its input in a way that noise does not reach")

    def _draw(self, text: str, seed: int) -> Tensor:
        codec = self.student.codec
        spans = [content_places(codec, purpose, text).values() for purpose in PREFIXES]
        read = tokenizable(text)[: max((end for found in spans for _, end in found), default=0)]
        digest = hashlib.blake2b(f"{seed}\0{read}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest) % 2**63)
        size = (max(map(len, spans)), self._embed.weight.shape[-1])
        return torch.randn(*size, generator=generator)

    def _match(
        self,
        tokens: list[int],
        shapes: list[tuple[int, int]],
        known: dict[tuple[int, ...], _Content],
    ) -> tuple[int, _Content] | None:
        """Find the content that a row begins with, behind its padding: its start and its noise.

        Args:
            shapes: length, and number of pad tokens at the start, of what is known, longest first.
        """
        pads = self._count_pads(tokens)
        for length, own in shapes:
            start = pads - own
            if start < 0:
                continue
            if found := known.get(tuple(tokens[start : start + length])):
                return start, found
        return None

    def _count_pads(self, ids: Sequence[int]) -> int:
        """Count the pad tokens at the left; a prompt can begin with one, as its start token."""
        if self.student.codec.kind != "causal":
            return 0
        padding = self.student.codec.tokenizer.pad_token_id
        return next((place for place, token in enumerate(ids) if token != padding), len(ids))

    @contextmanager
    def _reading(self, change: Callable[[Tensor, Tensor], Tensor]) -> Iterator[None]:
        """Replace the embeddings [B, S, D] of each batch of token ids [B, S] by ``change``'s."""

        def hook(_module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
            ids = args[0] if args else kwargs.get("input_ids")
            if ids is None:
                return None
            embeds = change(ids, self._embed(ids))
            rest = {name: value for name, value in kwargs.items() if name != "input_ids"}
            return (None, *args[1:]) if args else (), {**rest, "inputs_embeds": embeds}

        # A packed row has many prompts behind each other; the hook expects one in each row.
        packs = self.student.packs
        self.student.__dict__["packs"] = False
        handle = self._reader.register_forward_pre_hook(hook, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()
            self.student.__dict__["packs"] = packs

    def attributions(
        self,
        purpose: Purpose,
        inputs: Sequence[str],
        targets: Sequence[str],
        firsts: Sequence[str] | None = None,
        *,
        is_mean: bool,
    ) -> list[dict[Span, float]]:
        """Attribute each target's log-probability to content tokens: gradient × input.

        Args:
            purpose: task whose prompt is read.
            inputs: what the student reads.
            targets: text to score behind each input.
            firsts: first texts, where the student gives both texts in one pass and the target is
                the second one; other students ignore them.
            is_mean: score by the mean over the target's tokens instead of their sum.

        Returns:
            For each input, by the characters that a token covers: the inner product of its
            embedding with the gradient of the log-probability, in nats.
        """
        codec, model = self.student.codec, self.student.model
        prompts = [codec.encode_prompt(purpose, text)[0] for text in inputs]
        written = [codec.encode_target(purpose, text)[0] for text in targets]
        leads: list[list[int]] = [[] for _ in inputs]
        if firsts is not None and codec.first not in (None, purpose):
            leads = [codec.encode_first(text) for text in firsts]
        rows: list[list[float]] = []
        was_training = model.training
        model.eval()
        try:
            for first in range(0, len(inputs), _ROWS):
                part = slice(first, first + _ROWS)
                batch = (prompts[part], leads[part], written[part])
                rows += self._gradient_by_input(*batch, is_mean=is_mean)
        finally:
            model.train(was_training)
        return [
            {span: row[place] for place, span in content_places(codec, purpose, text).items()}
            for text, row in zip(inputs, rows, strict=True)
        ]

    def _gradient_by_input(
        self,
        prompts: list[list[int]],
        leads: list[list[int]],
        targets: list[list[int]],
        *,
        is_mean: bool,
    ) -> list[list[float]]:
        """Compute gradient × input for every token of each prompt; leads are read, not scored."""
        codec = self.student.codec
        pairs = codec.pad(prompts, [a + b for a, b in zip(leads, targets, strict=True)])
        is_scored = pairs.target_mask.clone().to(self.student.device)
        for row, lead in enumerate(leads):
            is_scored[row, : len(lead)] = 0
        pairs = type(pairs)(**{k: v.to(self.student.device) for k, v in pairs.as_dict().items()})
        seen: list[Tensor] = []

        def watch(_ids: Tensor, embeds: Tensor) -> Tensor:
            seen.append(embeds.detach().requires_grad_())
            return seen[-1]

        with torch.enable_grad(), self._reading(watch):
            logits = target_logits(self.student.model, codec.kind, pairs)
            log_probs = logits.float().log_softmax(-1)
            picked = log_probs.gather(-1, pairs.target_ids[..., None])[..., 0] * is_scored
            scores = picked.sum(-1)
            if is_mean:
                scores = scores / is_scored.sum(-1)
            (gradient,) = torch.autograd.grad(scores.sum(), seen[0])
        products = (gradient.float() * seen[0].detach().float()).sum(-1).tolist()  # [B, S]
        width = pairs.prompt_ids.shape[1]
        skips = [width - len(p) if codec.kind == "causal" else 0 for p in prompts]
        return [
            row[skip : skip + len(prompt)]
            for row, skip, prompt in zip(products, skips, prompts, strict=True)
        ]


@contextmanager
def _nothing() -> Iterator[None]:
    yield
