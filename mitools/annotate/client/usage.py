"""Token counts that a server claims in ``usage``, checked against the text of the answer.

The bill may differ from ``usage``: some servers omit it, send invalid values, or count fewer tokens
than they bill. The text of the answer bounds the true count from below, the request from above.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from mitools.message_thoughts import THOUGHT_FIELDS

__all__ = ["Claim", "claim_of", "fewest_tokens", "likely_tokens", "read_usage"]

_NAMES = ("prompt_tokens", "completion_tokens")
_MOST_PLAUSIBLE = 10_000_000  # tokens; above every model's context window

# Most tokenizers split at white space first, so a word takes at least one token; those that merge
# across words save up to a third of the tokens (SuperBPE, arXiv 2503.13423).
_FEWEST_A_WORD = 0.75
_MOST_BYTES_A_TOKEN = 16  # averages are 3 to 5, and up to 12 in some non-Latin scripts
_LIKELY_BYTES_A_TOKEN = 3


def read_usage(usage: Any) -> dict[str, int] | None:
    """Read plausible token counts; None if there is none.

    Booleans, negative numbers, fractions, and numbers above every context window are not plausible.
    Some servers omit thoughts from ``completion_tokens`` but bill them; they are in
    ``total_tokens``, and count here.
    """
    if not isinstance(usage, Mapping):
        return None
    counts = {name: usage[name] for name in _NAMES if _is_count(usage.get(name))}
    if len(counts) == len(_NAMES) and _is_count(total := usage.get("total_tokens")):
        prompt, written = (counts[name] for name in _NAMES)
        counts["completion_tokens"] = max(written, total - prompt)
    return counts or None


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MOST_PLAUSIBLE


def fewest_tokens(text: str) -> int:
    """Bound the tokens of a text from below, for any tokenizer."""
    words = text.split()
    size = sum(map(len, words)) if text.isascii() else len(_encoded("".join(words)))
    return max(int(_FEWEST_A_WORD * len(words)), size // _MOST_BYTES_A_TOKEN)


def likely_tokens(text: str) -> int:
    """Estimate the tokens of a text, on the high side."""
    return max(len(text.split()), -(-len(_encoded(text)) // _LIKELY_BYTES_A_TOKEN))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Claim:
    """The token counts of one answer, as claimed and as bounded by its text.

    Attributes:
        prompt: prompt tokens as claimed; None if not given.
        written: completion tokens as claimed, with thoughts; None if not given.
        fewest_written: a lower bound on completion tokens, from the text.
        likely_written: an estimate of completion tokens, from the text.
        is_unwritten: whether the answer has no message, so that no token may have been written.
    """

    prompt: int | None
    written: int | None
    fewest_written: int
    likely_written: int
    is_unwritten: bool = False

    def doubt(self, fewest_prompt: int) -> str:
        """Return why the claim is not plausible; empty if it is.

        Args:
            fewest_prompt: a lower bound on prompt tokens.
        """
        counts = (
            ("prompt", self.prompt, max(1, fewest_prompt)),
            ("completion", self.written, 0 if self.is_unwritten else max(1, self.fewest_written)),
        )
        for name, count, fewest in counts:
            if count is None:
                return f"no count of {name} tokens"
            if count < fewest:
                return f"{count:,} {name} tokens for a text of {fewest:,} or more"
        return ""


def claim_of(answer: Mapping[str, Any]) -> Claim:
    """Read the claim in a chat completion; never raises."""
    counts = read_usage(answer.get("usage")) or {}
    prompt, written = counts.get("prompt_tokens"), counts.get("completion_tokens")
    choices = answer.get("choices")
    texts = list(_texts(choices))
    return Claim(
        prompt,
        written,
        sum(map(fewest_tokens, texts)),
        sum(map(likely_tokens, texts)),
        _have_no_message(choices),
    )


def _have_no_message(choices: Any) -> bool:
    """Tell whether all choices lack a message, as those of a blocked prompt do."""
    if not isinstance(choices, list) or not choices:
        return False
    return all(isinstance(choice, Mapping) and choice.get("message") is None for choice in choices)


def _texts(choices: Any) -> Iterator[str]:
    """Yield the generated text of all choices, as all are billed."""
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get("message") if isinstance(choice, Mapping) else None
        if not isinstance(message, Mapping):
            continue
        yield _flat(message.get("content"))
        yield _flat(message.get("refusal"))
        # Servers may repeat the same thoughts in several fields.
        yield max((_flat(message.get(name)) for name in THOUGHT_FIELDS), key=len)
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, Mapping) else None
            yield _flat(function.get("arguments")) if isinstance(function, Mapping) else ""


def _flat(content: Any) -> str:
    """Join a field that is a text or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "".join(text for text in texts if isinstance(text, str))
