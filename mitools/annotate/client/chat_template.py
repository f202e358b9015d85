"""A prompt of several messages as one text, for servers whose API takes no messages.

A chat template is Jinja2 of another author, so it is rendered in the sandbox. It gets the messages,
and empty special tokens: the server adds the first one itself. It is not told the date, so that a
prompt is the same on every day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mitools.annotate.prompt import read_template
from mitools.errors import UsageError

__all__ = ["ChatTemplate"]


@dataclass(frozen=True)
class ChatTemplate:
    """Writes messages as one text.

    Attributes:
        path: of the template's file; None joins the messages by blank lines.
        template: the compiled template; None as well.
    """

    path: str | None = None
    template: jinja2.Template | None = None

    @classmethod
    def read(cls, path: str | None) -> ChatTemplate:
        """Read a template.

        Raises:
            SourceError: the file cannot be read.
            UsageError: it is not Jinja2.
        """
        if path is None:
            return cls()
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _refuse
        try:
            return cls(path, environment.from_string(read_template(path)))
        except jinja2.TemplateSyntaxError as exc:
            message = f"{path}:{exc.lineno}: {exc.message}"
            raise UsageError(
                message, hint="give the file chat_template.jinja of the model"
            ) from exc

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Write messages, the last of which is an answer, as one text.

        Raises:
            UsageError: the template refuses them, or uses what it is not given.
        """
        if self.template is None:
            return "\n\n".join(message["content"] for message in messages) + "\n"
        given: dict[str, Any] = {"bos_token": "", "eos_token": "", "tools": None, "documents": None}
        try:
            return self.template.render(messages=messages, add_generation_prompt=False, **given)
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as exc:
            message = f"chat template {self.path}: {exc}"
            raise UsageError(
                message, hint="give the file chat_template.jinja of the model"
            ) from exc


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)
