"""The form of a chat row by its fields, and its questions and replies as rows of their own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from mitools.errors import InvalidFieldError, MissingFieldError, Where
from mitools.records import Record, content_id
from mitools.schema import TASKS
from mitools.sources.chat.exchange import ChatRow, Exchange, flatten, usage_of, whole
from mitools.sources.chat.messages import (
    are_messages,
    ends_with_answer,
    exchanges_of,
    last_question,
)
from mitools.sources.chat.requests import Requests
from mitools.sources.chat.responses import is_response, read_response
from mitools.sources.chat.traces import read_trace, trace_of

__all__ = ["Form", "Reading", "form_of", "form_of_first", "rows_of"]

_CONVERSATIONS = (
    *("messages", "conversations", "conversation", "input"),
    *("turns", "dialog", "dialogue", "chat", "thread", "transcript"),
)
_REQUESTS = ("request", "kwargs", "input", "inputs")
_RESPONSES = ("response", "result", "completion", "output", "outputs")
_PROMPTS = {
    "prompt": ("completion", "response", "responses", "completions", "generation"),
    "instruction": ("generation",),  # of distilabel
}
_MODELS = ("model", "model_name", "generator")
_IDS = ("custom_id", "id", "uuid", "conversation_id", "request_id")
# Fields whose names mean something else in a record.
_RESERVED = ("teacher", "student", "scores")
_SKIP = 'skip the row: "--on-error skip"'


@dataclass(frozen=True, slots=True)
class Reading:
    """How chat rows are read.

    Attributes:
        takes_all: take all answers of a conversation; else the last one alone.
        context: earlier messages that begin the input: ``none``, ``turns``, or ``all`` with the
            system prompt.
        requests: the questions of a batch.
    """

    takes_all: bool = False
    context: str = "none"
    requests: Requests | None = None


class _Read(NamedTuple):
    """What a reader gives: exchanges, the fields that they were made of, and gold."""

    exchanges: list[Exchange]
    used: frozenset[str]
    label: str | None = None


@dataclass(frozen=True)
class Form:
    """One form of a chat row.

    Attributes:
        title: its name in messages.
        read: reads a row of it.
        uses_input: whether the field ``input`` is a part of the question.
    """

    title: str
    read: Callable[[Record, Where, Reading], _Read]
    uses_input: bool = False


def form_of(row: Mapping[str, Any]) -> Form | None:
    """Find the form of a row; None if it is not a chat log or a trace."""
    row = _unpacked(row)
    if isinstance(row.get("input"), str) and row.get("task") in TASKS:  # a record
        return None
    if "custom_id" in row and any(name in row for name in ("response", "result", "error")):
        return _BATCH
    trace = trace_of(row)
    if trace is not None:
        return Form(trace.title, _read_trace, uses_input=True)
    if any(isinstance(row.get(name), Mapping) for name in _REQUESTS) and _response_in(row):
        return _PAIR
    name = _conversation_in(row)
    if name:
        kind = "ShareGPT" if "from" in row[name][0] else "OpenAI"
        return Form(f"messages ({kind})", _read_messages)
    if "instruction" in row and "output" in row:
        return _ALPACA
    if _prompt_in(row) is not None:
        return _PROMPT
    return None


def form_of_first(row: Mapping[str, Any]) -> Form | None:
    """Find the form of a file by its first row; a row with an input of its own is a record."""
    form = form_of(row)
    has_input = isinstance(row.get("input"), str) and bool(row["input"])
    return form if form is not None and (form.uses_input or not has_input) else None


def rows_of(row: Record, form: Form, where: Where, reading: Reading) -> list[ChatRow]:
    """Turn a row into one row for each question, with ``input`` and ``completion``.

    Raises:
        DataError: the row has no question or no answer, or a field has a wrong type.
    """
    row = dict(_unpacked(row))
    exchanges, used, label = form.read(row, where, reading)
    gone = {*used, *_RESERVED, "input"}
    rest = {name: value for name, value in row.items() if name not in gone}
    if label and "label" not in rest:
        rest["label"] = row[label]
    name = next((str(row[name]) for name in _IDS if _is_name(row.get(name))), None)
    rest.pop("id", None)
    made = [_row_of(one, rest, name, reading) for one in exchanges]
    return [ChatRow.of(values, one, used) for values, one in zip(made, exchanges, strict=True)]


def _unpacked(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read messages that are the text of a JSON list, as in a cell of CSV."""
    for name in _CONVERSATIONS:
        value = row.get(name)
        if isinstance(value, str) and value.lstrip().startswith("["):
            with contextlib.suppress(ValueError, RecursionError):
                messages = json.loads(value)
                if are_messages(messages):
                    return {**row, name: messages}
    return row


