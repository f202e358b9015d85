"""The command that gives the records of a page again."""

from __future__ import annotations

from collections.abc import Sequence

from mitools.explain.options import ExplainOptions
from mitools.files import STDIN

__all__ = ["command_words"]

_VALUES = ("student", "answer", "draws", "answer_weight", "task", "device")


def command_words(options: ExplainOptions, sources: Sequence[str]) -> tuple[str, ...]:
    """Return the words of the command without its filters; () for a text that was typed.

    The page adds its own filters, so that the command shows the same records in a terminal.

    Args:
        options: of the run that wrote the page.
        sources: the files of the records.
    """
    if options.text is not None:
        return ()
    words = ["mitools", "explain", *(STDIN if name == "stdin" else name for name in sources)]
    for name in options.other_files:
        words += ["--vs", name]
    usual = ExplainOptions()
    for name in _VALUES:
        value = getattr(options, name)
        if value is not None and value != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", f"{value}"]
    return tuple(words)
