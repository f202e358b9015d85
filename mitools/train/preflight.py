"""Checks before the first step, so that a run does not fail, or prove useless, after hours.

The model needs enough positions for the texts, and the tokenizer must encode different answers
differently.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mitools.errors import TrainingError, UsageError
from mitools.records import Record
from mitools.student.codec import Codec, Kind, tokenizable
from mitools.tasks import Task, task_of
from mitools.train.drawn import draw
from mitools.train.example import example_of
from mitools.train.options import TrainOptions

__all__ = ["Limits", "check_texts", "fit_limits", "positions_of"]

_SHORTEST_INPUT = 8
_BEHIND_PADDING = frozenset(
    {
        "camembert",
        "data2vec-text",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)
"""Model types that number positions from the id of the padding token + 1, and so have fewer
positions than embeddings of them. Others of this kind, such as Longformer and MPNet, have neither
a decoder nor a causal model."""
_JOINT = 1
"""In one pass, a first text that was cut gets an end token beyond its limit; see
:func:`mitools.student.sequence.join_targets`."""
_RECORDS = 10_000
_AT_ONCE = 1000
_TOO_MANY = 0.5
_SHOWN = 20


@dataclass(frozen=True)
class Limits:
    """The longest texts of a student, in tokens."""

    max_input_tokens: int
    max_label_tokens: int
    max_rationale_tokens: int


def positions_of(config: Any) -> tuple[int | None, int | None]:
    """Return how many tokens a model can read and write; None for no limit.

    A causal model has one limit for both together. Relative and rotary positions have no limit.
    """
    reader = getattr(config, "encoder", None) or config
    writer = getattr(config, "decoder", None) or config
    read = _first_number(reader, "max_encoder_position_embeddings", "max_position_embeddings")
    written = _first_number(writer, "max_decoder_position_embeddings", "max_position_embeddings")
    return read, written


def _first_number(config: Any, *names: str) -> int | None:
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    if getattr(text, "rope_parameters", None):
        return None
    found = (getattr(part, name, None) for part in (config, text) for name in names)
    most = next((value for value in found if isinstance(value, int) and value > 0), None)
    if most is not None and getattr(text, "model_type", None) in _BEHIND_PADDING:
        return max(1, most - (text.pad_token_id or 0) - 1)
    return most


def fit_limits(
    config: Any, kind: Kind, options: TrainOptions, note: Callable[[str], None]
) -> Limits:
    """Fit the length limits of a student into the positions of its model.

    Inputs are cut if that is enough. Labels and rationales are cut only if their limits are the
    defaults.

    Raises:
        UsageError: the limits that the user set leave no room for the input.
    """
    label, rationale = options.max_label_tokens, options.max_rationale_tokens
    read, written = positions_of(config)
    is_one_pass = options.order != "separate" or options.objective.concludes
    beside = _SHORTEST_INPUT if kind == "causal" else 0
    if written is not None and _room(label, rationale, is_one_pass) > written - beside:
        part = written // 2 if beside else written
        share = _share(part, is_one_pass)
        label = min(label, share) if label == TrainOptions.max_label_tokens else label
        rationale = (
            min(rationale, share) if rationale == TrainOptions.max_rationale_tokens else rationale
        )
        if min(label, rationale) < 2 or _room(label, rationale, is_one_pass) > written - beside:
            raise _too_long(options, written, is_one_pass, beside)
        note(f"labels are cut at {label:,} and rationales at {rationale:,} tokens")
    if kind == "causal":
        read = None if written is None else written - _room(label, rationale, is_one_pass)
    longest = options.max_input_tokens if read is None else min(options.max_input_tokens, read)
    if longest < options.max_input_tokens:
        note(f"inputs are cut at {longest:,} tokens: the student has {written or read:,} positions")
    return Limits(longest, label, rationale)


def _room(label: int, rationale: int, is_one_pass: bool) -> int:
    return label + rationale + _JOINT if is_one_pass else max(label, rationale)


def _share(positions: int, is_one_pass: bool) -> int:
    """Return the longest label, and rationale, of which both fit."""
    return (positions - _JOINT) // 2 if is_one_pass else positions


def _too_long(options: TrainOptions, positions: int, is_one_pass: bool, beside: int) -> UsageError:
    message = (
        f"the student has {positions:,} positions, too few for --max-label-tokens "
        f"{options.max_label_tokens} and --max-rationale-tokens {options.max_rationale_tokens}"
    )
    part = positions // 2 if beside else positions
    share = _share(part, is_one_pass)
    label, rationale = (
        min(limit, share) for limit in (options.max_label_tokens, options.max_rationale_tokens)
    )
    if label < 2 or part < beside:
        return UsageError(message, hint="choose a student with more positions")
    hint = f'add "--max-label-tokens {label} --max-rationale-tokens {rationale}"'
    return UsageError(message, hint=hint)


@dataclass
class _EncodedAnswers:
    """The answers seen so far, and their tokens.

    Attributes:
        texts: the first label with each sequence of tokens.
        encoded: the tokens of each answer, and whether it was cut.
        written: by task and label, what decoding makes of the label where that is another one,
            else None.
    """

    codec: Codec
    texts: dict[tuple[int, ...], str] = field(default_factory=dict)
    encoded: dict[str, tuple[tuple[int, ...], bool]] = field(default_factory=dict)
    written: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def encode(self, texts: Iterable[str]) -> None:
        """Encode the texts that are new, in one batch."""
        new = [text for text in dict.fromkeys(texts) if text not in self.encoded]
        for text, (ids, is_cut) in zip(new, self.codec.encode_targets("label", new), strict=True):
            self.encoded[text] = tuple(ids), is_cut

    def is_cut(self, text: str) -> bool:
        return self.encoded[text][1]

    def miswritten(self, task: Task, label: str) -> str | None:
        """Return what decoding makes of a label, or None if the task takes both for equal."""
        key = (task.name, label)
        if key not in self.written:
            text = self.codec.decode(self.encoded[label][0])
            self.written[key] = None if task.is_equal(text, label) else text
        return self.written[key]


@dataclass
class _Miswritten:
    """Counts of the labels that a student must write itself, as their records have no choices.

    Attributes:
        labels: how many there are.
        wrong: how many of them the tokenizer does not give back as they were.
        example: the first of these, and what becomes of it.
    """

    labels: int = 0
    wrong: int = 0
    example: tuple[str, str] = ("", "")

    def add(self, known: _EncodedAnswers, task: Task, label: str) -> None:
        """Count a label, unless it was cut, or the task cannot read it at all."""
        if known.is_cut(label) or not task.is_equal(label, label):
            return
        self.labels += 1
        found = known.miswritten(task, label)
        if found is not None:
            self.example = self.example if self.wrong else (label, found)
            self.wrong += 1

    def check(self) -> None:
        if self.wrong > _TOO_MANY * self.labels:
            label, found = self.example
            message = (
                f"the tokenizer cannot write {self.wrong:,} of {self.labels:,} labels: "
                f'"{label}" becomes "{found}"'
            )
            hint = "choose a student with another tokenizer, such as a T5, or give records choices"
            raise TrainingError(message, hint=hint)


def check_texts(
    read: Callable[[], Iterator[Record]], codec: Codec, options: TrainOptions
) -> dict[str, int]:
    """Refuse a tokenizer that cannot encode the texts, or encodes two answers alike.

    Checks at most 10,000 training records, drawn where there are more.

    Args:
        read: starts to read the training records.

    Returns:
        How many of these records have a label of unknown tokens only, and how many another label
        that decoding its tokens does not give back; records with choices do not need that.

    Raises:
        TrainingError: most texts are encoded as no tokens or as unknown tokens, most labels are
            not given back, or two answers that are different in their task are encoded as the
            same tokens.
    """
    known, miswritten = _EncodedAnswers(codec), _Miswritten()
    tokens: dict[str, list[int]] = {"inputs": [0, 0, 0, 0], "labels": [0, 0, 0, 0]}
    drawn = draw(read, _RECORDS)
    unreadable = 0
    while batch := list(itertools.islice(drawn, _AT_ONCE)):
        labels = [example_of(record, options).label for record in batch]
        answers = [_answers(record, label) for record, label in zip(batch, labels, strict=True)]
        known.encode(text for row in answers for text in row)
        for record, row, label in zip(batch, answers, labels, strict=True):
            _check_apart(known, task_of(record, options.task), row, label)
        _count(tokens["inputs"], codec, [record["input"] for record in batch])
        labelled = [(row, text) for row, text in zip(batch, labels, strict=True) if text]
        unknown = _count(tokens["labels"], codec, [label for _, label in labelled])
        unreadable += sum(unknown)
        for (record, label), is_unknown in zip(labelled, unknown, strict=True):
            if not is_unknown and not record.get("choices"):
                miswritten.add(known, task_of(record, options.task), label)
    for what, sums in tokens.items():
        _check_readable(what, *sums)
    miswritten.check()
    return {
        "with a label that is unknown to the tokenizer": unreadable,
        "with a label that the tokenizer cannot write": miswritten.wrong,
    }


def _answers(record: Mapping[str, Any], label: str | None) -> list[str]:
    choices = [text for text in record.get("choices") or () if isinstance(text, str)]
    return [*choices, *([label] if label else [])]


def _check_apart(known: _EncodedAnswers, task: Task, answers: list[str], label: str | None) -> None:
    """Compare the choices of a record with each other, and its label with all earlier labels.

    Answers that were cut alike are compared within a record only: a student cannot choose between
    them, but it may learn the beginning of a long label.
    """
    answers_here: dict[tuple[int, ...], str] = {}
    for text in answers:
        ids, is_cut = known.encoded[text]
        others = [answers_here.setdefault(ids, text)]
        if text == label and not is_cut:
            others.append(known.texts.setdefault(ids, text))
        for other in others:
            if other != text and not task.is_equal(other, text):
                raise _cut_alike(known.codec, other, text) if is_cut else _alike(other, text)


def _alike(one: str, other: str) -> TrainingError:
    message = f'"{one}" and "{other}" are the same tokens to this student'
    hint = "rename one of these answers, or choose a student with another tokenizer"
    return TrainingError(message, hint=hint)


def _cut_alike(codec: Codec, one: str, other: str) -> TrainingError:
    pairs = enumerate(zip(one, other, strict=False))
    place = next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
    begin = max(0, place - _SHOWN)
    parts = [text[begin:][: 2 * _SHOWN] for text in (one, other)]
    message = (
        f"two choices of a record are the same in their first {codec.max_label_tokens:,} tokens, "
        f'where they are cut; they differ at "{parts[0]}" and "{parts[1]}"'
    )
    whole = codec.control_tokens.encode_text([tokenizable(text) for text in (one, other)])
    needed = max(map(len, whole)) + 1  # with the end token
    hint = f'add "--max-label-tokens {needed}", or shorten the choices'
    return TrainingError(message, hint=hint)


def _count(sums: list[int], codec: Codec, texts: list[str]) -> list[bool]:
    """Count texts into ``sums``, and return for each whether it consists of unknown tokens only.

    Args:
        sums: the numbers of texts, of texts without tokens, of tokens, and of unknown tokens.
    """
    unknown_id, end_id = codec.tokenizer.unk_token_id, codec.tokenizer.eos_token_id
    has_unknown_token = unknown_id not in (None, end_id, codec.tokenizer.pad_token_id)
    unreadable = []
    for text, (ids, _) in zip(texts, codec.encode_targets("label", texts), strict=True):
        own = [token for token in ids if token != end_id]
        unknown = own.count(unknown_id) if has_unknown_token else 0
        sums[0] += 1
        sums[1] += bool(text.strip()) and not own
        sums[2] += len(own)
        sums[3] += unknown
        # Some tokenizers put a token for the start of a word before the unknown token.
        is_lost = not own or (unknown > 0 and unknown >= len(own) - 1)
        unreadable.append(bool(text.strip()) and is_lost)
    return unreadable


def _check_readable(what: str, texts: int, empty: int, total: int, unknown: int) -> None:
    hint = "choose a student with a tokenizer for this language, or check its tokenizer files"
    if empty > _TOO_MANY * texts:
        message = f"the tokenizer encodes {empty:,} of {texts:,} {what} as no tokens"
        raise TrainingError(message, hint=hint)
    if unknown > _TOO_MANY * total:
        message = f"{unknown:,} of {total:,} tokens of the {what} are unknown to the tokenizer"
        raise TrainingError(message, hint=hint)
