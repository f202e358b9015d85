"""Reading a chat completion: its text, the model's thoughts, and whether it was finished.

Thoughts in fields are those of :mod:`mitools.message_thoughts`; :mod:`mitools.reading` finds others
in the text. No network access.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mitools.annotate.client.server_words import ServerWords, find_words, short_line, words_in
from mitools.annotate.client.usage import read_usage
from mitools.annotate.protocol import Problem, Reply
from mitools.annotate.token_logprobs import read_prompt_tokens, read_tokens
from mitools.message_thoughts import is_thought, thoughts_of
from mitools.reading import clean
from mitools.schema import json_type

__all__ = [
    "NoCompletionError",
    "UnfinishedError",
    "parse_completion",
    "parse_scored",
    "read_answer",
    "read_completion",
    "read_scored",
    "shorten_scored",
]

_MOST_DIGITS = 100
_MARGIN = 200  # characters before and behind a scored answer, such as marks of a chat template
_LARGE = 1 << 20  # characters; shorter texts cannot hold too many values
_MOST_VALUES = 500_000  # lists and objects; they take thirty times the memory of their text

# Values of finish_reason with an answer, in lower case, as several servers spell them. After any
# other (error, abort, cancelled, network_error, insufficient_system_resource …) the generation
# was broken off, and its text is not an answer.
_ENDED = (
    *("stop", "stopped", "stop_sequence", "stop_token", "stop_str", "stop_string", "stop_word"),
    *("eos", "eos_token", "eot", "end", "end_turn", "end_of_text", "end_of_turn", "done"),
    *("complete", "completed", "finish", "finished", "finish_reason_stop", "normal", "success"),
    *("tool_calls", "tool_call", "tool_use", "function_call", "pause_turn"),
)
_CUT = ("length", "max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit")
_WITHHELD = (
    *("content_filter", "content_filtered", "safety", "sensitive", "recitation", "blocklist"),
    *("prohibited_content", "spii", "refusal"),
)


class NoCompletionError(ValueError):
    """A body is not a usable chat completion.

    Attributes:
        words: the server's error message.
    """

    def __init__(self, message: str, words: ServerWords | None = None) -> None:
        super().__init__(message)
        self.words = words or ServerWords()


class UnfinishedError(NoCompletionError):
    """A chat completion whose generation was broken off."""


def read_completion(raw: str) -> Reply:
    """Read the JSON of a chat completion, as the server sent it.

    Raises:
        NoCompletionError: it is not one.
        UnfinishedError: the generation was broken off.
    """
    return read_answer(parse_completion(raw))


def parse_completion(raw: str) -> Mapping[str, Any]:
    """Parse the JSON of a chat completion and check its structure; the text is not read.

    Raises:
        NoCompletionError: it is not one.
        UnfinishedError: the generation was broken off.
    """
    answer = _parsed(raw)
    choice = _first_choice(answer)
    message = choice.get("message")
    if message is None and _bare_reason(choice) in (*_CUT, *_WITHHELD):
        return answer  # Gemini leaves the message out where it wrote nothing
    if not isinstance(message, dict):
        raise _missing(answer, "a completion without a message")
    content = message.get("content")
    if not isinstance(content, str | list | dict | None):
        why = f"the message's content is {json_type(content)}, not a text"
        raise NoCompletionError(why)
    reason = _reason(choice, answer)
    if not reason or not isinstance(content, str) or not content.strip():
        _check_begun(answer, choice, message, reason)
    return answer


def _check_begun(
    answer: Mapping[str, Any], choice: Mapping[str, Any], message: Mapping[str, Any], reason: str
) -> None:
    """Check that an answer without text or without ``finish_reason`` is not a broken generation.

    A gateway may send one with an error beside it, or with no token at all while a model starts.

    Raises:
        UnfinishedError: it is one.
    """
    if reason in (*_CUT, *_WITHHELD):
        return
    is_silent = not (
        _flatten(message.get("content")).strip()
        or _whole(thoughts_of(message))
        or message.get("tool_calls")
        or message.get("refusal")
    )
    words = _error_words(choice, answer)
    if words.text and (is_silent or not reason):
        raise UnfinishedError(f"an error beside the answer: {words.text}", words)
    written = (read_usage(answer.get("usage")) or {}).get("completion_tokens")
    if is_silent and (not reason or written == 0):
        raise UnfinishedError("the completion is empty, and was not generated to its end")


def parse_scored(raw: str) -> Mapping[str, Any]:
    """Parse the JSON of a response that holds the tokens of its prompt; they are not read.

    Raises:
        NoCompletionError: it is not a response with choices.
    """
    answer = _parsed(raw)
    _first_choice(answer)
    return answer


def read_scored(answer: Mapping[str, Any]) -> Reply:
    """Read the tokens of the prompt.

    Args:
        answer: a result of :func:`parse_scored`.
    """
    model, tokens = answer.get("model"), read_prompt_tokens(answer)
    message = "the server returned no log-probabilities of the prompt"
    return Reply(
        model=_whole(model) if isinstance(model, str) else "",
        usage=read_usage(answer.get("usage")),
        tokens=tokens,
        problem=None if tokens else Problem("server_error", message),
    )


def shorten_scored(raw: str, answer: Mapping[str, Any], said: str) -> str:
    """Write a response without the tokens of the prompt before the answer, for the journal.

    A prompt is repeated for each choice, and a token takes seventy bytes.

    Args:
        raw: the response as it came; returned where its tokens cannot be read.
        answer: the same, parsed.
        said: the scored answer, at the end of the prompt.
    """
    tokens = read_prompt_tokens(answer)
    if not tokens:
        return raw
    kept, size = len(tokens), 0
    while kept > 1 and size < len(said) + _MARGIN:
        kept -= 1
        size += len(tokens[kept].text)
    listed = [
        {token.number: {"logprob": token.log_prob, "decoded_token": token.text}}
        for token in tokens[kept:]
    ]
    short = {
        **{name: answer[name] for name in ("model", "usage") if name in answer},
        "choices": [{"index": 0}],
        "prompt_logprobs": [*[None] * kept, *listed],
    }
    return json.dumps(short, separators=(",", ":"))


def read_answer(answer: Mapping[str, Any]) -> Reply:
    """Read the reply in a chat completion.

    Args:
        answer: a result of :func:`parse_completion`.
    """
    choice = answer["choices"][0]
    message = choice.get("message") or {}
    reason = _reason(choice, answer)
    content = clean(_flatten(message.get("content")))
    model = answer.get("model")
    reply = Reply(
        text=content.text,
        thoughts=_whole(thoughts_of(message)) or content.thoughts,
        is_truncated=reason in _CUT,
        model=_whole(model) if isinstance(model, str) else "",
        usage=read_usage(answer.get("usage")),
        tokens=read_tokens(choice.get("logprobs")),
    )
    if reason in _WITHHELD:
        return replace(reply, problem=Problem("content_filter", "the server withheld the answer"))
    if not reply.text and isinstance(message.get("refusal"), str):
        return replace(reply, problem=Problem("refusal", short_line(message["refusal"])))
    if not reply.text and message.get("tool_calls"):
        return replace(reply, problem=Problem("empty", "the model called a tool instead"))
    return reply


def _parsed(raw: str) -> dict[str, Any]:
    if len(raw) > _LARGE and raw.count("[") + raw.count("{") > _MOST_VALUES:
        raise NoCompletionError("the body is JSON of too many lists and objects")
    try:
        answer = _parse_json(raw)
    except RecursionError as exc:
        raise NoCompletionError("the body is JSON that is nested too deeply") from exc
    except ValueError as exc:
        words = find_words(raw)
        kind = {"page": "a web page", "events": "an event stream", "nothing": "an empty body"}
        what = kind.get(words.form, f"not JSON ({short_line(str(exc), 80)})")
        raise NoCompletionError(f"{what}: {words.text}".rstrip(": "), words) from exc
    if not isinstance(answer, dict):
        raise _missing(answer, "not a chat completion")
    return answer


def _parse_json(raw: str) -> Any:
    try:
        return json.loads(raw)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer with more digits than Python converts, in an unused field
        return json.loads(raw, parse_int=_parse_int)


def _parse_int(digits: str) -> float:
    return int(digits) if len(digits) < _MOST_DIGITS else float(digits)


def _first_choice(answer: dict[str, Any]) -> dict[str, Any]:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _missing(answer, "not a chat completion")
    return choices[0]


def _missing(answer: Any, what: str) -> NoCompletionError:
    """Make the error of a body without an answer, from its error message or its fields."""
    words = words_in(answer)
    if words.text:
        return NoCompletionError(words.text, words)
    if isinstance(answer, dict) and answer and "choices" not in answer:
        what += f" (fields: {', '.join(list(answer)[:10])})"
    return NoCompletionError(short_line(what), words)


def _reason(choice: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """Return ``finish_reason`` in lower case; empty if the server gives none.

    Raises:
        UnfinishedError: the generation was broken off.
    """
    given, reason = choice.get("finish_reason"), _bare_reason(choice)
    if reason is not None and reason in ("", *_ENDED, *_CUT, *_WITHHELD):
        return reason
    words = _error_words(choice, answer)
    shown = short_line(given, 80) if isinstance(given, str) else json_type(given)
    message = f'the generation ended with finish_reason "{shown}"'
    raise UnfinishedError(f"{message}: {words.text}".rstrip(": "), words)


def _error_words(choice: Mapping[str, Any], answer: Mapping[str, Any]) -> ServerWords:
    error = choice.get("error") or answer.get("error")
    return words_in({"error": error}) if error else ServerWords()


def _bare_reason(choice: Mapping[str, Any]) -> str | None:
    """Return ``finish_reason`` up to the colon of Gemini; None if it is not a text."""
    given = choice.get("finish_reason")
    if given is None:
        return ""
    if not isinstance(given, str):
        return None
    return given.lower().partition(":")[0].strip().replace("-", "_")


def _whole(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode; JSON may contain them as ``\\ud83d``."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _flatten(content: Any) -> str:
    """Join a message's content, which may be a list of parts; those with thoughts are left out."""
    if isinstance(content, str):
        return _whole(content)
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return ""
    shown = (part for part in content if isinstance(part, dict) and not is_thought(part))
    parts = [part.get("text") for part in shown]
    return _whole("".join(part for part in parts if isinstance(part, str)))
