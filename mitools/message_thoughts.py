"""The thoughts of a chat message, in all places where servers put them.

vLLM called the field ``reasoning_content`` and later ``reasoning`` (vllm-project/vllm#27755).
Mistral and Anthropic have parts of the content for them, OpenRouter ``reasoning_details``, LiteLLM
``thinking_blocks``. Thoughts inside the text are found by :mod:`mitools.reading`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["THOUGHT_FIELDS", "is_thought", "thoughts_of"]

THOUGHT_FIELDS = ("reasoning", "reasoning_content", "thinking")
"""Fields of a message that hold thoughts; servers use different names."""

_LISTS = ("reasoning_details", "thinking_blocks")
_TEXTS = ("thinking", "reasoning", "text", "content", "summary")
_TYPES = ("thinking", "reasoning", "redacted_thinking")
_DEEPEST = 4


def is_thought(part: Any) -> bool:
    """Tell whether a part of a message's content holds thoughts, not the answer."""
    if not isinstance(part, Mapping):
        return False
    kind = part.get("type")
    if isinstance(kind, str) and kind.partition(".")[0] in _TYPES:
        return True
    return "thinking" in part and "text" not in part


def thoughts_of(message: Mapping[str, Any]) -> str:
    """Return the thoughts of a message; empty if it has none.

    Servers repeat the same thoughts in several places; the first place with a text counts. A field
    of a wrong type holds none.
    """
    return next(filter(None, (text.strip() for text in _places(message))), "")


def _places(message: Mapping[str, Any]) -> Iterator[str]:
    for name in THOUGHT_FIELDS:
        yield _text_of(message.get(name))
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    yield _joined(filter(is_thought, parts))
    for name in _LISTS:
        details = message.get(name)
        yield _joined(details) if isinstance(details, list) else ""


def _joined(parts: Any) -> str:
    texts = (_text_of(part).strip() for part in parts)
    return "\n".join(filter(None, texts))


def _text_of(value: Any, depth: int = 0) -> str:
    """Return the text of a value: of a text, a part, or a list of pieces."""
    if isinstance(value, str):
        return value
    if depth == _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(_text_of(piece, depth + 1) for piece in value)
    if isinstance(value, Mapping):
        texts = (_text_of(value.get(name), depth + 1) for name in _TEXTS)
        return next(filter(None, texts), "")
    return ""
