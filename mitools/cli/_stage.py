"""What every command shares: its streams, its errors and its exit status.

A stage is a click command made with :func:`stage`. Its function receives a :class:`Stage`, which
opens the input and the output by rules that are the same for all stages.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

import click

from mitools.bounds import DEFAULTS, Bounds
from mitools.cli._config import config_option, refusal_of, refuse_unconfirmed
from mitools.cli._help import Groups, grouped_options
from mitools.cli._options import COMMON, INPUT_FILES, INPUT_LIMITS, output_option
from mitools.cli._places import check_roles
from mitools.console import Console, Update, claim_terminal
from mitools.diverted import diverted_pieces, is_diverted
from mitools.errors import INTERRUPTED, MitoolsError, OutputError
from mitools.files import (
    STDIN,
    STDOUT,
    appended_output,
    atomic_output,
    await_stdin,
    output_errors,
    stream_number,
)
from mitools.interrupts import SIGNALS, handling
from mitools.records import Reader, Record, Rejected, Writer, count_records

__all__ = [
    "HINTS",
    "Stage",
    "StageCommand",
    "abandon_stdout",
    "stage",
    "stdout",
    "watched",
]

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
    """One run of a command: its console, its input and its output."""

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
        """Open the input; at the end, report how many lines were rejected."""
        with contextlib.ExitStack() as stack:
            on_reject = self._rejecter(stack)
            reader = Reader(self.files, needs, on_reject, hints, self.bounds)
            yield reader
            if reader.rejected:
                done = "skipped" if self.on_error == "skip" else f"diverted to {self.on_error[7:]}"
                total = reader.count + reader.rejected
                self.console.warn(f"{reader.rejected:,} of {total:,} lines {done}")

    @property
    def reads_stdin(self) -> bool:
        return STDIN in (self.files or (STDIN,))

    def await_input(self) -> None:
        """Wait for the first data of a pipe; before this, load nothing that takes long."""
        if self.reads_stdin:
            await_stdin()

    def expected(
        self, wanted: Callable[[Record], bool] | None = None, limit: int | None = None
    ) -> int | None:
        """Count the records of the input, for its progress; None if that is not quick.

        Args:
            wanted: selects the records to count; by default all.
            limit: the most records that are read, if there is one.
        """
        count = count_records(self.files or (STDIN,), wanted)
        return count if count is None or limit is None else min(count, limit)

    @property
    def feeds_pipe(self) -> bool:
        """Whether the output goes to another program, which shows how far it is."""
        if self.output not in (None, STDOUT):
            return False
        try:
            return stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
        except (OSError, ValueError):  # it has no descriptor
            return False

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
    """Return stdout as UTF-8 with bare newlines, in any locale."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n", errors="strict")
    return cast("IO[str]", _Terminal(sys.stdout)) if sys.stdout.isatty() else sys.stdout


class _Terminal:
    """A stdout that is a terminal: with the first text on it, live lines end."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._is_claimed = False

    def write(self, text: str) -> int:
        if not self._is_claimed:
            self._is_claimed = True
            claim_terminal()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def watched(records: Iterable[Record], update: Update) -> Iterator[Record]:
    """Yield the records; with the first one their progress is shown."""
    for record in records:
        update(0)
        yield record


class StageCommand(click.Command):
    """A command that turns every error into one line and an exit status.

    Attributes:
        groups: headings of the help, with the options under each.
        after_interrupt: what to type after an interrupt. Notes of a ``KeyboardInterrupt`` follow.
    """

    groups: Groups = MappingProxyType({})
    after_interrupt = "run the same command again"

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the headings of their groups."""
        for heading, options in grouped_options(ctx, self.groups).items():
            with formatter.section(heading):
                formatter.write_dl(
                    [row for option in options if (row := option.get_help_record(ctx))]
                )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:  # completion reads a line that is not finished
            return super().parse_args(ctx, args)
        wants_traceback = "--debug" in args
        try:
            rest = self._parse(ctx, args)
            refuse_unconfirmed(ctx)
            check_roles(ctx)
            return rest
        except click.UsageError as exc:
            exc.ctx = exc.ctx or ctx  # errors of the parser do not name the command
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
            # If a recipe sets an option that must be typed, say so instead of "missing".
            refused = refusal_of(ctx, exc.param.name if exc.param else None)
            raise refused or exc from exc

    def invoke(self, ctx: click.Context) -> Any:
        console = Console(f"mitools {ctx.info_name}")
        try:
            with _catching_interrupts():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:  # the reader downstream has closed the pipe
            abandon_stdout()
            ctx.exit(0)
        except KeyboardInterrupt as exc:
            abandon_stdout()
            hint = "; ".join([self.after_interrupt, *getattr(exc, "__notes__", ())])
            console.error(f"interrupted; {hint}" if hint else "interrupted")
            ctx.exit(INTERRUPTED)
        except Exception as exc:
            if ctx.params.get("debug"):
                raise
            if not isinstance(exc, MitoolsError):
                console.error(_unexpected(exc))
                ctx.exit(1)
            if isinstance(exc, OutputError) or exc.exit_code == INTERRUPTED:
                abandon_stdout()
            console.error(str(exc))
            ctx.exit(exc.exit_code)


@contextlib.contextmanager
def _catching_interrupts() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` at ^C and at SIGTERM, if it would end the process.

    Schedulers and containers stop a process by SIGTERM, and it would leave unfinished files behind.
    For ^C see ``mitools.__main__``.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    ends_the_process = (signal.SIG_DFL, signal.default_int_handler)
    wanted = [number for number in SIGNALS if signal.getsignal(number) in ends_the_process]
    with handling(_raise_interrupt, wanted):
        yield


def _raise_interrupt(_signal: int) -> None:
    raise KeyboardInterrupt


def _unexpected(error: Exception) -> str:
    """Describe an unexpected error in one line: no memory, a failing disk, or a bug."""
    if isinstance(error, MemoryError):
        return "out of memory; use smaller batches or shorter records"
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}; run it again with --debug to see where"
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"unexpected {text}; run it again with --debug to see where"


def abandon_stdout() -> None:
    """Keep the interpreter from flushing a broken stdout again when it exits."""
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
    argument: Decorator = INPUT_FILES,
    groups: Groups | None = None,
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a click command of a function whose first parameter is a :class:`Stage`.

    Args:
        name: the command's name, also the name of its table in a recipe.
        reads: whether it takes ``FILE`` arguments and ``--on-error``.
        writes: whether it takes ``-o/--output``.
        rewrites: whether that output may replace the input, as it holds the same records.
        argument: replaces the ``FILE`` argument; its parameter must also be named ``files``.
        groups: headings of the help, with the options under each.
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

        options = [config_option, *COMMON]
        if reads:
            options = [*INPUT_LIMITS, *options]
        if writes:
            options = [output_option(replaces_input=rewrites), *options]
        if reads:
            options = [argument, *options]
        made: Callable[..., Any] = run
        for option in reversed(options):
            made = option(made)
        command = click.command(name, cls=StageCommand)(made)
        command.groups = groups or {}
        return command

    return decorate


def _bounds(params: dict[str, Any]) -> Bounds:
    bounds = Bounds(*(params.pop(name) for name in ("max_line_bytes", "max_depth", "max_digits")))
    sys.set_int_max_str_digits(bounds.digits)
    return bounds
