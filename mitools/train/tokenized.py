"""Tokenized records on disk, for training and validation.

Records are streamed; only one batch is in memory. Tokenized rows are in Arrow files that are mapped
into memory, so a million records need no more memory than a thousand.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from numpy.typing import NDArray

from mitools.bounds import OWN
from mitools.errors import DataError
from mitools.files import output_errors
from mitools.records import Record, Writer, dump_line, parse_line
from mitools.schema import get_path
from mitools.student.codec import Codec, Purpose, tokenizable
from mitools.tasks import task_of
from mitools.train.drawn import draw
from mitools.train.example import BLANK, Example, example_of, learned_teacher
from mitools.train.naming import NO_NAMING, find_naming
from mitools.train.options import TrainOptions

__all__ = [
    "SEVERAL",
    "SOFT",
    "WRONG",
    "TokenSpool",
    "TrainingData",
    "build_data",
    "lengths_of",
    "open_data",
]

_ROWS_PER_BATCH = 1000
_PURPOSES: tuple[Purpose, ...] = ("label", "rationale")


@dataclass
class TokenSpool:
    """All records of the run on disk: read once from the pipe, then as often as needed."""

    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    digest: str = ""

    @classmethod
    def fill(cls, path: Path, records: Iterable[Record]) -> TokenSpool:
        """Write the records to disk, count their splits and hash their content."""
        spool = cls(path)
        digest = hashlib.sha256()
        with output_errors(str(path)), path.open("w", encoding="utf-8", newline="\n") as stream:
            writer = Writer(stream, flush=False)
            for record in records:
                writer.write(record)
                digest.update(dump_line(record).encode("utf-8", "surrogatepass"))
                spool.counts[record.get("split") or "train"] += 1
        spool.digest = digest.hexdigest()
        return spool

    def __iter__(self) -> Iterator[Record]:
        with self.path.open(encoding="utf-8") as stream:
            for line in stream:
                yield parse_line(line, bounds=OWN)

    def of_split(self, split: str) -> Iterator[Record]:
        """Return the records of one split; a record without a split counts as training."""
        return (record for record in self if (record.get("split") or "train") == split)


@dataclass(frozen=True)
class TrainingData:
    """Tokenized rows, and counts of what was left out or cut.

    Attributes:
        train: rows with ``id``, token ids of prompts and targets, weights, further targets to
            choose from where the options ask for them, and ``length``.
        valid: rows of the same kind to measure during training, those of the split ``eval_on``;
            None where there is no such record.
        notes: how many records lacked a label or rationale, or had a text cut.
    """

    train: Dataset
    valid: Dataset | None
    notes: Mapping[str, int]

    def has(self, purpose: Purpose) -> bool:
        """Return whether any training record has a target of this kind."""
        return _has_any(self.train, f"{purpose}_target")


def _has_any(rows: Dataset, part: str) -> bool:
    """Return whether any row has a token in this column."""
    chunks = rows.data.column(part).chunks
    return any(pc.any(pc.greater(pc.list_value_length(chunk), 0)).as_py() for chunk in chunks)


_TOKENS = pa.list_(pa.int32())
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("label_prompt", _TOKENS),
        ("label_target", _TOKENS),
        ("rationale_prompt", _TOKENS),
        ("rationale_target", _TOKENS),
        ("label_weight", pa.float32()),
        ("rationale_weight", pa.float32()),
        ("soft_labels", pa.list_(_TOKENS)),
        ("soft_shares", pa.list_(pa.float32())),
        ("rationales", pa.list_(_TOKENS)),
        ("wrong_rationales", pa.list_(_TOKENS)),
        ("name_place", pa.int32()),
        ("name_ids", _TOKENS),
        ("name_label_place", pa.int32()),
        ("name_label_ids", _TOKENS),
        ("name_gold", pa.int32()),
        ("length", pa.int32()),
        ("record", pa.string()),
    ]
)


def lengths_of(rows: Dataset, part: str | None = None) -> NDArray[np.int32]:
    """Return the number of tokens of each row: [N].

    Args:
        part: such as ``label_prompt``; None counts the prompts and targets of both tasks.
    """
    if part is None:
        lengths: NDArray[np.int32] = rows.data.column("length").to_numpy()
    else:
        lengths = pc.list_value_length(rows.data.column(part)).to_numpy()
    return lengths


def open_data(folder: Path, notes: Mapping[str, int]) -> TrainingData:
    """Open the files of :func:`build_data`, as the other processes of a run do."""
    train, valid = (Dataset.from_file(str(folder / f"{name}.arrow")) for name in ("train", "valid"))
    return TrainingData(train, valid or None, notes)


def build_data(spool: TokenSpool, codec: Codec, options: TrainOptions) -> TrainingData:
    """Tokenize the training and validation records; the test split is read with ``eval_on`` only.

    A record without a label is used for its rationale, and the reverse; in one pass the missing
    text is empty and has no loss. A record with neither is left out. Texts over the limits are cut.
    All of this is counted. Of more than ``valid_limit`` validation records, as many are drawn by a
    hash, the same ones for every seed.

    Raises:
        DataError: no record can be trained on.
    """
    notes: Counter[str] = Counter()
    folder = spool.path.parent
    train = _tokenize(spool.of_split("train"), folder / "train.arrow", codec, options, notes)
    if not train:
        message = "no training record has a label or a rationale"
        raise DataError(message, hint='run "mitools annotate" and "mitools split" first')
    if options.objective.names and not _has_any(train, "name_ids"):
        message = "--mi name needs rationales that name one of their record's choices; none does"
        raise DataError(message, hint='use "--mi none", or see "mitools load --help" for choices')
    if options.alpha == 0 and not _has_any(train, "rationale_target"):
        message = "--alpha 0 trains rationales alone, and no training record has one"
        raise DataError(message, hint='run "mitools annotate" first, or choose a larger --alpha')
    measured = _drawn_to_measure(spool, options)
    valid = _tokenize(measured, folder / "valid.arrow", codec, options, Counter(), whole=True)
    return TrainingData(train, valid or None, notes)


def _drawn_to_measure(spool: TokenSpool, options: TrainOptions) -> Iterator[Record]:
    """Draw from the records of the split ``eval_on`` that have a label or a rationale."""
    most = options.valid_limit

    def read() -> Iterator[Record]:
        return (one for one in spool.of_split(options.eval_on) if example_of(one, options).is_used)

    if most is None or spool.counts[options.eval_on] <= most:
        return spool.of_split(options.eval_on)
    return draw(read, most)


def _tokenize(
    records: Iterator[Record],
    path: Path,
    codec: Codec,
    options: TrainOptions,
    notes: Counter[str],
    *,
    whole: bool = False,
) -> Dataset:
    with (
        output_errors(str(path)),
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_stream(sink, _SCHEMA) as writer,
    ):
        for batch in _batches(records, _ROWS_PER_BATCH):
            rows = _rows(batch, codec, options, notes)
            for row, record in rows:
                row["record"] = dump_line(_essence(record, options)) if whole else ""
            found = pa.RecordBatch.from_pylist([row for row, _ in rows], schema=_SCHEMA)
            writer.write_batch(found)
    return Dataset.from_file(str(path))


def _batches(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while batch := list(itertools.islice(records, size)):
        yield batch


_Row = dict[str, Any]

SOFT = "with the teacher's distribution over labels"
SEVERAL = "with several rationales"
WRONG = "with a rationale known to be wrong"
_BY_STUDENT = {
    "skip": 'with an answer of a student, which is left out ("--student-answers use" trains on it)',
    "use": "with an answer of a student in the teacher's place",
}


def _rows(
    records: Iterable[Record], codec: Codec, options: TrainOptions, notes: Counter[str]
) -> list[tuple[_Row, Record]]:
    """Encode records together, which takes a fraction of the time of single calls."""
    found: list[tuple[_Row, Record]] = []
    examples: list[Example] = []
    for record in records:
        example = example_of(record, options)
        notes[_BY_STUDENT[options.student_answers]] += get_path(record, "teacher.by") == "student"
        notes["without a label"] += example.label is None
        notes["without a rationale"] += example.rationale is None and options.needs_rationales
        notes["with an empty rationale, as the teacher gave none"] += example.rationale == BLANK
        if example.is_used:
            found.append(({"id": tokenizable(record["id"])}, record))
            examples.append(example)
    rows = [row for row, _ in found]
    is_cut, spells = [False] * len(rows), [False] * len(rows)
    for purpose in _PURPOSES:
        texts: list[str | None] = [vars(example)[purpose] for example in examples]
        targets = _encode_where(texts, partial(_encode_targets, codec, options, purpose))
        wanted = [_needs_prompt(codec, purpose, text, options) for text in texts]
        inputs = [x.input if w else None for x, w in zip(examples, wanted, strict=True)]
        prompts = _encode_where(inputs, partial(codec.encode_prompts, purpose))
        spelled = codec.count_spelled(purpose, [ids for ids, _ in prompts])
        for index, row in enumerate(rows):
            row[f"{purpose}_target"], target_is_cut = targets[index]
            row[f"{purpose}_prompt"], prompt_is_cut = prompts[index]
            notes[f"with a {purpose} that was cut"] += target_is_cut
            is_cut[index] |= prompt_is_cut
            spells[index] |= spelled[index] > 0
    notes["with an input that was cut"] += sum(is_cut)
    notes["with an input that spells a control token, which is read as one"] += sum(spells)
    for row, example in zip(rows, examples, strict=True):
        row["length"] = sum(
            len(row[f"{name}_{part}"]) for name in _PURPOSES for part in ("prompt", "target")
        )
        row |= {**_choices(example, partial(_encode_targets, codec, options), notes), **NO_NAMING}
    if options.objective.names:
        learned = [(example.label, example.rationale) for example in examples]
        named = find_naming(codec, [one for _, one in found], learned, rows, options.task)
        for row, fields in zip(rows, named, strict=True):
            row |= fields
            is_unused = not fields["name_ids"]
            notes["whose rationale names no choice that --mi name can use"] += is_unused
    return found


def _encode_targets(
    codec: Codec, options: TrainOptions, purpose: Purpose, texts: Sequence[str]
) -> list[tuple[list[int], bool]]:
    """Encode labels or rationales; one that is cut ends as ``cut_targets`` has it."""
    found = codec.encode_targets(purpose, texts)
    if options.cut_targets == "open":
        return found
    end_id = codec.tokenizer.eos_token_id
    return [([*ids[:-1], end_id] if is_cut else ids, is_cut) for ids, is_cut in found]


def _encode_where(
    texts: Sequence[str | None], encode: Callable[[list[str]], list[tuple[list[int], bool]]]
) -> list[tuple[list[int], bool]]:
    """Encode the texts that exist; the others have no tokens."""
    encoded = iter(encode([text for text in texts if text is not None]))
    return [([], False) if text is None else next(encoded) for text in texts]


def _needs_prompt(codec: Codec, purpose: Purpose, text: str | None, options: TrainOptions) -> bool:
    if codec.first is not None:  # one pass, with the prompt of what comes first
        return purpose == codec.first
    if codec.prefix_position == "after" and options.needs_rationales:
        return True  # one row without a prompt would prevent the shared reading of its batch
    return bool(text)


def _choices(
    example: Example,
    encode: Callable[[Purpose, Sequence[str]], list[tuple[list[int], bool]]],
    notes: Counter[str],
) -> dict[str, Any]:
    """Encode the targets that an epoch can draw from, and their weights."""
    further: dict[str, tuple[Purpose, tuple[str, ...]]] = {
        "soft_labels": ("label", tuple(label for label, _ in example.soft_label)),
        "rationales": ("rationale", example.rationales),
        "wrong_rationales": ("rationale", example.wrong),
    }
    notes[SOFT] += bool(example.soft_label)
    notes[SEVERAL] += len(example.rationales) > 1
    notes[WRONG] += bool(example.wrong)
    notes["that count less, as the teacher missed gold"] += example.rationale_weight < 1
    return {
        "label_weight": example.label_weight,
        "soft_shares": [share for _, share in example.soft_label],
        "rationale_weight": example.rationale_weight,
        **{
            name: [ids for ids, _ in encode(purpose, texts)] if texts else []
            for name, (purpose, texts) in further.items()
        },
    }


def _essence(record: Record, options: TrainOptions) -> Record:
    """Return the fields that the measurement of accuracy needs."""
    names = ("id", "input", "task", "choices")
    label = record.get("label")
    if label is None:
        label = learned_teacher(record, options).get("label")
    kept = {name: record[name] for name in names if record.get(name) is not None}
    return {**kept, "label": label, "task": task_of(record, options.task).name}
