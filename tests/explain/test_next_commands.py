"""Which commands are named after an overview, and that they can be pasted."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mitools.cli import mitools
from mitools.explain.next_commands import Found, next_commands
from mitools.explain.options import ExplainOptions

FOUND = Found(4, 4, wrong=2, inconsistent=1, has_confidences=True, first_id="r0")


def record(number: int, label: str) -> dict[str, Any]:
    student = {"label": label, "rationale": "So she has 3 + 4 eggs.", "confidence": 0.5}
    return {"id": f"r{number}", "input": "?", "label": "7", "task": "equation", "student": student}


def write(path: Path, *records: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return str(path)


@pytest.fixture
def judged(tmp_path: Path) -> str:
    return write(tmp_path / "it's judged.jsonl", *(record(n, str(6 + n % 2)) for n in range(4)))


def commands(judged: str, found: Found = FOUND, **options: Any) -> list[list[str]]:
    named = next_commands([judged], ExplainOptions(**options), found)
    return [shlex.split(one.command)[2:] for one in named]


def test_wrong_answers_a_page_and_inconsistent_ones(judged: str) -> None:
    page = judged.replace(".jsonl", ".html")
    assert commands(judged) == [
        [judged, "--wrong", "--sort", "confidence", "--reverse"],
        [judged, "--html", page],
        [judged, "--inconsistent"],
    ]
    about = [one.about for one in next_commands([judged], ExplainOptions(), FOUND)]
    assert about[0] == "the 2 wrong answers, the most confident first"
    assert about[2] == "the 1 rationale that supports another answer"


def test_without_wrong_answers_the_least_confident_ones(judged: str) -> None:
    found = Found(4, 4, has_confidences=True)
    assert commands(judged, found)[0] == [judged, "--sort", "confidence", "--limit", "10"]
    assert [command[1] for command in commands(judged, Found(4, 4))] == ["--html"]
    assert commands(judged, Found(4, 4, disagreeing=1))[-1] == [judged, "--disagree"]


def test_another_run_beside_it_is_compared(judged: str, tmp_path: Path) -> None:
    write(tmp_path / "input.jsonl", {"id": "r0", "input": "?"})
    write(tmp_path / "others.jsonl", record(9, "7"))
    (tmp_path / "broken.jsonl").write_text("{")
    assert commands(judged)[2] == [judged, "--inconsistent"]
    other = write(tmp_path / "other.jsonl", record(0, "7"))
    assert commands(judged)[2] == [judged, "--vs", other, "--changed"]


def test_a_summary_of_the_same_records_goes_onto_the_page(judged: str) -> None:
    figures = Path(judged.replace(".jsonl", ".json"))
    metric = {"value": 0.5, "status": "ok", "unit": "fraction", "n": 4}
    for records, is_used in ((3, False), (4, True)):
        figures.write_text(json.dumps({"records": records, "label": {"accuracy": metric}}))
        assert (["--summary", str(figures)] == commands(judged)[1][1:3]) is is_used
    figures.write_text("[]")
    assert "--summary" not in commands(judged)[1]


def test_a_live_student_and_a_task_are_passed_on(judged: str) -> None:
    start = [judged, "--student", "runs/my run", "--answer", "both", "--task", "text"]
    for command in commands(judged, student="runs/my run", answer="both", task="text"):
        assert command[: len(start)] == start


def test_stdin_cannot_be_read_again() -> None:
    assert next_commands(["-"], ExplainOptions(), FOUND) == []
    assert next_commands([], ExplainOptions(), FOUND) == []


def test_each_command_works_when_it_is_pasted(judged: str, tmp_path: Path) -> None:
    write(tmp_path / "other.jsonl", *(record(n, "7") for n in range(4)))
    for words in commands(judged):
        result = CliRunner().invoke(mitools, ["explain", *words])
        assert result.exit_code == 0, result.stderr
    assert Path(judged.replace(".jsonl", ".html")).read_text().startswith("<!doctype html>")


def test_a_name_that_looks_like_an_option_is_a_file() -> None:
    named = next_commands(["-x.jsonl"], ExplainOptions(), FOUND)
    assert named[0].command.startswith("mitools explain ./-x.jsonl --wrong")
