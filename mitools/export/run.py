"""One export: convert, compare on records, and keep it only if it answers alike."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from mitools.asking.answering import settle
from mitools.errors import EmptyInputError
from mitools.export.agreement import (
    EXACT,
    QUANTIZED,
    Agreement,
    Tolerance,
    check_agreement,
    compare,
)
from mitools.export.card import write_export_card
from mitools.export.options import FACTS_NAME, ExportOptions, Target
from mitools.export.protocol import Exported, Exporter
from mitools.files import atomic_directory, output_errors
from mitools.records import Record, student_text
from mitools.student.chat import set_chat_template
from mitools.student.folder import load_student, save_student
from mitools.student.layout import PREFIXES, Purpose
from mitools.student.local import LocalStudent

__all__ = ["export_student"]

_EXPORTERS: dict[Target, tuple[str, str]] = {
    "ct2": ("ct2", "CTranslate2Exporter"),
    "gguf": ("gguf", "GgufExporter"),
    "onnx": ("onnx", "OnnxExporter"),
}

Note = Callable[[str], None]


def export_student(
    folder: str | os.PathLike[str],
    records: Iterable[Record],
    options: ExportOptions,
    note: Note = lambda _text: None,
) -> Agreement:
    """Export a student, and check that it answers as before.

    Args:
        folder: of the student.
        records: to compare on; records outside the train split are taken first.
        options: target, output folder and quantization.
        note: receives messages, one sentence each.

    Returns:
        How alike student and export answered; of a student with two tasks that are asked for one
        by one, the label's, with the rationale's in ``also``.

    Raises:
        UsageError: the options do not go together, or the output folder is taken.
        StudentError: the folder is not a student, cannot be converted, or the export answers
            differently. Nothing is written then.
        MissingExtraError: a package or program is missing.
        EmptyInputError: there is no record to compare on.
        OutputError: the output cannot be written.
    """
    options.check()
    student = load_student(folder, "cpu")
    set_chat_template(student.codec)  # a folder of an earlier version has the base model's
    exporter = _exporter_of(options.target)
    exporter.require(options, student)
    about_the_way = _about_the_way(student, exporter)
    texts = _texts(records, options.check_limit)
    with atomic_directory(options.out) as out:
        note(f"converting for {exporter.title}")
        _convert(Path(folder), student, exporter, out, options)
        note(f"records to compare: {len(texts)}")
        with exporter.open(out, student) as exported:
            agreement = _check(student, exported, texts, options, exporter.title)
        _describe(Path(folder), student, exporter, out, options, agreement)
    if about_the_way:
        note(about_the_way)
    return agreement


def _exporter_of(target: Target) -> Exporter:
    module, name = _EXPORTERS[target]
    exporter: Exporter = getattr(import_module(f"mitools.export.targets.{module}"), name)()
    return exporter


def _about_the_way(student: LocalStudent, exporter: Exporter) -> str:
    """Say that mitools answers in another way than the export, which gives one text; else empty."""
    way, _ = settle(None, 1, None, student.metadata)
    if way == "predict":
        return ""
    return (
        f'mitools answers by "--answer {way}", {exporter.title} by the label alone; for the '
        'figures of the export: "mitools eval --answer predict"'
    )


def _tolerance(options: ExportOptions) -> Tolerance:
    return EXACT if options.quantize == "none" else QUANTIZED


def _purposes(student: LocalStudent) -> list[Purpose]:
    """Name the tasks to compare: all that were trained, or the first text of the one pass.

    A runtime stops at the end token of that text.
    """
    if student.codec.first is not None:
        return [student.codec.first]
    trained = student.metadata.get("trained") or ["label"]
    return [name for name in PREFIXES if name in trained] or ["label"]


def _check(
    student: LocalStudent,
    exported: Exported,
    texts: Sequence[str],
    options: ExportOptions,
    title: str,
) -> Agreement:
    """Compare each task, and refuse the first that differs."""
    found: list[Agreement] = []
    for purpose in _purposes(student):
        replies = exported.answer(texts, purpose)
        # Probabilities of labels are those of whole texts, of rationales those per token.
        tokens = max(reply.tokens for reply in replies) if purpose == "label" else 1
        tolerance = _tolerance(options).widened(exported.token_error * tokens)
        found.append(compare(student, texts, replies, purpose))
        check_agreement(found[-1], tolerance, title, options.quantize)
    return replace(found[0], also=tuple(found[1:]))


def _texts(records: Iterable[Record], limit: int) -> list[str]:
    held_out: list[str] = []
    trained_on: list[str] = []
    for record in records:
        group = trained_on if record.get("split") == "train" else held_out
        if len(group) < limit:
            group.append(student_text(record))
        if len(held_out) == limit:
            break
    texts = [*held_out, *trained_on][:limit]
    if not texts:
        raise EmptyInputError("no records to check the export with", hint="name a file of records")
    return texts


def _convert(
    folder: Path, student: LocalStudent, exporter: Exporter, out: Path, options: ExportOptions
) -> None:
    """Convert a copy of the student, which has today's chat template and no other files."""
    with output_errors(str(options.out)), _beside(options.out) as copy:
        save_student(copy, student.model, student.codec, student.metadata)
        if (folder / "README.md").is_file():  # its license and base model enter a GGUF file
            shutil.copy(folder / "README.md", copy / "README.md")
        exporter.convert(copy, out, options)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a temporary folder on the file system of a path."""
    parent = Path(os.path.realpath(path)).parent
    with TemporaryDirectory(prefix=f".{path.name}.", dir=parent) as folder:
        yield Path(folder)


def _describe(
    folder: Path,
    student: LocalStudent,
    exporter: Exporter,
    out: Path,
    options: ExportOptions,
    agreement: Agreement,
) -> None:
    """Write the card, and ``export.json`` with the student's metadata."""
    facts = {
        "target": options.target,
        "quantize": options.quantize,
        "check": agreement.as_json(),
        "student": dict(student.metadata),
    }
    text = json.dumps(facts, indent=2, allow_nan=False, ensure_ascii=False)
    with output_errors(str(options.out)):
        (out / FACTS_NAME).write_text(text + "\n", encoding="utf-8")
        words = (exporter.title, exporter.usage(student, agreement.task))
        write_export_card(folder, out, options, agreement, words)
