"""The stage as one function: from the name of a source to records.

As in every stage, the reader decides which records are valid.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import itertools
import os
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitools.errors import EmptyInputError, SourceError, UsageError, Where
from mitools.files import STDIN
from mitools.gold import GoldCheck
from mitools.recipe import is_recipe_name, list_recipes
from mitools.records import Reader, Record
from mitools.sources.ahead import Ahead
from mitools.sources.arrow_files import is_saved, open_saved
from mitools.sources.chat.answers import Answers
from mitools.sources.chat.exchange import ChatRow
from mitools.sources.chat.report import ChatReport
from mitools.sources.chat.rows import with_chats
from mitools.sources.folders import files_in
from mitools.sources.formats import open_file
from mitools.sources.hub import PREFIX, open_hub
from mitools.sources.mapping import Mapper
from mitools.sources.named_fields import NamedFields
from mitools.sources.options import LoadOptions, with_preset
from mitools.sources.part import Part, table_row
from mitools.sources.readable import with_readable_gold
from mitools.sources.recipe_source import recipe_source
from mitools.sources.splits import splits_by_name

if TYPE_CHECKING:
    from mitools.demo.stories import Answer

__all__ = [
    "DEMO",
    "check_used",
    "load_records",
    "open_demo",
    "open_named",
    "open_sources",
    "read_parts",
    "sources_in",
]

DEMO = "demo"


def load_records(
    source: str | os.PathLike[str] | Iterable[str], options: LoadOptions | None = None
) -> Iterator[Record]:
    """Read a data set as records, as ``mitools load`` does.

    Rows are read one by one, so memory is bounded; a JSON list alone is held whole.

    Args:
        source: path of a .jsonl, .json, .csv, .tsv, .parquet or .arrow file, of a folder of such
            files, also one that ``save_to_disk`` of ``datasets`` wrote; ``hf:ORG/NAME`` for a set
            of the Hugging Face Hub; ``demo`` for generated word problems; ``-`` for JSON Lines on
            stdin; or the name of a recipe of this installation, whose options the given ones
            override. Also several of these but recipes.
        options: how fields, labels and files are read; the defaults of :class:`LoadOptions` if
            None.

    Yields:
        Records with ``id``, ``input`` and ``task``.

    Raises:
        UsageError: the options do not go together, or are of no use for this source.
        SourceError: a source cannot be opened, or its labels cannot be understood.
        DataError: a row is not valid, or there is none.

    Example:
        >>> [record["id"] for record in load_records("demo", LoadOptions(n=3))]
        ['demo-0-000000', 'demo-0-000001', 'demo-0-000002']
    """
    options = options or LoadOptions()
    names = [os.fspath(source)] if isinstance(source, str | os.PathLike) else list(source)
    given = _set_attributes(options)
    recipes = [name for name in names if is_recipe_name(name) and not Path(name).is_file()]
    if recipes and len(names) > 1:
        message = f'the recipe "{recipes[0]}" brings its own source'
        raise UsageError(message, hint="load it by itself")
    if recipes:
        own_source, recipe_options = recipe_source(recipes[0])
        names, options = [own_source], _over(recipe_options, options)
    check_used(given, names)
    options = with_preset(options)
    options.check()
    return read_parts(open_sources(names, options), options, Reader(needs=("input",)))


def _set_attributes(options: LoadOptions) -> dict[str, Any]:
    """Return the attributes that differ from their defaults, with their values."""
    plain = LoadOptions()
    names = (attribute.name for attribute in dataclasses.fields(LoadOptions))
    return {
        name: getattr(options, name)
        for name in names
        if getattr(options, name) != getattr(plain, name)
    }


def _over(recipe: LoadOptions, options: LoadOptions) -> LoadOptions:
    """Override the options of a recipe; mappings of fields are merged."""
    given = _set_attributes(options)
    if "fields" in given:
        given["fields"] = {**recipe.fields, **options.fields}
    return dataclasses.replace(recipe, **given)


def check_used(given: Collection[str], names: Collection[str]) -> None:
    """Refuse options that none of the sources uses.

    Args:
        given: attributes of :class:`LoadOptions` that a person set.
        names: of the sources.

    Raises:
        UsageError: one of the options has no effect.
    """
    if "n" in given and DEMO not in names:
        raise UsageError("--n is for the demo only", hint="use --limit")
    for option in ("steps", "distractors", "answer"):
        if option in given and DEMO not in names:
            raise UsageError(f"--{option} is for the demo only", hint="leave it out")
    are_files = [name for name in names if name != DEMO and not name.startswith(PREFIX)]
    for option in ("format", "delimiter", "quotes", "column_names", "encoding"):
        if option in given and not are_files:
            flag = {"column_names": "columns", "quotes": "no-quotes"}.get(option, option)
            raise UsageError(f"--{flag} is for files and stdin only", hint="leave it out")
    for option in ("name", "revision", "hf_splits"):
        if option in given and not any(name.startswith(PREFIX) for name in names):
            flag = {"hf_splits": "hf-split"}.get(option, option)
            hint = "use --as-split" if flag == "hf-split" else "leave it out"
            raise UsageError(f"--{flag} is for data sets of the Hub only", hint=hint)


def open_sources(names: Iterable[str], options: LoadOptions) -> Iterator[Part]:
    """Open sources one after another, each after the one before has been read.

    A folder is its data files. Files whose names tell their splits, such as ``train.csv`` and
    ``test.csv``, have them.

    Raises:
        SourceError: one cannot be opened.
    """
    names = [file for name in names for file in sources_in(name, options)]
    splits = splits_by_name(names)
    for name in names:
        if name == DEMO:
            yield open_demo(options)
        elif name.startswith(PREFIX):
            yield from open_hub(name.removeprefix(PREFIX), options)
        elif is_saved(name):
            yield from open_saved(name, options)
        else:
            yield dataclasses.replace(open_named(name, options), likely_split=splits.get(name))


def read_parts(
    parts: Iterable[Part],
    options: LoadOptions,
    reader: Reader,
    gold: GoldCheck | None = None,
    report: ChatReport | None = None,
    named: NamedFields | None = None,
) -> Iterator[Record]:
    """Read parts one after another as records.

    Args:
        parts: from :func:`open_sources`.
        options: how fields and labels are read, and how many records of each part.
        reader: validates records, gives ids and counts.
        gold: counts gold labels that the task cannot read.
        report: counts what was read in chat logs.
        named: notes which of the fields to keep or to drop there are.

    Raises:
        EmptyInputError: no part had a record.
        SourceError: the form of labels is not clear, or the task cannot read most of them.
    """
    names: list[str] = []
    report = report or ChatReport()
    answers = Answers(report, options.rationale_from, options.max_rationale_words)

    def records() -> Iterator[Record]:
        watched = parts if named is None else map(named.watch, parts)
        ahead = Ahead(with_chats(watched, options, report), options)
        with contextlib.closing(iter(ahead)) as opened:
            for part, mapper, rows in opened:
                names.append(part.name)
                made = reader.admit(rows, partial(_converted, mapper, answers))
                yield from itertools.islice(made, options.limit)

    label_field = options.fields.get("label", "label")
    yield from with_readable_gold(records(), gold or GoldCheck(), label_field)
    if not reader.count and not reader.rejected and names and names != ["<stdin>"]:
        hint = "check that it is complete, and not only a header"
        raise EmptyInputError(f"{' '.join(names)}: no records", hint=hint)
    reader.check_not_empty(names)


def _converted(mapper: Mapper, answers: Answers, values: Record, where: Where) -> Record:
    record = answers.shortened(mapper(values, where))
    return answers.add(record, values.exchange, where) if isinstance(values, ChatRow) else record


def open_named(name: str, options: LoadOptions | None = None) -> Part:
    """Open a file by the name that the user typed.

    Raises:
        SourceError: there is no such file; the hint suggests a similar name.
    """
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


def sources_in(name: str, options: LoadOptions) -> list[str]:
    """List the files of a folder; any other source, and what save_to_disk wrote, is itself."""
    if name == DEMO or not Path(name).is_dir() or is_saved(name):
        return [name]
    return files_in(name, options)


def open_demo(options: LoadOptions) -> Part:
    """Make word problems (see :mod:`mitools.demo`); stories where ``steps`` is set."""
    from mitools.demo import StoryOptions, problems, story_problems

    records = problems(options.n, options.seed)
    if options.steps is not None:
        answer: Answer = "equation" if options.answer == "equation" else "value"
        story = StoryOptions(options.steps, options.distractors, answer)
        records = story_problems(options.n, options.seed, story)
    made = enumerate(records, start=1)
    return Part(DEMO, (table_row(record, Where(DEMO, number)) for number, record in made))
