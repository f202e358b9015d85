"""A whole run: exact sizes, strata, duplicates and subsets, and what stays where it was."""

from __future__ import annotations

import importlib.util
import random
import tracemalloc
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import chisquare

from mitools.errors import InvalidFieldError, MissingExtraError, MissingFieldError, UsageError
from mitools.records import Record
from mitools.split import Fractions, HashSplitter
from mitools.split.divide import divide as divide_run
from mitools.split.options import SplitOptions
from mitools.split.report import report_of, shares, warnings
from mitools.split.run import split_records
from mitools.spool import RecordSpool, no_progress
from tests.split.conftest import Divide

MODES: list[dict[str, Any]] = [
    {"exact": True},
    {"stratify": "label"},
    {"dedup": "exact"},
    {"dedup": "near"},
    {"stratify": "teacher.label", "dedup": "near", "subsample": 0.3},
    {"exact": True, "subsample": 0.5},
]
EVERY_MODE = pytest.mark.parametrize("mode", MODES, ids=[" ".join(mode) for mode in MODES])


def numbered(count: int, seed: int = 0, **fields: Any) -> list[Record]:
    """Records of different questions with three labels."""
    rng = random.Random(seed)
    labels = rng.choices(["yes", "no", "maybe"], [6, 3, 1], k=count)
    return [
        {
            "id": f"r{number}",
            "input": f"What is {rng.random()} more than {number}?",
            "label": label,
            "teacher": {"label": label},
            **fields,
        }
        for number, label in enumerate(labels)
    ]


def counts(records: list[Record]) -> dict[str, int]:
    return dict(Counter(record["split"] for record in records))


def by_id(records: list[Record]) -> dict[str, str]:
    return {record["id"]: record["split"] for record in records}


# What holds in every mode


@EVERY_MODE
def test_order_does_not_matter(divide: Divide, mode: dict[str, Any]) -> None:
    rng = random.Random(1)
    records = [{**record, "group": f"g{rng.randrange(60)}"} for record in numbered(200)]
    records += [{**record, "id": f"copy {record['id']}", "group": None} for record in records[:20]]
    shuffled = rng.sample(records, len(records))
    assert by_id(divide(records, **mode)[0]) == by_id(divide(shuffled, **mode)[0])


@EVERY_MODE
def test_the_same_seed_gives_the_same_splits_and_another_others(
    divide: Divide, mode: dict[str, Any]
) -> None:
    records = numbered(200)
    first, again, other = (divide(records, **mode, seed=seed)[0] for seed in (0, 0, 1))
    assert first == again
    assert by_id(first) != by_id(other)


@EVERY_MODE
def test_groups_never_straddle_splits(divide: Divide, mode: dict[str, Any]) -> None:
    records = [
        {**record, "group": f"g{row % 150}" if row % 3 else None}
        for row, record in enumerate(numbered(600))
    ]
    sides = defaultdict(set)
    for record in divide(records, **mode)[0]:
        sides[record.get("group") or record["id"]].add(record["split"])
    assert all(len(names) == 1 for names in sides.values())
    assert {name for names in sides.values() for name in names} == {"train", "valid", "test"}


@EVERY_MODE
def test_records_come_out_in_order_and_are_not_changed(
    divide: Divide, mode: dict[str, Any]
) -> None:
    records = [{"mine": [1.0, None], **record, "split": None} for record in numbered(50)]
    done, report = divide(records, **mode)
    names = by_id(done)
    kept = [record for record in records if record["id"] in names]
    assert done == [{**record, "split": names[record["id"]]} for record in kept]
    assert [list(record) for record in done] == [list(record) for record in kept]
    assert len(records) - len(done) == report.left_out
    assert records[0]["split"] is None


@EVERY_MODE
def test_one_record_is_enough(divide: Divide, mode: dict[str, Any]) -> None:
    _, report = divide(numbered(1), **mode)
    assert report.total == 1
    assert "no record is in test: too few records" in warnings(report)


@EVERY_MODE
def test_records_without_input_are_split_too(divide: Divide, mode: dict[str, Any]) -> None:
    records = [{"id": f"x{row}", "label": "a", "teacher": {"label": "b"}} for row in range(100)]
    _, report = divide(records, **mode)
    assert report.total == 100
    assert report.sizes["test"].groups == pytest.approx(20, abs=15)


