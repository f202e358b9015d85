"""What a journal keeps, and what a run asks again."""

from __future__ import annotations

import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate.journal import Entry, Journal, default_place
from mitools.errors import OutputError, SourceError, TeacherError
from tests.annotate.conftest import Annotate, sums
from tests.server import KEY, Act, FixtureServer


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
        "head": b"nonsense" * 20 + whole[160:],
        "middle": whole[:4096] + b"\xff" * 8192 + whole[12288:],
        "cut": whole[: len(whole) // 2],
    }[damage]
    path.write_bytes(broken)
    with pytest.raises(SourceError, match=r"damaged.*recover.*--journal"):
        Journal(path)
    assert path.read_bytes() == broken


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(SourceError, match=r"no journal.*--journal"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"--no-journal"):
        Journal(tmp_path / "file" / "j")
    with pytest.raises(OutputError, match=r"--no-journal"):
        Journal(tmp_path)


def test_the_default_place_is_a_file_in_the_users_cache(tmp_path: Path) -> None:
    place = default_place("openai/gpt-5:mini")
    assert place.is_relative_to(tmp_path / "cache")
    assert place.name == "openai-gpt-5-mini.sqlite3"
    assert default_place("../..").name == "model.sqlite3"
