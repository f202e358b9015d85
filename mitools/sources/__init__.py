"""load: data sets of the Hub, local files and the built-in demo, as records.

:mod:`formats` and :mod:`hub` turn a source into parts with rows, :mod:`mapping` turns a row into a
record (:mod:`answers` reads its choices and label). Which records are let in is the reader's rule,
as in every stage.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from mitools.errors import SourceError, Where
from mitools.files import STDIN
from mitools.recipe import list_recipes
from mitools.records import Reader, Record
from mitools.sources.formats import ENDINGS, open_file
from mitools.sources.hub import PREFIX, HubSource, open_hub
from mitools.sources.mapping import TARGETS, Mapper, Plan
from mitools.sources.part import Part, table_row

__all__ = [
    "DEMO",
    "ENDINGS",
    "PREFIX",
    "TARGETS",
    "HubSource",
    "Part",
    "Plan",
    "load",
    "open_demo",
    "open_file",
    "open_hub",
    "open_named",
]

DEMO = "demo"


def load(
    parts: Iterable[Part], plan: Plan, reader: Reader, limit: int | None = None
) -> Iterator[Record]:
    """Read parts, one after the other, as records.

    Args:
        parts: from :func:`open_file` and its like.
        plan: what becomes of each field.
        reader: decides which records are let in, gives ids and counts.
        limit: how many records to take of each part.

    Raises:
        EmptyInputError: no part had a record.
    """
    names = []
    for part in parts:
        names.append(part.name)
        yield from itertools.islice(reader.admit(part.rows, Mapper(plan, part)), limit)
    reader.check_not_empty(names)


def open_named(name: str) -> Part:
    """Open a file by a name that a person typed.

    Raises:
        SourceError: there is none; the hint guesses what was meant.
    """
    if Path(name).is_dir():
        raise SourceError(f"{name} is a folder", hint=f'name its files: "mitools load {name}/*"')
    if name == STDIN or Path(name).exists() or Path(name).suffix:
        return open_file(name)
    known = [*list_recipes(), DEMO]
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        hint = f'did you mean "{close[0]}"?'
    elif name.count("/") == 1:
        hint = f'for a data set on the Hub: "{PREFIX}{name}"'
    else:
        hint = f"give a file, {PREFIX}ORG/NAME, or one of {', '.join(known)}"
    raise SourceError(f'no file or recipe "{name}"', hint=hint)


def open_demo(n: int, seed: int) -> Part:
    """Make ``n`` word problems (see :mod:`mitools.demo`)."""
    from mitools.demo import problems

    made = enumerate(problems(n, seed), start=1)
    return Part(DEMO, (table_row(record, Where(DEMO, number)) for number, record in made))
