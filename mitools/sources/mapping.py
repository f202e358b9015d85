"""Turning a row of somebody's table into a record, as the options of load say."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mitools.errors import MissingFieldError, UsageError, Where
from mitools.records import Record
from mitools.schema import TASKS
from mitools.sources.answers import (
    Choices,
    LabelForm,
    as_text,
    label_among,
    read_choices,
)
from mitools.sources.labelling import Labelling, form_of_classes
from mitools.sources.part import Part
from mitools.sources.published import PRESETS, preset_for
from mitools.sources.templates import Extract, compile_template, is_template, names_in

__all__ = ["TARGETS", "LoadOptions", "Mapper", "with_preset"]

TARGETS = ("id", "input", "label", "choices", "rationale", "group", "split")
_USUAL_INPUTS = ("question", "text", "problem", "prompt", "sentence", "query", "instruction")
_USUAL_SPLITS = {"validation": "valid", "val": "valid", "dev": "valid"}


@dataclass(frozen=True)
class LoadOptions:
    """What becomes of each field.

    Attributes:
        fields: where a field of the record comes from: the name of a source field, a dotted path
            into it, or a template that may use all of them; for ``choices`` also several names
            with commas between. A field that is mapped by its name is renamed; a source field
            that has the name already needs no mapping, and an empty mapping leaves it out.
        labels: the only labels there are, in the order of the whole numbers that stand for them.
        choices: the choices of every record.
        task: how labels compare; by default ``labels`` where they are fixed, ``choice`` where a
            record has choices, else ``text``.
        keep: the only other source fields to keep; None keeps all.
        drop: other source fields to leave out.
        split: the split of every record; None leaves it to the source.
        label_is: how labels are written; None lets the rows of the source decide.
        label_likely: how they are written where the rows leave it open; None refuses that.

    Raises:
        UsageError: a target is no field of a record, a template is wrong, or two attributes clash.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    task: str | None = None
    keep: frozenset[str] | None = None
    drop: frozenset[str] = frozenset()
    split: str | None = None
    label_is: LabelForm | None = None
    label_likely: LabelForm | None = None

    def __post_init__(self) -> None:
        for target, spec in self.fields.items():
            if target not in TARGETS:
                close = difflib.get_close_matches(target, TARGETS, n=1)
                hint = (
                    f'did you mean "{close[0]}"?' if close else f"use one of {', '.join(TARGETS)}"
                )
                raise UsageError(f'no field "{target}" can be mapped', hint=hint)
            _extractor(target, spec)
        if self.labels and self.choices:
            raise UsageError("--labels and --choices exclude each other", hint="give one of them")

    def columns(self, names: Sequence[str]) -> list[str]:
        """List the columns of a table that must be read; all where one that is used is missing."""
        used = {name for target, spec in self.fields.items() for name in _names_of(target, spec)}
        firsts = {name if name in names else name.split(".")[0] for name in used}
        if not firsts <= set(names):
            return list(names)
        needed = {*firsts, *TARGETS, "task"}
        return [name for name in names if name in needed or self.keeps(name)]

    def keeps(self, name: str) -> bool:
        """Tell whether a field passes through that no field of the record is made of."""
        return name not in self.drop and (self.keep is None or name in self.keep)


