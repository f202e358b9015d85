"""Files of which nothing can be proposed, and what to type for them."""

from __future__ import annotations

import re
from collections.abc import Collection

from mitools.errors import UsageError
from mitools.scaffold.column import Column
from mitools.scaffold.options import InitOptions
from mitools.scaffold.sample import Sample
from mitools.scaffold.usual_names import by_usual_name, in_template
from mitools.sources.answers import shortened

__all__ = ["all_alike", "check_header", "unclear"]

_MOST_LISTED = 12
_NUMBER = re.compile(r"[-+]?\d{1,20}(?:\.\d{1,20})?")


def check_header(sample: Sample, proposed: Collection[str], options: InitOptions) -> None:
    """Refuse a table whose first line is a row, unless a person named the columns to take.

    Args:
        sample: the first rows.
        proposed: names of columns that no person gave.
        options: of the recipe.

    Raises:
        UsageError: a proposed column has a number for a name, or a label that also stands below it.
    """
    if not sample.is_table or options.column_names:
        return
    for column in (column for name, column in sample.columns.items() if name in proposed):
        is_below = column.name in column.values and column.are_labels
        if is_below or _NUMBER.fullmatch(column.name):
            message = f'{sample.name}: the first line looks like a row, as it holds "{column.name}"'
            hint = "name the columns: --columns A,B,…; or, if it is a header, name two columns of "
            raise UsageError(message, hint=hint + "it: --input FIELD --label FIELD")


def all_alike(sample: Sample, column: Column) -> UsageError:
    """Make the error of a label that is the same in all rows that were read, of a longer file."""
    value = shortened(next(iter(column.values), ""), 40)
    message = f'{sample.name}: the first {sample.rows:,} rows all have the {column.name} "{value}"'
    hint = "shuffle the file, or say what its labels are: --task labels --labels A,B"
    return UsageError(message, hint=hint)


def unclear(sample: Sample, target: str, problem: str) -> UsageError:
    """Make the error of a file in which no column, or several, can be ``target``."""
    shown = [f"{name} ({column.describe()})" for name, column in sample.columns.items()]
    more = ["…"] if len(shown) > _MOST_LISTED else []
    said = ", ".join([*shown[:_MOST_LISTED], *more])
    hint = "name the columns: --input FIELD --label FIELD"
    alike = [name for name in by_usual_name("label", sample.columns) if _is_alike(sample, name)]
    if target == "label" and alike and not sample.is_whole:
        return all_alike(sample, sample.columns[alike[0]])
    if target == "label":
        hint += _nested_labels(sample) + "; a file without labels: --label ''"
    return UsageError(f"{sample.name}: {problem}; columns: {said}", hint=hint)


def _is_alike(sample: Sample, name: str) -> bool:
    column = sample.columns[name]
    return column.filled == sample.rows and not column.nested and not column.varies


def _nested_labels(sample: Sample) -> str:
    """Say how to take a label out of a list or an object."""
    nested = {name: column for name, column in sample.columns.items() if column.path}
    named = [name for name in by_usual_name("label", nested) if in_template(name) == name]
    if not named:
        return ""
    path = f"{named[0]}.{nested[named[0]].path}"
    if path != f"{named[0]}.0":
        return f", such as --label {path}"
    joined = f"--label \"{{{{ {named[0]} | join(', ') }}}}\""
    return f"; a record has one label: --label {path} is the first in a list, {joined} all of them"
