"""The options of ``mitools annotate`` about sending requests: how fast, how long, how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mitools.annotate.options import AnnotateOptions
from mitools.cli._annotate_options import within
from mitools.cli._sizes import ByteSize

__all__ = ["REQUEST_GROUP", "request_options"]

F = TypeVar("F", bound=Callable[..., Any])

REQUEST_GROUP = (
    "--concurrency --requests-per-minute --tokens-per-minute --unordered --timeout --retries "
    "--max-wait --max-response-bytes"
)


_OPTIONS = (
    click.option(
        "--concurrency",
        type=within("concurrency"),
        default=AnnotateOptions.concurrency,
        show_default=True,
        help="Maximum number of requests in flight.",
    ),
    click.option(
        "--requests-per-minute",
        type=within("requests_per_minute"),
        metavar="N",
        help="Maximum number of requests sent in any minute, evenly spread; retries count.",
    ),
    click.option(
        "--tokens-per-minute",
        type=within("tokens_per_minute"),
        metavar="N",
        help="Maximum number of tokens in any minute: of the prompt and, until the answer "
        "states its usage, --max-tokens or what answers took on average.",
    ),
    click.option("--unordered", is_flag=True, help="Write records as they finish."),
    click.option(
        "--timeout",
        "timeout_seconds",
        type=within("timeout_seconds"),
        default=AnnotateOptions.timeout_seconds,
        show_default=True,
        metavar="SECONDS",
        help="Time limit of one request.",
    ),
    click.option(
        "--retries",
        type=within("retries"),
        default=AnnotateOptions.retries,
        show_default=True,
        help="Retries per request after transient faults; rate limits do not count.",
    ),
    click.option(
        "--max-wait",
        "max_wait_seconds",
        type=within("max_wait_seconds"),
        default=AnnotateOptions.max_wait_seconds,
        show_default=True,
        metavar="SECONDS",
        help="Longest wait that the endpoint may ask for (rate limit, Retry-After) without an "
        "answer in between.",
    ),
    click.option(
        "--max-response-bytes",
        default=f"{AnnotateOptions.max_response_bytes >> 20}M",
        show_default=True,
        metavar="SIZE",
        type=ByteSize(),
        help="Maximum size of a response, unpacked; K, M and G are units.",
    ),
)


def request_options(function: F) -> F:
    """Add the options about sending requests."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
