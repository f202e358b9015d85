"""First step: separate a completion's text from thoughts and from chat tokens of the server.

Thoughts are in tags (``<think>``, ``[THINK]``), in channels (``<|channel|>analysis<|message|>``)
or, without their special tokens, behind the channel's name. An answer's text ends at the first
token that ends a turn.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mitools.reading.characters import without_invisible

__all__ = ["Cleaned", "clean"]


class Cleaned(NamedTuple):
    """A completion in two parts.

    Attributes:
        text: the model's answer.
        thoughts: its thoughts before that; empty if there are none.
    """

    text: str
    thoughts: str


_TAG_NAME = r"(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad)"
_TAG = re.compile(
    rf"<(?P<close>/?){_TAG_NAME}>|\[(?P<square>/?)THINK(?:ING)?\]"
    r"|<\|(?:begin|(?P<ended>end))_of_thought\|>|\u25c1(?P<arrow>/?)think\u25b7",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<\|channel\|>\s{0,8}(\w+)[^<]{0,80}<\|message\|>")
_BARE_CHANNEL = re.compile(r"\s{0,8}analysis(?=[A-Z\s])")
_BARE_FINAL = "assistantfinal"
_SPECIAL = r"<[|\uff5c][\w\u2581.]{1,40}[|\uff5c]>"
_OPENING = re.compile(
    r"(?:\s|<s>|<bos>|<\|begin_of_solution\|>|<start_of_turn>(?:model)?|\[INST\]|\[/INST\]"
    r"|<\|start_header_id\|>\s?assistant\s?<\|end_header_id\|>"
    r"|<\|(?:im_start|start)\|>(?:assistant)?|<\|(?:assistant|begin_of_text|startoftext|bot)\|>)+",
    re.IGNORECASE,
)
_END = re.compile(
    rf"{_SPECIAL}|</s>|<eos>|<end_of_turn>|<start_of_turn>|\[/?INST\]|</?assistant>|<pad>",
    re.IGNORECASE,
)


def clean(text: str) -> Cleaned:
    """Separate thoughts and chat tokens from a completion's text.

    All thoughts are removed, nested or not. A thought without an end tag reaches to the end of the
    text; one without a start tag begins at its start.
    """
    text = without_invisible(text)
    thoughts = ""
    if "<|channel|>" in text:
        text, thoughts = _split_channels(text)
    elif _BARE_FINAL in text and _BARE_CHANNEL.match(text):
        before, _, after = text.rpartition(_BARE_FINAL)
        text, thoughts = after, _BARE_CHANNEL.sub("", before, count=1)
    if "<" in text or "[" in text or "\u25c1" in text:
        text, tagged = _split_tags(text)
        thoughts = f"{thoughts}\n{tagged}".strip() if tagged else thoughts
        text = _without_tokens(text)
    return Cleaned(text.strip(), thoughts.strip())


def _split_channels(text: str) -> tuple[str, str]:
    """Keep the last final channel; the others hold thoughts."""
    channels = list(_CHANNEL.finditer(text))
    if not channels:
        return text, ""
    said, thoughts = [text[: channels[0].start()]], []
    ends = [*(match.start() for match in channels[1:]), len(text)]
    for match, end in zip(channels, ends, strict=True):
        part = text[match.end() : end]
        closing = _END.search(part)
        part = part[: closing.start()] if closing else part
        if match[1].lower() == "final":
            said = [part]
        else:
            thoughts.append(part.strip())
    return "".join(said), "\n".join(thoughts)


def _split_tags(text: str) -> tuple[str, str]:
    said: list[str] = []
    thought: list[str] = []
    depth = position = 0
    for match in _TAG.finditer(text):
        part = text[position : match.start()]
        position = match.end()
        if depth:
            thought.append(part)
        else:
            said.append(part)
        if match["close"] or match["square"] or match["ended"] or match["arrow"]:
            if not depth:  # never opened: all up to here was thought
                thought += said
                said = []
            depth = max(0, depth - 1)
        else:
            depth += 1
    (thought if depth else said).append(text[position:])
    return "".join(said), "\n".join(part.strip() for part in thought if part.strip())


def _without_tokens(text: str) -> str:
    opening = _OPENING.match(text)
    if opening:
        text = text[opening.end() :]
    end = _END.search(text)
    return text[: end.start()] if end else text
