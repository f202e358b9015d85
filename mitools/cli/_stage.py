"""What every command shares: its options, its streams, and how it ends.

A stage is a click command made with :func:`stage`. Its function receives a :class:`Stage`, which
opens the input and the output by the rules that hold for all of them.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import click
from click.core import ParameterSource

from mitools.bounds import DEEPEST, DEFAULTS, Bounds
from mitools.cli._places import (
    DivertOr,
    OutputPath,
    RecipePath,
    TypedOption,
    check_roles,
    from_recipe,
)
from mitools.cli._sizes import ByteSize
from mitools.console import Console
from mitools.diverted import diverted_pieces, is_diverted
from mitools.errors import MitoolsError, OutputError, RecipeError, UsageError
from mitools.files import STDOUT, appended_output, atomic_output, output_errors, stream_number
from mitools.recipe import find_recipe, load_table
from mitools.records import Reader, Rejected, Writer

__all__ = [
    "HINTS",
    "RecipePath",
    "Stage",
    "StageCommand",
    "abandon_stdout",
    "require_together",
    "seed_option",
    "stage",
    "stdout",
    "use_recipe",
]

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]

HINTS = {
    "input": 'name it with "mitools load --map input=FIELD"',
    "label": 'name it with "mitools load --map label=FIELD"',
    "teacher": 'run "mitools annotate" first',
    "label|teacher.label": 'run "mitools annotate" first',
    "split": 'run "mitools split" first',
    "group|input|id": 'name one with "mitools load --map input=FIELD"',
}


@dataclass
class Stage:
    """One run of a command: who speaks for it, and where its records come from and go."""

    name: str
    console: Console
    files: tuple[str, ...] = ()
    output: str | None = None
    on_error: str = "stop"
    bounds: Bounds = DEFAULTS
    debug: bool = False
    config: Path | None = None
    _closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @contextlib.contextmanager
    def reading(self, *needs: str, hints: Mapping[str, str] = HINTS) -> Iterator[Reader]:
        """Open the input; on leaving, say how many lines were rejected."""
        with contextlib.ExitStack() as stack:
            on_reject = self._rejecter(stack)
            reader = Reader(self.files, needs, on_reject, hints, self.bounds)
            yield reader
            if reader.rejected:
                done = "skipped" if self.on_error == "skip" else f"put into {self.on_error[7:]}"
                total = reader.count + reader.rejected
                self.console.warn(f"{reader.rejected:,} of {total:,} lines {done}")

    def _rejecter(self, stack: contextlib.ExitStack) -> Callable[[Rejected], None] | None:
        if self.on_error == "stop":
            return None
        if self.on_error == "skip":
            return lambda bad: self.console.warn(f"skipped: {bad.error}")
        path = self.on_error.removeprefix("divert:")
        stream = stack.enter_context(appended_output(path, is_diverted))

        def divert(bad: Rejected) -> None:
            with output_errors(path):
                stream.writelines(diverted_pieces(bad))
                stream.flush()

        return divert

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writer]:
        """Open the output: stdout, or a file that appears whole or not at all."""
        if self.output not in (None, STDOUT) and stream_number(str(self.output)) != 1:
            with atomic_output(str(self.output)) as stream:
                yield Writer(stream, flush=False)
            return
        with output_errors("<stdout>"):
            yield Writer(stdout())
            sys.stdout.flush()


def stdout() -> IO[str]:
    """Return stdout as UTF-8 with bare newlines, whatever the locale says."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors="strict")
    return sys.stdout


def _apply_config(ctx: click.Context, _param: click.Parameter, value: str | None) -> Path | None:
    if value is None:
        return None
    path = find_recipe(value)
    use_recipe(ctx, path)
    return path


def use_recipe(ctx: click.Context, path: Path) -> None:
    """Let a recipe's table fill this command's options; the command line still wins.

    What a recipe may not set is refused when the command line has been read, unless that sets it.

    Raises:
        RecipeError: a key is not an option of this command, or not with this value.
    """
    stage_name = ctx.info_name or ""
    options = {
        _key(param): param for param in ctx.command.params if param.name not in _NOT_IN_RECIPES
    }
    defaults: dict[str, Any] = {}
    for key, value in load_table(path, stage_name).items():
        param = options.get(key.replace("_", "-"))
        if param is None or param.name is None:
            close = difflib.get_close_matches(key, options, n=1)
            hint = f'did you mean "{close[0]}"?' if close else f'see "mitools {stage_name} --help"'
            raise RecipeError(f'{path}: [{stage_name}] has no option "{key}"', hint=hint)
        try:
            value = from_recipe(param, path, value)
            param.type_cast_value(ctx, value)
        except RecipeError as exc:
            ctx.meta.setdefault(_REFUSED, {})[param.name] = exc
            continue
        except (click.BadParameter, TypeError) as exc:
            problem = str(exc).rstrip(".")
            message = f"{path}: [{stage_name}] cannot take {key} = {value!r} ({problem})"
            raise RecipeError(message, hint=f'see "mitools {stage_name} --help"') from exc
        defaults[param.name] = value
    ctx.default_map = {**defaults, **(ctx.default_map or {})}


def _refuse_unconfirmed(ctx: click.Context) -> None:
    """Refuse what a recipe may not set, unless it was typed as well."""
    for name, error in ctx.meta.get(_REFUSED, {}).items():
        if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            raise error


