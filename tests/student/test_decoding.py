"""Rows that leave a batch when they are done: same texts, fewer rows to compute."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertLMHeadModel,
    GenerationConfig,
)
from transformers.cache_utils import DynamicCache

from mitools.student import load_student
from mitools.student.base.open_base import open_base, open_checkpoint
from mitools.student.codec import Codec, Pairs
from mitools.student.decoding import (
    Decoded,
    EncodedPrompts,
    Sampling,
    decode,
    drops_rows_alike,
)
from mitools.student.folder import save_student
from mitools.student.forward import target_logits
from mitools.student.local import LocalStudent

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


FORCED = {
    "no_repeat_ngram_size": 1,
    "min_length": 9,
    "repetition_penalty": 1.7,
    "num_beams": 3,
    "forced_bos_token_id": 5,
    "forced_eos_token_id": 6,
    "suppress_tokens": [1],
}
"""What checkpoints ask of ``generate``, for example those that write summaries."""


def base_with_settings(request: pytest.FixtureRequest, kind: str, folder: Path) -> str:
    """Make a checkpoint whose files ask for another decoding, and return its name."""
    shutil.copytree(request.getfixturevalue("tiny_causal"), folder)
    tokenizer = open_checkpoint(str(folder), "it").tokenizer
    torch.manual_seed(0)
    heads: dict[str, int] = {}
    if kind == "bart":  # its configuration forces a token as well
        heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "d_model": 16}
        ends = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 1}
        config = BartConfig(vocab_size=len(tokenizer), forced_eos_token_id=6, **heads, **ends)
        BartForConditionalGeneration(config).save_pretrained(folder)
    elif kind == "encoder":
        heads = {"num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 16}
        config = BertConfig(vocab_size=len(tokenizer), num_hidden_layers=1, **heads)
        BertLMHeadModel(config).save_pretrained(folder)
    GenerationConfig(eos_token_id=1, pad_token_id=0, **FORCED).save_pretrained(folder)
    return f"encoder:{folder}" if kind == "encoder" else str(folder)


@pytest.mark.parametrize("kind", ["bart", "causal", "encoder"])
def test_decoding_settings_of_a_base_do_not_change_what_its_student_writes(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    base = open_base(base_with_settings(request, kind, tmp_path / "base"), list)
    model = base.model.eval()
    for weights in model.parameters():
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.3)
    codec = Codec(base.tokenizer, base.kind, 64, 16, 24)
    training = LocalStudent(model, codec).generate_labels(TEXTS)
    save_student(tmp_path / "s", model, codec, {})
    student = load_student(tmp_path / "s", "cpu")
    saved = student.generate_labels(TEXTS)
    assert [one.text for one in training] == [one.text for one in saved]
    rows = [codec.encode_prompt("label", text)[0] for text in TEXTS[1:3]]
    pairs = codec.pad(rows, [[], []])
    first = getattr(model.config, "decoder_start_token_id", None)
    start = None if base.kind == "causal" else torch.tensor([[first]] * 2)
    prompts = EncodedPrompts(pairs.prompt_ids, pairs.prompt_mask, start, 1, 0)
    for opened_model in (model, student.model):
        assert drops_rows_alike(opened_model, base.kind, prompts)
        kept = opened_model.generation_config.to_dict()
        assert {name for name in FORCED if name != "num_beams" and kept.get(name)} == set()
    assert student.model.generation_config.max_new_tokens == 24
