"""The text of a new ``recipe.toml``: one table for each stage, and a comment for each line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mitools.scaffold.options import DEFAULT_STUDENT
from mitools.scaffold.propose import Proposal
from mitools.scaffold.settings import Settings
from mitools.scaffold.toml_text import toml_comment, toml_key, toml_value
from mitools.scaffold.trial import Trial
from mitools.schema import SPLITS
from mitools.sources.published import CHAT
from mitools.train.fields import option_fields
from mitools.train.options import TrainOptions

__all__ = ["recipe_text"]

Line = tuple[str, Any, str]
"""An option, its value and what it means."""

# Tokenizers need 4 bytes a token for English; other languages and small vocabularies need fewer.
_BYTES_PER_TOKEN = 2
_FEW_RECORDS = 1000
_LENGTHS = (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)

_LOAD = {
    "preset": "Field mapping of a published data set; [load.map] replaces parts of it.",
    "task": "How labels are compared: choice, labels, equation or text.",
    "labels": "The set of labels.",
    "label-is": "How labels are written: text is the label itself.",
    "drop-fields": "Columns whose names mean something else in a record.",
    "format": "Format of the data set.",
    "delimiter": "Delimiter of its cells.",
    "quotes": "Whether quotes enclose cells.",
    "columns": "Names of its columns, as it has no header.",
    "encoding": "Its text encoding.",
    "on-error": "Some rows give no record; they are skipped.",
}
_FIELDS = {
    "id": "Unique name of a record.",
    "input": "What teacher and student read: a column, or a template such as "
    '"{{ title }}\\n{{ text }}".',
    "label": "Gold answer.",
    "choices": "Possible answers of each record.",
    "rationale": "Human rationale.",
    "group": "Records of one group stay in one split.",
    "split": "Not used: the values of this column are not train, valid and test.",
}
_EMPTY = "Left out."
_STUDENT: Mapping[str, Any] = {"student": DEFAULT_STUDENT}
_TRAINING: Mapping[str, Any] = {
    **_STUDENT,
    "mi": "none",
    "alpha": 0.5,
    "epochs": 20,
    "patience": 4,
    "batch-size": 16,
}


_ANSWERS = {
    False: "The teacher is named on the command line.",
    True: "The answers are those of the log, unless a teacher is named on the command line.",
}


def recipe_text(
    source: str,
    proposal: Proposal,
    trial: Trial,
    settings: Settings,
    load: Mapping[str, Any],
) -> str:
    """Write a recipe.

    Args:
        source: name of the data set in the recipe's folder.
        proposal: the mapping and the task.
        trial: of the same mapping.
        settings: what another recipe brings.
        load: options of load that tell how the file is read.

    Raises:
        RecipeError: TOML cannot hold the name of a column.
    """
    options = {**proposal.as_table(), "task": trial.task, **load}
    if names := options.pop("column_names", ()):
        options["columns"] = list(names)
    if trial.rejected:
        options["on-error"] = "skip"
    lines: list[Line] = [("source", source, "Data set, in the folder of this file.")]
    lines += [(name, value, _LOAD[name]) for name, value in options.items()]
    fields = [
        (name, spec, _FIELDS[name] if spec or name == "split" else _EMPTY)
        for name, spec in proposal.fields.items()
    ]
    tables = [
        _head(settings),
        _table("load", lines),
        _table("load.map", fields) if fields else "",
        _table("annotate", _annotate(settings), _ANSWERS[proposal.preset == CHAT]),
        _table("split", _split(proposal, trial)),
        _table("train", _train(trial, settings)),
        _table("eval", _others("eval", settings, {"split": "test"})),
        _table("explain", _others("explain", settings, {})) if settings.of("explain") else "",
    ]
    return "\n".join(filter(None, tables))


def _head(settings: Settings) -> str:
    text = 'A recipe: each table sets options of one stage; see "mitools STAGE --help".'
    if settings.recipe:
        text += f" Settings of training are those of the recipe {settings.recipe}."
    return toml_comment(text) + "\n"


def _table(name: str, lines: Iterable[Line], comment: str = "") -> str:
    written = [f"[{name}]"]
    if comment:
        written.append(toml_comment(comment))
    for key, value, meaning in lines:
        if meaning:
            written.append(toml_comment(meaning))
        written.append(f"{toml_key(key)} = {toml_value(value)}")
    return "\n".join(written) + "\n"


def _annotate(settings: Settings) -> list[Line]:
    meanings = {"examples": "Few-shot examples.", "system": "System message."}
    return [(key, value, meanings.get(key, "")) for key, value in settings.of("annotate").items()]


def _split(proposal: Proposal, trial: Trial) -> list[Line]:
    test = 0.2 if trial.records < _FEW_RECORDS else 0.1
    if proposal.from_train:
        lacking = " and no ".join(name for name in SPLITS if name in proposal.from_train)
        shares = {"test": test, "valid": 0.1}
        return [
            ("reassign-split", "train", f"The data has no {lacking}: train is divided again."),
            *(
                (name, share if name in proposal.from_train else 0.0, f"Share that {name} takes.")
                for name, share in shares.items()
            ),
        ]
    if proposal.splits:
        return [
            ("test", 0.0, "Rows with a split keep it; others are divided by these shares."),
            ("valid", 0.1, ""),
        ]
    return [
        ("test", test, "Share of records that measure the student."),
        ("valid", 0.1, "Share of records that select the best checkpoint."),
    ]


def _train(trial: Trial, settings: Settings) -> list[Line]:
    lengths = {
        "max-input-tokens": _tokens(trial.longest["input"]),
        "max-label-tokens": _tokens(trial.longest["label"]),
        "max-rationale-tokens": max(192, _tokens(trial.longest["rationale"])),
    }
    given = {key.replace("_", "-"): value for key, value in settings.of("train").items()}
    # How long to train is decided by the recipe as a whole, if there is one.
    values = {**_TRAINING, **given} if settings.recipe is None else {**_STUDENT, **given}
    for key, length in lengths.items():
        own = given.get(key)
        values[key] = max(length, own) if isinstance(own, int) else length
    meanings = {field.flag: field.help.text for field in option_fields(TrainOptions)}
    return [(key, value, _without_default(meanings.get(key, ""))) for key, value in values.items()]


def _without_default(text: str) -> str:
    return text.partition("  [default")[0]


def _tokens(size_bytes: int) -> int:
    """Round up the tokens of a text to a usual length, with a margin."""
    tokens = size_bytes // _BYTES_PER_TOKEN + 8
    return next((length for length in _LENGTHS if length >= tokens), _LENGTHS[-1])


def _others(stage: str, settings: Settings, values: Mapping[str, Any]) -> list[Line]:
    meanings = {"split": "Split of the records to measure."}
    return [
        (key, value, meanings.get(key, ""))
        for key, value in {**values, **settings.of(stage)}.items()
    ]
