"""Tokens of a rationale that belong to words of its label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

__all__ = ["blank_token", "label_word_marks"]

# The space before a word in the vocabularies of SentencePiece and of byte-level BPE.
_SPACES = str.maketrans({"▁": " ", "Ġ": " ", "Ċ": "\n"})
_WORD = re.compile(r"\w+(?:[.,]\w+)*")


def label_word_marks(
    tokenizer: Any, label_ids: Sequence[int], rationale_ids: Sequence[int]
) -> list[int]:
    """Mark the tokens of a rationale that belong to words of its label.

    Words are compared as text, without case: a tokenizer may split a word differently at the
    beginning of a text and behind a space. Punctuation is not a word.

    Returns:
        1 for each token that has a part of such a word, else 0.
    """
    label = "".join(_pieces(tokenizer, label_ids))
    wanted = {word.casefold() for word in _WORD.findall(label)}
    pieces = _pieces(tokenizer, rationale_ids)
    spans = [m.span() for m in _WORD.finditer("".join(pieces)) if m[0].casefold() in wanted]
    marks, end = [], 0
    for piece in pieces:
        start, end = end, end + len(piece)
        first = start + len(piece) - len(piece.lstrip())
        marks.append(int(any(low < end and first < high for low, high in spans)))
    return marks


def _pieces(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Return the text of each token, with the space before it; a space for special tokens."""
    special = set(tokenizer.all_special_ids)
    tokens = tokenizer.convert_ids_to_tokens(list(ids))
    return [
        " " if index in special else str(token).translate(_SPACES)
        for index, token in zip(ids, tokens, strict=True)
    ]


def blank_token(tokenizer: Any) -> int:
    """Return the token that replaces masked words: an underscore, else the padding token."""
    ids: list[int] = tokenizer("_", add_special_tokens=False)["input_ids"]
    known = [index for index in ids if index != tokenizer.unk_token_id]
    return known[-1] if known else int(tokenizer.pad_token_id)
