"""Options that several commands share: one definition and one help text for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from mitools.asking.answering import PREDICT, WAYS
from mitools.bounds import DEEPEST, DEFAULTS
from mitools.cli._completion import complete_students
from mitools.cli._places import DivertOr, OutputPath, RecipePath, TypedOption
from mitools.cli._sizes import ByteSize
from mitools.errors import UsageError
from mitools.schema import TASKS
from mitools.sources.options import LoadOptions

__all__ = [
    "COMMON",
    "INPUT_FILES",
    "INPUT_LIMITS",
    "answer_options",
    "batch_size_option",
    "csv_options",
    "device_option",
    "output_option",
    "read_names",
    "refuse_output",
    "seed_option",
    "student_option",
    "task_option",
    "tokens_per_batch_option",
    "typed",
]

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]


def typed(names: Iterable[str]) -> list[str]:
    """Name the parameters that were typed; those of a recipe may be without effect.

    None outside of a command.
    """
    ctx = click.get_current_context(silent=True)
    is_typed = ParameterSource.COMMANDLINE
    return [name for name in names if ctx and ctx.get_parameter_source(name) is is_typed]


def refuse_output(flag: str) -> None:
    """Refuse a typed ``--output`` beside an option that writes no records there.

    Raises:
        UsageError: it was typed.
    """
    if typed(("output",)):
        message = f"{flag} writes no records, so --output would have no effect"
        raise UsageError(message, hint="leave it out")


INPUT_FILES: Decorator = click.argument(
    "files", nargs=-1, type=RecipePath(readable=False), metavar="[FILE]..."
)

INPUT_LIMITS: list[Decorator] = [
    click.option(
        "--on-error",
        default="stop",
        show_default=True,
        type=DivertOr("stop", "skip"),
        metavar="stop|skip|divert:FILE",
        help="How to handle invalid input lines; divert adds them to FILE.",
    ),
    click.option(
        "--max-line-bytes",
        type=ByteSize(),
        default=f"{DEFAULTS.line_bytes >> 20}M",
        show_default=True,
        metavar="SIZE",
        help="Maximum length of an input line, such as 16M.",
    ),
    click.option(
        "--max-depth",
        type=click.IntRange(1, DEEPEST),
        default=DEFAULTS.depth,
        show_default=True,
        metavar="N",
        help="Maximum nesting of an input record.",
    ),
    click.option(
        "--max-digits",
        type=click.IntRange(640, 10**6),
        default=DEFAULTS.digits,
        show_default=True,
        metavar="N",
        help="Maximum digits of an integer in the input.",
    ),
]

COMMON: list[Decorator] = [
    click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
    click.option("--debug", is_flag=True, help="Show a traceback when something fails."),
]


def read_names(value: Any) -> tuple[str, ...]:
    """Read names with commas between; a recipe may give a list."""
    names = value.split(",") if isinstance(value, str) else value
    return tuple(str(name).strip() for name in names if str(name).strip())


def csv_options(function: F) -> F:
    """Add the options of a command that reads tables: ``--delimiter``, ``--columns`` and others."""
    options = [
        click.option(
            "--delimiter",
            metavar="CHAR",
            help="Delimiter of CSV cells: a character, or tab, comma, semicolon, pipe.",
        ),
        click.option(
            "--quotes/--no-quotes",
            default=LoadOptions.quotes,
            show_default=True,
            help="Whether quotes enclose CSV cells, or are characters like any other.",
        ),
        click.option(
            "--columns",
            "column_names",
            type=read_names,
            default=LoadOptions.column_names,
            metavar="A,B,…",
            help="Names of the columns of a CSV file without a header.",
        ),
        click.option(
            "--encoding", metavar="NAME", help="Text encoding, such as utf-16.  [default: utf-8]"
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def output_option(*, replaces_input: bool) -> Decorator:
    """Make ``-o/--output``.

    Args:
        replaces_input: whether the output may replace the input, as it holds the same records.
    """
    return click.option(
        "-o",
        "--output",
        cls=TypedOption,
        type=OutputPath(replaces_input=replaces_input),
        metavar="FILE",
        help="Output file instead of stdout.",
    )


def answer_options(weight: str) -> Callable[[F], F]:
    """Make ``--answer``, ``--draws`` and ``--answer-weight`` of a stage that asks a student.

    Args:
        weight: the default of ``--answer-weight``, for its help.
    """

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    options = [
        click.option(
            "--answer",
            type=click.Choice(WAYS),
            help="Where the label comes from: the predict pass, after the rationale, what the "
            "rationale names, or both: the predict pass and the rationale, weighted.  [default: "
            "what train chose for the student, otherwise predict]",
        ),
        click.option(
            "--draws",
            type=click.IntRange(min=1),
            default=PREDICT.draws,
            show_default=True,
            metavar="K",
            help="Rationales that the label comes from; above 1 they are sampled.",
        ),
        click.option(
            "--answer-weight",
            type=click.FloatRange(0, 1),
            metavar="WEIGHT",
            help=f"Weight of the predict pass in answers by both.  [default: {weight}]",
        ),
    ]
    return add


def batch_size_option(default: int) -> Callable[[F], F]:
    """Make ``--batch-size`` of a stage that asks a student."""
    return click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        metavar="N",
        help="Records given to the student at once.",
    )


def device_option(function: F) -> F:
    """Add ``--device``."""
    option = click.option(
        "--device",
        metavar="NAME",
        help='Device of the student, such as "cpu" or "cuda:1".  [default: GPU if available]',
    )
    return option(function)


def seed_option(function: F) -> F:
    """Add ``--seed``."""
    option = click.option(
        "--seed",
        default=0,
        show_default=True,
        metavar="N",
        help="Random seed: the same seed and input give the same output.",
    )
    return option(function)


def student_option(function: F) -> F:
    """Add ``--student`` to a stage that asks a trained one."""
    option = click.option(
        "--student",
        type=RecipePath(),
        shell_complete=complete_students,
        metavar="DIR",
        help="Folder of the student. Without it, the answers in the records are used.",
    )
    return option(function)


def task_option(function: F) -> F:
    """Add ``--task``."""
    option = click.option(
        "--task",
        type=click.Choice(TASKS),
        help="How labels are read and compared.  [default: as the record says]",
    )
    return option(function)


def tokens_per_batch_option(function: F) -> F:
    """Add ``--tokens-per-batch``."""
    option = click.option(
        "--tokens-per-batch",
        type=click.IntRange(min=1),
        metavar="N",
        help="Maximum tokens in one batch of the model; fewer need less memory.  "
        "[default: by device]",
    )
    return option(function)
