"""Assignment to splits: a function of the key, the fractions and the seed, and of nothing else."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from mitools.errors import MissingFieldError, UsageError
from mitools.records import Record
from mitools.schema import SPLITS
from mitools.split import Fractions, HashSplitter, normalized_input, position, split_key
from mitools.split.by_hash import is_in_subset, rehash

FRACTIONS = Fractions(test=0.2, valid=0.1)


def numbered(n: int) -> list[Record]:
    return [{"id": f"r{index}", "input": f"What is {index} + 1?"} for index in range(n)]


def splits_of(records: list[Record], **options: Any) -> dict[str, str]:
    splitter = HashSplitter(**{"fractions": FRACTIONS, **options})
    return {record["id"]: record["split"] for record in splitter.split(records)}


@pytest.mark.parametrize(
    ("seed", "key", "expected"),
    [
        # Computed by GNU coreutils: printf 'SEED\0KEY' | b2sum -l 64
        (0, "what is 1+1?", 0xF3BE8CEBCB127573),
        (1, "what is 1+1?", 0xB3842563F814A119),
        (7, "what is 1+1?", 0xA38C0180DAB27EE6),
        (0, "g-17", 0x45AEE54C97CBE0F2),
        (1, "g-17", 0x323B5D23115F8238),
        (7, "g-17", 0xD76D0CFC009B5B0F),
        (0, "größe", 0xDAA1D0B2F16C915B),
    ],
)
def test_a_place_is_the_hash_that_b2sum_gives(seed: int, key: str, expected: int) -> None:
    assert position(key, seed) == expected


def test_the_golden_records_stay_where_they_are() -> None:
    # 0xF3BE… is 0.952 of the way up, 0xB384… 0.701 and 0x45AE… 0.272.
    records = [{"id": "a", "input": "What is 1+1?"}, {"id": "b", "input": "x", "group": "g-17"}]
    assert splits_of(records, seed=0) == {"a": "valid", "b": "train"}
    assert splits_of(records, seed=0, fractions=Fractions(0.3, 0)) == {"a": "train", "b": "test"}
    assert splits_of(records, seed=1) == {"a": "train", "b": "test"}


@given(st.permutations(range(60)))
def test_order_does_not_matter(order: list[int]) -> None:
    records = numbered(60)
    assert splits_of([records[index] for index in order]) == splits_of(records)


@given(st.integers(0, 80), st.integers(0, 80))
def test_appended_records_move_no_old_one(old: int, new: int) -> None:
    before, after = splits_of(numbered(old)), splits_of(numbered(old + new))
    assert after.items() >= before.items()


def test_groups_never_straddle_splits() -> None:
    rng = random.Random(0)
    records = [{**record, "group": f"g{rng.randrange(300)}"} for record in numbered(2000)]
    sides = defaultdict(set)
    for record in HashSplitter(FRACTIONS).split(records):
        sides[record["group"]].add(record["split"])
    assert all(len(names) == 1 for names in sides.values())
    assert {name for names in sides.values() for name in names} == {"train", "valid", "test"}


def test_one_question_in_other_case_and_spacing_stays_together() -> None:
    asked = ["What is 1 + 1?", "  what IS\n1 +\t1?", "What is 1 + 1?"]
    for seed in range(20):
        records = [{"id": str(index), "input": text} for index, text in enumerate(asked)]
        assert len(set(splits_of(records, seed=seed).values())) == 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_shares_are_those_asked_for(seed: int) -> None:
    n = 20_000
    found = Counter(splits_of(numbered(n), seed=seed).values())
    names = ("test", "valid", "train")
    observed = [found[name] for name in names]
    assert chisquare(observed, [0.2 * n, 0.1 * n, 0.7 * n]).pvalue > 0.001


def test_places_are_uniform_and_seeds_independent() -> None:
    places = [[position(f"k{index}", seed) / 2**64 for index in range(5000)] for seed in (0, 1)]
    assert kstest(places[0], "uniform").pvalue > 0.001
    both = [left < 0.5 and right < 0.5 for left, right in zip(*places, strict=True)]
    assert sum(both) == pytest.approx(1250, abs=120)


def test_a_larger_test_part_contains_the_smaller_one() -> None:
    def test_part(share: float) -> set[str]:
        splits = splits_of(numbered(500), fractions=Fractions(share, 0.1))
        return {name for name, split in splits.items() if split == "test"}

    assert test_part(0.1) < test_part(0.2) < test_part(0.5)


def test_every_place_has_an_owner_up_to_the_last() -> None:
    whole = Fractions(test=0, valid=1)
    assert {whole.split_at(place) for place in (0, 2**63, 2**64 - 1)} == {"valid"}
    whole = Fractions(test=1, valid=0)
    assert {whole.split_at(place) for place in (0, 2**63, 2**64 - 1)} == {"test"}
    halves = Fractions(test=0.5, valid=0.25)
    edges = [2**63 - 1, 2**63, 3 * 2**62 - 1, 3 * 2**62]
    assert [halves.split_at(place) for place in edges] == ["test", "train", "train", "valid"]
    assert Fractions(test=0, valid=0).split_at(2**64 - 1) == "train"


def test_a_split_already_there_is_kept_unless_told_otherwise() -> None:
    records = [{**record, "split": "test"} for record in numbered(50)] + numbered(80)[50:]
    splitter = HashSplitter(FRACTIONS)
    found = [record["split"] for record in splitter.split(records)]
    assert found[:50] == ["test"] * 50
    assert (splitter.kept["test"], splitter.assigned.total()) == (50, 30)
    assert splits_of(records, reassigned=SPLITS) == splits_of(numbered(80))
    assert splits_of(records, reassigned=["test"]) == splits_of(numbered(80))
    assert list(splits_of(records, reassigned=["train"]).values()) == found


def test_a_record_that_came_is_not_changed() -> None:
    record = {"id": "a", "input": "b", "split": None, "mine": [1]}
    (done,) = HashSplitter(FRACTIONS).split([record])
    assert record["split"] is None
    assert list(done) == ["id", "input", "split", "mine"]


def test_group_wins_over_input_and_input_over_id() -> None:
    record = {"id": "I", "input": "In Put", "group": "G"}
    assert split_key(record) == "G"
    assert split_key({**record, "group": None}) == "in put"
    assert split_key({"id": "I"}) == "I"
    with pytest.raises(MissingFieldError):
        split_key({})


def test_normalizing_is_unicode_aware_and_final() -> None:
    assert normalized_input("  STRASSE\u00a0ﬁne ") == normalized_input("Straße fine")


@pytest.mark.parametrize(
    ("test", "valid"), [(-0.1, 0), (0, 1.1), (0.6, 0.5), (float("nan"), 0), (0, float("inf"))]
)
def test_impossible_fractions_are_refused(test: float, valid: float) -> None:
    with pytest.raises(UsageError):
        Fractions(test, valid)


# Subsets of train


def train_part(records: list[Record], **options: Any) -> set[str]:
    found = HashSplitter(FRACTIONS, **options).split(records)
    return {record["id"] for record in found if record["split"] == "train"}


@pytest.mark.parametrize(
    ("purpose", "place", "expected"),
    [
        # Computed by GNU coreutils: printf 'PURPOSE\0PLACE' | b2sum -l 64
        ("subsample", 0, 0xD4142B38D70162EA),
        ("subsample", 0xF3BE8CEBCB127573, 0x75C006E2AFF1F27A),
        ("leader", 0, 0x04092326AA482338),
        ("leader", 0xF3BE8CEBCB127573, 0x0944B021D791C5DB),
    ],
)
def test_a_second_hash_is_one_that_b2sum_gives(purpose: str, place: int, expected: int) -> None:
    assert rehash(place, purpose) == expected


def test_a_larger_subset_of_train_contains_the_smaller_one() -> None:
    records = numbered(3000)
    parts = [train_part(records, subsample=share) for share in (0.01, 0.1, 0.2, 0.5, 1.0)]
    for smaller, larger in pairwise(parts):
        assert smaller < larger
    assert parts[-1] == train_part(records)


def test_a_subset_leaves_valid_and_test_alone() -> None:
    records = numbered(500)
    whole = splits_of(records)
    part = splits_of(records, subsample=0.1)
    assert {name: split for name, split in whole.items() if split != "train"} == {
        name: split for name, split in part.items() if split != "train"
    }


def test_a_subset_has_its_share_and_knows_nothing_of_the_split() -> None:
    n = 20_000
    part = train_part(numbered(n), subsample=0.1)
    train = len(train_part(numbered(n)))
    assert chisquare([len(part), train - len(part)], [0.1 * train, 0.9 * train]).pvalue > 0.001
    # Were it drawn by the same hash, it would be the low end of train.
    places = [position(normalized_input(f"What is {name[1:]} + 1?"), 0) for name in part]
    assert kstest([place / 2**64 for place in places], "uniform", args=(0.2, 0.7)).pvalue > 0.001


def test_a_subset_holds_whole_groups() -> None:
    records = [{**record, "group": f"g{index % 300}"} for index, record in enumerate(numbered(900))]
    part = train_part(records, subsample=0.3)
    groups = Counter(int(name[1:]) % 300 for name in part)
    assert 0 < len(groups) < 210
    assert set(groups.values()) == {3}


def test_a_record_left_out_is_counted() -> None:
    splitter = HashSplitter(FRACTIONS, subsample=0.25)
    passed = list(splitter.split([{**record, "split": "train"} for record in numbered(400)]))
    assert len(passed) + splitter.left_out == splitter.kept["train"] == 400
    assert len(passed) == pytest.approx(100, abs=30)


@pytest.mark.parametrize("share", [0, -0.1, 1.5, float("nan")])
def test_impossible_subsets_are_refused(share: float) -> None:
    with pytest.raises(UsageError):
        HashSplitter(FRACTIONS, subsample=share)


def test_the_whole_is_a_subset_too() -> None:
    assert all(is_in_subset(place, 1.0) for place in (0, 2**63, 2**64 - 1))