def with_preset(plan: LoadOptions, name: str) -> LoadOptions:
    """Fill what a plan leaves open with what fits a published data set.

    Raises:
        UsageError: there is no such preset.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"use one of {', '.join(PRESETS)}"
        raise UsageError(f'no preset "{name}"', hint=hint)
    preset = PRESETS[name]
    is_free = not plan.labels and not plan.choices
    return replace(
        plan,
        fields={**preset.fields, **plan.fields},
        labels=preset.labels if is_free else plan.labels,
        task=plan.task or preset.task,
        label_likely=plan.label_likely or preset.label_likely,
    )


class Mapper:
    """Turn the rows of one part into records, by a plan."""

    def __init__(self, plan: LoadOptions, part: Part, labelling: Labelling | None = None) -> None:
        """Prepare for a part.

        Args:
            labelling: how the source writes its labels; shared by all parts of it.
        """
        self._plan = plan
        self._labelling = labelling or Labelling(plan.label_is, plan.label_likely)
        self._split = plan.split or part.split
        self._extract = {name: _extractor(name, plan.fields.get(name, name)) for name in TARGETS}
        # A field that has the name already may be absent; one that was asked for may not.
        self._asked = frozenset(plan.fields)
        self._classes = part.classes.get(plan.fields.get("label", "label"), ())
        names = [
            name
            for target, spec in plan.fields.items()
            if not is_template(spec)
            for name in _names_of(target, spec)
        ]
        self._left_out = {*names, *TARGETS, "task"} | plan.drop

    def weigh(self, values: Record, where: Where) -> bool:
        """Take a row as evidence of how labels are written; False where it tells nothing."""
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
        if self._labelling.weigh(label, choices, where):  # nobody has read ahead
            self._labelling.decide()
        return self._labelling.form

    def _own_form(self, values: Record) -> LabelForm | None:
        """Tell how labels are written where rows need not be asked: by a feature, or in records."""
        if self._classes:  # by now the label is the name of its class
            return form_of_classes(self._classes) if self._has_choices(values) else "text"
        if self._plan.label_is:
            return self._plan.label_is
        is_record = values.get("task") in ("choice", "labels") and not (
            self._asked & {"label", "choices"} or self._plan.labels or self._plan.choices
        )
        return "text" if is_record and isinstance(values.get("choices"), list) else None

    def _has_choices(self, values: Record) -> bool:
        given = self._plan.labels or self._plan.choices or self._plan.fields.get("choices")
        return bool(given or values.get("choices"))

    def __call__(self, values: Record, where: Where) -> Record:
        """Make a record of a row.

        Raises:
            MissingFieldError: a mapped field, or any that could be the input, is not there.
            InvalidFieldError: a value cannot be what it is mapped to.
        """
        found = {
            name: self._extract[name](values, where)
            for name in TARGETS
            if name in self._asked or name in values
        }
        if "input" not in found:
            raise _missing("input", "input", values, where)
        choices = self._choices(found.get("choices"), where)
        label = found.get("label")
        if choices is not None:
            label = label_among(label, choices, self._form(values, label, choices, where), where)
        record: Record = {
            "id": as_text(found.get("id"), "id", where),
            "input": as_text(found["input"], "input", where),
            "label": as_text(label, "label", where),
            "task": self._task(values, found.get("choices"), choices),
            "choices": choices.offered if choices else None,
            "rationale": as_text(found.get("rationale"), "rationale", where),
            "group": as_text(found.get("group"), "group", where),
        }
        if record["input"] is None:
            raise MissingFieldError('field "input" is empty', where=where)
        return self._completed(record, found, values)

    def _completed(self, record: Record, found: Record, values: Record) -> Record:
        """Leave out what is null but for an unknown label; add the other fields, and the split."""
        record = {
            name: value
            for name, value in record.items()
            if value is not None or (name == "label" and name in found)
        }
        keep = self._plan.keep
        for name, value in values.items():
            if name not in self._left_out and (keep is None or name in keep):
                record[name] = value
        split = self._split or found.get("split")
        if split is not None:
            record["split"] = _USUAL_SPLITS.get(split, split)
        return record

    def _choices(self, given: Any, where: Where) -> Choices | None:
        if self._plan.labels:
            return Choices(self._plan.labels, have_letters=False)
        if self._plan.choices:
            return Choices(self._plan.choices)
        own = read_choices(given, where)
        if own is None and self._classes and self._plan.task in (None, "labels", "choice"):
            return Choices(self._classes, have_letters=False)
        return own

    def _task(self, values: Record, given: Any, choices: Choices | None) -> str:
        if self._plan.task:
            return self._plan.task
        if self._plan.labels or (choices and not given and not self._plan.choices):
            return "labels"
        if values.get("task") in TASKS:
            return str(values["task"])
        return "choice" if choices else "text"


def _names_of(target: str, spec: str) -> set[str]:
    """List the source fields that a specification uses, by name or by path."""
    if is_template(spec):
        return names_in(spec)
    names = spec.split(",") if target == "choices" else [spec]
    return {name.strip() for name in names if name.strip()}


def _extractor(target: str, spec: str) -> Extract:
    """Compile what was given for a target.

    Raises:
        UsageError: it is a template with a mistake in it.
    """
    if not spec.strip():
        return lambda _values, _where: None
    if is_template(spec):
        return compile_template(target, spec)
    if target == "choices" and "," in spec:
        names = [name.strip() for name in spec.split(",")]
        return lambda values, where: [_look_up(name, target, values, where) for name in names]
    return lambda values, where: _look_up(spec, target, values, where)


def _look_up(path: str, target: str, values: Mapping[str, Any], where: Where) -> Any:
    """Follow a dotted path; numbers in it count the elements of a list from 0."""
    if path in values:
        return values[path]
    value: Any = values
    for name in path.split("."):
        if isinstance(value, list) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        elif isinstance(value, Mapping) and name in value:
            value = value[name]
        elif value is None:
            return None
        else:
            raise _missing(path, target, values, where)
    return value


def _missing(path: str, target: str, values: Mapping[str, Any], where: Where) -> MissingFieldError:
    close = difflib.get_close_matches(path, values, n=1) if path != target else []
    usual = [name for name in _USUAL_INPUTS if name in values] if target == "input" else []
    guess = [*close, *usual, "FIELD"][0]
    preset = preset_for(values) if target == "input" and path == target else None
    if close:
        hint = f'did you mean "--map {target}={guess}"?'
    elif preset:
        hint = f'these are the fields of {PRESETS[preset].title}: add "--preset {preset}"'
    else:
        hint = f'name it with "--map {target}={guess}"'
        lists = [name for name, value in values.items() if _is_list_of_objects(value)]
        if target == "input" and lists and not usual:
            hint += f", or take the objects in it: \"jq -c '.{lists[0]}[]' FILE | mitools load -\""
    message = f'field "{path}" is missing among {_listed(values)}'
    return MissingFieldError(message, where=where, hint=hint)


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _listed(names: Iterable[str], at_most: int = 12) -> str:
    shown = list(names)
    more = ["…"] if len(shown) > at_most else []
    return ", ".join([*shown[:at_most], *more])
