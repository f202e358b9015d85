"""The messages sent to a teacher: a system message, few-shot examples, and the rendered record.

Templates are Jinja2 in its sandbox, as a recipe may come from another author. Their variables are
``input``, ``choices``, ``record``, ``lists_choices`` (whether the input already lists the choices
by letter), ``letter(i)`` and ``hint`` (a sentence with the gold label, if the strategy shows it; a
template without it gets the hint at its end). The answers of examples are written in the form that
the task parses.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mitools.annotate.options import AnnotateOptions
from mitools.errors import InvalidFieldError, SourceError, UsageError
from mitools.records import Reader, Record, student_text
from mitools.schema import get_path
from mitools.tasks import Task, letter_of, normalize, task_of

__all__ = ["Message", "Prompts", "read_template"]

Message = dict[str, str]

_LETTERED = """\
{{ input }}
{% if choices and not lists_choices %}

{% for choice in choices %}
({{ letter(loop.index0) }}) {{ choice }}
{% endfor %}
{% endif %}
"""

_PLAIN = "{{ input }}\n"

_LABELLED = """\
{{ input }}
{% if choices %}

Possible answers: {{ choices | join(", ") }}.
{% endif %}
"""

_HINT = """

{{ hint }} Give the reasons that lead to this answer, as if you had found it by yourself: no word \
about having been told."""

_DEFAULTS: dict[str, tuple[str, str]] = {
    "choice": (
        "You answer multiple-choice questions. First explain in one to three short sentences "
        "what the answer must be like and which choice fits. Then finish with one sentence of "
        "exactly this form, with the letter and the words of the one best choice:\n"
        "So the answer is (b) words of the choice.",
        _LETTERED,
    ),
    "labels": (
        "You classify texts. First explain in one to three short sentences what decides. Then "
        "finish with one sentence of exactly this form, with one of the possible answers:\n"
        "So the answer is ANSWER.",
        _LABELLED,
    ),
    "equation": (
        "You solve word problems. First reason in a few short sentences that state every "
        "calculation, such as 12 + 7 = 19. Then finish with one sentence of exactly this form:\n"
        "The answer is (EXPRESSION).\n"
        "EXPRESSION is the calculation over the numbers of the problem that gives the result, "
        "such as (12 + 7) or ((3 * 4) - 5). Do not write its result there.",
        _PLAIN,
    ),
    "text": (
        "You answer questions. First explain in one to three short sentences. Then finish with "
        "one sentence of exactly this form:\nThe answer is ANSWER.",
        _PLAIN,
    ),
}


class Prompts:
    """Renders records into chat messages."""

    def __init__(self, options: AnnotateOptions) -> None:
        """Read the files of ``options.template`` and ``options.examples``.

        Raises:
            SourceError: a file cannot be read.
            DataError: an example is not a record, or lacks a field.
        """
        self._options = options
        self._environment = ImmutableSandboxedEnvironment(
            undefined=jinja2.StrictUndefined,
            finalize=lambda value: "" if value is None else value,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["letter"] = letter_of
        self._own_template = read_template(options.template) if options.template else None
        self._examples = _read_examples(options.examples) if options.examples else []
        self._prepared: dict[tuple[str, bool], _Prepared] = {}

    def messages(self, record: Record, task: Task, hint: str | None = None) -> list[Message]:
        """Render one record.

        Args:
            record: with ``input``.
            task: whose prompt to use.
            hint: the gold label, if the prompt shows it.

        Raises:
            UsageError: the template is wrong, or uses a field that the record does not have.
        """
        user = {"role": "user", "content": self.content(record, task, hint)}
        return [*self.head(task, is_hinted=hint is not None), user]

    def first_messages(self, record: Record) -> list[Message]:
        """Render the first prompt of a run about a record; arguments as for :meth:`messages`."""
        hint = record.get("label") if self._options.strategy == "hinted" else None
        return self.messages(record, task_of(record, self._options.task), hint)

    def head(self, task: Task, *, is_hinted: bool = False) -> list[Message]:
        """Return the first messages, which are the same for all records."""
        return self._prepare(task, is_hinted).head

    def content(self, record: Record, task: Task, hint: str | None = None) -> str:
        """Render the last message, about one record; arguments as for :meth:`messages`.

        Raises:
            UsageError: the template is wrong, or uses a field that the record does not have.
        """
        prepared = self._prepare(task, hint is not None)
        if self._options.prompt == "student":
            return student_text(record)
        stated = "" if hint is None else _state(record, task, hint)
        return self._render(prepared.template, record, stated)

    def prompt_hash(self, task: Task, *, is_hinted: bool = False) -> str:
        """Hash the effective prompt of a task: 16 hexadecimal digits, the same for all records."""
        return self._prepare(task, is_hinted).digest

    def _prepare(self, task: Task, is_hinted: bool) -> _Prepared:
        known = (task.name, is_hinted)
        if known not in self._prepared:
            is_student = self._options.prompt == "student"
            system, text = ("", _PLAIN) if is_student else _DEFAULTS[task.name]
            if self._options.system is not None:
                system = self._options.system
            if self._own_template is not None:
                text = self._own_template
            if is_hinted and not self._uses_hint(text):
                text = text.rstrip() + _HINT
            template = self._compile(text)
            head = [{"role": "system", "content": system.strip()}] if system.strip() else []
            for example in self._examples:
                stated = _state(example, task, _label_of(example)) if is_hinted else ""
                head.append({"role": "user", "content": self._render(template, example, stated)})
                head.append({"role": "assistant", "content": _worked(example, task)})
            self._prepared[known] = _Prepared(template, text, head)
        return self._prepared[known]

    def _uses_hint(self, text: str) -> bool:
        self._compile(text)  # raises for a syntax error
        return "hint" in jinja2.meta.find_undeclared_variables(self._environment.parse(text))

    def _compile(self, text: str) -> jinja2.Template:
        try:
            return self._environment.from_string(text)
        except jinja2.TemplateSyntaxError as exc:
            message = f"{self._options.template}:{exc.lineno}: {exc.message}"
            raise UsageError(message, hint="fix the template") from exc

    def _render(self, template: jinja2.Template, record: Record, hint: str) -> str:
        choices = record.get("choices") or []
        try:
            text = template.render(
                input=record["input"],
                choices=choices,
                record=record,
                hint=hint,
                lists_choices=_lists(record["input"], choices),
            )
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as exc:
            message = f"template {self._options.template}: record {record.get('id')!r}: {exc}"
            raise UsageError(message, hint="fix the template or the record") from exc
        return _without_surrogates(text.strip())


@dataclass(frozen=True)
class _Prepared:
    template: jinja2.Template
    text: str
    head: list[Message]

    @cached_property
    def digest(self) -> str:
        content = json.dumps([self.text, self.head], ensure_ascii=False).encode()
        return hashlib.sha256(content).hexdigest()[:16]


def _worked(example: Mapping[str, Any], task: Task) -> str:
    """Write an example's answer in the form that is expected of the teacher."""
    label = _label_of(example)
    rationale = example.get("rationale") or get_path(example, "teacher.rationale") or ""
    statement = task.state(label, example.get("choices"))
    return _without_surrogates(f"{rationale.strip()} {statement}".strip())


