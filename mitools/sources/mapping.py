"""Mapping of a source's rows to records, by the options of load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mitools.errors import InvalidFieldError, MissingFieldError, Where
from mitools.records import Record
from mitools.schema import TASKS, json_type
from mitools.sources.answers import (
    Choices,
    as_text,
    label_among,
    read_choices,
)
from mitools.sources.field_specs import TARGETS, make_extractor, missing_field, names_of
from mitools.sources.label_forms import LabelForm
from mitools.sources.labelling import Labelling, form_of_classes
from mitools.sources.options import LoadOptions
from mitools.sources.part import Part
from mitools.sources.splits import USUAL_SPLITS
from mitools.sources.templates import is_template
from mitools.tasks import normalize

__all__ = ["Mapper"]

_OF_STAGES = ("teacher", "student", "scores")


class Mapper:
    """Maps the rows of one part to records."""

    def __init__(
        self, options: LoadOptions, part: Part, labelling: Labelling | None = None
    ) -> None:
        """Prepare for a part.

        Args:
            labelling: form of the source's labels, shared by all its parts.
        """
        self._options = options
        self._labelling = labelling or Labelling(options.label_is, options.label_likely)
        self._split = options.as_split or part.split
        self._likely_split = None if "split" in options.fields else part.likely_split
        self._extract = {
            name: make_extractor(name, options.fields.get(name, name)) for name in TARGETS
        }
        # A field with the same name may be missing; a mapped field may not.
        self._asked = frozenset(options.fields)
        self._classes = part.classes.get(options.fields.get("label", "label"), ())
        self._new_names = _new_names(self._classes, options.labels or options.choices)
        # Fields that were renamed are not kept under their old names.
        names = [
            name
            for target, spec in options.fields.items()
            if not is_template(spec)
            for name in names_of(target, spec)
        ]
        self._left_out = {*names, *TARGETS, "task"} | set(options.drop_fields)
        self._keeps_task = options.keeps("task") and "task" not in names

    def weigh(self, values: Record, where: Where) -> bool:
        """Take a row as evidence of the form of labels; returns whether it was any."""
        if self._own_form(values) is not None:
            return False
        label = self._value("label", values, where)
        if label is None:
            return False
        choices = self._choices(self._value("choices", values, where), where)
        return choices is not None and self._labelling.weigh(label, choices, where)

    def _value(self, name: str, values: Record, where: Where) -> Any:
        is_there = name in self._asked or name in values
        return self._extract[name](values, where) if is_there else None

    def _form(self, values: Record, label: Any, choices: Choices, where: Where) -> LabelForm | None:
        own = self._own_form(values)
        if own is not None or self._labelling.form is not None:
            return own or self._labelling.form
        if self._labelling.weigh(label, choices, where):  # no rows were read ahead
            self._labelling.decide()
        return self._labelling.form

    def _own_form(self, values: Record) -> LabelForm | None:
        """Return the form of labels if it does not depend on the rows; else None."""
        if self._classes:  # the label is already a class name
            return form_of_classes(self._classes) if self._has_choices(values) else "text"
        if self._options.label_is:
            return self._options.label_is
        is_record = values.get("task") in ("choice", "labels") and not (
            self._asked & {"label", "choices"} or self._options.labels or self._options.choices
        )
        return "text" if is_record and isinstance(values.get("choices"), list) else None

    def _has_choices(self, values: Record) -> bool:
        given = self._options.labels or self._options.choices or self._options.fields.get("choices")
        return bool(given or values.get("choices"))

    def __call__(self, values: Record, where: Where) -> Record:
        """Make a record of a row.

        Raises:
            MissingFieldError: a mapped field, or the input, is missing.
            InvalidFieldError: a value is not valid for its field.
        """
        mapped = {
            name: self._extract[name](values, where)
            for name in TARGETS
            if name in self._asked or name in values
        }
        if "input" not in mapped:
            raise missing_field("input", "input", values, where)
        # With choices, the label becomes the text of the choice that it means.
        choices = self._choices(mapped.get("choices"), where)
        label = mapped.get("label")
        if isinstance(label, str):
            label = self._new_names.get(label, label)
        if choices is not None and not isinstance(label, list | dict):
            label = label_among(label, choices, self._form(values, label, choices, where), where)
        texts = {**mapped, "label": label}
        record: Record = {
            "id": self._text(texts, "id", where),
            "input": self._text(texts, "input", where),
            "label": self._text(texts, "label", where),
            "task": self._task(values, mapped.get("choices"), choices),
            "choices": choices.offered if choices else None,
            "rationale": self._text(texts, "rationale", where),
            "group": self._text(texts, "group", where),
        }
        if record["input"] is None:
            raise MissingFieldError('field "input" is empty', where=where)
        record = self._completed(record, mapped, values)
        for name in _OF_STAGES:
            if not isinstance(record.get(name), dict | None):
                message = f'field "{name}" must be an object or null, not {json_type(record[name])}'
                hint = f'the stages of mitools write it; leave it out: "--drop-fields {name}"'
                raise InvalidFieldError(message, where=where, hint=hint)
        return record

    def _text(self, mapped: Record, name: str, where: Where) -> str | None:
        spec = self._options.fields.get(name, name)
        return as_text(mapped.get(name), name, where, "" if is_template(spec) else spec)

    def _completed(self, record: Record, mapped: Record, values: Record) -> Record:
        """Drop nulls, except for an unknown label; add the other fields, and the split."""
        record = {
            name: value
            for name, value in record.items()
            if value is not None or (name == "label" and name in mapped)
        }
        for name, value in values.items():
            if name not in self._left_out and self._options.keeps(name):
                record[name] = value
        other_task = values.get("task")
        if self._keeps_task and other_task not in (None, "", *TASKS):
            record.setdefault("source_task", other_task)  # such as "sst2"
        split = self._split or self._likely_split
        if not self._split and mapped.get("split") not in (None, ""):
            split = mapped["split"]
        if split is not None:
            record["split"] = USUAL_SPLITS.get(split, split) if isinstance(split, str) else split
        return record

    def _choices(self, given: Any, where: Where) -> Choices | None:
        if self._options.labels:
            return Choices(self._options.labels, are_set=True)
        if self._options.choices:
            return Choices(self._options.choices)
        own = read_choices(given, where)
        if own is None and self._classes and self._options.task in (None, "labels", "choice"):
            return Choices(self._classes, are_set=True)
        return own

    def _task(self, values: Record, given: Any, choices: Choices | None) -> str:
        if self._options.task:
            return self._options.task
        if self._options.labels or (choices and not given and not self._options.choices):
            return "labels"
        if values.get("task") in TASKS:
            return str(values["task"])
        return "choice" if choices else "text"


def _new_names(classes: Sequence[str], labels: Sequence[str]) -> Mapping[str, str]:
    """Return the labels that replace the names of classes, by these names.

    Labels are in the order of class numbers. The same names in another order are not new names.
    """
    plain, new = [normalize(name) for name in classes], [normalize(name) for name in labels]
    if len(plain) != len(new) or any(
        name in plain and plain.index(name) != place for place, name in enumerate(new)
    ):
        return {}
    return dict(zip(classes, labels, strict=True))
