"""Templates that compute a field of a record: Jinja2 in a sandbox, with a few filters of ours."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mitools.errors import InvalidFieldError, MissingFieldError, UsageError, Where
from mitools.sources.answers import lettered

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["Extract", "after", "before", "compile_template", "is_template", "names_in", "number"]

Extract = Callable[[Mapping[str, Any], Where], Any]

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+")


def is_template(spec: str) -> bool:
    return "{{" in spec or "{%" in spec


def after(text: Any, mark: str) -> str:
    """Return the text after the last ``mark``; the whole text without a mark."""
    return str(text).rpartition(mark)[2].strip()


def before(text: Any, mark: str) -> str:
    """Return the text before the last ``mark``; the whole text without a mark."""
    whole = str(text)
    return (whole.rpartition(mark)[0] if mark in whole else whole).strip()


def number(text: Any) -> str:
    """Return the only number in a text; the whole text if it has none or several."""
    numbers: list[str] = _NUMBER.findall(str(text))
    return numbers[0] if len(numbers) == 1 else str(text)


def names_in(spec: str) -> set[str]:
    """List the source fields that a template uses."""
    from jinja2 import meta

    return set(meta.find_undeclared_variables(_environment().parse(_unescaped(spec))))


def compile_template(target: str, spec: str) -> Extract:
    """Compile a template that makes the text of ``target``.

    Raises:
        UsageError: the template is wrong.
    """
    import jinja2

    try:
        template = _environment().from_string(_unescaped(spec))
    except jinja2.TemplateError as exc:
        hint = "see https://jinja.palletsprojects.com/templates"
        raise UsageError(f"--map {target}: the template is wrong ({exc})", hint=hint) from exc

    def render(values: Mapping[str, Any], where: Where) -> str:
        try:
            return template.render(values)
        except jinja2.UndefinedError as exc:
            hint = "if only some rows have it, write \"{{ field | default('') }}\""
            message = f"--map {target}: {exc.message}, among {_listed(values)}"
            raise MissingFieldError(message, where=where, hint=hint) from exc
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as exc:
            raise InvalidFieldError(f"--map {target}: {exc}", where=where) from exc

    return render


def _unescaped(spec: str) -> str:
    return spec.replace("\\n", "\n").replace("\\t", "\t")


def _listed(names: Mapping[str, Any], at_most: int = 12) -> str:
    shown = list(names)
    return ", ".join([*shown[:at_most], *(["…"] if len(shown) > at_most else [])])


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # A recipe may come from another author: its template may compute a text, and nothing else.
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    filters = {"lettered": lettered, "after": after, "before": before, "number": number}
    environment.filters.update(filters)
    return environment
