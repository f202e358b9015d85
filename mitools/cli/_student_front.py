"""The options of ``mitools annotate`` about a student that stands before the teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import click

from mitools.cascade.options import CascadeOptions
from mitools.cli._completion import complete_students
from mitools.cli._options import batch_size_option, device_option, tokens_per_batch_option
from mitools.cli._places import RecipePath

__all__ = ["FRONT_GROUP", "front_options", "take_cascade"]

F = TypeVar("F", bound=Callable[..., Any])

FRONT_GROUP = (
    "--student --threshold --least-sure --spread --random --student-price --batch-size "
    "--tokens-per-batch --device"
)


def front_options(function: F) -> F:
    """Add the options of a student before the teacher, and of choosing records."""
    options = [
        click.option(
            "--student",
            type=RecipePath(),
            shell_complete=complete_students,
            metavar="DIR",
            help="Student that answers the records it is sure of; the others go to the teacher.",
        ),
        click.option(
            "--threshold",
            type=click.FloatRange(0, 1),
            metavar="SHARE",
            help="Least confidence of a sure answer.  [default: the operating point's, see "
            "mitools eval --target-accuracy]",
        ),
        click.option(
            "--least-sure",
            type=click.IntRange(min=1),
            metavar="N",
            help="Ask about N records without an answer that the student is unsure of; no better "
            "than --random on real data so far.",
        ),
        click.option(
            "--spread/--no-spread",
            "spreads",
            default=CascadeOptions.spreads,
            show_default=True,
            help="Draw the N records in proportion to 1 - confidence, or take the lowest ones.",
        ),
        click.option(
            "--random",
            type=click.IntRange(min=1),
            metavar="N",
            help="Ask about N random records without an answer; pass the others on.",
        ),
        click.option(
            "--student-price",
            type=float,
            metavar="USD",
            help="Price of the student's machine in USD per hour.",
        ),
        batch_size_option(CascadeOptions.batch_size),
        tokens_per_batch_option,
        device_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


def take_cascade(params: dict[str, Any]) -> CascadeOptions:
    """Take the options of :func:`front_options` out of the parameters; the seed is shared."""
    names = {field.name for field in fields(CascadeOptions)} - {"seed"}
    return CascadeOptions(seed=params["seed"], **{name: params.pop(name) for name in names})