def _row_of(exchange: Exchange, rest: Record, name: str | None, reading: Reading) -> Record:
    values: Record = {"input": _input_of(exchange, reading.context)}
    if name is not None:
        is_one_of_many = reading.takes_all and exchange.turn > 1
        values = {"id": f"{name}-{exchange.turn}" if is_one_of_many else name, **values}
    values.update(rest)
    if reading.takes_all and "group" not in values:
        values["group"] = name or content_id({"input": exchange.opening})
    if exchange.context:
        _set(values, "context", [dict(message) for message in exchange.context])
    texts = [given.completion for given in exchange.replies]
    _set(values, "completion", texts[0] if len(texts) == 1 else texts)
    return values


def _set(values: Record, name: str, value: Any) -> None:
    """Set a field; another value that the source has there is kept as ``source_NAME``."""
    if values.get(name) not in (None, value):
        values.setdefault(f"source_{name}", values[name])
    values[name] = value


def _is_name(value: Any) -> bool:
    return (isinstance(value, str) and bool(value.strip())) or type(value) is int


_NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}


def _input_of(exchange: Exchange, context: str) -> str:
    """Write the question, with earlier messages above it where they are asked for."""
    roles = {"none": (), "turns": ("user", "assistant"), "all": tuple(_NAMES)}[context]
    told = [message for message in exchange.context if message["role"] in roles]
    if not told:
        return exchange.question
    lines = [f"{_NAMES[message['role']]}: {message['content']}" for message in told]
    return "\n".join([*lines, f"User: {exchange.question}"])


def _conversation_in(row: Mapping[str, Any]) -> str:
    return next((name for name in _CONVERSATIONS if are_messages(row.get(name))), "")


def _response_in(row: Mapping[str, Any]) -> str:
    names = (*_RESPONSES, "choices")
    for name in names:
        value = row.get(name)
        if is_response(value) or (isinstance(value, str) and value):
            return name
        if name == "choices" and is_response(row):
            return name
    return ""


