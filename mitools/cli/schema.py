"""``mitools schema``: print the JSON Schema of a record."""

from __future__ import annotations

import json

import click

from mitools.bounds import TABLE
from mitools.cli._stage import Stage, stage, stdout
from mitools.files import output_errors

__all__ = ["command"]


@stage("schema", reads=False, writes=False, groups={"Content": "--bounds"})
@click.option(
    "--bounds", is_flag=True, help="Print what a line of input may be, and what raises each bound."
)
def command(stage: Stage, bounds: bool) -> None:
    """Print the JSON Schema of a record.

    \b
    mitools schema > record.schema.json
    mitools schema --bounds
    """
    from mitools.schema import json_schema

    text = _bounds_text() if bounds else json.dumps(json_schema(), indent=2)
    with output_errors("<stdout>"):
        stdout().write(f"{text}\n")
        stdout().flush()


def _bounds_text() -> str:
    rows = [("bound", "default", "option"), *((b.what, b.default, b.option) for b in TABLE)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
