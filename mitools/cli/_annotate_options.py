"""Values of ``mitools annotate`` as people type them: ranges, prices and request fields.

With three options: the prompt, log-probabilities, and the share of failures.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mitools.annotate.options import (
    ALIKE_FAILURES,
    MAX_UNANSWERED,
    PROMPTS,
    SCORINGS,
    AnnotateOptions,
    Price,
)
from mitools.annotate.ranges import RANGES
from mitools.cli._places import RecipePath

F = TypeVar("F", bound=Callable[..., Any])

__all__ = [
    "max_error_rate_option",
    "parse_params",
    "parse_price",
    "prompt_option",
    "scoring_options",
    "top_logprobs_option",
    "within",
]

prompt_option = click.option(
    "--prompt",
    type=click.Choice(PROMPTS),
    default=AnnotateOptions.prompt,
    show_default=True,
    help="Prompt by task, or the input alone at temperature 0, for a served student of mitools.",
)


def within(name: str) -> click.IntRange | click.FloatRange:
    """Give the range of an option, as the library checks it."""
    within, is_whole = RANGES[name], AnnotateOptions.__annotations__[name].startswith("int")
    if is_whole:
        return click.IntRange(int(within.low), None if within.high is None else int(within.high))
    return click.FloatRange(within.low, within.high, min_open=within.is_open)


top_logprobs_option = click.option(
    "--top-logprobs",
    type=within("top_logprobs"),
    help="Tokens per position to request log-probabilities of; they become teacher.choices.",
)

_score_choices_option = click.option(
    "--score-choices",
    type=click.Choice(SCORINGS),
    help="Score every choice, for exact teacher.choices: by prompt_logprobs of a chat API, or echo "
    "of a completions API.",
)

_chat_template_option = click.option(
    "--chat-template",
    type=RecipePath(exists=True, dir_okay=False),
    metavar="FILE",
    help="The model's chat template (Jinja2), for --score-choices completions.  [default: messages "
    "joined by blank lines]",
)


def scoring_options(function: F) -> F:
    """Add the options about scoring the choices."""
    return _score_choices_option(_chat_template_option(function))


max_error_rate_option = click.option(
    "--max-error-rate",
    type=within("max_error_rate"),
    metavar="FRACTION",
    help="Fraction of records without an answer at which to stop.  [default: stop when the "
    f"first {ALIKE_FAILURES} requests fail alike, or the first {MAX_UNANSWERED} replies "
    "hold no answer]",
)


def parse_price(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Price | None:
    try:
        return None if value is None else Price.parse(value)
    except ValueError as exc:
        hint = 'write it as "IN,OUT" in USD per million tokens, such as "0.25,2"'
        raise click.BadParameter(hint) from exc


def parse_params(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for pair in values:
        name, is_given, value = pair.partition("=")
        if not is_given or not name:
            raise click.BadParameter(f'"{pair}" is not KEY=VALUE')
        params[name] = _parse_value(value)
    return params


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
