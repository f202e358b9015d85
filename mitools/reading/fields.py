"""Answers in a field: a JSON object, fenced or not, or an ``<answer>`` tag."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from mitools.reading.characters import word_set

__all__ = ["LIKELY_NAMES", "FieldAnswer", "answer_field"]

_MOST_OBJECTS = 8
_NAMES = word_set(
    "answer finalanswer correctanswer label choice prediction result theanswer predictedlabel"
    " verdict answerletter correctoption correctchoice option ans solution"
)
LIKELY_NAMES = word_set(
    "category class classification intent sentiment topic emotion tag department priority severity"
    " stance decision rating stars"
)
"""Names of an answer where no other one is there, of a field in JSON or of a line."""

_BEFORE_NAME = re.compile(r"\A(?:predicted|final|the|main|primary)(?=.)")
_REASONS = word_set(
    "reasoning rationale explanation thought thoughts steps analysis justification reason why"
    " thinking chainofthought stepbystep"
)
_SCORES = word_set("score probability prob likelihood confidence")
_TAG = re.compile(
    r"<(?P<name>(?:final[_-]?)?answer|label|ans|choice|final)>(?P<held>.*?)(?:</(?P=name)>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_LOOSE = re.compile(
    r"""["'](?:final[_ ]?|correct[_ ]?)?(?:answer|label)["']\s{0,4}:\s{0,4}
        (?:"(?P<double>[^"\n]{1,300})"|'(?P<single>[^'\n]{1,300})'|(?P<bare>-?[\w./]{1,60}))""",
    re.IGNORECASE | re.VERBOSE,
)
_BEHIND = re.compile(r"\s{0,80}(?:`{3,8}|~{3,8})?\s{0,80}\Z")
_OBJECT = re.compile(r"\{(?=\s{0,80}\")")


@dataclass(frozen=True, slots=True)
class FieldAnswer:
    """A field that holds the answer.

    Attributes:
        text: its content as text; empty for null or a structure.
        begin: where the object or tag begins.
        end: where it ends.
        rationale: the content of a field for reasons beside it.
        is_likely: whether only the content can tell that it is an answer.
        score: a number beside it that says how probable it is.
        held: where the content begins and ends, without the quotes around it.
    """

    text: str
    begin: int
    end: int
    rationale: str = ""
    is_likely: bool = False
    score: float | None = None
    held: tuple[int, int] | None = None


_DECODER = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=list
)


def answer_field(text: str, folded: str) -> FieldAnswer | None:
    """Find the last field for an answer in a completion."""
    if "{" in text:
        field = _json_field(text)
        if field is not None:
            return field
    if "<" in text and (
        "answer>" in folded
        or "label>" in folded
        or "ans>" in folded
        or "choice>" in folded
        or "<final>" in folded
    ):
        return _tag_field(text, folded)
    return None


def _json_field(text: str) -> FieldAnswer | None:
    field = None
    place = last = 0
    for _ in range(_MOST_OBJECTS):
        match = _OBJECT.search(text, place)
        if match is None:
            break
        place = match.end()
        try:
            pairs, end = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        place = end
        found = _of_object(pairs, text, match.start(), end)
        if found is not None and found.is_likely and (field or _BEHIND.match(text, end) is None):
            found = None
        is_next = text[last : match.start()].strip() == ","
        last = end
        if found is not None and not (is_next and _is_less_probable(found, field)):
            field = found
    if field is None and "answer" in text.lower():
        for match in list(_LOOSE.finditer(text))[-1:]:
            way = str(match.lastgroup)
            begin = text.rfind("{", 0, match.start())
            if begin >= 0:
                return FieldAnswer(match[way], begin, len(text), held=match.span(way))
    return field


def _is_less_probable(found: FieldAnswer, before: FieldAnswer | None) -> bool:
    """Return whether an object of a list has a lower score than the one chosen before it."""
    if before is None or before.score is None or found.score is None:
        return False
    return found.score < before.score


def _of_object(pairs: Any, text: str, begin: int, end: int) -> FieldAnswer | None:
    if not isinstance(pairs, list):
        return None
    held: int | None = None
    likely: list[int] = []
    reasons = ""
    score: float | None = None
    for number, pair in enumerate(pairs):
        if not (isinstance(pair, tuple) and len(pair) == 2):
            return None
        name = re.sub(r"[\s_-]", "", str(pair[0])).lower()
        if name in _NAMES:
            held = number
        elif name in _REASONS:
            reasons = _as_lines(pair[1])
        elif name in _SCORES:
            score = _as_number(pair[1])
        elif _BEFORE_NAME.sub("", name) in LIKELY_NAMES:
            likely.append(number)
    is_likely = held is None and len(likely) == 1
    chosen = likely[0] if is_likely else held
    if chosen is None:
        return None
    content, place = _as_text(pairs[chosen][1]), _content_at(text, begin, chosen)
    score = None if is_likely else score
    return FieldAnswer(content, begin, end, reasons, is_likely, score, place)


_MEMBER = re.compile(r'\s*[{,]\s*"(?:[^"\\]|\\.)*"\s*:\s*', re.DOTALL)


_QUOTES = re.compile(r'(?:\[\s*)?"(.*)"(?:\s*\])?\Z', re.DOTALL)


def _content_at(text: str, begin: int, number: int) -> tuple[int, int] | None:
    """Return where the content of one field of a JSON object stands, without its quotes.

    Args:
        text: holds the object, which is known to be valid.
        begin: where the object begins.
        number: of the field, from 0.
    """
    end = begin
    for count in range(number + 1):
        key = _MEMBER.match(text, end)
        if key is None:
            return None
        _, end = _DECODER.raw_decode(text, key.end())
        if count == number:
            quotes = _QUOTES.match(text, key.end(), end)
            return (key.end(), end) if quotes is None else quotes.span(1)
    return None


def _as_number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return value[0]
    return value if isinstance(value, str) else ""


def _as_lines(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return _as_text(value)


def _tag_field(text: str, folded: str) -> FieldAnswer | None:
    """Find the last pair of tags, without reading far behind one that is never closed."""
    begin = -1
    for name in ("answer", "final_answer", "final-answer", "label", "ans", "choice", "final"):
        place = folded.rfind(f"<{name}>")
        begin = max(begin, place)
    if begin < 0:
        return None
    match = _TAG.match(text, begin)
    if match is None or len(match["held"]) > 4000:
        return None
    held = match.span("held")
    return FieldAnswer(match["held"].strip(), match.start(), match.end(), held=held)
