"""Lists of messages, of OpenAI and ShareGPT, as rounds of question and answer.

A round is one question of the user and the last answer before the next question. Calls of tools
and their results are not part of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mitools.errors import InvalidFieldError, MissingFieldError, Where
from mitools.message_thoughts import thoughts_of
from mitools.replies import Problem
from mitools.schema import json_type
from mitools.sources.answers import shortened
from mitools.sources.chat.exchange import Exchange, Given, flatten, whole

__all__ = [
    "MOST_ROUNDS",
    "are_messages",
    "ends_with_answer",
    "exchanges_of",
    "last_question",
    "reply_of",
]

MOST_ROUNDS = 1000
"""Maximum number of records that one conversation gives."""

_ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "bing", "bard"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "ipython", "environment"), "tool"),
    **dict.fromkeys(("function_call", "tool_call", "function_response", "tool_response"), "tool"),
}
_TEXT_PARTS = ("text", "input_text", "output_text", "refusal", "thinking", "reasoning")
_CONTENTS = ("content", "value", "text")
_SKIP = 'skip the row: "--on-error skip"'


@dataclass(frozen=True, slots=True)
class _Turn:
    role: str
    text: str
    given: Given | None = None


@dataclass(slots=True)
class _Round:
    """A question, and what follows it before the next one.

    Attributes:
        questions: the messages of the user; several in a row are one question.
        before: number of messages that stand before it.
    """

    questions: list[str]
    before: int
    answer: Given | None = None
    has_tools: bool = False

    @property
    def question(self) -> str:
        return "\n\n".join(self.questions).strip()


def are_messages(value: Any) -> bool:
    """Tell whether a value is a list of messages."""
    if not isinstance(value, list) or not value or not isinstance(value[0], Mapping):
        return False
    return isinstance(value[0].get("role", value[0].get("from")), str)


def ends_with_answer(messages: Any) -> bool:
    """Tell whether the last message of a list is an answer."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    role = last.get("role", last.get("from")) if isinstance(last, Mapping) else None
    return isinstance(role, str) and _ROLES.get(role.strip().lower()) == "assistant"


def exchanges_of(
    messages: Any, where: Where, *, system: str = "", takes_all: bool = False
) -> list[Exchange]:
    """List the rounds of a conversation that have an answer.

    Args:
        messages: the value of the row's field.
        where: its place, for messages.
        system: a system prompt in a field of its own.
        takes_all: list all of them; else the last one alone.

    Raises:
        InvalidFieldError: it is not a list of messages, a question is not only text, or there are
            more than :data:`MOST_ROUNDS` to list.
        MissingFieldError: no question has an answer.
    """
    told: list[Mapping[str, str]] = []
    rounds = list(_rounds(_turns(messages, where), system, told))
    answered = [one for one in rounds if one.answer is not None]
    if not answered:
        what = "no answer of an assistant" if rounds else "no message of a user"
        raise MissingFieldError(f"the conversation has {what}", where=where, hint=_SKIP)
    if takes_all and len(answered) > MOST_ROUNDS:
        message = f"the conversation has more than {MOST_ROUNDS:,} answers"
        raise InvalidFieldError(message, where=where, hint='take its last one: "--turns last"')
    numbered = list(enumerate(answered, start=1))
    many = len(answered) > 1
    return [
        Exchange(
            one.question,
            (one.answer,),
            tuple(told[: one.before]),
            turn=number if many else 0,
            is_followed=number < len(answered),
            is_after_tool=one.has_tools,
        )
        for number, one in (numbered if takes_all else numbered[-1:])
        if one.answer is not None
    ]


def last_question(
    messages: Any, where: Where, *, system: str = ""
) -> tuple[str, tuple[Mapping[str, str], ...]]:
    """Return the last question of a list of messages, and the messages before it.

    Raises:
        InvalidFieldError: it is not a list of messages, or the question is not only text.
        MissingFieldError: there is no question.
    """
    told: list[Mapping[str, str]] = []
    rounds = list(_rounds(_turns(messages, where), system, told))
    if not rounds:
        raise MissingFieldError("the request has no message of a user", where=where, hint=_SKIP)
    return rounds[-1].question, tuple(told[: rounds[-1].before])


