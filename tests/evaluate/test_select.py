"""Which records are evaluated, and what is counted of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.errors import EmptyInputError, InvalidFieldError
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.select import Selection
from mitools.records import Record, raise_fault
from mitools.train.tokenized import TokenSpool
from tests.evaluate.examples import equation

SPLITS = ("train", "valid", "test", None)


def records() -> list[Record]:
    return [equation(index, split=name) for index, name in enumerate(SPLITS)]


def selected(given: list[Record] | None = None, **options: Any) -> tuple[list[Record], Selection]:
    selection = Selection(EvalOptions(**options))
    return list(selection.select(records() if given is None else given, raise_fault)), selection


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, "23"),
        ({"split": "valid"}, "1"),
        ({"split": "all"}, "0123"),
        ({"temperature": True}, "123"),
        ({"answer": "both"}, "123"),
        ({"answer": "both", "answer_weight": 0.5}, "23"),
    ],
)
def test_a_split_is_selected_and_what_a_fit_needs(options: dict[str, Any], ids: str) -> None:
    assert "".join(str(record["id"]) for record in selected(**options)[0]) == ids


def test_training_records_are_handed_on_where_they_are_not_evaluated() -> None:
    taught: list[Record] = []
    list(Selection(EvalOptions(), on_taught=taught.append).select(records(), raise_fault))
    assert [record["id"] for record in taught] == ["0"]
    everything = Selection(EvalOptions(split="all"), on_taught=taught.append)
    list(everything.select(records(), raise_fault))
    assert len(taught) == 1


def test_an_id_that_comes_twice_is_a_warning_or_rejected() -> None:
    twice = [equation(1), equation(1), equation(2)]
    found, selection = selected(twice)
    assert len(found) == 3
    assert selection.repetition() == '1 record with an id seen before (such as "1"); all count'
    rejected: list[Exception] = []
    unique = Selection(EvalOptions(unique_ids=True))
    kept = unique.select(twice, lambda _record, error: rejected.append(error))
    assert [record["id"] for record in kept] == ["1", "2"]
    assert [type(error) for error in rejected] == [InvalidFieldError]
    assert unique.repetition() is None


def test_records_without_a_split_are_worth_a_warning_beside_others_only() -> None:
    assert selected()[1].without_split() == (
        '1 record without a split; counted with the split "test"'
    )
    assert selected([equation(1)])[1].without_split() is None
    assert selected(split="all")[1].without_split() is None


def digest_in_train(folder: Path, records: list[Record]) -> str:
    return TokenSpool.fill(folder / "records.jsonl", records).digest


@pytest.mark.parametrize("options", [{}, {"split": "all"}])
def test_records_that_the_student_was_trained_on_are_worth_a_warning(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    given = [equation(index) for index in range(3)]
    metadata = {"data": {"sha256": digest_in_train(tmp_path, given)}}
    selection = Selection(EvalOptions(**options), lambda: metadata)
    list(selection.select(iter(given), raise_fault))
    assert selection.without_split() == (
        "the student was trained on the 3 records without a split, so the figures are not of new "
        'ones; run "mitools split" before "mitools train"'
    )
    others = Selection(EvalOptions(**options), lambda: metadata)
    list(others.select(given[:2], raise_fault))
    assert others.without_split() is None


def test_split_records_are_told_apart_from_those_trained_on(tmp_path: Path) -> None:
    given = [equation(index, split=name) for index, name in enumerate(SPLITS[:3])]
    metadata = {"data": {"sha256": digest_in_train(tmp_path, given)}}
    selection = Selection(EvalOptions(), lambda: metadata)
    list(selection.select(given, raise_fault))
    assert selection.without_split() is None


def test_records_get_the_label_set_of_the_student() -> None:
    bare = {"id": "1", "input": "q", "label": "yes"}
    metadata = {"task": "labels", "labels": ["yes", "no"]}
    (found,) = Selection(EvalOptions(), lambda: metadata).select([bare], raise_fault)
    assert (found["task"], found["choices"]) == ("labels", ["yes", "no"])


def test_gold_labels_that_cannot_be_read_are_counted() -> None:
    _, selection = selected([{**equation(1), "label": "four"}, equation(2)])
    assert (selection.gold.known, selection.gold.unreadable) == (2, 1)


def test_gold_labels_of_other_splits_are_not_counted() -> None:
    given = [{**record, "label": "no number"} for record in records()]
    _, selection = selected(given, split="test")
    assert (selection.gold.known, selection.gold.unreadable) == (1, 1)


def test_a_pass_without_a_record_says_what_there_is() -> None:
    found, selection = selected([equation(1, split="train"), equation(2, split="valid")])
    assert found == []
    error = selection.nothing_selected()
    assert isinstance(error, EmptyInputError)
    assert str(error).startswith('no record is in the split "test" (train: 1, valid: 1)')
    unsplit = selected([equation(1)], split="valid")[1].nothing_selected()
    assert str(unsplit).startswith('no record has a split, so none is in "valid"')
    empty = selected([])[1].nothing_selected()
    assert isinstance(empty, EmptyInputError)
    assert str(empty).startswith("the input has no records")
