"""Records on disk: in order, one by one, whole, and gone afterwards."""

from __future__ import annotations

import contextlib
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitools.errors import OutputError
from mitools.records import Record
from mitools.spool import RecordSpool, no_progress

ODD: list[Record] = [
    {"id": "a", "input": "größer 你好 😀\u2028\x85", "mine": [1, 1.0, 1e300, None, {"x": {}}]},
    {"id": "b", "input": "\ud83d lone"},
    {"id": "c", "big": 10**40, "": ""},
]


@contextlib.contextmanager
def small_disk() -> Iterator[None]:
    """Let no file grow beyond 20,000 bytes; not even the one that pytest may report to."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(spool: RecordSpool, records: list[Record]) -> None:
    for record in records:
        spool.add(record)
    spool.flush()


def filled(records: list[Record]) -> RecordSpool:
    spool = RecordSpool()
    fill(spool, records)
    return spool


def test_records_come_back_as_they_were_as_often_as_asked() -> None:
    with filled(ODD) as spool:
        assert len(spool) == 3
        assert list(spool) == list(spool) == ODD
        assert repr(list(spool)) == repr(ODD)


def test_a_record_can_be_fetched_in_the_middle_of_a_pass() -> None:
    with filled(ODD) as spool:
        seen = [
            (record, spool[2 - number]) for number, record in spool.numbered("all", no_progress)
        ]
    assert seen == list(zip(ODD, ODD[::-1], strict=True))


def test_nothing_can_be_seen_of_it_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with filled(ODD * 1000):
        assert os.listdir(tmp_path) == []
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("count", [100, 100_000])  # found when flushed, and while filling
def test_a_full_disk_is_an_error_that_says_what_to_do(count: int) -> None:
    records = [{"id": str(number), "input": "word " * 50} for number in range(count)]
    problem = r"cannot keep the records in .*too large.*TMPDIR="
    with RecordSpool() as spool, small_disk(), pytest.raises(OutputError, match=problem):
        fill(spool, records)


def test_no_folder_for_temporary_files_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(OutputError, match="TMPDIR=FOLDER"):
        RecordSpool()
