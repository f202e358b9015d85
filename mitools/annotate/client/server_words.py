"""The error message in any body that a server sends, on one line.

Bodies are OpenAI's error object, a ``detail`` of FastAPI (a text, or a list of pydantic's errors),
RFC 9457 problem details, a list, an event stream, an HTML page or plain text. All text is hostile:
work is linear in its bounded length, and control characters are escaped. No network access.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mitools.escape import visible

__all__ = ["ServerWords", "find_words", "short_line", "words_in"]

_LONGEST = 400  # characters of a message
_LONGEST_FIELD = 80  # characters of a code, a type or a parameter's name
_MOST_READ = 65_536  # characters of a text that is not JSON
_MOST_JSON = 1 << 20  # characters of an error that is
_DEEPEST = 8
_MOST_ITEMS = 3  # errors of a list that are shown
_MOST_EVENTS = 200

_MESSAGES = ("message", "detail", "msg", "error_description", "title", "description", "reason")
_UNSEEN_TAGS = ("script", "style", "head", "noscript", "template")


@dataclass(frozen=True, slots=True)
class ServerWords:
    """A server's error message.

    Attributes:
        text: the message on one line; empty if there is none.
        code: ``error.code``, such as ``model_not_found`` or ``429``.
        kind: ``error.type``, such as ``insufficient_quota``.
        param: the request field that caused the error.
        form: ``json``, ``page`` (HTML), ``events`` (an event stream), ``text`` or ``nothing``.
    """

    text: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""
    form: str = "nothing"


def short_line(text: str, longest: int = _LONGEST) -> str:
    """Make one line of bounded length, with control characters escaped."""
    line = visible(" ".join(text[: 8 * longest].split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def find_words(body: str) -> ServerWords:
    """Find the error message in a body."""
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
    """Find the error message in parsed JSON."""
    error = _error_in(value)
    fields = error if isinstance(error, Mapping) else {}
    code, kind = fields.get("code"), fields.get("type") or fields.get("status")
    return ServerWords(
        text=short_line(_message_in(error, 0)),
        code=_name(code if code is not None else fields.get("status")),
        kind=_name(kind),
        param=_name(fields.get("param")),
        form="json",
    )


def _error_in(value: Any) -> Any:
    """Return the error object, which may be inside a list."""
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


def _message_in(value: Any, depth: int) -> str:
    """Join the messages in a value; empty if there are none."""
    if depth > _DEEPEST:
        return ""
    if isinstance(value, str):
        return _nested(value, depth)
    if isinstance(value, list):
        every = (_message_in(item, depth + 1) for item in value[:_MOST_ITEMS])
        return "; ".join(filter(None, every))
    if not isinstance(value, Mapping):
        return ""
    messages = (_message_in(value.get(name), depth + 1) for name in _MESSAGES)
    message = next(filter(None, messages), "")
    if message and isinstance(value.get("loc"), list):  # pydantic's place of an error
        place = ".".join(str(part)[:_LONGEST_FIELD] for part in value["loc"][:_DEEPEST])
        return f"{place}: {message}"
    if message and value.get("title") == message and isinstance(value.get("detail"), str):
        return f"{message}: {value['detail']}"
    if message:
        return message + _upstream(value, depth)
    return _message_in(value.get("error"), depth + 1) if "error" in value else ""


def _nested(text: str, depth: int) -> str:
    """Read a text that is itself JSON, as gateways forward the body of another server."""
    if text[:1] in "{[" and len(text) <= _MOST_READ:
        try:
            return _message_in(_error_in(json.loads(text)), depth + 1) or text
        except (ValueError, RecursionError):
            pass
    return text


def _upstream(error: Mapping[str, Any], depth: int) -> str:
    """Return the message of the server behind a gateway (OpenRouter: ``error.metadata.raw``)."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    message = _message_in(raw, depth + 1)
    return f": {message}" if message else ""


def _name(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int) and abs(value) >= 10**9:  # may have too many digits to print
        return ""
    return short_line(str(value), _LONGEST_FIELD)


def _in_events(text: str) -> ServerWords | None:
    """Read an event stream: its first error, or else its text; None if it has no event."""
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
        words = words_in(event)
        if words.text:
            return replace(words, form="events")
        carried.append(_delta(event))
    return ServerWords(short_line("".join(carried)), form="events") if carried else None


def _delta(event: Any) -> str:
    try:
        content = event["choices"][0]["delta"]["content"]
    except (KeyError, IndexError, TypeError):
        return ""
    return content if isinstance(content, str) else ""


def _page_text(page: str) -> str:
    """Return the title of a page and the start of its text."""
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
    """Yield each tag with the text after it."""
    for match in re.finditer(r"<([^<>]*)>([^<]*)", page):
        yield match[1], " ".join(match[2].split())
