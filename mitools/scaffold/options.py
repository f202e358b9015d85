"""The options of ``mitools init``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mitools.sources.label_forms import LabelForm

__all__ = ["DEFAULT_STUDENT", "InitOptions"]

DEFAULT_STUDENT = "google/flan-t5-small"


@dataclass(frozen=True, kw_only=True)
class InitOptions:
    """What recipe to make.

    Attributes:
        folder: of the new recipe; must not exist.
        file: the data set, a local file; None copies the recipe ``from_recipe`` with its data.
        from_recipe: name or path of a recipe whose settings are taken.
        fields: source of fields of a record, as in ``--map``; replaces what would be proposed. An
            empty source leaves the field out.
        task: how labels are compared; None proposes it.
        labels: the set of labels; empty takes those of the file.
        preset: name of a published data set; None recognizes it.
        label_is: how labels are written; None lets the rows decide.
        student: the base model; None is that of ``from_recipe``, or :data:`DEFAULT_STUDENT`.
        format: of the file; None goes by the ending.
        delimiter: between the cells of a row.
        quotes: whether quotes around a CSV cell are not a part of it.
        column_names: of a CSV file without a header.
        encoding: of the file; None is UTF-8.
    """

    folder: Path
    file: str | None = None
    from_recipe: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    task: str | None = None
    labels: tuple[str, ...] = ()
    preset: str | None = None
    label_is: LabelForm | None = None
    student: str | None = None
    format: str | None = None
    delimiter: str | None = None
    quotes: bool = True
    column_names: tuple[str, ...] = ()
    encoding: str | None = None
