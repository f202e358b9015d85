"""What a journal keeps, and what a run asks again."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate.client.journal import Entry, Journal, default_place
from mitools.errors import (
    OutputError,
    SourceError,
    TeacherError,
    TeacherRefusedError,
    UsageError,
)
from mitools.records import dump_line
from tests.annotate.conftest import Annotate, sums
from tests.server import KEY, Act, Call, FixtureServer


def test_a_second_run_asks_nothing_and_says_the_same(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.script = [Act(text="No idea.")]
    first = annotate(sums(20), journal=tmp_path / "j")
    calls = len(server.calls)
    assert calls == 21
    second = annotate(sums(20), journal=tmp_path / "j")
    assert second.records == first.records
    assert (second.tally.recalled, second.tally.replies) == (21, 21)
    annotate(sums(20)[:5], journal=tmp_path / "j", is_offline=True)
    assert len(server.calls) == calls


def test_a_record_is_named_once_and_with_its_unreadable_body(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    odd = "r\ud83d"  # a lone surrogate
    journal.write([Entry("a", "ok", "{}"), Entry("b", "ok", "{}", "known", 2)])
    journal.write([Entry("c", "server_error", "cut"), Entry("c/unread", "unread", "{}")])
    journal.name([("a", odd, 1), ("b", "r", 0), ("c", "r", 0), ("none", "r", 0)])
    journal.name([("a", "later", 0)])
    found = [journal.find(key) for key in ("a", "b", "c", "c/unread", "none")]
    named = [entry and (entry.record, entry.sample) for entry in found]
    assert named == [(odd, 1), ("known", 2), ("r", 0), ("r", 0), None]
    (tmp_path / "j").rename(tmp_path / "moved")
    with pytest.raises(OutputError, match="was deleted, renamed or replaced"):
        journal.name([("a", "r", 0)])
    with pytest.raises(OutputError):
        journal.close()


def test_an_edited_row_costs_one_call_and_a_shuffle_none(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    records = sums(30)
    annotate(records, journal=tmp_path / "j")
    random.Random(0).shuffle(records)
    annotate(records, journal=tmp_path / "j")
    assert len(server.calls) == 30
    records[3] = {**records[3], "input": "Add 90 and 9."}
    annotate(records, journal=tmp_path / "j")
    assert len(server.calls) == 31


@pytest.mark.usefixtures("quick")
def test_errors_are_asked_again_and_successes_never(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.act = lambda call: Act(status=400 if "11" in call.question else 200)
    first = annotate(sums(3), journal=tmp_path / "j")
    assert first.kinds == ["", "bad_request", ""]
    offline = annotate(sums(3), journal=tmp_path / "j", is_offline=True)
    assert offline.records == first.records
    server.act = None
    assert annotate(sums(3), journal=tmp_path / "j").kinds == ["", "", ""]
    assert len(server.calls) == 4


def test_offline_a_miss_is_an_error(annotate: Annotate, tmp_path: Path) -> None:
    annotate(sums(1), journal=tmp_path / "j")
    with pytest.raises(TeacherError, match=r"record 'r1' is not in journal.*--offline"):
        annotate(sums(2), journal=tmp_path / "j", is_offline=True)


def test_the_key_never_reaches_the_journal(annotate: Annotate, tmp_path: Path) -> None:
    annotate(sums(1), journal=tmp_path / "j")
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("j*"))


def test_a_success_is_never_overwritten(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    for kind, response in (("timeout", "late"), ("ok", "{}"), ("timeout", "late"), ("ok", "[]")):
        journal.write([Entry("k", kind, response)])
    found = journal.find("k")
    journal.close()
    assert found == Entry("k", "ok", "{}")


def test_two_journals_may_write_one_file(tmp_path: Path) -> None:
    first, second = Journal(tmp_path / "j"), Journal(tmp_path / "j")
    for number in range(50):
        for name, journal in (("a", first), ("b", second)):
            journal.write([Entry(f"{name}{number}", "ok", "{}")])
    assert first.find("b49") is not None
    assert second.find("a49") is not None
    first.close()
    second.close()


def test_many_may_make_one_file_at_once(tmp_path: Path) -> None:
    for attempt in range(20):
        barrier = threading.Barrier(6)

        def make(path: Path = tmp_path / f"j{attempt}", all_are_here: Any = barrier.wait) -> None:
            all_are_here()
            Journal(path).close()

        with ThreadPoolExecutor(6) as pool:
            for made in [pool.submit(make) for _ in range(6)]:
                made.result()


@pytest.mark.parametrize("damage", ["head", "middle", "cut"])
def test_a_damaged_journal_is_reported_and_left_alone(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.write(Entry(f"{number:064x}", "ok", "x" * 200) for number in range(500))
    journal.close()
    whole = path.read_bytes()
    broken = {
        "head": whole[:16] + b"nonsense" * 18 + whole[160:],
        "middle": whole[:4096] + b"\xff" * 8192 + whole[12288:],
        "cut": whole[: len(whole) // 2],
    }[damage]
    path.write_bytes(broken)
    with pytest.raises(SourceError, match=r"damaged.*recover.*--journal"):
        Journal(path)
    assert path.read_bytes() == broken


@pytest.mark.parametrize("content", [b"{}", b'{"id": "a"}\n' * 500, b"SQLite format 3"])
def test_a_file_that_was_never_a_database_is_not_called_damaged(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "judged.jsonl"
    path.write_bytes(content)
    for is_read_only in (False, True):
        with pytest.raises(SourceError) as caught:
            Journal(path, is_read_only=is_read_only)
        assert str(caught.value) == f'{path} is not a journal; name another file with "--journal"'
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == [path.name]


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(SourceError, match=r"not a journal.*--journal"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"--no-journal"):
        Journal(tmp_path / "file" / "j")
    with pytest.raises(OutputError, match=r"--no-journal"):
        Journal(tmp_path)


@contextlib.contextmanager
def as_another_user() -> Iterator[None]:
    """Give up the rights of the superuser, whom no file mode keeps from writing."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        folder.chmod(0o777)


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as a full disk or a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("mode", ["file", "folder"])
def test_a_journal_that_cannot_be_written_is_found_when_it_is_opened(
    mode: str, elsewhere: Path
) -> None:
    with as_another_user():
        journal = Journal(elsewhere / "j")
        journal.write([Entry("k", "ok", "{}")])
        journal.close()
    (elsewhere / "j").chmod(0o444)
    if mode == "folder":
        (elsewhere / "j").chmod(0o644)
        elsewhere.chmod(0o555)
    with as_another_user():
        with pytest.raises(OutputError, match=r"journal .*--no-journal"):
            Journal(elsewhere / "j")
        if mode == "file":  # what it knows can still be looked up
            opened = Journal(elsewhere / "j", is_read_only=True)
            assert opened.find("k") == Entry("k", "ok", "{}")
            opened.close()