def _label_of(example: Mapping[str, Any]) -> str:
    return str(example.get("label") or get_path(example, "teacher.label"))


def _state(record: Mapping[str, Any], task: Task, label: str) -> str:
    """Write a label as a statement without a conclusion, as in ``The answer is (b) sea.``."""
    return re.sub(r"^So the\b", "The", task.state(label, record.get("choices")))


def _lists(text: str, choices: list[str]) -> bool:
    """Tell whether a text already lists the choices by letter."""
    if not choices:
        return False
    shown = normalize(text)
    return all(
        f"({letter_of(index)}) {normalize(choice)}" in shown for index, choice in enumerate(choices)
    )


def _without_surrogates(text: str) -> str:
    # UTF-8, and so HTTP, cannot hold a lone surrogate.
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def read_template(path: str) -> str:
    """Read a template's text.

    Raises:
        SourceError: it cannot be read, or is not UTF-8.
    """
    try:
        return Path(path).read_text("utf-8")
    except OSError as exc:
        raise SourceError(f"cannot read {path}: {exc.strerror}", hint="check the path") from exc
    except UnicodeDecodeError as exc:
        raise SourceError(f"{path} is not UTF-8", hint="convert it with iconv") from exc


def _read_examples(path: str) -> list[Record]:
    needs = ("input", "label|teacher.label")
    hints = dict.fromkeys(needs, "an example needs input, label and rationale")
    examples = list(Reader((path,), needs, hints=hints))
    for example in examples:
        _check_rationale(example)
    return examples


def _check_rationale(example: Record) -> None:
    """Refuse an example whose rationale is the teacher's, and leads to another label than gold.

    Raises:
        InvalidFieldError: it is one.
    """
    is_of_teacher = example.get("label") and not example.get("rationale")
    if is_of_teacher and get_path(example, "teacher.agrees") is False:
        said = str(get_path(example, "teacher.label"))[:80]
        message = (
            f'the rationale is the teacher\'s, for the answer "{said}", and the label is '
            f'"{example["label"][:80]}"'
        )
        hint = "leave the example out, or write its rationale into a field of that name"
        raise InvalidFieldError(message, where=getattr(example, "where", None), hint=hint)
