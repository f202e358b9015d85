from __future__ import annotations

import random

import numpy as np

from mitools.evaluate.sample import FOLDS, Sample, SampledRecord, assign_folds, without_words


def item(number: int, **more: str) -> SampledRecord:
    return SampledRecord(f"q{number}", f"because {number}", "a", **more)


def sampled(items: list[SampledRecord], most: int) -> list[SampledRecord]:
    sample = Sample(most)
    for one in items:
        sample.add(one)
    assert sample.seen == len(items)
    return sample.items()


def test_a_sample_does_not_depend_on_the_order_of_the_items() -> None:
    items = [item(number) for number in range(50)]
    shuffled = items[:]
    random.Random(0).shuffle(shuffled)
    assert sampled(items, 20) == sampled(shuffled, 20)
    assert len(sampled(items, 20)) == 20


def test_a_sample_with_room_keeps_everything() -> None:
    items = [item(number) for number in range(9)]
    assert sorted(one.input for one in sampled(items, 10)) == [f"q{number}" for number in range(9)]


def test_a_sample_is_a_fair_draw() -> None:
    kept = sampled([item(number) for number in range(2_000)], 1_000)
    assert 450 < sum(int(one.input[1:]) < 1_000 for one in kept) < 550


def test_equal_items_are_kept_each() -> None:
    assert len(sampled([item(1)] * 3, 10)) == 3


def test_folds_are_of_like_size_and_follow_the_seed() -> None:
    items = [item(number) for number in range(103)]
    sizes = np.bincount(assign_folds(items, 0), minlength=FOLDS)
    assert (sizes.min(), sizes.max()) == (20, 21)
    assert (assign_folds(items, 0) == assign_folds(items, 0)).all()
    assert (assign_folds(items, 0) != assign_folds(items, 1)).any()


def test_items_of_one_input_or_one_group_share_a_fold() -> None:
    items = [item(number % 7) for number in range(28)]
    assert all(len(set(assign_folds(items, 0)[start::7])) == 1 for start in range(7))
    grouped = [item(number, group=f"g{number % 6}") for number in range(30)]
    assert all(len(set(assign_folds(grouped, 0)[start::6])) == 1 for start in range(6))


def test_the_words_of_labels_are_dropped_inflected_ones_too() -> None:
    labels = ("entailment", "contradiction", "neutral")
    assert without_words("It entails that, no Contradiction; neutrally so.", labels) == (
        "it that no so"
    )
    assert without_words("The bus stops at a bus depot", ("bus depot", "sea")) == "the stops at a"
    assert without_words("yesterday", ("yes",)) == "yesterday"
    assert without_words("", labels) == ""


def test_a_label_without_spaces_is_dropped_whole_and_its_letters_stay_elsewhere() -> None:
    found = without_words("可以看出这座北方城市是北京", ["北京", "上海"])
    assert found == "可 以 看 出 这 座 北 方 城 市 是"
    assert without_words("Das ist 北京 city", ["北京", "Das"]) == "ist city"
