"""The short names of runs."""

from __future__ import annotations

import pytest

from mitools.explain.run_names import names_of_students, run_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/mi/judged.jsonl", "runs/dss/judged.jsonl"], ["mi", "dss"]),
        (["mi.jsonl", "dss.jsonl.gz"], ["mi", "dss"]),
        (["/data/runs/mi.s0.jsonl", "/data/runs/mi.s1.jsonl"], ["mi.s0", "mi.s1"]),
        (["a/x/judged.jsonl", "b/x/judged.jsonl"], ["a", "b"]),
        (["a/x.jsonl", "b/x.jsonl"], ["a", "b"]),
        (["judged.jsonl", "runs/other.jsonl"], ["judged", "other"]),
        (["judged.jsonl", "runs/judged.jsonl"], ["judged", "runs/judged"]),
        (["-", "runs/mi/judged.jsonl"], ["stdin", "judged"]),
        (["same.jsonl", "same.jsonl"], ["same", "same (2)"]),
        (["runs/mi/judged.jsonl"], ["judged"]),
        ([".jsonl"], [".jsonl"]),
        ([], []),
    ],
)
def test_a_name_is_the_part_of_the_path_that_differs(paths: list[str], names: list[str]) -> None:
    assert run_names(paths) == names


def test_students_have_names_if_there_are_several() -> None:
    assert names_of_students("a.jsonl", []) == {}
    assert names_of_students("runs/mi/judged.jsonl", ["runs/dss/judged.jsonl", "runs/x.jsonl"]) == {
        "student": "mi/judged",
        "second": "dss/judged",
        "third": "x",
    }


def test_a_name_is_not_that_of_another_answer() -> None:
    names = names_of_students("teacher.jsonl", ["gold.jsonl.gz"])
    assert names == {"student": "teacher.jsonl", "second": "gold.jsonl.gz"}