def test_memory_does_not_hold_the_records(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"input": "x"}\n')
    options = SplitOptions(stratify="label", dedup="exact", against=(str(path),))
    records = ({**record, "mine": "long " * 1000} for record in numbered(4000))
    tracemalloc.start()
    with RecordSpool() as spool:
        for _ in divide_run(records, options, spool, no_progress):
            pass
        _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 6_000_000 < 4000 * 5000


def test_comparing_alone_moves_nothing(divide: Divide, tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"input": "x"}\n')
    records = numbered(300) + numbered(20, seed=5, split="test", group="g")
    splitter = HashSplitter(Fractions(test=0.2, valid=0.1), subsample=0.5)
    expected = list(splitter.split(records))
    done, report = divide(records, against=(str(path),), subsample=0.5)
    assert done == expected
    once = report_of(splitter)
    assert report.left_out == once.left_out
    for name, size in once.sizes.items():
        other = report.sizes[name]
        assert (other.records, other.kept) == (size.records, size.kept)
        assert other.wanted == pytest.approx(size.wanted)


# Exact sizes


@pytest.mark.parametrize("count", [1, 10, 97, 1000])
def test_sizes_are_exact(divide: Divide, count: int) -> None:
    done, report = divide(numbered(count), exact=True)
    for name, share in shares(Fractions(test=0.2, valid=0.1)).items():
        assert abs(counts(done).get(name, 0) - share * count) < 1
        assert report.sizes[name].records == report.sizes[name].wanted
    assert report.sizes["train"].groups == counts(done).get("train")


def test_sizes_are_exact_for_whole_groups_where_they_can_be(divide: Divide) -> None:
    records = [{**record, "group": f"g{row // 3}"} for row, record in enumerate(numbered(300))]
    _, report = divide(records, exact=True)
    assert {name: size.records for name, size in report.sizes.items()} == {
        "train": 210,
        "valid": 30,
        "test": 60,
    }
    assert report.sizes["test"].groups == 20
    assert not warnings(report)


def test_what_whole_groups_cost_is_said(divide: Divide) -> None:
    records = [{**record, "group": f"g{row // 40}"} for row, record in enumerate(numbered(200))]
    _, report = divide(records, exact=True)
    found = {name: (size.records, size.wanted) for name, size in report.sizes.items()}
    assert found == {"train": (120, 140), "valid": (40, 20), "test": (40, 40)}
    (said,) = warnings(report)
    assert said.endswith("train -20, valid +20")


def test_splits_already_there_are_kept_and_the_rest_is_shared_out(divide: Divide) -> None:
    records = numbered(100, split="test") + numbered(200, seed=1)
    done, report = divide(records, exact=True)
    assert all(record["split"] == "test" for record in done[:100])
    assert counts(done[100:]) == {"train": 140, "valid": 20, "test": 40}
    assert (report.sizes["test"].kept, report.sizes["test"].wanted) == (100, 140)
    done, _ = divide(records, exact=True, reassign=True)
    assert counts(done) == {"train": 210, "valid": 30, "test": 60}


def test_one_split_is_divided_again_and_the_others_are_kept(divide: Divide) -> None:
    records = numbered(50, split="test") + numbered(200, seed=1, split="train")
    options = {"exact": True, "reassign_split": "train", "valid": 0.1}
    done, report = divide(records, **options, test=0)
    assert counts(done) == {"train": 180, "valid": 20, "test": 50}
    assert all(record["split"] == "test" for record in done[:50])
    assert warnings(report) == []
    done, report = divide(records, **options, test=0.2)
    assert counts(done) == {"train": 140, "valid": 20, "test": 90}
    assert warnings(report) == ['test gained 40 records; to keep it as it was, add "--test 0"']


def test_where_groups_enlarge_test_the_warning_names_no_option_that_is_given(
    divide: Divide,
) -> None:
    records = numbered(20, split="test") + numbered(100, seed=1, split="train")
    for number in range(3):
        records[20 + number]["input"] = records[number]["input"]
    options = {"dedup": "exact", "reassign_split": "train", "valid": 0.1, "test": 0}
    done, report = divide(records, **options)
    assert counts(done)["test"] == 23
    (said,) = warnings(report)
    assert said.startswith("test gained 3 records by its groups; ")
    assert "--test 0" not in said


@pytest.mark.parametrize("mode", [{}, *MODES], ids=lambda mode: " ".join(mode))
def test_a_split_of_another_name_is_an_error_and_loses_no_record(mode: dict[str, Any]) -> None:
    records = [*numbered(20), *numbered(1, seed=1, split="validation")]
    with pytest.raises(InvalidFieldError, match='must be one of train, valid, test, not "valida'):
        list(split_records(records, SplitOptions(**mode)))


