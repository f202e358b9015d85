"""The server's words: what any body says went wrong, found in one place and on one line.

Bodies come as OpenAI's error object, a ``detail`` of FastAPI (a text, or a list of pydantic's
errors), RFC 9457 problem details, a list, an event stream, an HTML page or plain text. Every text
here is a server's and hostile: work is linear in its length, which is bounded, and what could drive
a terminal is spelt out. Knows no network.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mitools.escape import visible

__all__ = ["ServerWords", "find_words", "short_line", "words_in"]

_LONGEST = 400  # characters of a message
_LONGEST_FIELD = 80  # characters of a code, a type or a parameter's name
_MOST_READ = 65_536  # characters of a text that is not JSON
_MOST_JSON = 1 << 20  # characters of an error that is
_DEEPEST = 8
_MOST_ITEMS = 3  # errors of a list that are told
_MOST_EVENTS = 200

_MESSAGES = ("message", "detail", "msg", "error_description", "title", "description", "reason")
_UNSEEN_TAGS = ("script", "style", "head", "noscript", "template")


@dataclass(frozen=True, slots=True)
class ServerWords:
    """What a server said.

    Attributes:
        text: for people, on one line; empty where nothing was said.
        code: a machine's name of the error, such as ``model_not_found`` or ``429``.
        kind: ``error.type``, such as ``insufficient_quota``.
        param: the field of the request that is to blame.
        form: ``json``, ``page`` (HTML), ``events`` (an event stream), ``text`` or ``nothing``.
    """

    text: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""
    form: str = "nothing"


def short_line(text: str, longest: int = _LONGEST) -> str:
    """Make a text one visible line of bounded length."""
    line = visible(" ".join(text[: 8 * longest].split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def find_words(body: str) -> ServerWords:
    """Find what a body says went wrong."""
    text = body.lstrip("\ufeff \t\r\n")
    if not text:
        return ServerWords()
    if text[0] in '{["' and len(text) <= _MOST_JSON:
        try:
            return words_in(json.loads(text))
        except (ValueError, RecursionError):
            pass
    head = text[:_MOST_READ]
    if re.match(r"(?:data|event|id|retry|):", head) and (events := _in_events(head)) is not None:
        return events
    if re.match(r"<[a-z!?/]", head, re.IGNORECASE):
        is_page = re.search(r"<(?:!doctype html|html|head|body)\b", head[:2000], re.IGNORECASE)
        return ServerWords(_page_text(head) or short_line(head), form="page" if is_page else "text")
    return ServerWords(short_line(head), form="text")


def words_in(value: Any) -> ServerWords:
    """Find what a value that was read from JSON says went wrong."""
    error = _error_in(value)
    fields = error if isinstance(error, Mapping) else {}
    code, kind = fields.get("code"), fields.get("type") or fields.get("status")
    return ServerWords(
        text=short_line(_said(error, 0)),
        code=_name(code if code is not None else fields.get("status")),
        kind=_name(kind),
        param=_name(fields.get("param")),
        form="json",
    )


def _error_in(value: Any) -> Any:
    """Give the part that speaks of the error, which may lie in a list or a choice."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return _error_in(value[0]) if "error" in value[0] else value
    if not isinstance(value, Mapping):
        return value
    inner = value.get("error") or value.get("errors")
    if isinstance(inner, Mapping):
        return inner
    if isinstance(inner, list) and inner:
        return inner[0] if isinstance(inner[0], Mapping) else inner
    return value


def _said(value: Any, depth: int) -> str:
    """Put into one text what a value says; empty where it holds no words."""
    if depth > _DEEPEST:
        return ""
    if isinstance(value, str):
        return _nested(value, depth)
    if isinstance(value, list):
        every = (_said(item, depth + 1) for item in value[:_MOST_ITEMS])
        return "; ".join(filter(None, every))
    if not isinstance(value, Mapping):
        return ""
    found = next(filter(None, (_said(value.get(name), depth + 1) for name in _MESSAGES)), "")
    if found and isinstance(value.get("loc"), list):  # pydantic's place of an error
        place = ".".join(str(part)[:_LONGEST_FIELD] for part in value["loc"][:_DEEPEST])
        return f"{place}: {found}"
    if found and value.get("title") == found and isinstance(value.get("detail"), str):
        return f"{found}: {value['detail']}"
    if found:
        return found + _upstream(value, depth)
    return _said(value.get("error"), depth + 1) if "error" in value else ""


def _nested(text: str, depth: int) -> str:
    """Look into a text that is JSON itself, as gateways pass on what they were told."""
    if text[:1] in "{[" and len(text) <= _MOST_READ:
        try:
            return _said(_error_in(json.loads(text)), depth + 1) or text
        except (ValueError, RecursionError):
            pass
    return text


def _upstream(error: Mapping[str, Any], depth: int) -> str:
    """Give the words of the server behind a gateway (OpenRouter's ``error.metadata.raw``)."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    said = _said(raw, depth + 1)
    return f": {said}" if said else ""


def _name(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int) and abs(value) >= 10**9:  # longer ones need not be printable
        return ""
    return short_line(str(value), _LONGEST_FIELD)


def _in_events(text: str) -> ServerWords | None:
    """Read an event stream: the first error in it, or else the text that it carries.

    None where there is no event in it.
    """
    carried: list[str] = []
    for number, line in enumerate(text.splitlines()):
        if number >= _MOST_EVENTS:
            break
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            carried.append("" if data == "[DONE]" else data)
            continue
        found = words_in(event)
        if found.text:
            return ServerWords(found.text, found.code, found.kind, found.param, "events")
        carried.append(_delta(event))
    return ServerWords(short_line("".join(carried)), form="events") if carried else None


def _delta(event: Any) -> str:
    try:
        content = event["choices"][0]["delta"]["content"]
    except (KeyError, IndexError, TypeError):
        return ""
    return content if isinstance(content, str) else ""


def _page_text(page: str) -> str:
    """Give the title of a page and the first of its text."""
    title, text, inside = "", [], ""
    size = 0
    for tag, words in _pieces(page):
        name = tag.split(maxsplit=1)[0].lower().rstrip("/") if tag.split() else ""
        if name == "title":
            title = title or words
        elif inside:
            inside = "" if name == f"/{inside}" else inside
        elif name in _UNSEEN_TAGS:
            inside = name
        if not inside and name != "title" and words and words != title:
            text.append(words)
            size += len(words)
            if size > _LONGEST:
                break
    return short_line(html.unescape(": ".join(filter(None, (title, " ".join(text))))))


def _pieces(page: str) -> Iterator[tuple[str, str]]:
    """Give each tag with the words that follow it."""
    for match in re.finditer(r"<([^<>]*)>([^<]*)", page):
        yield match[1], " ".join(match[2].split())
