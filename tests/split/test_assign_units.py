"""Units around the splits that some records have already."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mitools.schema import SPLITS
from mitools.split.assign_units import LEFT_OUT, UnitAssignment
from mitools.split.options import SplitOptions
from mitools.split.units import Units, units_by_place

TRAIN, VALID, TEST = (SPLITS.index(name) for name in ("train", "valid", "test"))
NONE = -1


def units(*of_record: int) -> Units:
    """Units whose places rise with their numbers, spread evenly."""
    count = max(of_record) + 1
    return units_by_place(np.array([(one * 2**64) // count for one in of_record], dtype=np.uint64))


def assignment(given: list[int], of_record: list[int], **options: Any) -> UnitAssignment:
    return UnitAssignment(
        units(*of_record),
        np.array(given, dtype=np.int8),
        np.zeros(len(given), dtype=np.int64),
        SplitOptions(**{"exact": True, "test": 0.25, "valid": 0.25, **options}),
    )


def test_records_follow_the_majority_of_their_unit() -> None:
    found = assignment([VALID, TEST, TEST, NONE, NONE], [0, 0, 0, 0, 1])
    assert found.is_follower.tolist() == [False, False, False, True, False]
    assert found.is_drawn.tolist() == [False, False, False, False, True]
    assert found.splits().tolist()[:4] == [VALID, TEST, TEST, TEST]
    assert found.straddling == 1


def test_quotas_are_of_the_records_that_are_drawn() -> None:
    found = assignment([TEST] * 4 + [NONE] * 8, list(range(12)))
    splits = found.splits()
    assert np.bincount(splits[4:], minlength=3)[[TRAIN, VALID, TEST]].tolist() == [4, 2, 2]
    sizes = found.sizes(splits)
    assert (sizes["test"].records, sizes["test"].wanted, sizes["test"].kept) == (6, 6.0, 4)
    assert sizes["test"].groups == 6


def test_a_hash_alone_ignores_units() -> None:
    found = assignment([TEST, NONE], [0, 0], exact=False)
    assert found.straddling == 0
    assert not found.is_follower.any()
    assert found.is_drawn.tolist() == [False, True]


@pytest.mark.parametrize("exact", [True, False])
def test_a_subset_leaves_out_whole_units_of_train_alone(exact: bool) -> None:
    of_record = [number // 3 for number in range(120)]
    found = assignment([NONE] * 120, of_record, exact=exact, subsample=0.5, test=0.2, valid=0)
    splits = found.splits()
    kept = found.without_rest(splits)
    assert set(kept[splits == TEST].tolist()) == {TEST}
    for start in range(0, 120, 3):
        assert len(set(kept[start : start + 3].tolist())) == 1
    train = int((splits == TRAIN).sum())
    assert int((kept == LEFT_OUT).sum()) == pytest.approx(train / 2, abs=1 if exact else 20)
    whole = assignment([NONE] * 120, of_record, exact=exact)
    assert whole.without_rest(splits) is splits
