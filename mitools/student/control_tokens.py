"""Control tokens of a tokenizer, such as its end token, which a text may spell.

A tokenizer reads ``</s>`` in a text as its end token unless it is told not to. Some do so even
then: the vocabulary of a Unigram model (T5), and the merges of a converted SentencePiece model,
hold the token as if it were a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["ControlTokens"]


@dataclass(frozen=True)
class ControlTokens:
    """The tokens that a label or rationale never contains before its end.

    Attributes:
        tokenizer: a transformers tokenizer.
        ids: its special tokens, without the one for unknown characters, which texts do become.
    """

    tokenizer: Any
    ids: frozenset[int]

    @classmethod
    def of(cls, tokenizer: Any) -> ControlTokens:
        """Find the control tokens of a tokenizer; the end token is always one."""
        added = getattr(tokenizer, "added_tokens_decoder", {})
        special = {index for index, token in added.items() if token.special}
        special |= set(tokenizer.all_special_ids)
        special.discard(tokenizer.unk_token_id)
        return cls(tokenizer, frozenset({*special, tokenizer.eos_token_id}))

    def count(self, ids: Iterable[int]) -> int:
        """Count the control tokens in a sequence."""
        return sum(map(self.ids.__contains__, ids))

    def encode_text(self, texts: list[str]) -> list[list[int]]:
        """Encode texts so that none becomes a control token; without the tokens around a text.

        A text that spells none has the ids that the tokenizer gives it. A token that is spelled is
        encoded as its characters, and decoding returns them where the vocabulary has them.
        """
        encoded = self.tokenizer(texts, add_special_tokens=False, split_special_tokens=True)
        found: list[list[int]] = encoded["input_ids"]
        return [ids if self.ids.isdisjoint(ids) else list(self._spell(ids)) for ids in found]

    def _spell(self, ids: Iterable[int]) -> Iterator[int]:
        """Replace each control token by the tokens of its characters."""
        for index in ids:
            if index not in self.ids:
                yield index
                continue
            for character in str(self.tokenizer.convert_ids_to_tokens(index)):
                yield from (one for one in self._tokens_of(character) if one not in self.ids)

    def _tokens_of(self, character: str) -> list[int]:
        unknown = self.tokenizer.unk_token_id
        found = self.tokenizer.convert_tokens_to_ids(character)
        if found not in (None, unknown):
            return [found]
        names = [f"<0x{byte:02X}>" for byte in character.encode("utf-8", "replace")]
        as_bytes = [self.tokenizer.convert_tokens_to_ids(name) for name in names]
        if all(index not in (None, unknown) for index in as_bytes):
            return as_bytes
        return [] if unknown is None else [unknown]
