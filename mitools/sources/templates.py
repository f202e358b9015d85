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

_ROW = "row"
_OUTPUTS = " outputs"  # not an identifier, so that no template can name it
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+]?\.\d+")


def is_template(spec: str) -> bool:
    return "{{" in spec or "{%" in spec


def after(text: Any, mark: str) -> str:
    """Return the text after the last ``mark``; the whole text without a mark."""
    return _plain(text).rpartition(mark)[2].strip()


def before(text: Any, mark: str) -> str:
    """Return the text before the last ``mark``; the whole text without a mark."""
    whole = _plain(text)
    return (whole.rpartition(mark)[0] if mark in whole else whole).strip()


def number(text: Any) -> str:
    """Return the only number in a text; the whole text if it has none or several."""
    numbers: list[str] = _NUMBER.findall(_plain(text))
    return numbers[0] if len(numbers) == 1 else _plain(text)


def _plain(value: Any) -> str:
    """Write a value as text; null is empty, as in the templates themselves."""
    return "" if value is None else str(value)


def names_in(spec: str) -> set[str]:
    """List the source fields that a template uses.

    ``row`` stands for the whole row, where it is not used as ``row["name"]`` alone.
    """
    from jinja2 import meta, nodes

    tree = _environment().parse(_unescaped(spec))
    names = set(meta.find_undeclared_variables(tree))
    if _ROW not in names:
        return names
    uses = sum(node.name == _ROW for node in tree.find_all(nodes.Name))
    items = [
        node.arg.value
        for node in tree.find_all(nodes.Getitem)
        if isinstance(node.node, nodes.Name)
        and node.node.name == _ROW
        and isinstance(node.arg, nodes.Const)
        and isinstance(node.arg.value, str)
    ]
    return names - ({_ROW} if uses == len(items) else set()) | {*items}


def compile_template(target: str, spec: str) -> Extract:
    """Compile a template that makes the text of ``target``.

    Its variables are the fields of the row, and ``row``, the row itself, for ``row["Name 1"]``,
    unless a field has that name. Null is written as an empty text. Where all values that a
    template writes are null or empty, as for an empty row, it gives None.

    Raises:
        UsageError: the template is wrong.
    """
    import jinja2

    try:
        template = _environment().from_string(_unescaped(spec))
    except jinja2.TemplateError as exc:
        hint = "see https://jinja.palletsprojects.com/templates"
        raise UsageError(f"--map {target}: the template is wrong ({exc})", hint=hint) from exc

    def render(values: Mapping[str, Any], where: Where) -> str | None:
        outputs: list[bool] = []
        try:
            text = template.render({_ROW: values, **values, _OUTPUTS: outputs})
        except jinja2.UndefinedError as exc:
            hint = "if only some rows have it, write \"{{ field | default('') }}\""
            problem = str(exc.message).replace("'dict object' has no attribute", "row has no field")
            message = f"--map {target}: {problem}, among {_listed(values)}"
            raise MissingFieldError(message, where=where, hint=hint) from exc
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as exc:
            raise InvalidFieldError(f"--map {target}: {exc}", where=where) from exc
        return text if any(outputs) or not outputs else None

    return render


def _unescaped(spec: str) -> str:
    return spec.replace("\\n", "\n").replace("\\t", "\t")


def _listed(names: Mapping[str, Any], at_most: int = 12) -> str:
    shown = list(names)
    return ", ".join([*shown[:at_most], *(["…"] if len(shown) > at_most else [])])


def _finalize() -> Callable[[Any, Any], Any]:
    """Make the function that sees each value before a template writes it."""
    from jinja2 import pass_context
    from jinja2.runtime import Context

    @pass_context
    def written(context: Context, value: Any) -> Any:
        text = "" if value is None else value
        outputs: list[bool] = context.get(_OUTPUTS, [])
        outputs.append(bool(str(text).strip()))
        return text

    return written


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # A recipe may come from another author: its template may compute a text, and nothing else.
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, finalize=_finalize())
    filters = {"lettered": lettered, "after": after, "before": before, "number": number}
    environment.filters.update(filters)
    return environment
