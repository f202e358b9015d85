"""The chat template of a student: a chat API that renders it makes the student's own prompts.

A server such as ``transformers serve`` reads the template from the tokenizer's
folder. The last user message is the input, as :func:`mitools.records.student_text` makes it. The
task is ``predict``, or ``explain`` where the system message is that word, or where the option
``task`` (``chat_template_kwargs``) says so. Any other system message is ignored. A student of one
pass has one prompt, whatever the task.

A template cannot cut an input to ``max_input_tokens``, and a server stops at the first end token:
of a student that outputs two texts in one pass it returns the first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mitools.student.codec import Codec
from mitools.student.layout import PREFIXES, Purpose

__all__ = ["chat_template", "chat_text", "set_chat_template", "task_name"]

_TEMPLATE = """\
{{%- set found = namespace(input=none, task=task | default('{label}', true)) -%}}
{{%- for message in messages -%}}
    {{%- set parts = namespace(text='') -%}}
    {{%- if message['content'] is string -%}}
        {{%- set parts.text = message['content'] -%}}
    {{%- elif message['content'] -%}}
        {{%- for part in message['content'] if part['type'] == 'text' -%}}
            {{%- set parts.text = parts.text + part['text'] -%}}
        {{%- endfor -%}}
    {{%- endif -%}}
    {{%- if message['role'] == 'user' -%}}
        {{%- set found.input = parts.text -%}}
    {{%- elif message['role'] == 'system' and not task -%}}
        {{%- set word = parts.text | trim | lower -%}}
        {{%- if word in ['{label}', '{rationale}'] -%}}
            {{%- set found.task = word -%}}
        {{%- endif -%}}
    {{%- endif -%}}
{{%- endfor -%}}
{{%- if found.input is none -%}}
    {{{{- raise_exception('the messages hold no user message') -}}}}
{{%- endif -%}}
{{%- if found.task == '{label}' -%}}
    {{{{- {label_lead} + found.input + {label_tail} -}}}}
{{%- elif found.task == '{rationale}' -%}}
    {{{{- {rationale_lead} + found.input + {rationale_tail} -}}}}
{{%- else -%}}
    {{{{- raise_exception('task must be "{label}" or "{rationale}"') -}}}}
{{%- endif -%}}"""

# Inputs that tokenizers treat differently at the ends of a prompt.
_TRIED = (
    "How many are left?",
    "12 + 3",
    "  A fish lives where? ",
    "first\n\nsecond\n",
    "",
    "Ünïcode – 東京 🙂",
    "(a) sea.",
    "x",
)

_UNBOUNDED = 1 << 20


def task_name(purpose: Purpose) -> str:
    """Return the name by which a chat API asks for a task: ``predict`` or ``explain``."""
    return PREFIXES[purpose].strip(": ")


def chat_template(codec: Codec, opening: str) -> str:
    """Write the Jinja template of a student's prompts.

    Args:
        opening: text of the tokens before each prompt, such as ``<s>``.
    """
    values: dict[str, str] = {}
    for purpose in PREFIXES:
        values[purpose] = task_name(purpose)
        values[f"{purpose}_lead"] = _quoted(opening + codec.lead(purpose))
        values[f"{purpose}_tail"] = _quoted(codec.tail(purpose))
    return _TEMPLATE.format(**values)


def chat_text(codec: Codec, purpose: Purpose, text: str, opening: str = "") -> str:
    """Return what the template renders for an input."""
    return opening + codec.lead(purpose) + text + codec.tail(purpose)


def set_chat_template(codec: Codec) -> bool:
    """Give a student's tokenizer the template of its prompts, or none.

    The template of the base model is dropped in any case: the student was not trained on it.

    Returns:
        Whether the tokenizer has a template that makes the student's prompts, token for token. It
        has none for encoder-decoder students, whose servers have no chat API, and where the
        tokenizer encodes a rendered prompt in another way.
    """
    tokenizer = codec.tokenizer
    tokenizer.chat_template = None
    if codec.kind == "seq2seq" or not codec.joins_prompt:
        return False
    for opening in _openings(tokenizer):
        if _encodes_alike(codec, opening):
            tokenizer.chat_template = chat_template(codec, opening)
            return True
    return False


def _openings(tokenizer: Any) -> Iterator[str]:
    """Give texts that may encode to the tokens that a tokenizer puts before a text."""
    ids = tokenizer("x", add_special_tokens=True)["input_ids"]
    bare = tokenizer("x", add_special_tokens=False)["input_ids"]
    count = next((n for n in range(len(ids)) if ids[n : n + len(bare)] == bare), 0)
    text = "".join(map(str, tokenizer.convert_ids_to_tokens(ids[:count])))
    yield text
    if text:  # SentencePiece models put a space before the first word, but not behind a token
        yield f"{text} "


def _encodes_alike(codec: Codec, opening: str) -> bool:
    codec = replace(codec, max_input_tokens=_UNBOUNDED)
    for purpose in PREFIXES:
        texts = [chat_text(codec, purpose, text, opening) for text in _TRIED]
        found: Mapping[str, Any] = codec.tokenizer(texts, add_special_tokens=False)
        expected = [ids for ids, _ in codec.encode_prompts(purpose, _TRIED)]
        if any(a != b for a, b in zip(found["input_ids"], expected, strict=True)):
            return False
    return True


def _quoted(text: str) -> str:
    """Write a Jinja string literal; JSON's escapes mean the same there."""
    return json.dumps(text, ensure_ascii=False)
