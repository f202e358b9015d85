"""load: data sets of the Hub, local files and the built-in demo, as records.

:mod:`part` is what a source is made of: a name and rows. Where rows come from:

- :mod:`formats`: which format a local file is in; :mod:`opening` and :mod:`recognition` look at its
  first bytes; :mod:`json_text`, :mod:`delimited` and :mod:`parquet` read it.
- :mod:`hub`: data sets of the Hugging Face Hub.

How a row becomes a record: :mod:`mapping`, with :mod:`templates`, by :mod:`answers` (choices and
labels as texts), :mod:`labelling` (how a source writes its labels, decided once), :mod:`ahead` (the
rows that decide it) and :mod:`published` (well-known data sets). :mod:`readable` refuses a source
whose gold labels the task cannot read. Which records are let in is the reader's rule, as in every
stage.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from mitools.errors import EmptyInputError, SourceError, Where
from mitools.files import STDIN
from mitools.gold import GoldCheck
from mitools.recipe import list_recipes
from mitools.records import Reader, Record
from mitools.sources.ahead import Ahead
from mitools.sources.answers import LABEL_FORMS
from mitools.sources.formats import ENDINGS, open_file
from mitools.sources.hub import PREFIX, HubSource, open_hub
from mitools.sources.mapping import TARGETS, LoadOptions, with_preset
from mitools.sources.opening import FORMATS, FileOptions
from mitools.sources.part import Part, table_row
from mitools.sources.published import PRESETS
from mitools.sources.readable import with_readable_gold

__all__ = [
    "DEMO",
    "ENDINGS",
    "FORMATS",
    "LABEL_FORMS",
    "PREFIX",
    "PRESETS",
    "TARGETS",
    "FileOptions",
    "HubSource",
    "LoadOptions",
    "Part",
    "load",
    "open_demo",
    "open_file",
    "open_hub",
    "open_named",
    "with_preset",
]

DEMO = "demo"


def load(
    parts: Iterable[Part],
    plan: LoadOptions,
    reader: Reader,
    limit: int | None = None,
    gold: GoldCheck | None = None,
) -> Iterator[Record]:
    """Read parts, one after the other, as records.

    Args:
        parts: from :func:`open_file` and its like.
        plan: what becomes of each field.
        reader: decides which records are let in, gives ids and counts.
        limit: how many records to take of each part.
        gold: counts the gold labels that the task cannot read.

    Raises:
        EmptyInputError: no part had a record.
        SourceError: how labels are written cannot be told, or the task reads hardly any of them.
    """
    names: list[str] = []

    def records() -> Iterator[Record]:
        for part, mapper, rows in Ahead(parts, plan):
            names.append(part.name)
            yield from itertools.islice(reader.admit(rows, mapper), limit)

    yield from with_readable_gold(records(), gold or GoldCheck(), plan.fields.get("label", "label"))
    if not reader.count and not reader.rejected and names and names != ["<stdin>"]:
        hint = "check that it is complete, and not a header alone"
        raise EmptyInputError(f"{' '.join(names)}: no records", hint=hint)
    reader.check_not_empty(names)


def open_named(name: str, options: FileOptions | None = None) -> Part:
    """Open a file by a name that a person typed.

    Raises:
        SourceError: there is none; the hint guesses what was meant.
    """
    if Path(name).is_dir():
        raise SourceError(f"{name} is a folder", hint=f'name its files: "mitools load {name}/*"')
    if name == STDIN or Path(name).exists() or Path(name).suffix:
        return open_file(name, options)
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
