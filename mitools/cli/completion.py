"""``mitools completion``: print the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from mitools.cli._completion import SHELLS
from mitools.cli._stage import Stage, stage, stdout
from mitools.files import output_errors

__all__ = ["command"]


@stage("completion", reads=False, writes=False)
@click.argument("shell", type=click.Choice(SHELLS))
def command(stage: Stage, shell: str) -> None:
    """Print a script for completion in the shell.

    It completes commands, options, recipes, students, base models, presets and files. Save it where
    the shell looks for it, or load it when a shell starts: source <(mitools completion bash).

    \b
    mitools completion bash > ~/.local/share/bash-completion/completions/mitools
    mitools completion zsh > ~/.zfunc/_mitools          # after: fpath+=~/.zfunc; compinit
    mitools completion fish > ~/.config/fish/completions/mitools.fish
    """
    complete = get_completion_class(shell)
    assert complete is not None
    script = complete(click.get_current_context().find_root().command, {}, "mitools", _VARIABLE)
    with output_errors("<stdout>"):
        stdout().write(_whole_items(script.source()))
        stdout().flush()


def _whole_items(source: str) -> str:
    """Let click's script for fish keep the commas in a file name or a help text."""
    return source.replace('(string split "," $completion)', '(string split -m 1 "," $completion)')


_VARIABLE = "_MITOOLS_COMPLETE"  # as click derives it from the name of the program