def _prompt_in(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the fields of a prompt and of its answer; None if there are none."""
    for prompt, answers in _PROMPTS.items():
        if isinstance(row.get(prompt), str | list):
            answer = next((name for name in answers if _is_answer(row.get(name))), None)
            if answer is not None:
                return prompt, answer
    return None


def _is_answer(value: Any) -> bool:
    return isinstance(value, str | Mapping) or (isinstance(value, list) and bool(value))


def _system_in(row: Mapping[str, Any]) -> str:
    names = ("system", "system_prompt")
    return next((row[name] for name in names if isinstance(row.get(name), str)), "")


def _with_response(exchange: Exchange, value: Any, where: Where) -> Exchange:
    try:
        read = read_response(value)
    except TypeError as exc:
        raise InvalidFieldError(f"the response {exc}", where=where, hint=_SKIP) from exc
    return replace(exchange, replies=read.replies, model=read.model, usage=read.usage)


def _named(exchange: Exchange, row: Mapping[str, Any]) -> Exchange:
    """Take model and token counts from the row, if the response has none."""
    model = next((row[name] for name in _MODELS if isinstance(row.get(name), str)), "")
    named = exchange.model or whole(model)
    return replace(exchange, model=named, usage=exchange.usage or usage_of(row.get("usage")))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _read_messages(row: Record, where: Where, reading: Reading) -> _Read:
    name = _conversation_in(row)
    if not name:
        message = "the row has no list of messages, as the first row has"
        raise MissingFieldError(message, where=where, hint=_SKIP)
    # A conversation that ends with an answer holds it; a request has its response beside it.
    system, answer = _system_in(row), "" if ends_with_answer(row[name]) else _response_in(row)
    used = {name, "system", "system_prompt", "model", "usage"}
    if answer:
        question, context = last_question(row[name], where, system=system)
        value = row if answer == "choices" else row[answer]
        exchange = _with_response(Exchange(question, (), context), value, where)
        used |= {answer, "object", "created", "system_fingerprint"}
        return _Read([_named(exchange, row)], frozenset(used))
    exchanges = exchanges_of(row[name], where, system=system, takes_all=reading.takes_all)
    return _Read([_named(one, row) for one in exchanges], frozenset(used))


def _question_in(request: Any, where: Where) -> tuple[str, tuple[Mapping[str, str], ...], str]:
    """Return the question, the messages before it and the model of a request."""
    if isinstance(request, Mapping) and isinstance(request.get("body"), Mapping):
        request = request["body"]
    elif isinstance(request, Mapping) and isinstance(request.get("params"), Mapping):
        request = request["params"]
    if not isinstance(request, Mapping):
        raise InvalidFieldError("the request is not an object", where=where, hint=_SKIP)
    model = request.get("model")
    named = model if isinstance(model, str) else ""
    system = request.get("instructions", request.get("system"))
    for field in ("messages", "input", "prompt"):
        value = request.get(field)
        if isinstance(value, list):
            told = system if isinstance(system, str) else ""
            return *last_question(value, where, system=told), named
        if _is_text(value):
            return flatten(value).strip(), (), named
    raise MissingFieldError("the request has no messages", where=where, hint=_SKIP)


def _read_pair(row: Record, where: Where, _reading: Reading) -> _Read:
    name = next((name for name in _REQUESTS if isinstance(row.get(name), Mapping)), "")
    answer = _response_in(row)
    if not name or not answer:
        what = "response" if name else "request"
        raise MissingFieldError(f"the row has no {what}", where=where, hint=_SKIP)
    question, context, model = _question_in(row[name], where)
    value = row if answer == "choices" else row[answer]
    exchange = _with_response(Exchange(question, (), context), value, where)
    exchange = replace(exchange, model=exchange.model or model)
    return _Read([_named(exchange, row)], frozenset({name, answer, "model", "usage"}))


def _read_batch(row: Record, where: Where, reading: Reading) -> _Read:
    if reading.requests is None:
        message = "an answer of a batch, without its question"
        hint = 'name the file that was sent: "--requests FILE"'
        raise MissingFieldError(message, where=where, hint=hint)
    request = reading.requests.find(row.get("custom_id"))
    if request is None:
        message = "the file of requests has no such custom_id"
        raise MissingFieldError(message, where=where, hint=_SKIP)
    question, context, model = _question_in(request, where)
    value = row.get("response") or row.get("result") or {"error": row.get("error")}
    exchange = _with_response(Exchange(question, (), context), value, where)
    exchange = replace(exchange, model=exchange.model or model)
    return _Read([exchange], frozenset({"custom_id", "id", "response", "result", "error"}))


def _read_trace(row: Record, where: Where, _reading: Reading) -> _Read:
    trace = trace_of(row)
    if trace is None:
        message = "the row has no trace, as the first row has"
        raise MissingFieldError(message, where=where, hint=_SKIP)
    exchange, used, label = read_trace(row, trace, where)
    return _Read([exchange], used, label)


def _read_prompt(row: Record, where: Where, reading: Reading) -> _Read:
    names = _prompt_in(row)
    if names is None:
        message = 'the row has no "prompt" with a "completion"'
        raise MissingFieldError(message, where=where, hint=_SKIP)
    prompt, answer, system = row[names[0]], row[names[1]], _system_in(row)
    used = frozenset({*names, "system", "system_prompt", "model", "usage"})
    if isinstance(prompt, list) and are_messages(answer):
        exchanges = exchanges_of([*prompt, *answer], where, system=system)
    else:
        if isinstance(prompt, list):
            question, context = last_question(prompt, where, system=system)
        else:
            question, context = _without_end(flatten(prompt)), ()
        exchanges = [_with_response(Exchange(question, (), context), answer, where)]
    return _Read([_named(one, row) for one in exchanges], used)


def _without_end(prompt: str) -> str:
    """Drop the marks that ended prompts for old fine-tuning: ``###`` and ``->``."""
    return prompt.strip().removesuffix("###").removesuffix("->").rstrip()


def _read_alpaca(row: Record, where: Where, _reading: Reading) -> _Read:
    try:
        parts = [flatten(row.get(name)).strip() for name in ("instruction", "input")]
    except TypeError as exc:
        message = f'field "instruction" or "input" {exc}'
        raise InvalidFieldError(message, where=where, hint=_SKIP) from exc
    question = "\n\n".join(filter(None, parts))
    system, turns = _system_in(row), _turns_in(row.get("history"))
    context = ({"role": "system", "content": system},) if system.strip() else ()
    exchange = Exchange(question, (), (*context, *(turns or ())))
    used = {"instruction", "input", "output", "system", "system_prompt", "model"}
    if turns is not None:
        used.add("history")
    exchange = _with_response(exchange, row.get("output"), where)
    return _Read([_named(exchange, row)], frozenset(used))


def _turns_in(history: Any) -> tuple[dict[str, str], ...] | None:
    """Return earlier turns as messages, from pairs of a question and its answer; None otherwise."""
    if not history:
        return ()
    pairs = history if isinstance(history, list) else [history]
    if not all(isinstance(pair, list) and [*map(type, pair)] == [str, str] for pair in pairs):
        return None
    return tuple(
        {"role": role, "content": text}
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    )


_BATCH = Form("answers of a batch", _read_batch)
_PAIR = Form("requests with their responses", _read_pair)
_PROMPT = Form("prompts with their completions", _read_prompt)
_ALPACA = Form("instructions with their outputs (Alpaca)", _read_alpaca, uses_input=True)
