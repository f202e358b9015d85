"""What every command shares: its options, its streams, and how it ends.

A stage is a click command made with :func:`stage`. Its function receives a :class:`Stage`, which
opens the input and the output by the rules that hold for all of them.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from mitools.console import Console
from mitools.errors import MitoolsError, OutputError, RecipeError, UsageError
from mitools.files import STDOUT, atomic_output, output_errors
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


class RecipePath(click.Path):
    """A path option; in a recipe it is relative to the recipe's own folder."""

    name = "path"


@dataclass
class Stage:
    """One run of a command: who speaks for it, and where its records come from and go."""

    name: str
    console: Console
    files: tuple[str, ...] = ()
    output: str | None = None
    on_error: str = "stop"
    debug: bool = False
    config: Path | None = None
    _closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @contextlib.contextmanager
    def reading(self, *needs: str, hints: Mapping[str, str] = HINTS) -> Iterator[Reader]:
        """Open the input; on leaving, say how many lines were rejected."""
        with contextlib.ExitStack() as stack:
            on_reject = self._rejecter(stack)
            reader = Reader(self.files, needs, on_reject, hints)
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
        # Not atomic: a diverted line must survive whatever ends the stage.
        with output_errors(path):
            stream = stack.enter_context(open(path, "w", encoding="utf-8"))  # noqa: SIM115

        def divert(bad: Rejected) -> None:
            where = bad.error.where
            place = {"file": where.path, "line": where.line} if where else {}
            with output_errors(path):
                stream.write(
                    json.dumps({"error": str(bad.error), **place, "text": bad.text}) + "\n"
                )
                stream.flush()

        return divert

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writer]:
        """Open the output: stdout, or a file that appears whole or not at all."""
        if self.output not in (None, STDOUT):
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


def _check_on_error(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value in ("stop", "skip") or (value.startswith("divert:") and len(value) > len("divert:")):
        return value
    raise click.BadParameter('use "stop", "skip" or "divert:FILE"')


def _apply_config(ctx: click.Context, _param: click.Parameter, value: str | None) -> Path | None:
    if value is None:
        return None
    path = find_recipe(value)
    use_recipe(ctx, path)
    return path


def use_recipe(ctx: click.Context, path: Path) -> None:
    """Let a recipe's table fill this command's options; the command line still wins.

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
            if isinstance(param.type, RecipePath):
                value = _beside(path, value)
            param.type_cast_value(ctx, value)
        except (click.BadParameter, TypeError) as exc:
            problem = str(exc).rstrip(".")
            message = f"{path}: [{stage_name}] cannot take {key} = {value!r} ({problem})"
            raise RecipeError(message, hint=f'see "mitools {stage_name} --help"') from exc
        defaults[param.name] = value
    ctx.default_map = {**defaults, **(ctx.default_map or {})}


def _beside(recipe: Path, value: Any) -> Any:
    """Read a path, or several, from where the recipe is."""
    if isinstance(value, list):
        return [str(recipe.parent / one) for one in value]
    return str(recipe.parent / value)


_NOT_IN_RECIPES = ("config", "help", "debug", "files", "quiet")


def _key(param: click.Parameter) -> str:
    longest = max(param.opts, key=len)
    return longest.lstrip("-").replace("_", "-").lower()


class StageCommand(click.Command):
    """A command that turns every error into one line and an exit status."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        wants_traceback = "--debug" in args
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as exc:
            exc.ctx = exc.ctx or ctx  # the parser's own errors do not know the command
            raise
        except MitoolsError as exc:  # from a recipe
            if wants_traceback:
                raise
            Console(ctx.command_path).error(str(exc))
            ctx.exit(exc.exit_code)

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
                console.error(_defect(exc))
                ctx.exit(1)
            if isinstance(exc, OutputError):
                abandon_stdout()
            console.error(str(exc))
            ctx.exit(exc.exit_code)


def _defect(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{text}; a defect of mitools: run it again with --debug, and report what it says"


def abandon_stdout() -> None:
    """Keep the interpreter from flushing a broken stdout once more on its way out."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def stage(
    name: str, *, reads: bool = True, writes: bool = True, argument: Decorator | None = None
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a click command of a function whose first parameter is a :class:`Stage`.

    Args:
        name: the command's name, also the name of its table in a recipe.
        reads: whether it takes ``FILE`` arguments and ``--on-error``.
        writes: whether it takes ``-o/--output``.
        argument: stands in for the ``FILE`` argument; its parameter is called ``files`` as well.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(**params: Any) -> None:
            quiet = params.pop("quiet")
            keys = ("files", "output", "on_error", "debug", "config")
            shared = {key: params.pop(key) for key in keys if key in params}
            function(Stage(name, Console(f"mitools {name}", quiet=quiet), **shared), **params)

        command: Callable[..., Any] = run
        for option in reversed(_shared_options(reads, writes, argument or _FILES)):
            command = option(command)
        return click.command(name, cls=StageCommand)(command)

    return decorate


_FILES = click.argument("files", nargs=-1, metavar="[FILE]...")


def _shared_options(reads: bool, writes: bool, argument: Decorator) -> list[Decorator]:
    options: list[Decorator] = []
    if reads:
        options += [argument]
    if writes:
        options += [
            click.option("-o", "--output", metavar="FILE", help="Write here instead of stdout."),
        ]
    if reads:
        options += [
            click.option(
                "--on-error",
                default="stop",
                show_default=True,
                callback=_check_on_error,
                metavar="stop|skip|divert:FILE",
                help="What to do about a line that is no usable record.",
            ),
        ]
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
