"""Splits by the names of files, and of the parts of a data set."""

from __future__ import annotations

import pytest

from mitools.sources.splits import splits_by_name, usual_splits


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train.csv", "test.csv"), ["train", "test"]),
        (("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"), []),
        (
            ("train-0-of-2.parquet", "train-1-of-2.parquet", "dev.parquet"),
            ["train"] * 2 + ["valid"],
        ),
        (("snli_1.0_train.jsonl", "snli_1.0_dev.jsonl"), ["train", "valid"]),
        (("quiz.train.jsonl.gz", "quiz.validation.jsonl.gz"), ["train", "valid"]),
        (("esnli_train_1.csv", "esnli_train_2.csv", "esnli_test.csv"), ["train", "train", "test"]),
        (("train.csv",), []),
        (("train.csv", "more.csv"), []),
        (("train_test.csv", "test.csv"), []),
        (("train.csv", "test.csv", "more.csv"), ["train", "test"]),
        (("train_test.csv", "test.csv", "train.csv"), ["test", "train"]),
        (("test_r1.arrow", "train_r1.arrow"), ["test", "train"]),
        (("train/0000.parquet", "test/0000.parquet"), ["train", "test"]),
        (("train/test.csv", "train/dev.csv"), ["test", "valid"]),
        (("tests/a.csv", "train/b.csv"), []),
        (("contest.csv", "latest.csv", "trains.csv"), []),
        (("-", "test.csv"), []),
        ((), []),
    ],
)
def test_files_have_the_splits_that_their_names_tell(
    names: tuple[str, ...], splits: list[str]
) -> None:
    assert [*splits_by_name(names).values()] == splits


def test_the_parts_of_a_data_set_have_their_usual_splits() -> None:
    assert usual_splits(["train"]) == [("train", None)]
    assert usual_splits(["validation", "extra"]) == [("validation", "valid"), ("extra", None)]
    names = ["train_sft", "validation_matched", "test_r1", "train_test", "unsupervised"]
    assert [split for _, split in usual_splits(names)] == ["train", "valid", "test", None, None]
