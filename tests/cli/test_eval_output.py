"""What ``eval`` writes: judged records, and the summary."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from mitools.cli._eval_output import JudgedOutput, summary_file
from mitools.errors import OutputError, UsageError
from mitools.records import Writer


class ClosedPipe(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_records_are_written_one_a_line() -> None:
    stream = io.StringIO()
    out = JudgedOutput(Writer(stream), outlives_reader=False)
    out.write({"id": "1"})
    out.write({"id": "2"})
    assert stream.getvalue() == '{"id": "1"}\n{"id": "2"}\n'


def test_a_reader_that_leaves_ends_the_pass_where_nothing_else_is_written() -> None:
    out = JudgedOutput(Writer(ClosedPipe()), outlives_reader=False)
    with pytest.raises(BrokenPipeError):
        out.write({"id": "1"})


def test_a_reader_that_leaves_does_not_end_a_pass_with_a_summary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[bool] = []
    monkeypatch.setattr("mitools.cli._eval_output.abandon_stdout", lambda: left.append(True))
    out = JudgedOutput(Writer(ClosedPipe()), outlives_reader=True)
    out.write({"id": "1"})
    out.write({"id": "2"})
    assert left == [True]


def test_a_summary_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    with summary_file(str(path)) as stream:
        assert stream is not None
        stream.write("{}")
        assert not path.exists()
    assert path.read_text() == "{}"
    with summary_file(None) as stream:
        assert stream is None


def test_a_summary_needs_a_file_that_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stdout carries the records"), summary_file("-"):
        pass
    with pytest.raises(OutputError), summary_file(os.path.join(tmp_path, "no", "x.json")):
        pass
