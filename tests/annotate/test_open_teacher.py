"""Opening a teacher from options: which one it is, what is found at the start, and its closing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mitools.annotate.client.journal import Entry, Journal
from mitools.annotate.client.teachers import ChatTeacher, OfflineTeacher
from mitools.annotate.notices import Notices
from mitools.annotate.open_teacher import open_teacher
from mitools.annotate.options import AnnotateOptions, Price
from mitools.annotate.protocol import Question
from mitools.annotate.replay import DemoTeacher, FieldTeacher, ReplayTeacher
from mitools.errors import (
    MalformedLineError,
    OutputError,
    SourceError,
    TeacherRefusedError,
    UsageError,
)
from mitools.tasks import task_named
from tests.annotate.conftest import sums
from tests.server import Act, FixtureServer

NOWHERE = "http://127.0.0.1:9/v1"


def question(number: int = 0) -> Question:
    return Question(sums(number + 1)[number], task_named("equation"))


def test_the_name_of_the_teacher_decides_its_kind(tmp_path: Path) -> None:
    completions = tmp_path / "c.jsonl"
    completions.write_text('{"id": "r0", "completion": "The answer is 17."}\n')
    kinds = {
        "demo": DemoTeacher,
        "replay": FieldTeacher,
        f"replay:{completions}": ReplayTeacher,
    }
    for name, kind in kinds.items():
        with open_teacher(AnnotateOptions(teacher=name)) as opened:
            assert isinstance(opened.teacher, kind)
            assert (opened.journal, opened.budget) == (None, None)
    with open_teacher(AnnotateOptions(teacher=f"replay:{completions}", model="m")) as opened:
        reply = opened.teacher.recall(question())
        assert reply is not None
        assert (reply.text, reply.model) == ("The answer is 17.", "m")


def test_offline_a_journal_that_is_missing_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    options = AnnotateOptions(model="m", journal=str(tmp_path / "typo" / "j"), is_offline=True)
    with pytest.raises(SourceError, match=r"no journal at .*typo/j; check --journal and -m"):
        open_teacher(options).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_journal_and_budget_are_those_of_the_options(tmp_path: Path) -> None:
    options = AnnotateOptions(
        model="fixture", base_url=NOWHERE, journal=str(tmp_path / "j"), price=Price(1, 2)
    )
    with open_teacher(options) as opened:
        assert isinstance(opened.teacher, ChatTeacher)
        assert opened.journal is not None
        assert opened.journal.path == tmp_path / "j"
        assert opened.budget is not None
        assert (opened.budget.price, opened.budget.limit) == (Price(1, 2), None)
    without = AnnotateOptions(model="fixture", base_url=NOWHERE, keeps_journal=False)
    with open_teacher(without) as opened:
        assert opened.journal is None


def test_it_is_closed_on_the_way_out_also_by_an_error(tmp_path: Path) -> None:
    options = AnnotateOptions(model="fixture", base_url=NOWHERE, journal=str(tmp_path / "j"))
    journals: list[Journal | None] = []

    def fail_within() -> None:
        with open_teacher(options) as opened:
            journals.append(opened.journal)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_within()
    [journal] = journals
    assert journal is not None
    with pytest.raises(OutputError, match="closed database"):
        journal.find("0" * 64)


def test_a_teacher_that_was_closed_where_it_was_asked_stays_closed(
    server: FixtureServer, tmp_path: Path
) -> None:
    options = AnnotateOptions(model="fixture", base_url=server.url, journal=str(tmp_path / "j"))

    async def ask_and_close() -> str:
        reply = await opened.teacher.ask(question())
        await opened.teacher.close()
        return reply.text

    with open_teacher(options) as opened:
        assert "(10 + 7)" in asyncio.run(ask_and_close())
    assert opened.journal is not None
    assert opened.journal.has_written


def test_a_missing_key_is_found_before_a_journal_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    options = AnnotateOptions(model="gpt", journal=str(tmp_path / "j"))
    with pytest.raises(TeacherRefusedError, match="no API key"), open_teacher(options):
        pass
    assert not (tmp_path / "j").exists()


def test_options_are_checked_first() -> None:
    with pytest.raises(UsageError, match="no teacher model"), open_teacher(AnnotateOptions()):
        pass


def test_the_answers_of_a_batch_are_taken_in_and_counted(tmp_path: Path) -> None:
    notes: list[str] = []
    results = tmp_path / "results.jsonl"
    results.write_text('{"custom_id": "%s", "error": {"message": "no"}}\n' % ("a" * 64))
    options = AnnotateOptions(
        model="fixture",
        base_url=NOWHERE,
        journal=str(tmp_path / "j"),
        from_batch=(str(results),),
    )
    with open_teacher(options, Notices(on_note=notes.append)) as opened:
        assert isinstance(opened.teacher, OfflineTeacher)
        reply = opened.teacher.recall(question())
        assert reply.problem is not None
        assert reply.problem.kind == "missing"
    assert notes == ["0 answers and 1 failures from the batch"]
    results.write_text("nonsense\n")
    with pytest.raises(MalformedLineError), open_teacher(options):
        pass
    journal = Journal(tmp_path / "j")  # it is whole, and not locked
    journal.write([Entry("b" * 64, "ok", "{}")])
    journal.close()


def test_a_pause_that_the_server_asks_for_is_a_note(server: FixtureServer) -> None:
    notes: list[str] = []
    server.script = [Act(status=429, headers={"Retry-After": "0.1"})]
    options = AnnotateOptions(model="fixture", base_url=server.url, keeps_journal=False)

    async def ask() -> None:
        await opened.teacher.ask(question())
        await opened.teacher.close()

    with open_teacher(options, Notices(on_note=notes.append)) as opened:
        asyncio.run(ask())
    [note] = notes
    assert note.startswith("the teacher asks to wait ")
    assert "429" in note
