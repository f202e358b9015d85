"""``mitools schema``: print the JSON Schema of a record."""

from __future__ import annotations

import json

import click

from mitools.bounds import TABLE
from mitools.cli._stage import Stage, stage, stdout
from mitools.errors import UsageError
from mitools.files import output_errors

__all__ = ["command"]


@stage("schema", reads=False, writes=False, groups={"Content": "--table --bounds"})
@click.option("--table", is_flag=True, help="Print a Markdown table of the fields instead.")
@click.option(
    "--bounds", is_flag=True, help="Print the limits on input instead, and the option for each."
)
def command(stage: Stage, table: bool, bounds: bool) -> None:
    """Print the JSON Schema of a record.

    \b
    mitools schema > record.schema.json
    mitools schema --table
    mitools schema --bounds
    """
    from mitools.schema import fields_table, json_schema

    if table and bounds:
        raise UsageError("--table and --bounds exclude each other", hint="leave one out")
    if table:
        text = fields_table()
    elif bounds:
        text = _bounds_text()
    else:
        text = json.dumps(json_schema(), indent=2)
    with output_errors("<stdout>"):
        stdout().write(f"{text}\n")
        stdout().flush()


def _bounds_text() -> str:
    rows = [("bound", "default", "option"), *((b.what, b.default, b.option) for b in TABLE)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
