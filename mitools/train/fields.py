"""Options as annotated fields: one declaration gives type, default, help text and range.

A field of an options class is written as ``alpha: Annotated[float, Help("…", SHARE)] = 0.5``. The
command line reads these declarations to make its options, and :func:`check_values` to check them.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from mitools.errors import UsageError
from mitools.train.ranges import NumberRange, check_range

__all__ = ["Help", "OptionField", "check_values", "option_fields"]


@dataclass(frozen=True)
class Help:
    """What a field's type and default do not say.

    Attributes:
        text: the help text, a noun phrase or an imperative with a period.
        within: the range of a number.
        flag: the option's name on the command line, where it is not the field's.
        metavar: the placeholder of the value in the help.
    """

    text: str
    within: NumberRange | None = None
    flag: str | None = None
    metavar: str | None = None


@dataclass(frozen=True)
class OptionField:
    """One field of an options class.

    Attributes:
        name: the field's name.
        type: the type of its values; ``str`` where they are one of ``choices``.
        choices: the possible values; empty where the type alone decides.
        default: None where there is none.
        is_required: whether there is no default at all.
    """

    name: str
    type: type
    choices: tuple[str, ...]
    default: Any
    is_required: bool
    help: Help

    @property
    def flag(self) -> str:
        """The option's name on the command line, without the dashes."""
        return (self.help.flag or self.name).replace("_", "-")


@functools.cache
def option_fields(options: type) -> tuple[OptionField, ...]:
    """Read the declarations of a dataclass whose fields are all annotated with :class:`Help`."""
    hints = get_type_hints(options, include_extras=True)
    return tuple(_option_field(field, hints[field.name]) for field in dataclasses.fields(options))


def _option_field(field: dataclasses.Field[Any], hint: Any) -> OptionField:
    assert get_origin(hint) is Annotated, f"{field.name} has no help"
    declared, help_ = get_args(hint)
    if get_origin(declared) in (Union, types.UnionType):
        declared = next(kind for kind in get_args(declared) if kind is not types.NoneType)
    choices = get_args(declared) if get_origin(declared) is Literal else ()
    is_required = field.default is dataclasses.MISSING
    default = None if is_required else field.default
    return OptionField(
        field.name, str if choices else declared, choices, default, is_required, help_
    )


def check_values(options: object) -> None:
    """Refuse the first value of an options object that its field does not allow; None passes.

    The command line reads such values itself; a program can set any.

    Raises:
        UsageError: naming the option, what it allows, and the value.
    """
    declared: type = type(options)
    for field in option_fields(declared):
        value = getattr(options, field.name)
        if value is None:
            continue
        if field.choices and value not in field.choices:
            names = ", ".join(field.choices)
            raise UsageError(f'--{field.flag} must be one of {names}, not "{value}"')
        if field.help.within is not None:
            _check_number(field, value)
            check_range(field.flag, value, field.help.within)


def _check_number(field: OptionField, value: object) -> None:
    is_whole = field.type is int
    if not isinstance(value, int if is_whole else int | float):
        kind = "a whole number" if is_whole else "a number"
        raise UsageError(f"--{field.flag} must be {kind}, not {value!r}")
