"""Figures as rows and as JSON."""

from __future__ import annotations

from collections import Counter

import pytest

from mitools.split import Fractions, HashSplitter
from mitools.split.contamination import ContaminationReport, Leak, PlaceOverlap
from mitools.split.report import (
    DuplicateCounts,
    SplitReport,
    SplitSize,
    StratumSize,
    as_json,
    leak_table,
    notes,
    report_of,
    size_table,
    strata_table,
    warnings,
)

SIZES = {
    "train": SplitSize(records=890, wanted=900, kept=100, groups=80),
    "valid": SplitSize(records=10, wanted=0, kept=0, groups=1),
    "test": SplitSize(records=100, wanted=100, kept=0, groups=1),
}


def stratum(value: str, *records: int) -> StratumSize:
    names = ("train", "valid", "test")
    return StratumSize(value, dict(zip(names, records, strict=True)), dict.fromkeys(names, 1))


def leak(name: str, share: float, split: str = "test") -> Leak:
    return Leak(id=name, split=split, share=share, other="o", words="w")


def test_a_pass_by_hash_is_reported_without_groups() -> None:
    splitter = HashSplitter(Fractions(test=0.2, valid=0.1))
    splitter.assigned, splitter.kept = Counter(train=70, test=30), Counter(test=100)
    report = report_of(splitter)
    columns, rows = size_table(report)
    assert columns == ("split", "records", "share", "wanted", "had it before")
    assert rows == [
        ("train", "70", "35.0%", "35.0%", "0"),
        ("valid", "0", "0.0%", "5.0%", "0"),
        ("test", "130", "65.0%", "60.0%", "100"),
    ]
    assert warnings(report) == ["no record is in valid: too few records"]


@pytest.mark.parametrize(
    ("kept", "options"),
    [
        ({"train": 70, "test": 30}, {"valid": "--reassign-split train --test 0"}),
        ({"train": 70, "valid": 30}, {"test": "--reassign-split train --valid 0"}),
        ({"train": 70}, {"valid": "--reassign-split train", "test": "--reassign-split train"}),
    ],
)
def test_an_option_takes_a_split_that_is_missing_from_train(
    kept: dict[str, int], options: dict[str, str]
) -> None:
    splitter = HashSplitter(Fractions(test=0.2, valid=0.1))
    splitter.kept = Counter(kept)
    assert warnings(report_of(splitter)) == [
        f"no record is in {name}: all records keep the split they had; "
        f'to take it from train, add "{option}"'
        for name, option in options.items()
    ]
    splitter.kept = Counter(valid=30)
    (warning,) = warnings(report_of(splitter))
    assert warning == "no record is in test: all records keep the split they had"


def test_exact_sizes_say_by_how_many_records_they_are_off() -> None:
    columns, rows = size_table(SplitReport(Fractions(0.1, 0), SIZES, is_exact=True))
    assert columns[3:6] == ("wanted", "off by", "groups")
    assert [row[4] for row in rows] == ["-10", "+10", "0"]
    assert [row[5] for row in rows] == ["80", "1", "1"]


def test_the_largest_strata_are_shown_and_the_others_summed_up() -> None:
    strata = [stratum(f"v{row}", 1, 2, 1) for row in range(15)]
    report = SplitReport(Fractions(0.1, 0.1), SIZES, stratify="label", strata=strata)
    columns, rows = strata_table(report)
    assert columns == ("label", "records", "train", "valid", "test")
    assert len(rows) == 13
    assert rows[0] == ("v0", "4", "1", "2 (+1)", "1")
    assert rows[-1] == ("3 more", "12", "3", "6 (+3)", "3")


def test_the_worst_leaks_are_named() -> None:
    leaks = [leak("a", 1.0), leak("b", 0.5, "valid"), leak("c", 0.25), leak("d", 0.1)]
    found = ContaminationReport(
        13,
        {"valid": 10, "test": 20},
        0,
        [PlaceOverlap("x.jsonl", 1500, leaks), PlaceOverlap("y", 1, [])],
    )
    _, rows = leak_table(found)
    assert rows == [
        ("x.jsonl", "1,500", "1 of 10", "3 of 20", "a 100%, b 50%, c 25%"),
        ("y", "1", "0 of 10", "0 of 20", ""),
    ]
    said = warnings(SplitReport(Fractions(0.1, 0), SIZES, contamination=found))
    assert said == ["3 test and 1 valid records overlap with x.jsonl"]
    as_figures = as_json(SplitReport(Fractions(0.1, 0.1), SIZES, contamination=found))[
        "contamination"
    ]
    assert [place["test"] for place in as_figures["places"]] == [3, 0]
    assert as_figures["places"][0]["leaks"][0] == {
        "id": "a",
        "split": "test",
        "share": 1.0,
        "other": "o",
        "words": "w",
    }


def test_duplicates_are_summed_up_and_their_records_named() -> None:
    some = DuplicateCounts(0.8, clusters=2, records=5, largest=3, joined=1, largest_unit=3)
    report = SplitReport(Fractions(0.1, 0.1), SIZES, duplicates=some, followers=1)
    assert notes(report) == [
        "duplicates: 5 records in 2 clusters, 3 in the largest; 1 group joined to others",
        "1 record assigned to the split that others of the group already had",
    ]
    figures = as_json(report, [["a", "b"], ["c", "d", "e"]])["duplicates"]
    assert (figures["threshold"], figures["ids"]) == (0.8, [["a", "b"], ["c", "d", "e"]])


@pytest.mark.parametrize(("left_out", "share"), [(0, None), (801, "10.0%")])
def test_the_subset_is_said_where_there_is_one(left_out: int, share: str | None) -> None:
    report = SplitReport(Fractions(0.1, 0.1), SIZES, left_out=left_out)
    assert report.written("train") == 890 - left_out
    assert report.written("test") == 100
    assert notes(report) == ([f"subset of train: 89 of 890 records ({share})"] if share else [])
    assert as_json(report)["splits"]["train"]["written"] == 890 - left_out
