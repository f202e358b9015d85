"""The figures and commands of an overview."""

from __future__ import annotations

import re
from typing import Any

from mitools.explain.build_view import view_of
from mitools.explain.filters import ViewedRecord
from mitools.explain.options import ExplainOptions
from mitools.explain.overview import Overview
from mitools.explain.terminal import Terminal
from mitools.explain.terminal_figures import render_overview


def item(number: int, label: str, split: str = "") -> ViewedRecord:
    student = {"label": label, "rationale": "So she has 3 + 4 eggs.", "confidence": 0.75}
    record: dict[str, Any] = {"id": f"r{number}", "input": "?", "label": "7", "task": "equation"}
    record |= {"student": student, "split": split} if split else {"student": student}
    return ViewedRecord(record, view_of(record, number + 1))


def overview(*items: ViewedRecord) -> Overview:
    made = Overview()
    for one in items:
        made.add(one)
    return made


def test_the_figures_are_those_of_the_records() -> None:
    summary = overview(item(0, "7"), item(1, "8")).summary(seed=0)
    assert summary is not None
    assert summary["records"] == 2
    assert summary["label"]["accuracy"]["value"] == 0.5
    assert summary["consistency"]["consistency"]["value"] == 0.5


def test_records_that_chose_a_threshold_do_not_count_beside_others() -> None:
    chose = item(0, "8", "test")
    chose.record["scores"] = {"role": "calibration"}
    summary = overview(chose, item(1, "7", "test")).summary(seed=0)
    assert summary is not None
    assert summary["records"] == 1


def test_records_of_the_valid_split_do_not_count_beside_test_records() -> None:
    summary = overview(item(0, "8", "valid"), item(1, "7", "test")).summary(seed=0)
    assert summary is not None
    assert (summary["records"], summary["label"]["accuracy"]["value"]) == (1, 1.0)
    alone = overview(item(0, "8", "valid")).summary(seed=0)
    assert alone is not None
    assert (alone["records"], alone["label"]["accuracy"]["value"]) == (1, 0.0)


def test_where_no_record_is_evaluated_those_that_chose_a_threshold_still_do_not_count() -> None:
    chose = item(0, "8", "valid")
    chose.record["scores"] = {"role": "calibration"}
    summary = overview(chose, item(1, "7", "valid")).summary(seed=0)
    assert summary is not None
    assert (summary["records"], summary["label"]["accuracy"]["value"]) == (1, 1.0)
    alone = overview(chose).summary(seed=0)
    assert alone is not None
    assert alone["records"] == 1


def test_without_an_answer_there_are_no_figures() -> None:
    record = {"id": "x", "input": "?"}
    assert overview(ViewedRecord(record, view_of(record))).summary(seed=0) is None


def test_an_overview_as_text() -> None:
    made = overview(*(item(n, "78"[n % 3 == 0]) for n in range(9)))
    commands = made.next_commands(["a file.jsonl"], ExplainOptions())
    lines = render_overview(Terminal(60), made.summary(seed=0), commands).splitlines()
    assert re.fullmatch("── figures, 95% intervals ─+ 9 records, task equation ──", lines[0])
    rows = [line.split("  ") for line in lines[1:] if "%" in line]
    assert [row[0] for row in rows][:2] == ["Accuracy", "Consistency"]
    assert len([line for line in lines if " n 9" in line]) <= 6
    assert "  mitools explain 'a file.jsonl' --wrong --sort confidence --reverse" in lines
    assert "the 3 wrong answers, the most confident first" in lines
    assert max(map(len, lines)) > 60, "a command that is wrapped cannot be copied"
    assert render_overview(Terminal(60), None, []) == ""