_REFUSED = "mitools.refused"
_NOT_IN_RECIPES = ("config", "help", "debug", "files", "quiet")


def _key(param: click.Parameter) -> str:
    longest = max(param.opts, key=len)
    return longest.lstrip("-").replace("_", "-").lower()


class StageCommand(click.Command):
    """A command that turns every error into one line and an exit status."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        wants_traceback = "--debug" in args
        try:
            rest = self._parse(ctx, args)
            _refuse_unconfirmed(ctx)
            check_roles(ctx)
            return rest
        except click.UsageError as exc:
            exc.ctx = exc.ctx or ctx  # the parser's own errors do not know the command
            raise
        except MitoolsError as exc:  # from a recipe
            if wants_traceback:
                raise
            Console(ctx.command_path).error(str(exc))
            ctx.exit(exc.exit_code)

    def _parse(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as exc:
            # A recipe that sets what only a person may set is told so, and not that it is missing.
            name = exc.param.name if exc.param else None
            raise ctx.meta.get(_REFUSED, {}).get(name, exc) from exc

    def invoke(self, ctx: click.Context) -> Any:
        console = Console(f"mitools {ctx.info_name}")
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:  # the reader downstream has had enough
            abandon_stdout()
            ctx.exit(0)
        except KeyboardInterrupt:
            abandon_stdout()
            console.error("interrupted")
            ctx.exit(130)
        except Exception as exc:
            if ctx.params.get("debug"):
                raise
            if not isinstance(exc, MitoolsError):
                console.error(_unforeseen(exc))
                ctx.exit(1)
            if isinstance(exc, OutputError):
                abandon_stdout()
            console.error(str(exc))
            ctx.exit(exc.exit_code)


def _unforeseen(error: Exception) -> str:
    """Say in one line what nobody foresaw: a full memory, a failing disk, or a mistake of ours."""
    if isinstance(error, MemoryError):
        return "the memory is full; give it fewer or shorter records at once"
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}; run it again with --debug to see where"
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"unexpected {text}; run it again with --debug to see where"


def abandon_stdout() -> None:
    """Keep the interpreter from flushing a broken stdout once more on its way out."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def stage(
    name: str,
    *,
    reads: bool = True,
    writes: bool = True,
    rewrites: bool = True,
    argument: Decorator | None = None,
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a click command of a function whose first parameter is a :class:`Stage`.

    Args:
        name: the command's name, also the name of its table in a recipe.
        reads: whether it takes ``FILE`` arguments and ``--on-error``.
        writes: whether it takes ``-o/--output``.
        rewrites: whether that output may replace the input, as it holds the same records.
        argument: stands in for the ``FILE`` argument; its parameter is called ``files`` as well.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(**params: Any) -> None:
            quiet = params.pop("quiet")
            keys = ("files", "output", "on_error", "debug", "config")
            shared = {key: params.pop(key) for key in keys if key in params}
            if reads:
                shared["bounds"] = _bounds(params)
            function(Stage(name, Console(f"mitools {name}", quiet=quiet), **shared), **params)

        command: Callable[..., Any] = run
        output = _output_option(rewrites) if writes else None
        for option in reversed(_shared_options(reads, output, argument or _FILES)):
            command = option(command)
        return click.command(name, cls=StageCommand)(command)

    return decorate


_FILES = click.argument("files", nargs=-1, type=RecipePath(readable=False), metavar="[FILE]...")


def _output_option(rewrites: bool) -> Decorator:
    return click.option(
        "-o",
        "--output",
        cls=TypedOption,
        type=OutputPath(replaces_input=rewrites),
        metavar="FILE",
        help="Write here instead of stdout.",
    )


_READING: list[Decorator] = [
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
        help="Longest input line; K, M and G are units.",
    ),
    click.option(
        "--max-depth",
        type=click.IntRange(1, DEEPEST),
        default=DEFAULTS.depth,
        show_default=True,
        metavar="N",
        help="Deepest nesting of an input record.",
    ),
    click.option(
        "--max-digits",
        type=click.IntRange(640, 10**6),
        default=DEFAULTS.digits,
        show_default=True,
        metavar="N",
        help="Most digits of a whole number in the input.",
    ),
]


def _bounds(params: dict[str, Any]) -> Bounds:
    bounds = Bounds(*(params.pop(name) for name in ("max_line_bytes", "max_depth", "max_digits")))
    sys.set_int_max_str_digits(bounds.digits)
    return bounds


def _shared_options(reads: bool, output: Decorator | None, argument: Decorator) -> list[Decorator]:
    options: list[Decorator] = []
    if reads:
        options += [argument]
    if output is not None:
        options += [output]
    if reads:
        options += _READING
    return [
        *options,
        click.option(
            "-c",
            "--config",
            is_eager=True,
            callback=_apply_config,
            metavar="RECIPE|FILE",
            help="Take options from this recipe, or from a TOML file of your own.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        click.option("--debug", is_flag=True, help="Show a traceback when something fails."),
    ]


def seed_option(function: F) -> F:
    """Add ``--seed``."""
    option = click.option(
        "--seed", default=0, show_default=True, help="Same seed, same input: same output."
    )
    return option(function)


def require_together(given: Mapping[str, Any], *names: str) -> None:
    """Raise :class:`UsageError` where only some of these options were given."""
    missing = [name for name in names if not given.get(name)]
    if missing and len(missing) < len(names):
        raise UsageError(f"--{names[0]} needs --{missing[0]}", hint=f"add --{missing[0]}")
