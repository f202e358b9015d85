"""Where a learned rationale names a choice, and the first token of each choice there.

For the term ``name``, see :mod:`mitools.train.losses.naming`. A record has the term if its
rationale names exactly one of its choices, its label is one of them, and the choices differ in
their first tokens, in the rationale as in the label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mitools.asking.named import mention_of
from mitools.records import Record
from mitools.student.codec import Codec, Purpose
from mitools.student.mentions import mention_ids
from mitools.tasks import task_of

__all__ = ["NO_NAMING", "find_naming", "naming_tensors"]

NO_NAMING: Mapping[str, Any] = {
    "name_place": -1,
    "name_ids": [],
    "name_label_place": -1,
    "name_label_ids": [],
    "name_gold": -1,
}
"""The fields of a row without the term. ``name_place`` and ``name_label_place`` are positions in
the targets of both tasks, ``name_ids`` and ``name_label_ids`` the token of each choice there, and
``name_gold`` is the index of the label."""


def find_naming(
    codec: Codec,
    records: Sequence[Record],
    learned: Sequence[tuple[str | None, str | None]],
    rows: Sequence[Mapping[str, Any]],
    task: str | None = None,
) -> list[dict[str, Any]]:
    """Find the tokens that decide between the choices of each record.

    Args:
        codec: of the student.
        records: N records.
        learned: the label and the rationale of each, or None.
        rows: their tokenized targets.
        task: the task to read by, in place of the records'.

    Returns:
        [N] fields, those of :data:`NO_NAMING` for a record without the term.
    """
    found: list[dict[str, Any]] = [dict(NO_NAMING) for _ in records]
    asked = []
    for number, (record, (label, rationale)) in enumerate(zip(records, learned, strict=True)):
        mention = None if not rationale else mention_of(record, rationale, task)
        if mention is None or label is None:
            continue
        read = task_of(record, task)
        gold = [place for place, one in enumerate(mention.choices) if read.is_equal(one, label)]
        if len(gold) == 1:
            asked.append((number, mention, gold[0]))
    told = _first_tokens(codec, "rationale", [(m.before, m.forms) for _, m, _ in asked])
    answered = _first_tokens(codec, "label", [("", m.choices) for _, m, _ in asked])
    for (number, _, own), in_rationale, in_label in zip(asked, told, answered, strict=True):
        row = rows[number]
        is_told = _decides(in_rationale, row["rationale_target"])
        if is_told and _decides(in_label, row["label_target"]):
            found[number] = {
                "name_place": len(in_rationale[0]),
                "name_ids": in_rationale[1],
                "name_label_place": len(in_label[0]),
                "name_label_ids": in_label[1],
                "name_gold": own,
            }
    return found


_Firsts = tuple[list[int], list[int]]
"""The tokens before, which all choices share, and the first token of each choice."""


def _first_tokens(
    codec: Codec, purpose: Purpose, asked: Sequence[tuple[str, Sequence[str]]]
) -> list[_Firsts]:
    begun, texts = [start for start, _ in asked], [forms for _, forms in asked]
    contexts, targets = mention_ids(codec, begun, texts, purpose)
    return [
        (context, [ids[0] for ids in row]) for context, row in zip(contexts, targets, strict=True)
    ]


def _decides(firsts: _Firsts, target: Sequence[int]) -> bool:
    """Return whether a target comes to the place where the choices differ in one token.

    The token there may be another one, such as that of a plural.
    """
    context, ids = firsts
    is_there = len(target) > len(context) and [*target[: len(context)]] == context
    return is_there and len({*ids}) == len(ids)


def naming_tensors(
    rows: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Make the tensors of a batch of B rows with at most C choices.

    Returns:
        For the label task and for the rationale task: ``name_places`` [B], −1 without the term, and
        ``name_ids`` [B, C], −1 for a missing choice. The label task also has ``name_gold`` [B].
    """
    width = max(1, *(len(row["name_ids"]) for row in rows))

    def padded(name: str) -> Tensor:
        return torch.tensor([[*row[name], *[-1] * (width - len(row[name]))] for row in rows])

    def column(name: str) -> Tensor:
        return torch.tensor([row[name] for row in rows])

    label = {"name_places": column("name_label_place"), "name_ids": padded("name_label_ids")}
    return {**label, "name_gold": column("name_gold")}, {
        "name_places": column("name_place"),
        "name_ids": padded("name_ids"),
    }
