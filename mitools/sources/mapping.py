"""Turning a row of somebody's table into a record, as the options of load say."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mitools.errors import InvalidFieldError, MissingFieldError, UsageError, Where
from mitools.records import Record
from mitools.schema import TASKS
from mitools.sources.answers import Choices, as_text, label_among, lettered, read_choices
from mitools.sources.part import Part

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["TARGETS", "Mapper", "Plan"]

TARGETS = ("id", "input", "label", "choices", "rationale", "group", "split")
_USUAL_INPUTS = ("question", "text", "problem", "prompt", "sentence", "query", "instruction")
_USUAL_SPLITS = {"validation": "valid", "val": "valid", "dev": "valid"}

Extract = Callable[[Mapping[str, Any], Where], Any]


@dataclass(frozen=True)
class Plan:
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


class Mapper:
    """Turn the rows of one part into records, by a plan."""

    def __init__(self, plan: Plan, part: Part) -> None:
        self._plan = plan
        self._split = plan.split or part.split
        self._extract = {name: _extractor(name, plan.fields.get(name, name)) for name in TARGETS}
        # A field that has the name already may be absent; one that was asked for may not.
        self._asked = frozenset(plan.fields)
        self._classes = part.classes.get(plan.fields.get("label", "label"), ())
        names = [spec for spec in plan.fields.values() if not _is_template(spec)]
        several = [name.strip() for name in plan.fields.get("choices", "").split(",")]
        self._used = {*names, *several, *TARGETS, "task"} | plan.drop

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
            label = label_among(label, choices, where)
        record: Record = {
            "id": as_text(found.get("id"), "id", where),
            "input": as_text(found["input"], "input", where),
            "label": as_text(label, "label", where),
            "task": self._task(values, found.get("choices"), choices),
            "choices": list(choices.texts) if choices else None,
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
            if name not in self._used and (keep is None or name in keep):
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


def _is_template(spec: str) -> bool:
    return "{{" in spec or "{%" in spec


def _extractor(target: str, spec: str) -> Extract:
    """Compile what was given for a target.

    Raises:
        UsageError: it is a template with a mistake in it.
    """
    if not spec.strip():
        return lambda _values, _where: None
    if _is_template(spec):
        return _template(target, spec)
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
    if close:
        hint = f'did you mean "--map {target}={guess}"?'
    else:
        hint = f'name it with "--map {target}={guess}"'
    message = f'field "{path}" is missing among {_listed(values)}'
    return MissingFieldError(message, where=where, hint=hint)


def _listed(names: Iterable[str], at_most: int = 12) -> str:
    shown = list(names)
    more = ["…"] if len(shown) > at_most else []
    return ", ".join([*shown[:at_most], *more])


def _template(target: str, spec: str) -> Extract:
    import jinja2

    try:
        template = _environment().from_string(spec.replace("\\n", "\n").replace("\\t", "\t"))
    except jinja2.TemplateError as exc:
        hint = "see https://jinja.palletsprojects.com/templates"
        raise UsageError(f"--map {target}: the template is wrong ({exc})", hint=hint) from exc

    def render(values: Mapping[str, Any], where: Where) -> str:
        try:
            return template.render(values)
        except jinja2.UndefinedError as exc:
            hint = "where only some rows have it, write \"{{ field | default('') }}\""
            message = f"--map {target}: {exc.message}, among {_listed(values)}"
            raise MissingFieldError(message, where=where, hint=hint) from exc
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as exc:
            raise InvalidFieldError(f"--map {target}: {exc}", where=where) from exc

    return render


def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # Recipes travel: a template may compute a text, and nothing else.
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    environment.filters["lettered"] = lettered
    return environment
