"""Teachers that wait for nobody."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest

from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Question, Teacher
from mitools.annotate.replay import DemoTeacher, FieldTeacher, ReplayTeacher
from mitools.annotate.run import AnnotationRun
from mitools.bounds import DEFAULTS
from mitools.demo import problems
from mitools.errors import DataError, SourceError, TeacherError
from mitools.records import Record
from mitools.tasks import task_named
from tests.annotate.conftest import sums

ROWS = [
    {"id": "r1", "completion": "So 18. The answer is (11 + 7).\n\nQ: Another"},
    {"id": "r0", "completion": "So 17. The answer is (10 + 7)."},
    {"id": "r0", "completion": "So 99. The answer is (99)."},
]


def run(teacher: Teacher, records: list[Record]) -> list[Record]:
    with AnnotationRun(records, teacher, AnnotateOptions()) as running:
        return list(running)


def jsonl() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def table(separator: str) -> bytes:
    rows = [["id", "extra", "completion"], *([r["id"], "", r["completion"]] for r in ROWS)]
    quoted = [separator.join(f'"{cell}"' for cell in row) for row in rows]
    return "\r\n".join(quoted).encode("utf-8-sig")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.jsonl", jsonl()),
        ("c.jsonl.gz", gzip.compress(jsonl())),
        ("c.csv", table(",")),
        ("c.tsv", table("\t")),
    ],
)
def test_completions_are_found_by_id_in_any_order(
    name: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    first, second, third = run(ReplayTeacher(str(path), "palm"), sums(3))
    assert first["teacher"] == {
        "label": "(10 + 7)",
        "rationale": "So 17.",
        "agrees": True,
        "read_by": "cue",
        "model": "palm",
    }
    assert second["teacher"]["label"] == "(11 + 7)"
    assert third["teacher"]["error"]["kind"] == "missing"
    assert third["teacher"]["label"] is None
    assert third["teacher"]["agrees"] is None


def test_a_record_may_carry_its_completion() -> None:
    records = [{**record, **ROWS[1], "id": record["id"]} for record in sums(1)]
    (answered,) = run(FieldTeacher(), records)
    assert answered["teacher"]["label"] == "(10 + 7)"
    with pytest.raises(TeacherError, match=r"none of 2 records.*missing"):
        run(FieldTeacher(), sums(2))


@pytest.mark.parametrize(
    ("completion", "message"),
    [
        (None, 'the record has no field "completion"'),
        ({"text": "17"}, "neither a text nor a list of texts"),
        (["The answer is 17."], "holds 1 text, fewer than are asked for"),
    ],
)
def test_a_record_without_a_completion_to_read_says_what_its_field_holds(
    completion: object, message: str
) -> None:
    question = Question({**sums(1)[0], "completion": completion}, task_named("equation"), sample=1)
    problem = FieldTeacher().recall(question).problem
    assert problem is not None
    assert message in problem.message


def test_a_cell_may_be_as_long_as_a_line(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    thoughts = "a long thought " * 10_000
    path.write_text(f'id,completion\nr0,"{thoughts}\nThe answer is (10 + 7)."\n')
    before = csv.field_size_limit(131_072)  # the default
    try:
        (record,) = run(ReplayTeacher(str(path)), sums(1))
    finally:
        csv.field_size_limit(before)
    assert record["teacher"]["label"] == "(10 + 7)"


def test_a_bad_row_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"id": "a", "completion": "x"}\n{"id": "b"}\n')
    with pytest.raises(DataError, match=r'c\.jsonl:2: field "completion" is missing'):
        ReplayTeacher(str(path))
    with pytest.raises(SourceError, match="check the path"):
        ReplayTeacher(str(tmp_path / "none.jsonl"))


def test_the_demo_teacher_solves_the_demo() -> None:
    records = list(problems(40, 0))
    right = run(DemoTeacher(seed=0, error_rate=0.0), records)
    assert all(record["teacher"]["agrees"] for record in right)
    assert all(record["teacher"]["rationale"] for record in right)
    wrong = run(DemoTeacher(seed=0, error_rate=1.0), records)
    assert not any(record["teacher"]["agrees"] for record in wrong)


def test_the_demo_teacher_knows_nothing_else() -> None:
    records = [*problems(1, 0), {"id": "x", "input": "Who are you?", "task": "equation"}]
    assert run(DemoTeacher(0, 0.0), records)[1]["teacher"]["error"]["kind"] == "unknown"


def test_half_a_surrogate_pair_is_a_letter_like_others(tmp_path: Path) -> None:
    row = {"id": "r\ud83d", "completion": "Smile \ude00. The answer is (10 + 7)."}
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (record,) = run(ReplayTeacher(str(path)), [{**sums(1)[0], "id": "r\ud83d"}])
    assert record["teacher"]["rationale"] == "Smile \ude00."


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.csv"])
def test_a_line_of_completions_without_end_is_not_read_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    first = b"id,completion\n" if name.endswith("csv") else b'{"id": "1", "completion": "2"}\n'
    path.write_bytes(first + b"a" * (DEFAULTS.line_bytes + 2))
    with pytest.raises(DataError, match="line is longer than"):
        ReplayTeacher(str(path))
