"""The tokens of a text with their log-probabilities, as servers return them.

Two forms are read of a completion: that of chat completions (``logprobs.content``) and the older
one of completions (``logprobs.tokens``). A token without a usable number ends the list. Of a
prompt, vLLM returns ``prompt_logprobs``, and the completions API returns the prompt with its
completion (``echo``). All values are untrusted.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Token", "has_logprobs", "read_prompt_tokens", "read_tokens"]

_MOST_ALTERNATIVES = 200

# How byte-level BPE and SentencePiece spell white space, in servers that do not decode tokens.
_SPELLINGS = str.maketrans({"\u0120": " ", "\u2581": " ", "\u010a": "\n"})


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a completion.

    Attributes:
        text: the text that it adds; empty if a later token completes a character.
        log_prob: its log-probability in nats, at most 0.
        raw_top: the most probable tokens of its position, as the server returned them.
        number: its number in the vocabulary, as text; empty if the server does not give it.
    """

    text: str
    log_prob: float
    raw_top: Any = None
    number: str = ""

    def alternatives(self) -> dict[str, float]:
        """Return the probability of each text at this position that the server lists.

        Different tokens of the same text are added up. The token itself is among them.
        """
        found: dict[str, float] = {}
        is_listed = False
        for text, log_prob in _listed(self.raw_top):
            found[text] = found.get(text, 0.0) + math.exp(log_prob)
            is_listed = is_listed or text == self.text
        if not is_listed:  # it was drawn, but is not among the most probable ones
            found[self.text] = math.exp(self.log_prob)
        return found


def has_logprobs(answer: Mapping[str, Any]) -> bool:
    """Tell whether a parsed chat completion holds log-probabilities of its first choice."""
    return bool(read_tokens(answer["choices"][0].get("logprobs")))


def read_tokens(logprobs: Any) -> tuple[Token, ...]:
    """Read the tokens of a completion; empty if there are none.

    Args:
        logprobs: the field of that name, of one choice.
    """
    if not isinstance(logprobs, Mapping):
        return ()
    content = logprobs.get("content")
    if isinstance(content, list):
        return tuple(_read(content))
    names = ("tokens", "token_logprobs", "top_logprobs")
    texts, numbers, tops = (logprobs.get(name) for name in names)
    if not isinstance(texts, list) or not isinstance(numbers, list):
        return ()
    tops = tops if isinstance(tops, list) else []
    items = [
        {"token": text, "logprob": number, "top_logprobs": tops[index] if index < len(tops) else ()}
        for index, (text, number) in enumerate(zip(texts, numbers, strict=False))
    ]
    return tuple(_read(items))


def read_prompt_tokens(answer: Mapping[str, Any]) -> tuple[Token, ...]:
    """Read the tokens of the prompt in a completion that was asked for them; empty if not all are.

    The first token has no probability; it counts as certain.

    Args:
        answer: the response: a chat completion with ``prompt_logprobs``, or a completion that
            repeats its prompt.
    """
    choice = answer["choices"][0]
    for holder in (answer, choice):
        if isinstance(listed := holder.get("prompt_logprobs"), list):
            return _whole(_read_listed(listed), len(listed))
    logprobs = choice.get("logprobs")
    if not isinstance(logprobs, Mapping):
        return ()
    texts, numbers = (logprobs.get(name) for name in ("tokens", "token_logprobs"))
    if not isinstance(texts, list) or not isinstance(numbers, list):
        return ()
    items = [
        {"token": text, "logprob": number if index or number is not None else 0.0}
        for index, (text, number) in enumerate(zip(texts, numbers, strict=False))
    ]
    found = _whole(_read(items), len(texts))
    return found[: max(0, len(found) - _written(answer))]


def _written(answer: Mapping[str, Any]) -> int:
    """Return the number of tokens behind the prompt: one was asked for, but it may be left out."""
    usage = answer.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, Mapping) else None
    return 0 if type(count) is int and count == 0 else 1


def _whole(tokens: Iterator[Token], count: int) -> tuple[Token, ...]:
    found = tuple(tokens)
    return found if len(found) == count else ()


def _read_listed(positions: Sequence[Any]) -> Iterator[Token]:
    """Read ``prompt_logprobs``: for each position tokens by number, the prompt's own one first.

    The first position is null; in the journal, all positions before the answer are.
    """
    is_begun = False
    for position in positions:
        if position is None and not is_begun:
            yield Token("", 0.0)
            continue
        is_begun = True
        if not isinstance(position, Mapping) or not position:
            return
        number, item = next(iter(position.items()))
        if not isinstance(item, Mapping):
            return
        log_prob, text = _log_prob(item.get("logprob")), item.get("decoded_token")
        if log_prob is None:
            return
        yield Token(text if isinstance(text, str) else "", log_prob, number=str(number))


def _read(items: Sequence[Any]) -> Iterator[Token]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for item in items:
        if not isinstance(item, Mapping) or not isinstance(item.get("token"), str):
            return
        log_prob = _log_prob(item.get("logprob"))
        if log_prob is None:
            return
        raw = _bytes(item.get("bytes"))
        text = _spelt(item["token"]) if raw is None else decoder.decode(raw)
        yield Token(text, log_prob, item.get("top_logprobs"))


def _listed(top: Any) -> Iterator[tuple[str, float]]:
    """Yield the texts of a list of alternatives with their log-probabilities."""
    if isinstance(top, Mapping):
        top = [{"token": text, "logprob": number} for text, number in top.items()]
    for item in top[:_MOST_ALTERNATIVES] if isinstance(top, list) else ():
        if not isinstance(item, Mapping) or not isinstance(item.get("token"), str):
            continue
        log_prob = _log_prob(item.get("logprob"))
        if log_prob is not None:
            raw = _bytes(item.get("bytes"))
            yield _spelt(item["token"]) if raw is None else raw.decode("utf-8", "replace"), log_prob


def _log_prob(value: Any) -> float | None:
    """Return a log-probability; rounding may have made it slightly positive."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value <= 0.01:
        return None
    return min(0.0, float(value)) if value > -1e9 else -1e9  # exp() of it is 0


def _bytes(values: Any) -> bytes | None:
    if not isinstance(values, list):
        return None
    try:
        return bytes(values)
    except (TypeError, ValueError):
        return None


def _spelt(text: str) -> str:
    return text if text.isascii() else text.translate(_SPELLINGS)
