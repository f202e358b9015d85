"""Options of ``mitools annotate`` about where answers are kept, and about batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mitools.cli._places import OutputPath, RecipePath, TypedOption

__all__ = ["journal_options"]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--journal",
        cls=TypedOption,
        type=OutputPath(),
        metavar="PATH",
        help="File that keeps all responses.  [default: user cache, by model]",
    ),
    click.option("--no-journal", is_flag=True, help="Keep no responses."),
    click.option("--offline", "is_offline", is_flag=True, help="Answer from the journal only."),
    click.option(
        "--batch",
        "in_batches",
        is_flag=True,
        help="Send the requests to the endpoint's Batch API, which is cheaper and slower (OpenAI: "
        "half the price, within 24 hours), and wait for the answers.",
    ),
    click.option(
        "--emit-batch",
        cls=TypedOption,
        type=OutputPath(),
        metavar="FILE",
        help="Write the open requests to a file for the OpenAI Batch API or vllm run-batch.",
    ),
    click.option(
        "--from-batch",
        multiple=True,
        type=RecipePath(),
        metavar="FILE",
        help="Output file of a batch to take answers from. Repeatable.",
    ),
)


def journal_options(function: F) -> F:
    """Add the options about the journal and batches."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
