"""The set of labels of a column, and whether its labels mean something to a teacher."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mitools.errors import UsageError
from mitools.scaffold.column import MOST_LABELS, Column
from mitools.scaffold.usual_names import SCALES, plain_name
from mitools.sources.label_forms import LabelForm
from mitools.sources.labelling import form_of_classes

__all__ = ["form_of_labels", "label_set", "warn_of_numbers"]

_NONE = "-"
"""Marks a row without a label, in SNLI."""

_NONE_ON_THE_HUB = "-1"
_POLARITIES = {"-1", "0", "1"}
_SIGNS = (["-1", "1"], ["-1", "0", "1"])
_NUMBER = re.compile(r"-?\d{1,15}(?:\.0+)?")


def label_set(column: Column | None, classes: Sequence[str] = ()) -> tuple[str, ...]:
    """Read the set of labels from a column: numbers by value, texts by letter.

    Args:
        column: the column of the label; None if there is none.
        classes: the names behind its numbers, where the file has them.

    Raises:
        UsageError: the column does not show the set.
    """
    if column is not None and column.are_labels and classes:
        return tuple(classes)
    is_set = column is not None and not column.has_more and not column.are_unique
    labels = _without_none(set(column.values)) if column is not None else set()
    if column is None or not is_set or not 2 <= len(labels) <= MOST_LABELS:
        message = "the set of labels cannot be read from the file"
        raise UsageError(message, hint="name it: --labels A,B,C")
    return tuple(sorted(labels, key=float if _are_numbers(labels) else None))


def _without_none(labels: set[str]) -> set[str]:
    """Drop what stands for "no label"; -1 only where it is not one of the polarities -1, 0, 1."""
    is_polarity = labels <= _POLARITIES or any(
        label.startswith("-") and label not in (_NONE, _NONE_ON_THE_HUB) for label in labels
    )
    rest = labels - {_NONE}
    return rest if is_polarity or not _are_numbers(rest) else rest - {_NONE_ON_THE_HUB}


def _are_numbers(labels: set[str]) -> bool:
    return bool(labels) and all(_NUMBER.fullmatch(label) for label in labels)


def form_of_labels(column: Column | None, labels: Sequence[str]) -> LabelForm | None:
    """Return the form of labels of a set that a person gave; None leaves it to the rows.

    Names may stand for the numbers, the signs or the letters of a column.
    """
    if column is not None and sorted(column.values) in _SIGNS and _can_name(labels, column):
        return "sign"
    if column is None or not column.are_codes or set(column.values) & {*labels}:
        return "text"
    return None


def _can_name(labels: Sequence[str], column: Column) -> bool:
    return len(labels) == len(column.values) and not set(column.values) & {*labels}


def warn_of_numbers(column: Column | None, labels: Sequence[str]) -> str | None:
    """Return a warning if the labels are numbers whose meaning a teacher cannot know.

    The numbers of a scale, such as stars, mean something; those of a sentiment are mostly classes.
    """
    if column is None or not _are_numbers({*labels}):
        return None
    if {*plain_name(column.name).split("_")} & {*SCALES} - {"sentiment"}:
        return None
    places = [label.partition(".")[0] for label in labels]
    form = "sign" if places in _SIGNS else form_of_classes(tuple(places))
    shown = ", ".join(labels[:4]) + (", …" if len(labels) > 4 else "")
    warning = f"the labels {shown} are numbers, and a teacher does not know what they mean"
    if form == "text":
        return f"{warning}: replace them by names in the data"
    return (
        f'{warning}: write their names, in this order, in labels of recipe.toml, and "{form}" in '
        "label-is"
    )
