"""Ids that occur more than once."""

from __future__ import annotations

import pytest

from mitools.sources import repeated_ids
from mitools.sources.repeated_ids import RepeatedIds


def watched(*names: str) -> RepeatedIds:
    ids = RepeatedIds()
    for name in names:
        ids.add(name)
    return ids


def test_unique_ids_need_no_warning() -> None:
    assert watched().warning() is None
    assert watched("a", "b", "a-2").warning() is None


def test_repeated_ids_are_counted_with_the_first_as_an_example() -> None:
    ids = watched("a", "b", "a", "b", "a")
    assert (ids.count, ids.first) == (3, "a")
    warning = ids.warning()
    assert warning is not None
    assert warning.startswith('3 records have the id of an earlier one, such as "a"; take ids')


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated_ids, "_MOST_WATCHED", 2)
    assert watched("a", "b", "c", "c", "a").count == 1