def test_records_follow_those_of_their_group_that_have_a_split(divide: Divide) -> None:
    records = numbered(200)
    records[0] |= {"group": "g", "split": "valid"}
    for row in range(1, 6):
        records[row]["group"] = "g"
    done, report = divide(records, exact=True)
    assert {record["split"] for record in done[:6]} == {"valid"}
    assert (report.followers, report.straddling) == (5, 0)
    assert counts(done[6:]) == {"train": 136, "valid": 19, "test": 39}


def test_a_group_that_straddles_already_is_said_and_the_rest_follows_most(divide: Divide) -> None:
    records = numbered(60)
    for row, split in enumerate(["train", "test", "test", None, None]):
        records[row] |= {"group": "g", "split": split}
    done, report = divide(records, exact=True)
    assert [record["split"] for record in done[:5]] == ["train", "test", "test", "test", "test"]
    assert report.straddling == 1
    assert any("1 group is already in several splits" in said for said in warnings(report))
    _, report = divide(records, exact=True, reassign=True)
    assert report.straddling == 0


# Strata


def test_each_value_has_its_share(divide: Divide) -> None:
    records = [
        {**record, "label": "ab"[row % 10 == 0]} for row, record in enumerate(numbered(1000))
    ]
    done, report = divide(records, stratify="label")
    assert counts([record for record in done if record["label"] == "a"]) == {
        "train": 630,
        "valid": 90,
        "test": 180,
    }
    assert report.strata is not None
    assert [(item.value, item.total) for item in report.strata] == [("a", 900), ("b", 100)]
    assert all(item.records == item.wanted for item in report.strata)
    assert not warnings(report)


def test_rare_values_are_warned_of_and_never_crash(divide: Divide) -> None:
    records = numbered(300)
    records[0]["label"], records[1]["label"] = "once", None
    done, report = divide(records, stratify="label")
    assert sum(counts(done).values()) == 300
    (said,) = warnings(report)
    assert said.startswith("2 of 5 values of label are not in every split; the rarest, ")
    assert said.endswith("has 1 record")
    assert report.strata is not None
    assert report.strata[-1].value in ("(none)", "once")


def test_a_value_of_its_own_for_every_record_leaves_sizes_as_they_should_be(
    divide: Divide,
) -> None:
    done, _ = divide(numbered(500), stratify="id")
    assert counts(done) == {"train": 350, "valid": 50, "test": 100}


def test_a_dotted_path_and_values_that_are_no_strings_are_strata(divide: Divide) -> None:
    records = [
        {**record, "x": {"y": [True, 2, [1], {"b": 1, "a": 2}][row % 4]}}
        for row, record in enumerate(numbered(80))
    ]
    _, report = divide(records, stratify="x.y")
    assert report.strata is not None
    assert {item.value for item in report.strata} == {"true", "2", "[1]", '{"a": 2, "b": 1}'}


def test_groups_win_over_strata_and_the_rest_is_said(divide: Divide) -> None:
    records = [
        {**record, "group": f"g{row // 4}", "label": "ab"[row % 4 == 0]}
        for row, record in enumerate(numbered(400))
    ]
    done, report = divide(records, stratify="label")
    sides = defaultdict(set)
    for record in done:
        sides[record["group"]].add(record["split"])
    assert all(len(names) == 1 for names in sides.values())
    assert report.strata is not None
    for item in report.strata:  # every group is alike, so the sizes can be right
        assert item.records == item.wanted


def test_a_field_that_no_record_has_is_an_error(divide: Divide) -> None:
    with pytest.raises(MissingFieldError, match='no record has a value in field "labl"'):
        divide(numbered(5), stratify="labl")


def test_strata_take_part_in_subsets(divide: Divide) -> None:
    done, report = divide(numbered(1000), stratify="label", subsample=0.2)
    whole, _ = divide(numbered(1000), stratify="label")
    train, part = (
        Counter(record["label"] for record in records if record["split"] == "train")
        for records in (whole, done)
    )
    assert part.total() == report.written("train") == 140
    assert all(abs(part[label] - 0.2 * train[label]) <= 1 for label in train)


# DuplicateCounts


