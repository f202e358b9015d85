"""Option groups in ``--help``: each command lists its options under headings."""

from __future__ import annotations

from collections.abc import Mapping

import click

__all__ = ["COMMON_GROUPS", "UNLISTED", "Groups", "grouped_options"]

Groups = Mapping[str, str]
"""Headings, each with its options separated by spaces: ``{"Student": "--save --student"}``."""

COMMON_GROUPS: Groups = {
    "Input and output": "--output --on-error --max-line-bytes --max-depth --max-digits",
    "Run": "--seed --config --quiet --debug --help",
}
"""The options of every stage. A command may put options of its own under these headings."""

UNLISTED = "Other"
"""Heading of options that no group lists; a test fails while there are any."""


def grouped_options(ctx: click.Context, groups: Groups) -> dict[str, list[click.Parameter]]:
    """Sort a command's options into groups, in the order in which the groups list them.

    Args:
        groups: the command's own; :data:`COMMON_GROUPS` follow them.

    Returns:
        Options by heading; headings without options are left out.
    """
    names = {heading: words.split() for heading, words in groups.items()}
    for heading, words in COMMON_GROUPS.items():
        names[heading] = [*names.pop(heading, []), *words.split()]
    by_name = {
        max(param.opts, key=len): param
        for param in ctx.command.get_params(ctx)
        if isinstance(param, click.Option)
    }
    found: dict[str, list[click.Parameter]] = {}
    for heading, listed in names.items():
        found[heading] = [by_name.pop(name) for name in listed if name in by_name]
    found[UNLISTED] = list(by_name.values())
    return {heading: options for heading, options in found.items() if options}
