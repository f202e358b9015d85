"""Words of the label in a rationale: found as text, whatever tokens they are cut into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.student.base.open_base import open_checkpoint
from mitools.train.label_words import blank_token, label_word_marks


class Pieces:
    """A tokenizer whose tokens are written as its vocabulary has them."""

    all_special_ids = (0, 1)
    pad_token_id, unk_token_id = 0, 1

    def __init__(self, *tokens: str) -> None:
        self.tokens = ("<pad>", "<unk>", *tokens)

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [self.tokens[index] for index in ids]

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [self.tokens.index(text) if text in self.tokens else 1]}

    def find(self, *tokens: str) -> list[int]:
        return [self.tokens.index(token) for token in tokens]


@pytest.mark.parametrize("space", ["▁", "Ġ"], ids=["SentencePiece", "byte-level"])
def test_a_word_cut_differently_behind_a_space_is_found(space: str) -> None:
    pieces = Pieces("ban", "k", f"{space}bank", f"{space}A", f"{space}Ban", "king", f"{space}is")
    label = pieces.find("ban", "k")
    told = pieces.find(f"{space}A", f"{space}bank", f"{space}is", f"{space}Ban", "k", "king")
    assert label_word_marks(pieces, label, told) == [0, 1, 0, 0, 0, 0]  # "Bankking" is another word
    assert label_word_marks(pieces, label, told[:-1]) == [0, 1, 0, 1, 1]


def test_a_number_is_a_word_of_its_own() -> None:
    pieces = Pieces("3", "▁3", "▁3", "8", ".", "5", "▁+", "▁(")
    label = pieces.find("▁(", "▁3", "▁+")
    told = [*pieces.find("▁3", "▁+", "▁("), 4, 5, *pieces.find("▁3", ".", "5", "▁3")]
    #      3    +   (   38        3.5       3; punctuation is no word
    assert label_word_marks(pieces, label, told) == [1, 0, 0, 0, 0, 0, 0, 0, 1]


def test_special_tokens_and_missing_texts_have_no_words() -> None:
    pieces = Pieces("a")
    assert label_word_marks(pieces, [0, 1], [0, 1, 2]) == [0, 0, 0]
    assert label_word_marks(pieces, [], [2]) == [0]
    assert label_word_marks(pieces, [2], []) == []


@pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
def test_real_tokens_are_marked(request: pytest.FixtureRequest, kind: str) -> None:
    folder: Path = request.getfixturevalue(kind)
    tokenizer: Any = open_checkpoint(str(folder), kind).tokenizer

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    told = encode("Ann has 3 pears and gets 7.")
    marks = label_word_marks(tokenizer, encode("pears 7"), told)
    kept = [token for token, mark in zip(told, marks, strict=True) if not mark]
    assert "pears" in tokenizer.decode(told)
    assert not {"pears", "7"} & set(tokenizer.decode(kept).replace(".", " ").split())
    assert {"Ann", "has", "3", "and", "gets"} <= set(tokenizer.decode(kept).split())


def test_the_blank_is_an_underscore_where_there_is_one() -> None:
    assert blank_token(Pieces("_")) == 2
    assert blank_token(Pieces("a")) == 0