def reply_of(message: Mapping[str, Any]) -> Given:
    """Read a message of an assistant.

    Raises:
        TypeError: its content is neither a text nor a list of parts.
    """
    content = _content(message)
    text = flatten(content)
    found = whole(thoughts_of({**message, "content": content}))
    refusal = message.get("refusal")
    if not text and isinstance(refusal, str) and refusal:
        return Given("", found, problem=Problem("refusal", whole(shortened(refusal, 200))))
    return Given(text, found)


def _content(message: Mapping[str, Any]) -> Any:
    return next((message[name] for name in _CONTENTS if message.get(name) is not None), None)


def _turns(messages: Any, where: Where) -> Iterator[_Turn]:
    if not isinstance(messages, list):
        message = f"the conversation is {json_type(messages)}, not a list of messages"
        raise InvalidFieldError(message, where=where, hint=_SKIP)
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping):
            text = f"message {number} is {json_type(message)}, not an object"
            raise InvalidFieldError(text, where=where, hint=_SKIP)
        yield _turn(message, number, where)


def _turn(message: Mapping[str, Any], number: int, where: Where) -> _Turn:
    given = message.get("role", message.get("from"))
    role = _ROLES.get(given.strip().lower()) if isinstance(given, str) else None
    if role is None:
        shown = f'"{shortened(given, 40)}"' if isinstance(given, str) else json_type(given)
        text = f"message {number} has the role {shown}, which is not known"
        raise InvalidFieldError(text, where=where, hint=_SKIP)
    try:
        if role == "assistant":
            return _Turn(role, "", reply_of(message) if message.get("weight") != 0 else None)
        content = _content(message)
        if role == "user":
            _refuse_images(content, number, where)
        return _Turn(role, flatten(content).strip() if role != "tool" else "")
    except TypeError as exc:
        text = f"the content of message {number} {exc}"
        raise InvalidFieldError(text, where=where, hint=_SKIP) from exc


def _refuse_images(content: Any, number: int, where: Where) -> None:
    """Refuse a question that is not only text: a student would not see the whole of it."""
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, Mapping) else "text"
        if kind is not None and kind not in _TEXT_PARTS:
            shown = shortened(kind, 40) if isinstance(kind, str) else json_type(kind)
            text = f'message {number} has a part "{shown}", which is not text'
            raise InvalidFieldError(text, where=where, hint=_SKIP)


def _rounds(turns: Iterator[_Turn], system: str, told: list[Mapping[str, str]]) -> Iterator[_Round]:
    """Yield the rounds; ``told`` receives all messages but the last round's."""
    if system.strip():
        told.append({"role": "system", "content": system})
    current: _Round | None = None
    is_open = False  # whether the last turn was a question: several in a row are one
    for turn in turns:
        if turn.role == "user" and is_open and current is not None:
            current.questions.append(turn.text)
        elif turn.role == "user":
            if current is not None:
                told += _as_context(current)
                yield current
            current = _Round([turn.text], len(told))
        elif turn.role == "system":
            told.append({"role": "system", "content": turn.text})
            if current is not None and is_open:
                current.before = len(told)
        elif current is not None:
            _answer(current, turn)
        elif turn.given is not None and turn.given.text.strip():  # a greeting
            told.append({"role": "assistant", "content": turn.given.text.strip()})
        is_open = turn.role == "user" or (is_open and turn.role == "system")
    if current is not None:
        yield current


def _answer(current: _Round, turn: _Turn) -> None:
    """Take an answer; the last one of a round that has a text is the answer of the round."""
    current.has_tools = current.has_tools or turn.role == "tool"
    given = turn.given
    if given is None:
        return
    if given.text.strip() or (current.answer is None and (given.thoughts or given.problem)):
        current.answer = given


def _as_context(done: _Round) -> list[dict[str, str]]:
    context = [{"role": "user", "content": done.question}]
    if done.answer is not None:
        context.append({"role": "assistant", "content": done.answer.text.strip()})
    return context
