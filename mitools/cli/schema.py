"""``mitools schema``: print the JSON Schema of a record."""

from __future__ import annotations

import json

from mitools.cli._stage import Stage, stage, stdout
from mitools.files import output_errors

__all__ = ["command"]


@stage("schema", reads=False, writes=False)
def command(stage: Stage) -> None:
    """Print the JSON Schema of a record.

    \b
    mitools schema > record.schema.json
    """
    from mitools.schema import json_schema

    with output_errors("<stdout>"):
        stdout().write(json.dumps(json_schema(), indent=2) + "\n")
        stdout().flush()
