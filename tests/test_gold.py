"""Gold labels that cannot be read, and label sets that nobody named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools
from mitools.errors import MissingFieldError, Where
from mitools.gold import (
    GoldCheck,
    label_set,
    label_to_learn,
    teacher_answer,
    with_known_labels,
    with_label_sets,
)
from mitools.records import Reader, Row
from mitools.sources.load_records import read_parts
from mitools.sources.options import LoadOptions
from mitools.sources.part import Part

SOLUTION = "Half of 48 is 48/2 = <<48/2=24>>24.\n#### 24"


def run(*args: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(mitools, [*map(str, args)], input=stdin)


def lines(*labels: Any, **more: Any) -> str:
    return "".join(
        json.dumps({"input": f"q{number}", "label": label, **more}) + "\n"
        for number, label in enumerate(labels)
    )


@pytest.mark.parametrize(
    ("record", "is_fine"),
    [
        ({"label": "24", "task": "equation"}, True),
        ({"label": SOLUTION, "task": "equation"}, False),
        ({"label": "12 apples", "task": "equation"}, False),
        ({"label": "zoo", "choices": ["park", "zoo"]}, True),
        ({"label": "sea", "choices": ["park", "zoo"]}, False),
        ({"label": "anything at all"}, True),
        ({"label": None, "task": "equation"}, True),
        ({}, True),
    ],
)
def test_a_gold_label_is_read_by_the_task_of_its_record(
    record: dict[str, Any], is_fine: bool
) -> None:
    assert GoldCheck().add(record) is is_fine


def test_what_cannot_be_read_is_counted_with_an_example() -> None:
    check = GoldCheck(task="equation")
    records = [{"id": str(n), "label": label} for n, label in enumerate(["1", "one", None, "two"])]
    assert list(check.watch(records)) == records
    assert (check.known, check.unreadable) == (3, 2)
    warning = check.warning()
    assert warning is not None
    assert "2 of 3 gold labels" in warning
    assert 'such as "one" (record 1)' in warning
    assert GoldCheck().warning() is None


@pytest.mark.parametrize(
    ("label", "mapping"),
    [
        (SOLUTION, "label={{ label | after('####') }}"),
        ("12 apples", "label={{ label | number }}"),
        (r"So it is \boxed{24} in all", "label={{ label | after('boxed{') | before('}') }}"),
    ],
)
def test_load_refuses_gold_that_cannot_be_read_and_its_hint_fixes_it(
    label: str, mapping: str
) -> None:
    rows = lines(label, label)
    result = run("load", "--task", "equation", stdin=rows)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "2 of 2 gold labels cannot be read by the task equation" in result.stderr
    assert f'--map "{mapping}"' in result.stderr
    result = run("load", "--task", "equation", "--map", mapping, stdin=rows)
    assert result.exit_code == 0
    assert {json.loads(line)["label"] for line in result.stdout.splitlines()} <= {"24", "12"}


def test_load_warns_of_some_and_refuses_most_wherever_they_stand() -> None:
    result = run("load", "--task", "equation", stdin=lines("many", "1", "2", "3"))
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[0])["label"] == "many"
    assert "warning: 1 of 4 gold labels cannot be read" in result.stderr
    result = run("load", "--task", "equation", stdin=lines("1", *["many"] * 5))
    assert result.exit_code == 1
    assert "5 of 6 gold labels" in result.stderr
    for plain in (("--task", "text"), ("--task", "equation", "--map", "label=")):
        assert run("load", *plain, stdin=lines("many")).exit_code == 0


def test_the_hint_for_a_label_of_a_template_or_an_odd_name_is_general() -> None:
    spec = "label={{ label }}"
    result = run("load", "--task", "equation", "--map", spec, stdin=lines(SOLUTION))
    assert "end the template of --map label in | after('####')" in result.stderr
    result = run("load", "--task", "equation", stdin=lines("a dozen"))
    assert '"--task text"' in result.stderr


def test_nothing_is_held_back_once_a_label_could_be_read() -> None:
    seen: list[int] = []

    def rows() -> Any:
        for number in range(100):
            seen.append(number)
            yield Row(Where("here"), lambda: {"input": "q", "label": "1"}, str)

    assert (
        next(read_parts([Part("here", rows())], LoadOptions(task="equation"), Reader()))["label"]
        == "1"
    )
    assert seen == [0]


def test_a_label_set_must_be_named() -> None:
    known = {"id": "a", "task": "labels", "choices": ["x", "y"]}
    free = {"id": "b", "input": "i"}
    assert list(with_label_sets([known, free])) == [known, free]
    for records, task in (([{**free, "task": "labels"}], None), ([free], "labels")):
        with pytest.raises(MissingFieldError, match=r'record "b".*"mitools load --labels A,B,C"'):
            list(with_label_sets(records, task))


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"task": "labels", "labels": ["x", "y"]}, ["x", "y"]),
        ({"task": "choice", "labels": ["x", "y"]}, None),
        ({"task": "labels", "labels": None}, None),
        ({"task": "labels"}, None),
        ({"task": "labels", "labels": ["x", 1]}, None),
    ],
)
def test_a_label_set_is_read_from_what_a_student_says(
    metadata: dict[str, Any], expected: list[str] | None
) -> None:
    assert label_set(metadata) == expected


def test_records_without_labels_get_the_students() -> None:
    asked: list[None] = []

    def metadata() -> dict[str, Any]:
        asked.append(None)
        return {"task": "labels", "labels": ["x", "y"]}

    own, other = {"task": "labels", "choices": ["a"]}, {"task": "text"}
    assert list(with_known_labels([own, other], metadata)) == [own, other]
    assert not asked
    filled = {"input": "i", "task": "labels", "choices": ["x", "y"]}
    assert list(with_known_labels([{"input": "i"}], metadata)) == [filled]
    assert list(with_known_labels([{"input": "i", "task": "text"}], metadata, "labels")) == [filled]
    assert list(with_known_labels([{"input": "i"}], None)) == [{"input": "i"}]


def test_an_answer_of_a_student_is_not_one_of_the_teacher() -> None:
    record = {"label": None, "teacher": {"label": "x", "by": "student"}}
    assert teacher_answer(record) == {}
    assert label_to_learn(record) == ("", None)
    assert label_to_learn(record, by_student=True) == ("teacher", "x")
    asked = {"teacher": {"label": "x", "by": "teacher"}}
    assert teacher_answer(asked) == asked["teacher"]
    assert label_to_learn(asked, "teacher") == ("teacher", "x")
    assert teacher_answer({"teacher": None}) == teacher_answer({}) == {}


def test_load_and_eval_tell_of_choices_that_look_alike(tmp_path: Path) -> None:
    question = {"input": "Which?", "choices": ["Co", "CO", "He"], "label": "CO", "task": "choice"}
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps({**question, "id": "a", "student": {"label": "Co"}}) + "\n")
    for command in ("load", "eval"):
        found = run(command, file, "-o", tmp_path / "out.jsonl")
        assert 'such as "Co" and "CO" (record a)' in found.stderr
        assert "compared exactly as they are written" in found.stderr
    assert json.loads((tmp_path / "out.jsonl").read_text())["scores"]["correct"] is False


def test_a_choice_that_is_listed_twice_needs_no_warning() -> None:
    check = GoldCheck()
    check.add({"label": "a", "choices": ["a", "b", "a"]})
    assert check.alike_warning() is None