def duplicated(count: int, seed: int = 0) -> tuple[list[Record], dict[str, str]]:
    """Records with near-copies among them, and the id of what each was copied from."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(3, 9))) for _ in range(400)]
    texts = [rng.choices(words, k=30) for _ in range(count)]
    records = [
        {"id": f"r{row}", "input": " ".join(text), "group": f"g{row}"}
        for row, text in enumerate(texts)
    ]
    origins = {}
    for row in range(0, count, 4):
        text = list(texts[row])
        text[rng.randrange(30)] = rng.choice(words)
        records.append({"id": f"c{row}", "input": " ".join(text), "group": f"h{row}"})
        origins[f"c{row}"] = f"r{row}"
    return records, origins


def test_the_same_input_in_several_groups_joins_them(divide: Divide) -> None:
    records = [
        {"id": f"{row} {copy}", "input": f" Question {row}"[copy:], "group": f"{row} {copy}"}
        for row in range(200)
        for copy in (0, 1)
    ]
    by_hash = by_id(list(HashSplitter(Fractions(0.2, 0.1)).split(records)))
    assert any(by_hash[f"{row} 0"] != by_hash[f"{row} 1"] for row in range(200))
    done, report = divide(records, dedup="exact")
    names = by_id(done)
    assert all(names[f"{row} 0"] == names[f"{row} 1"] for row in range(200))
    assert report.duplicates is not None
    assert (report.duplicates.clusters, report.duplicates.records) == (200, 400)
    assert (report.duplicates.largest, report.duplicates.joined) == (2, 200)


def test_near_copies_never_straddle_splits(divide: Divide) -> None:
    records, origins = duplicated(400)
    names = by_id(divide(records, dedup="near")[0])
    assert all(names[copy] == names[origin] for copy, origin in origins.items())
    names = by_id(divide(records, dedup="exact")[0])
    assert sum(names[copy] != names[origin] for copy, origin in origins.items()) > 20


def test_nothing_is_dropped(divide: Divide) -> None:
    records, _ = duplicated(100)
    assert len(divide(records, dedup="near")[0]) == len(records)


def test_what_is_no_duplicate_stays_where_its_hash_has_it(divide: Divide) -> None:
    records, origins = duplicated(400)
    done, _ = divide(records, dedup="near")
    by_hash = by_id(list(HashSplitter(Fractions(0.2, 0.1)).split(records)))
    alone = {record["id"] for record in records} - {*origins, *origins.values()}
    assert all(name == by_hash[key] for key, name in by_id(done).items() if key in alone)


def test_duplicates_do_not_lean_to_a_split(divide: Divide) -> None:
    records = [
        {"id": f"{row} {copy}", "input": f"question {row}", "group": f"{row} {copy}"}
        for row in range(2000)
        for copy in range(3)
    ]
    done, _ = divide(records, dedup="exact")
    found = counts(done)
    observed = [found[name] / 3 for name in ("train", "valid", "test")]
    assert chisquare(observed, [1400, 200, 400]).pvalue > 0.001


def test_sizes_are_exact_with_duplicates_too(divide: Divide) -> None:
    records, _ = duplicated(400)
    done, _ = divide(records, dedup="near", exact=True)
    assert counts(done) == {"train": 350, "valid": 50, "test": 100}


def test_a_duplicate_follows_the_record_that_has_a_split(divide: Divide) -> None:
    records, origins = duplicated(100)
    held = {origin for origin in origins.values()}
    records = [
        {**record, "split": "test"} if record["id"] in held else record for record in records
    ]
    done, report = divide(records, dedup="near")
    names = by_id(done)
    assert {names[copy] for copy in origins} == {"test"}
    assert report.followers == len(origins)


def test_a_cluster_of_most_records_is_warned_of(divide: Divide) -> None:
    records = [
        {"id": str(row), "input": f"the very same question in many words, number {row}"}
        for row in range(50)
    ]
    _, report = divide(records, dedup="near", threshold=0.7)
    said = "100% of the records are in one group"
    assert f"{said}; a higher --threshold joins fewer" in warnings(report)
    same = [{**record, "group": "g"} for record in records]
    assert said in warnings(divide(same, dedup="exact")[1])


def test_a_missing_package_is_said_before_anything_is_read(
    divide: Divide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r'run "pip install mitools\[dedup\]"'):
        divide(None, dedup="near")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: SplitOptions(subsample=0),
        lambda: SplitOptions(ngram_words=0),
        lambda: SplitOptions(threshold=0),
        lambda: SplitOptions(threshold=1.1),
        lambda: SplitOptions(threshold=float("nan")),
        lambda: SplitOptions(shingle_chars=0),
    ],
)
def test_impossible_plans_are_refused(wrong: Any) -> None:
    with pytest.raises(UsageError):
        wrong()
