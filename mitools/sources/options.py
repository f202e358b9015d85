"""The options of load: one frozen class, its defaults and choices, and the checks of both.

The command line takes its defaults and choices from here. Imports no reader of files, so that
``mitools load --help`` starts fast.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mitools.bounds import DEFAULTS, JSON_BYTES, Bounds
from mitools.errors import UsageError
from mitools.schema import SPLITS, TASKS
from mitools.sources.label_forms import LABEL_FORMS, LabelForm

__all__ = [
    "CONTEXTS",
    "DEMO_ANSWERS",
    "FORMATS",
    "RATIONALES",
    "TURNS",
    "LoadOptions",
    "with_preset",
]

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet", "arrow")

DEMO_ANSWERS = ("value", "equation")
"""What a story of the demo asks for: a number, or the expression that gives it."""

TURNS = ("last", "all")
"""Which answers of a conversation become records."""

CONTEXTS = ("none", "turns", "all")
"""Which earlier messages begin the input."""

RATIONALES = ("answer", "thoughts")
"""Where the rationale of a chat log is read first."""

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "task": TASKS,
    "as_split": SPLITS,
    "label_is": LABEL_FORMS,
    "label_likely": LABEL_FORMS,
    "format": FORMATS,
    "answer": DEMO_ANSWERS,
    "turns": TURNS,
    "context": CONTEXTS,
    "rationale_from": RATIONALES,
}
_DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "\\t": "\t"}


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a data set becomes records.

    Attributes:
        fields: where a field of the record comes from: the name of a source field, a dotted path
            into it, or a template that may use all of them; for ``choices`` also several names
            with commas between. A field that is mapped by its name is renamed; a source field
            that has the name already needs no mapping, and an empty mapping leaves it out.
        preset: name of a published data set; fills the attributes that are not set.
        labels: the label set, in the order of class numbers.
        choices: the choices of every record.
        label_is: form of the labels; None infers it from the rows of the source.
        label_likely: form to take if the rows fit several; None refuses that.
        task: how labels compare; None is ``labels`` where they are fixed, ``choice`` where a
            record has choices, else ``text``.
        keep_fields: the only other source fields to keep; None keeps all.
        drop_fields: other source fields to leave out.
        as_split: the split of every record; None leaves it to the source.
        limit: records taken of each file or Hub split; None takes all.
        format: of files and stdin, one of :data:`FORMATS`; None goes by the ending.
        delimiter: between the cells of a row: a character, or its name; makes a file CSV.
        quotes: whether quotes around a CSV cell are not a part of it, and what they enclose is one
            cell; False takes quotes as any other character.
        column_names: of a CSV file without a header; empty takes them from its first line.
        encoding: of a text, as Python names it; None is UTF-8.
        max_json_bytes: bound on a JSON list, unpacked.
        bounds: limits on one line.
        is_chat: whether every row must be one of a chat log or a reasoning trace; False takes a
            part as one if its first row is one and no ``input`` is mapped.
        turns: chat: the answers that become records, one of :data:`TURNS`.
        context: chat: the earlier messages that begin the input, one of :data:`CONTEXTS`.
        requests: chat: path of the requests of a batch, for its responses.
        rationale_from: chat: where a rationale is read first, one of :data:`RATIONALES`.
        max_rationale_words: maximum number of words of a rationale; longer ones are cut to whole
            sentences (:mod:`mitools.sources.chat.shorten`). None does not cut.
        name: Hub: which configuration (subset) of the data set; None where it has one.
        revision: Hub: branch, tag or commit.
        hf_splits: Hub: which splits to read, each with the split that its records get (None:
            none). Without any, all are read; where they are several, those with a usual name
            (``validation`` …) keep it.
        n: number of records of the demo.
        steps: of the demo's stories (see :mod:`mitools.demo.stories`), 1 to 8; None makes its
            problems of one and two steps.
        distractors: sentences of a story that do not matter, 0 to 4.
        answer: label of a story, one of :data:`DEMO_ANSWERS`.
        seed: of the demo.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    preset: str | None = None
    labels: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    label_is: LabelForm | None = None
    label_likely: LabelForm | None = None
    task: str | None = None
    keep_fields: Collection[str] | None = None
    drop_fields: Collection[str] = ()
    as_split: str | None = None
    limit: int | None = None
    format: str | None = None
    delimiter: str | None = None
    quotes: bool = True
    column_names: tuple[str, ...] = ()
    encoding: str | None = None
    max_json_bytes: int = JSON_BYTES
    bounds: Bounds = DEFAULTS
    is_chat: bool = False
    turns: str = TURNS[0]
    context: str = CONTEXTS[0]
    requests: str | None = None
    rationale_from: str = RATIONALES[0]
    max_rationale_words: int | None = None
    name: str | None = None
    revision: str | None = None
    hf_splits: tuple[tuple[str, str | None], ...] = ()
    n: int = 1000
    steps: int | None = None
    distractors: int = 0
    answer: str = DEMO_ANSWERS[0]
    seed: int = 0

    def check(self) -> None:
        """Check values and combinations, before a source is opened.

        Raises:
            UsageError: a value is not possible, a mapped field is not one of a record, a template
                is wrong, or labels and choices are both given.
        """
        from mitools.sources.field_specs import check_fields

        check_fields(self.fields)
        if self.labels and self.choices:
            raise UsageError("--labels and --choices exclude each other", hint="give one of them")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise UsageError(f'no {name} "{value}"', hint=f"use one of {', '.join(choices)}")
        for name in ("limit", "n", "max_json_bytes", "max_rationale_words"):
            value = getattr(self, name)
            if value is not None and value < 1:
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(f"{flag} must be at least 1, not {value}", hint="change it")
        for name, least, most in (("steps", 1, 8), ("distractors", 0, 4)):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                hint = f"give a number from {least} to {most}"
                raise UsageError(f"--{name} cannot be {value}", hint=hint)
        for name in ("distractors", "answer"):
            if self.steps is None and getattr(self, name) != getattr(LoadOptions, name):
                raise UsageError(f"--{name} needs --steps", hint='add "--steps 3"')
        self._check_texts()

    def _check_texts(self) -> None:
        if self.separator is not None and (len(self.separator) != 1 or self.separator in '"\r\n'):
            hint = f"give one character, or one of {', '.join(list(_DELIMITERS)[:4])}"
            raise UsageError(f'"{self.delimiter}" cannot separate cells', hint=hint)
        if len(set(self.column_names)) < len(self.column_names):
            raise UsageError("--columns gives a name twice", hint="give each column its own")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)  # refuses codecs that are not of texts, too
            except (LookupError, ValueError) as exc:
                hint = "use one such as utf-16, latin-1, cp1252, shift_jis or gb18030"
                raise UsageError(f'no encoding "{self.encoding}"', hint=hint) from exc

    @property
    def are_chats(self) -> bool:
        """Whether every row must be one of a chat log: by the preset, or by an option of chats."""
        names = ("turns", "context", "requests", "rationale_from")
        is_asked = any(getattr(self, name) != getattr(LoadOptions, name) for name in names)
        return self.is_chat or is_asked

    @property
    def separator(self) -> str | None:
        """The character between the cells of a row; None where none was named."""
        return None if self.delimiter is None else _DELIMITERS.get(self.delimiter, self.delimiter)

    def columns(self, names: Sequence[str]) -> list[str]:
        """List the columns of a table that must be read; all where one that is used is missing."""
        from mitools.sources.field_specs import TARGETS, names_of

        if "input" not in self.fields and (self.are_chats or "input" not in names):
            # A chat log may need any of them.
            return [name for name in names if name not in self.drop_fields]
        used = {name for target, spec in self.fields.items() for name in names_of(target, spec)}
        firsts = {name if name in names else name.split(".")[0] for name in used}
        if not firsts <= set(names):
            return list(names)
        needed = {*firsts, *TARGETS, "task"}
        return [name for name in names if name in needed or self.keeps(name)]

    def keeps(self, name: str) -> bool:
        """Tell whether a field passes through that no field of the record is made of."""
        is_kept = self.keep_fields is None or name in self.keep_fields
        return is_kept and name not in self.drop_fields


def with_preset(options: LoadOptions) -> LoadOptions:
    """Fill what the options leave open with what fits their preset; without one, nothing changes.

    Raises:
        UsageError: there is no such preset.
    """
    from mitools.sources.published import PRESETS

    if options.preset is None:
        return options
    if options.preset not in PRESETS:
        close = difflib.get_close_matches(options.preset, PRESETS, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"use one of {', '.join(PRESETS)}"
        raise UsageError(f'no preset "{options.preset}"', hint=hint)
    preset = PRESETS[options.preset]
    is_free = not options.labels and not options.choices
    return replace(
        options,
        preset=None,
        is_chat=preset.is_chat or options.is_chat,
        fields={**preset.fields, **options.fields},
        labels=preset.labels if is_free else options.labels,
        task=options.task or preset.task,
        label_likely=options.label_likely or preset.label_likely,
    )
