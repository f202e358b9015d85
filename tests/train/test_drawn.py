"""Records that are drawn: a fixed number, whatever the order of the file."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mitools.bounds import OWN
from mitools.records import parse_line
from mitools.split.options import SplitOptions
from mitools.split.run import split_records
from mitools.student.base.scratch import build_tokenizer
from mitools.student.codec import Codec
from mitools.train.drawn import draw
from mitools.train.options import TrainOptions
from mitools.train.tokenized import TokenSpool, TrainingData, build_data


def records_of(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": f"r{n}", "input": f"question {n}", "label": "yes", **more} for n in range(count)]


def ids_of(records: Any) -> list[str]:
    return [record["id"] for record in records]


def test_where_there_are_no_more_all_are_taken() -> None:
    records = records_of(9)
    assert list(draw(lambda: iter(records), 9)) == records
    assert list(draw(lambda: iter(records), None)) == records
    assert list(draw(lambda: iter(()), 9)) == []


def test_the_same_records_are_drawn_in_any_order_and_come_in_the_order_of_the_file() -> None:
    records = records_of(300)
    found = ids_of(draw(lambda: iter(records), 40))
    assert len(found) == 40
    assert found == sorted(found, key=lambda name: int(name[1:]))
    shuffled = random.Random(3).sample(records, len(records))
    assert set(ids_of(draw(lambda: iter(shuffled), 40))) == set(found)
    # A few more records displace a few.
    assert (
        len({*ids_of(draw(lambda: iter([*records, *records_of(303)[300:]]), 40))} & {*found}) > 36
    )


def test_every_part_of_the_file_is_drawn_from() -> None:
    parts = Counter(
        int(name[1:]) // 1000 for name in ids_of(draw(lambda: iter(records_of(4000)), 400))
    )
    assert all(70 < parts[part] < 130 for part in range(4))


def test_what_is_drawn_of_a_split_does_not_depend_on_how_it_was_split() -> None:
    split = list(split_records(records_of(4000), SplitOptions(valid=0.25)))
    valid = [record for record in split if record["split"] == "valid"]
    parts = Counter(
        int(record["id"][1:]) // 1000 for record in draw(lambda: iter(valid), len(valid) // 2)
    )
    assert min(parts.values()) > len(valid) / 12


def test_records_with_one_id_are_drawn_apart() -> None:
    records = [{**record, "id": "same"} for record in records_of(50)]
    assert len(list(draw(lambda: iter(records), 10))) == 10
    assert len(list(draw(lambda: iter(records[:1] * 50), 10))) == 10


def data_of(folder: Path, records: list[dict[str, Any]], **changes: Any) -> TrainingData:
    tokenizer = build_tokenizer((record["input"] for record in records), 300)
    spool = TokenSpool.fill(folder / "records.jsonl", records)
    chosen = TrainOptions(folder / "student", alpha=1.0, **changes)
    return build_data(spool, Codec(tokenizer, "seq2seq"), chosen)


def valid_of(*labels: str | None) -> list[dict[str, Any]]:
    """A training record, and a block of 60 validation records for each label."""
    blocks = [
        {"id": f"v{part}-{n}", "input": f"question {n}", "label": label, "split": "valid"}
        for part, label in enumerate(labels)
        for n in range(60)
    ]
    return [{"id": "t", "input": "question", "label": "no", "split": "train"}, *blocks]


def labels_of(data: TrainingData) -> Counter[str]:
    assert data.valid is not None
    return Counter(parse_line(line, bounds=OWN)["label"] for line in data.valid["record"])


@pytest.mark.parametrize("seed", [0, 5])
def test_a_file_sorted_by_label_is_validated_on_all_labels(tmp_path: Path, seed: int) -> None:
    found = labels_of(data_of(tmp_path, valid_of("a", "b", "c"), valid_limit=60, seed=seed))
    assert found.total() == 60
    assert found == labels_of(data_of(tmp_path, valid_of("a", "b", "c"), valid_limit=60))
    assert min(found["a"], found["b"], found["c"]) > 10


def test_records_without_a_target_take_no_place_among_those_that_validate(tmp_path: Path) -> None:
    found = labels_of(data_of(tmp_path, valid_of(None, "a", None), valid_limit=50))
    assert found == {"a": 50}
    assert labels_of(data_of(tmp_path, valid_of(None, "a", None), valid_limit=None)) == {"a": 60}
