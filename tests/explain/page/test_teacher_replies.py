"""A teacher's replies, from the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.annotate.client.journal import Entry, Journal
from mitools.errors import SourceError
from mitools.explain.page.teacher_replies import MAX_REPLIES, MAX_REPLY, TeacherReplies


def journal(path: Path, *entries: Entry) -> str:
    made = Journal(path)
    made.write(entries)
    made.close()
    return str(path)


def test_replies_are_found_by_record_and_ordered_by_sample(tmp_path: Path) -> None:
    path = journal(
        tmp_path / "j.sqlite3",
        Entry("k1", "ok", '{"b": 2}', "x", 1),
        Entry("k2", "ok", '{"a": 1}', "x", 0),
        Entry("k3", "quota", "no more", "y", 0),
    )
    replies = TeacherReplies(path)
    assert replies.of("x") == [[0, "ok", '{"a": 1}', 0], [1, "ok", '{"b": 2}', 0]]
    assert replies.of("y") == [[0, "quota", "no more", 0]]
    assert replies.of("z") == []
    replies.close()


def test_long_and_many_replies_are_cut(tmp_path: Path) -> None:
    long = "x" * (MAX_REPLY + 7)
    entries = [Entry(f"k{index}", "ok", long, "x", index) for index in range(MAX_REPLIES + 1)]
    replies = TeacherReplies(journal(tmp_path / "j.sqlite3", *entries))
    found = replies.of("x")
    assert len(found) == MAX_REPLIES
    assert found[0] == [0, "ok", "x" * MAX_REPLY, 7]
    replies.close()


def test_a_journal_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite3"
    with pytest.raises(SourceError, match="there is no journal at"):
        TeacherReplies(str(path))
    assert not path.exists()


def test_another_file_is_not_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_text("not a database " * 100)
    with pytest.raises(SourceError):
        TeacherReplies(str(path))
