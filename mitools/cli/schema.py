"""``mitools schema``: print the JSON Schema of a record, or of a summary."""

from __future__ import annotations

import json

import click

from mitools.bounds import TABLE
from mitools.cli._stage import Stage, stage, stdout
from mitools.errors import UsageError
from mitools.files import output_errors

__all__ = ["command"]


@stage("schema", reads=False, writes=False, groups={"Content": "--summary --table --bounds"})
@click.option(
    "--summary", is_flag=True, help='Describe what "mitools eval --summary" writes instead.'
)
@click.option("--table", is_flag=True, help="Print a Markdown table of the fields instead.")
@click.option(
    "--bounds", is_flag=True, help="Print the limits on input instead, and the option for each."
)
def command(stage: Stage, summary: bool, table: bool, bounds: bool) -> None:
    """Print the JSON Schema of a record.

    \b
    mitools schema > record.schema.json
    mitools schema --table
    mitools schema --summary > summary.schema.json
    mitools schema --bounds
    """
    if (table or summary) and bounds:
        name = "table" if table else "summary"
        raise UsageError(f"--{name} and --bounds exclude each other", hint="leave one out")
    text = _bounds_text() if bounds else _schema_text(of_summary=summary, is_table=table)
    with output_errors("<stdout>"):
        stdout().write(f"{text}\n")
        stdout().flush()


def _schema_text(*, of_summary: bool, is_table: bool) -> str:
    if of_summary:
        from mitools.evaluate.catalog import figures_table, summary_schema

        schema, table = summary_schema, figures_table
    else:
        from mitools.schema import fields_table, json_schema

        schema, table = json_schema, fields_table
    return table() if is_table else json.dumps(schema(), indent=2)


def _bounds_text() -> str:
    rows = [("bound", "default", "option"), *((b.what, b.default, b.option) for b in TABLE)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
