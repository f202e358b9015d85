"""The command line: options and wiring only, one file per command.

- the commands: ``load``, ``annotate``, ``split``, ``train``, ``eval``, ``explain``, ``export``,
  ``study``, ``init``, ``recipes``, ``schema``, ``completion``; ``COMMANDS`` below lists them with
  their one-line help
- ``_stage``: what every command shares: its streams, its errors and its exit status
- ``_options``: options that several commands share; ``_fields``: options from the fields of an
  options class; ``_help``: the headings of ``--help``; ``_config``: options from a recipe;
  ``_sizes``: sizes such as ``16M``; ``_completion``: what the shell completes
- ``_places``: options that name files, folders and hosts, and who may set them
- ``_annotate_options``, ``_journal_options``, ``_request_options``, ``_student_front``: of
  ``annotate``; ``_unsent``: its actions that ask no teacher;
- ``_eval_options``, ``_eval_output``, ``_judge``: of ``eval``;
  ``_explain_options``, ``_explain_output``: of ``explain``

No module here computes anything: what a command does is one call into the package of its stage.
"""

from __future__ import annotations

import difflib
import importlib
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from mitools.cli._completion import described
from mitools.console import Console, guard_stderr

__all__ = ["COMMANDS", "main", "mitools"]

COMMANDS: dict[str, str] = {
    "load": "Turn a data set into records.",
    "annotate": "Let a teacher LLM answer and explain each record.",
    "split": "Assign each record to train, valid or test.",
    "train": "Teach a small student to answer and to explain.",
    "eval": "Measure a student: accuracy, calibration, consistency.",
    "explain": "Show gold, teacher and student side by side.",
    "export": "Export a student to another runtime.",
    "study": "Train and measure many students, and compare them.",
    "init": "Start a recipe of your own.",
    "recipes": "List the recipes that came with mitools.",
    "schema": "Print the JSON Schema of a record.",
    "completion": "Print a script for completion in the shell.",
}


_HELP = "help"
_EPILOG = """\
"mitools help COMMAND" shows the options of a command. "mitools help completion" shows how to set
up completion in your shell.
"""


class _Group(click.Group):
    """Imports a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"mitools.cli.{cmd_name}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] == [_HELP]:  # "help train" is "train --help"
            asked = [name for name in args[1:2] if name != _HELP]
            args = asked if ctx.resilient_parsing else [*asked, "--help"]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        words = {**COMMANDS, _HELP: "Show the help of a command."}
        return described(words, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f'no command "{args[0]}"{_guess(args[0], [*COMMANDS, _HELP])}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run, and print every usage error in one line, with what to type next."""
        if not extra.get("standalone_mode", True):
            return super().main(args, *rest, **extra)
        try:
            status = super().main(args, *rest, **{**extra, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as exc:
            exc.show()
            sys.exit(exc.exit_code)
        except click.ClickException as exc:
            ctx = getattr(exc, "ctx", None)
            name = ctx.command_path if ctx else "mitools"
            Console(name).error(f'{_problem(exc)}; see "{name} --help"')
            sys.exit(exc.exit_code)
        except OSError as exc:  # help or version could not be printed
            from mitools.cli._stage import abandon_stdout

            abandon_stdout()
            Console("mitools").error(f"cannot write <stdout>: {exc.strerror}")
            sys.exit(1)
        except (KeyboardInterrupt, click.Abort):
            sys.exit(130)
        sys.exit(status if isinstance(status, int) else 0)


def _problem(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        return f'no option "{name}"{_guess(name, error.possibilities or ())}'
    # Click lists the values of an option in lines of their own.
    return " ".join(error.format_message().split()).rstrip(".")


def _guess(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    close = close or [name for name in known if len(word) > 1 and name.startswith(word)]
    return f'; did you mean "{close[0]}"?' if close else ""


@click.group(cls=_Group, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mitools", prog_name="mitools")
def mitools() -> None:
    """Turn a large language model's reasoning into a small model that answers and explains.

    The commands from load to explain are stages: each reads JSON Lines, adds
    fields, and writes JSON Lines.

    \b
    mitools load svamp | mitools annotate -m MODEL | mitools split |
      mitools train --save runs/svamp | mitools eval --student runs/svamp | mitools explain
    """


def main() -> None:
    """Entry point of the ``mitools`` command."""
    _hold_closed_streams()
    guard_stderr()
    _spin_less()
    try:
        mitools(prog_name="mitools")
    finally:
        # The work is done: ^C while Python exits would only write the tracebacks of its threads.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _spin_less() -> None:
    """Let OpenMP's threads sleep sooner at a barrier, before torch is loaded; the user's word wins.

    Where other processes need the cores, a step of a small student takes half as long; on a quiet
    machine it takes as long as before (tests/benchmarks/README.md, "A training step").
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = _SPINS


_SPINS = "20000"  # the default is 300,000


def _hold_closed_streams() -> None:
    """Replace a stdin or stdout that the shell closed by one that fails when it is used.

    Otherwise the next opened file would get its number, and Python has None in its place.
    """
    # Opened for the wrong direction, so that reading and writing fail; messages may be lost.
    ways = {"stdin": os.O_WRONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
    for number, (name, way) in enumerate(ways.items()):
        if getattr(sys, name) is None:
            os.open(os.devnull, way)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
