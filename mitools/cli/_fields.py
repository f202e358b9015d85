"""Options of a command, made from the fields of an options class of the library."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import click

from mitools.train.fields import OptionField, option_fields

__all__ = ["options_from"]

F = TypeVar("F", bound=Callable[..., Any])


def options_from(
    options: type,
    special: Mapping[str, Mapping[str, Any]],
    without: Collection[str] = (),
) -> Callable[[F], F]:
    """Add an option for each field of a dataclass, in the order of the fields.

    Args:
        options: the dataclass; see :mod:`mitools.train.fields` for how its fields are declared.
        special: by field, what its option has that the declaration cannot give, such as the
            ``cls`` and ``type`` of an option that names a folder.
        without: fields whose options are made elsewhere.
    """

    def decorate(function: F) -> F:
        for field in reversed(option_fields(options)):
            if field.name not in without:
                function = _option(field, special.get(field.name, {}))(function)
        return function

    return decorate


def _option(field: OptionField, special: Mapping[str, Any]) -> Callable[[F], F]:
    attributes: dict[str, Any] = {
        "type": _type(field),
        "metavar": field.help.metavar or ("N" if field.type is int else None),
        "help": field.help.text,
    }
    if field.type is bool:
        attributes = {"is_flag": True, "help": field.help.text}
    elif field.is_required:
        attributes["required"] = True
    elif field.default is not None:
        attributes |= {"default": field.default, "show_default": True}
    return click.option(f"--{field.flag}", field.name, **{**attributes, **special})


def _type(field: OptionField) -> Any:
    """Give the type of an option; ranges of floats are checked with the options as a whole."""
    if field.choices:
        return click.Choice(field.choices)
    if field.type is int and field.help.within is not None:
        return click.IntRange(int(field.help.within.low))
    return field.type
