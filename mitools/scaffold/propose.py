"""The mapping and the task that a sample suggests, each with the reason.

What a person gives is taken as it is; the rest is found by names first, then by content.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from mitools.errors import UsageError
from mitools.scaffold.chat_task import chat_task
from mitools.scaffold.column import BEHIND_HASHES, Column
from mitools.scaffold.label_set import form_of_labels, label_set, warn_of_numbers
from mitools.scaffold.options import InitOptions
from mitools.scaffold.refusals import all_alike, check_header, unclear
from mitools.scaffold.sample import MOST_ROWS, Sample
from mitools.scaffold.usual_names import (
    SCALES,
    by_usual_name,
    choice_columns,
    in_template,
    pair_of_texts,
    plain_name,
)
from mitools.schema import SPLITS, TASKS
from mitools.sources.answers import shortened
from mitools.sources.published import CHAT, PRESETS
from mitools.sources.splits import USUAL_SPLITS
from mitools.sources.templates import is_template

__all__ = ["Proposal", "propose"]

_RESERVED = ("teacher", "student", "scores")
_ANSWERS = ("answer", "answerkey", "ans", "correct", "gold", "label", "solution", "target")
_CLASSES = ("label", "labels", "class", "category", "intent", "target", "topic", "gold")
_MOST_OF_A_SCALE = 11
_MOST_LISTED = 12
_LONG_WORDS = 8


@dataclass
class Proposal:
    """How a file becomes records.

    Attributes:
        fields: source of each field of a record, as in ``--map``.
        preset: the published data set that the file is of.
        task: how labels are compared; None leaves it to the preset.
        labels: the set of labels of the task ``labels``.
        label_is: how labels are written, where that is known.
        drop_fields: columns whose names mean something else in a record.
        splits: the splits that the file assigns its rows to; empty if it assigns none.
        from_train: the splits that the file lacks and its train rows can give.
        reasons: one line for each decision.
        warnings: what a person should change.
    """

    fields: dict[str, str] = field(default_factory=dict)
    preset: str | None = None
    task: str | None = None
    labels: tuple[str, ...] = ()
    label_is: str | None = None
    drop_fields: tuple[str, ...] = ()
    splits: frozenset[str] = frozenset()
    from_train: frozenset[str] = frozenset()
    reasons: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_table(self) -> dict[str, Any]:
        """Give the options of load; what is not decided is left out."""
        found: dict[str, Any] = {
            "preset": self.preset,
            "task": self.task,
            "labels": list(self.labels),
            "label-is": self.label_is,
            "drop-fields": list(self.drop_fields),
        }
        return {name: value for name, value in found.items() if value}


def propose(sample: Sample, options: InitOptions) -> Proposal:
    """Propose a mapping and a task.

    Raises:
        UsageError: no column looks like the input, or none or several look like the label.
    """
    proposal = Proposal(fields=dict(options.fields), task=options.task, labels=options.labels)
    proposal.label_is = options.label_is
    is_whole = sample.chat is not None and "input" not in options.fields
    is_recognized = is_whole or not options.fields
    proposal.preset = options.preset or (sample.preset if is_recognized else None)
    if proposal.preset == CHAT and sample.chat is not None:
        proposal.reasons.append(f"preset = chat: {sample.chat.title}")
        _find_chat_task(sample, proposal)
    elif proposal.preset:
        _explain_preset(proposal)
    else:
        finder = _Finder(sample, proposal)
        finder.find_fields()
        check_header(sample, {*proposal.fields.values()} - {*options.fields.values()}, options)
        finder.find_task()
    _find_splits(sample, proposal)
    proposal.from_train = _splits_from_train(sample, proposal.splits)
    # Objects in these columns are those of an earlier run, which stay.
    proposal.drop_fields = tuple(
        name for name in _RESERVED if name in sample.columns and not sample.columns[name].nested
    )
    return proposal


def _find_chat_task(sample: Sample, proposal: Proposal) -> None:
    try:
        found = chat_task(sample.answers, proposal.task, proposal.labels)
    except UsageError as exc:
        exc.message = f"{sample.name}: {exc.message}"
        raise
    proposal.task, proposal.labels = found.task, found.labels
    proposal.reasons.append(f"task = {found.task}: {found.reason}")


def _explain_preset(proposal: Proposal) -> None:
    preset = PRESETS.get(str(proposal.preset))
    if preset is not None:  # else the trial refuses it, with a hint
        columns = ", ".join(preset.columns)
        proposal.reasons.append(f"preset = {proposal.preset}: the columns {columns} are of it")


def _find_splits(sample: Sample, proposal: Proposal) -> None:
    """Keep the column ``split`` if its values are splits; else leave it out."""
    if sample.splits:
        proposal.splits = frozenset(sample.splits)
        proposal.reasons.append(f"split: {', '.join(sample.splits)}, by the names of the files")
    column = sample.columns.get("split")
    if column is None or "split" in proposal.fields:
        return
    if column.filled and not column.has_more and set(column.values) <= USUAL_SPLITS.keys():
        proposal.splits |= {USUAL_SPLITS[value] for value in column.values}
        proposal.reasons.append(f"split = split: {column.describe()}")
    else:
        proposal.fields["split"] = ""
        proposal.reasons.append(f"split: left out, its values are not splits ({column.describe()})")


def _splits_from_train(sample: Sample, splits: Set[str]) -> frozenset[str]:
    """Return the splits to take from train; none where rows that were not read may have them."""
    if "train" not in splits or not (sample.is_whole or "test" in splits):
        return frozenset()
    return frozenset(SPLITS) - splits


@dataclass
class _Finder:
    """Finds the columns of a proposal, one field of a record after another."""

    sample: Sample
    proposal: Proposal
    _stated: Column | None = None  # answers that a template takes out of the label's column

    def __post_init__(self) -> None:
        given = set(self.proposal.fields.values())
        # A name that reads as a template cannot name a column.
        self._free = {
            name: column
            for name, column in self.sample.columns.items()
            if column.filled
            and name.strip()
            and not is_template(name)
            and name not in (*given, *_RESERVED, "split", "task")
        }

    def find_fields(self) -> None:
        fields = self.proposal.fields
        if "choices" not in fields:
            self._find_choices()
        for target, suits in (("id", _suits_id), ("rationale", _suits_rationale)):
            if target not in fields:
                named = by_usual_name(target, self._free)
                found = [name for name in named if suits(self._free[name])]
                if found:
                    self._take(target, found[0])
        is_label_unknown = "label" not in fields
        if is_label_unknown:
            self._find_named_label()
        if "input" not in fields:
            self._find_input()
        if is_label_unknown and "label" not in fields:
            self._find_label()

    def _take(self, target: str, name: str) -> None:
        column = self._free.pop(name)
        self.proposal.fields[target] = name
        self.proposal.reasons.append(f"{target} = {name}: {column.describe()}")

    def _find_choices(self) -> None:
        lists = {name: column for name, column in self._free.items() if column.are_choices}
        # A name with a comma would read as two columns.
        if named := [name for name in by_usual_name("choices", lists) if "," not in name]:
            self._take("choices", named[0])
            return
        columns = choice_columns(
            name for name, column in self._free.items() if not column.nested and column.filled
        )
        if columns:
            self.proposal.fields["choices"] = ",".join(columns)
            self.proposal.reasons.append(f"choices = {','.join(columns)}: one choice in each")
            for name in columns:
                del self._free[name]

    def _find_named_label(self) -> None:
        """Take the column that is called as labels are, if its values can be labels."""
        free = self._free
        named = by_usual_name("label", (name for name in free if _suits_label(free[name])))
        if self.proposal.fields.get("choices"):
            named = [name for name in named if {*plain_name(name).split("_")} & {*_ANSWERS}]
        # Few values that occur again, and numbers, are a label more likely than long texts are.
        short = [name for name in named if free[name].are_labels or free[name].are_numbers]
        if (short or named) and len(free) > 1:
            self._take_label((short or named)[0])

    def _take_label(self, name: str) -> None:
        self._take("label", name)
        column = self.sample.columns[name]
        told = self._told(name)
        states = column.states() if told and not column.are_labels else None
        if states is not None:
            filters, self._stated = states
            self.proposal.fields["label"] = f"{{{{ {told} | {filters} }}}}"
            self.proposal.reasons[-1] += f"; {filters} takes the answer out"
            if "rationale" not in self.proposal.fields:
                is_behind = filters == BEHIND_HASHES
                around = f"{{{{ {told} | before('####') }}}}" if is_behind else name
                self.proposal.fields["rationale"] = around
                self.proposal.reasons.append(f"rationale = {name}: the text around the answer")
        others = [other for other, column in self._free.items() if column.are_labels]
        if others:
            shown = ", ".join(shortened(other, 40) for other in others[:_MOST_LISTED])
            self.proposal.reasons[-1] += f" (--label could also be {shown})"

    def _find_input(self) -> None:
        free = self._free
        # A text that is the same in each row tells nothing about it.
        texts = {name: column for name, column in free.items() if column.are_texts}
        texts = {name: column for name, column in texts.items() if column.varies} or texts
        if pair := pair_of_texts(filter(self._told, texts)):
            self._take_pair(*pair)
            return
        named = [name for name in by_usual_name("input", texts) if not texts[name].are_labels]
        long = sorted(
            (name for name in texts if texts[name].mean_words >= 3 and not texts[name].are_labels),
            key=lambda name: -texts[name].characters,
        )
        if not (chosen := [*named, *long][:1]):
            raise unclear(self.sample, "input", "no column looks like the input")
        self._take("input", chosen[0])
        if told := self._told(chosen[0]):
            self._show_choices(f"{{{{ {told} }}}}")

    def _told(self, name: str) -> str:
        return in_template(name, self.sample.columns)

    def _show_choices(self, template: str) -> None:
        """Put the choices below the texts, where a template can name all of their columns."""
        fields = self.proposal.fields
        columns = [self._told(name) for name in fields.get("choices", "").split(",") if name]
        if not columns or not all(columns):
            return
        choices = columns[0] if len(columns) == 1 else f"[{', '.join(columns)}]"
        fields["input"] = f"{template}\nAnswer Choices:\n{{{{ {choices} | lettered }}}}"
        self.proposal.reasons[-1] += "; the choices below it"

    def _take_pair(self, first: str, second: str) -> None:
        one, other = (plain_name(name).replace("_", " ").capitalize() for name in (first, second))
        spec = f"{one}: {{{{ {self._told(first)} }}}}\n{other}: {{{{ {self._told(second)} }}}}"
        self.proposal.fields["input"] = spec
        self.proposal.reasons.append(
            f"input = {first} and {second}: two texts, one below the other"
        )
        del self._free[first], self._free[second]
        self._show_choices(spec)

    def _find_label(self) -> None:
        """Take the only column whose values can be labels."""
        free = {name: column for name, column in self._free.items() if _suits_label(column)}
        kinds = [
            [name for name, column in free.items() if column.are_labels],
            [name for name, column in free.items() if column.are_numbers and not column.is_count],
        ]
        if self.proposal.fields.get("choices"):
            kinds.insert(0, [name for name, column in free.items() if column.are_codes])
        for found in kinds:
            if len(found) == 1:
                self._take_label(found[0])
                return
        if found := next(filter(None, kinds), []):
            problem = f"{len(found)} columns may be the label ({', '.join(found[:8])})"
            raise unclear(self.sample, "label", problem)
        raise unclear(self.sample, "label", "no column looks like the label")

    def find_task(self) -> None:
        """Decide how labels are compared, by choices, by the column or by its values."""
        proposal = self.proposal
        if proposal.task is None:
            proposal.task, reason = self._task()
            proposal.reasons.append(f"task = {proposal.task}: {reason}")
        if proposal.task == "labels":
            self._find_labels()

    def _find_labels(self) -> None:
        """Find the set of labels, and the form in which the column writes them."""
        proposal, column = self.proposal, self._label_column()
        if proposal.labels:
            proposal.label_is = proposal.label_is or form_of_labels(column, proposal.labels)
            if proposal.label_is == "sign" and column is not None:
                signs = sorted(column.values)
                named = [
                    f"{sign} is {name}" for sign, name in zip(signs, proposal.labels, strict=True)
                ]
                proposal.reasons.append(f"label-is = sign: {', '.join(named)}")
            return
        classes = self.sample.classes.get(column.name, ()) if column is not None else ()
        try:
            proposal.labels = label_set(column, classes)
        except UsageError as exc:
            exc.message = f"{self.sample.name}: {exc.message}"
            raise
        proposal.label_is = proposal.label_is or "text"
        if warning := warn_of_numbers(column, proposal.labels):
            proposal.warnings.append(warning)

    def _task(self) -> tuple[str, str]:
        fields = self.proposal.fields
        told = self.sample.columns.get("task")
        if told is not None and len(told.values) == 1 and set(told.values) <= set(TASKS):
            return next(iter(told.values)), "the column task says so"
        if fields.get("choices"):
            return "choice", "each row has its own choices"
        if self.proposal.labels:
            return "labels", "the set of labels is given"
        column = self._label_column()
        if column is None:
            return "text", "labels are not known, or made by a template"
        if column.are_numbers and not _are_classes(column):
            return "equation", "numbers or expressions, which are compared by value"
        if column.are_labels:
            if column.classes:
                return "labels", f"the file names {len(column.classes)} classes"
            reason = f"the same {len(column.values)} labels occur again and again"
            if not self.sample.is_whole:
                reason += (
                    f"; labels behind the first {MOST_ROWS:,} rows are not known, so check them"
                )
            return "labels", reason
        if not column.varies and not self.sample.is_whole:
            raise all_alike(self.sample, column)
        if column.mean_words > _LONG_WORDS:
            return "text", "free texts, which seldom agree: all of their words are compared"
        return "text", "free texts, which are compared without case and punctuation"

    def _label_column(self) -> Column | None:
        return self._stated or self.sample.columns.get(self.proposal.fields.get("label", ""))


def _are_classes(column: Column) -> bool:
    """Tell whether numbers stand for classes: 0 and 1, or by the name of their column."""
    words = set(plain_name(column.name).split("_"))
    if column.classes or set(column.values) <= {"0", "1"}:
        return True
    is_scale = len(column.values) <= _MOST_OF_A_SCALE and words & {*SCALES}
    return column.are_labels and bool(is_scale or words & {*_CLASSES})


def _suits_id(column: Column) -> bool:
    return not column.nested and column.are_unique


def _suits_rationale(column: Column) -> bool:
    return column.are_texts and column.mean_words >= 3


def _suits_label(column: Column) -> bool:
    return not column.nested and (column.varies or bool(column.classes))
