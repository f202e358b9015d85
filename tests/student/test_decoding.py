"""Rows that leave a batch when they are done: same texts, fewer rows to compute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers.cache_utils import DynamicCache

from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec, Pairs
from mitools.student.decoding import (
    Decoded,
    EncodedPrompts,
    Sampling,
    decode,
    drops_rows_alike,
)
from mitools.student.forward import target_logits

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])

TEXTS = ("Ann has 3 pears.", "Two.", "How many pears has Ann, and how many has Bob?", "1 2 3 4")


def opened(request: pytest.FixtureRequest, kind: str) -> tuple[Any, Codec, EncodedPrompts]:
    folder: Path = request.getfixturevalue(kind)
    base = open_checkpoint(str(folder), kind)
    codec = Codec(base.tokenizer, base.kind)
    model = base.model.eval()
    torch.manual_seed(0)
    for weights in model.parameters():  # small ones would say one token for ever
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.5)
    pairs = codec.pad([codec.encode_prompt("label", text)[0] for text in TEXTS], [[]] * len(TEXTS))
    first = getattr(model.config, "decoder_start_token_id", None)
    start = torch.tensor([[first]] * len(TEXTS)) if codec.kind == "seq2seq" else None
    end, pad = codec.tokenizer.eos_token_id, codec.tokenizer.pad_token_id
    return model, codec, EncodedPrompts(pairs.prompt_ids, pairs.prompt_mask, start, end, pad)


def ending_early(model: Any, codec: Codec, prompts: EncodedPrompts) -> EncodedPrompts:
    """Take for the end a token that some rows say sooner than others, or never."""
    never = replace(prompts, end_id=-1)
    texts = [text.tokens for text in decode(model, codec.kind, never, 24, drops_rows=True)]
    said = sorted({token for text in texts for token in text})
    places = {token: [t.index(token) if token in t else 24 for t in texts] for token in said}
    best = max(said, key=lambda token: len(set(places[token])))
    assert len(set(places[best])) > 1
    return replace(prompts, end_id=best)


def assert_same(left: list[Decoded], right: list[Decoded]) -> None:
    assert [text.tokens for text in left] == [text.tokens for text in right]
    for one, other in zip(left, right, strict=True):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)


@Kinds
def test_texts_are_those_of_generate(request: pytest.FixtureRequest, kind: str) -> None:
    model, codec, prompts = opened(request, kind)
    prompts = ending_early(model, codec, prompts)
    dropping = decode(model, codec.kind, prompts, 24, drops_rows=True)
    whole = decode(model, codec.kind, prompts, 24, drops_rows=False)
    assert_same(dropping, whole)
    assert len({len(text.tokens) for text in whole}) > 1


@Kinds
def test_rows_that_are_done_are_computed_no_further(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model, codec, prompts = opened(request, kind)
    prompts = ending_early(model, codec, prompts)
    rows: list[int] = []
    head = model.get_output_embeddings()
    handle = head.register_forward_hook(lambda _module, _args, out: rows.append(len(out)))
    texts = decode(model, codec.kind, prompts, 24, drops_rows=True)
    handle.remove()
    assert rows == [sum(len(text.tokens) > step for text in texts) for step in range(len(rows))]


@Kinds
def test_a_model_is_tried_out_first(
    request: pytest.FixtureRequest, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, codec, prompts = opened(request, kind)
    two = replace(
        prompts,
        ids=prompts.ids[1:3],
        mask=prompts.mask[1:3],
        start=None if prompts.start is None else prompts.start[1:3],
    )
    assert drops_rows_alike(model, codec.kind, two)

    def select(_cache: DynamicCache, _indices: torch.Tensor) -> None:
        raise NotImplementedError("this cache cannot be cut")

    with monkeypatch.context() as patch:
        patch.setattr(DynamicCache, "batch_select_indices", select)
        assert not drops_rows_alike(model, codec.kind, two)

    model.generation_config.no_repeat_ngram_size = 1  # generate then does more than we do
    assert not drops_rows_alike(model, codec.kind, two)


@Kinds
@pytest.mark.parametrize("drops_rows", [True, False])
def test_drawn_tokens_have_the_log_probability_of_their_place(
    request: pytest.FixtureRequest, kind: str, drops_rows: bool
) -> None:
    model, codec, prompts = opened(request, kind)
    prompts = ending_early(model, codec, prompts)
    sampling = Sampling(0.7, torch.rand(len(TEXTS), 24, generator=torch.Generator().manual_seed(1)))
    texts = decode(model, codec.kind, prompts, 24, drops_rows=drops_rows, sampling=sampling)
    greedy = decode(model, codec.kind, prompts, 24, drops_rows=drops_rows)
    assert [text.tokens for text in texts] != [text.tokens for text in greedy]
    encoded = codec.pad([[0]] * len(texts), [text.tokens for text in texts])
    pairs = Pairs(prompts.ids, prompts.mask, encoded.target_ids, encoded.target_mask)
    with torch.no_grad():
        log_probs = target_logits(model, codec.kind, pairs).float().log_softmax(-1)
    for row, text in enumerate(texts):
        expected = [log_probs[row, t, token].item() for t, token in enumerate(text.tokens)]
        assert text.log_probs == pytest.approx(expected, abs=1e-3)


@Kinds
def test_texts_that_share_a_prompt_are_those_of_prompts_of_their_own(
    request: pytest.FixtureRequest, kind: str
) -> None:
    model, codec, prompts = opened(request, kind)
    owners = torch.tensor([2, 0, 0, 1, 3, 2])
    start = None if prompts.start is None else prompts.start[owners]
    shared = replace(ending_early(model, codec, prompts), owners=owners, start=start)
    assert len(shared) == 6
    sampling = Sampling(1.0, torch.rand(6, 24, generator=torch.Generator().manual_seed(2)))
    for how in (None, sampling):
        ours = decode(model, codec.kind, shared, 24, drops_rows=True, sampling=how)
        for drops_rows in (True, False):
            theirs = decode(
                model, codec.kind, shared.expanded(), 24, drops_rows=drops_rows, sampling=how
            )
            assert_same(ours, theirs)