def test_a_full_disk_is_found_when_the_journal_is_opened(tmp_path: Path) -> None:
    Journal(tmp_path / "j").close()
    with files_of_at_most(1000), pytest.raises(OutputError, match="journal"):
        Journal(tmp_path / "j")


def test_what_a_full_disk_refuses_is_rescued_and_taken_in(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.write([Entry("before", "ok", "{}")])
    large = [Entry(f"k{number}", "ok", "x" * 1000, "r", number) for number in range(300)]
    with files_of_at_most(200_000), pytest.raises(OutputError) as caught:
        journal.write(large)
    error = journal.rescue(large, caught.value)
    journal.close()
    assert "which the next run takes in" in error.hint
    (rescued,) = tmp_path.glob("j.rescue-*.jsonl")
    assert str(rescued) in error.hint
    again = Journal(tmp_path / "j")
    assert [again.find(entry.key) for entry in large] == large
    assert again.find("before") is not None
    again.close()
    assert not list(tmp_path.glob("*rescue*"))


def test_a_folder_that_takes_no_rescue_leaves_it_where_temporary_files_go(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = elsewhere / "folder"
    journal = Journal(folder / "j")
    shutil.rmtree(folder)
    folder.write_text("in the way")
    with pytest.raises(OutputError) as caught:
        journal.write([Entry("k", "ok", "{}")])
    error = journal.rescue([Entry("k", "ok", "{}")], caught.value)
    (rescued,) = tmp_path.glob("j.rescue-*.jsonl")
    assert f"{rescued}: move it beside the journal" in error.hint
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    error = journal.rescue([Entry("k", "ok", "{}")], caught.value)
    journal.close()
    assert "its last answers cannot be kept anywhere else" in error.message


def test_a_folder_that_was_deleted_is_made_again_for_the_rescue(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "folder" / "j")
    journal.write([Entry("before", "ok", "{}")])
    shutil.rmtree(tmp_path / "folder")
    with pytest.raises(OutputError) as caught:
        journal.write([Entry("k", "ok", "{}")])
    journal.rescue([Entry("k", "ok", "{}")], caught.value)
    journal.close()
    again = Journal(tmp_path / "folder" / "j")
    assert again.find("before") == Entry("before", "ok", "{}")
    assert again.find("k") == Entry("k", "ok", "{}")
    again.close()


@pytest.mark.parametrize("what", ["deleted", "renamed", "replaced"])
def test_a_journal_that_leaves_its_place_loses_nothing(what: str, tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.write([Entry("before", "ok", "{}")])
    if what == "deleted":
        path.unlink()
    else:
        path.rename(tmp_path / "other")
    if what == "replaced":
        Journal(path).close()
    entry = Entry("after", "ok", "[]", "r")
    with pytest.raises(OutputError, match="deleted, renamed or replaced") as caught:
        journal.write([entry])
    journal.rescue([entry], caught.value)
    with pytest.raises(OutputError, match="deleted, renamed or replaced"):
        journal.write([Entry("late", "ok", "{}")])
    journal.rescue([Entry("late", "ok", "{}")], caught.value)
    journal.close()
    again = Journal(path)
    for key in ("before", "after", "late"):
        assert again.find(key) is not None, key
    again.close()


def test_a_journal_deleted_after_its_last_commit_is_found_when_it_is_closed(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "j")
    journal.write([Entry("k", "ok", "{}")])
    (tmp_path / "j").unlink()
    with pytest.raises(OutputError, match=r"deleted.*rescue-"):
        journal.close()
    again = Journal(tmp_path / "j")
    assert again.find("k") == Entry("k", "ok", "{}")
    again.close()


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"key": 1}', '{"key": 1, "kind": "ok", "response": ""}']
)
def test_damaged_rescue_is_reported_and_left_alone(line: str, tmp_path: Path) -> None:
    (tmp_path / "j.rescue-x.jsonl").write_text(line + "\n")
    with pytest.raises(SourceError, match=r"j\.rescue-x\.jsonl is damaged \(line 1"):
        Journal(tmp_path / "j")
    assert (tmp_path / "j.rescue-x.jsonl").exists()


def test_every_text_is_kept_as_it_came(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    for number, text in enumerate(["", "a\0b", "ä€😀", "half \ud83d", "\ude00\ud83d", "\udcff"]):
        entry = Entry(f"{number}", "ok", text, text, number)
        journal.write([entry])
        assert journal.find(entry.key) == entry
    journal.close()


def test_a_journal_deleted_during_a_run_stops_it_and_nothing_is_paid_twice(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    def act(_call: Call) -> Act:
        if len(server.calls) == 6:
            (tmp_path / "j").unlink()
        return Act(delay=0.02)

    server.act = act
    with pytest.raises(OutputError, match="deleted, renamed or replaced"):
        annotate(sums(60), journal=tmp_path / "j")
    calls = len(server.calls)
    assert calls < 20
    server.act = None
    assert len(annotate(sums(60), journal=tmp_path / "j").records) == 60
    assert len(server.calls) == 60


def test_samples_that_were_paid_for_are_kept_when_one_is_refused(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    def act(_call: Call) -> Act:
        if len(server.calls) == 3:
            return Act(status=429, code="insufficient_quota")
        return Act(delay=0.3)

    server.act = act
    with pytest.raises(TeacherRefusedError):
        annotate(sums(1), journal=tmp_path / "j", concurrency=8, samples=8)
    assert len(server.calls) == 8
    server.act = None
    outcome = annotate(sums(1), journal=tmp_path / "j", concurrency=8, samples=8)
    assert len(server.calls) == 9
    assert outcome.tally.recalled == 7


DEEP = b"[" * 100_000
STRANGE = [
    '"created": 1' + "0" * 5000,
    '"usage": {"prompt_tokens": 1' + "0" * 5000 + ', "completion_tokens": 1}',
    '"usage": {"prompt_tokens": [[1]], "completion_tokens": {"a": 1}}',
    '"model": ["m"]',
    '"model": "half \\ud83d"',
    '"model": ' + "[" * 300 + "]" * 300,
    '"usage": NaN',
]


@pytest.mark.parametrize("more", STRANGE, ids=lambda more: more[:30])
def test_a_strange_answer_is_kept_before_it_is_read(
    more: str, server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    text = "There are 10 and 7 \\ud83d. The answer is (10 + 7)."
    body = f'{{"choices": [{{"message": {{"content": "{text}"}}}}], {more}}}'
    server.script = [Act(raw=body.encode())]
    first = annotate(sums(2), journal=tmp_path / "j", concurrency=1)
    assert first.labels == ["(10 + 7)", "(11 + 7)"]
    assert len(server.calls) == 2
    assert annotate(sums(2), journal=tmp_path / "j").records == first.records
    assert len(server.calls) == 2
    assert "\ufffd" in first.records[0]["teacher"]["rationale"]
    for record in first.records:
        dump_line(record).encode()
        assert "\\ud83d" not in dump_line(record)


@pytest.mark.usefixtures("quick")
def test_a_body_that_is_not_an_answer_is_kept_for_people(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.act = lambda call: Act(raw=DEEP) if "11" in call.question else Act()
    outcome = annotate(sums(3), journal=tmp_path / "j", retries=0)
    assert outcome.kinds == ["", "server_error", ""]
    database = sqlite3.connect(tmp_path / "j")
    rows = database.execute("SELECT key, response FROM responses WHERE kind = 'unread'").fetchall()
    database.close()
    assert [response for _, response in rows] == [DEEP.decode()]


def test_half_a_surrogate_pair_in_an_id_is_no_fault(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    records = [{**record, "id": f"{record['id']}\udead"} for record in sums(3)]
    records[0]["input"] += " \ud83d"
    first = annotate(records, journal=tmp_path / "j")
    assert None not in first.labels
    assert annotate(records, journal=tmp_path / "j", is_offline=True).records == first.records
    assert len(server.calls) == 3


@pytest.mark.parametrize("options", [{"model": "m\udcff"}, {"params": {"stop": "\ud83d"}}])
def test_options_that_cannot_be_sent_are_said(options: dict[str, Any], annotate: Annotate) -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        annotate(sums(2), **options)


def test_the_default_place_is_a_file_in_the_users_cache(tmp_path: Path) -> None:
    place = default_place("maker/model:small")
    assert place.is_relative_to(tmp_path / "cache")
    assert place.name == "maker-model-small.sqlite3"
    assert default_place("../..").name == "model.sqlite3"
