from __future__ import annotations

from typing import Any

from mitools.evaluate.provenance import describe_run, software
from mitools.evaluate.run import OpenedStudent


def test_software_names_python_and_mitools() -> None:
    found = software()
    assert found["python"]
    assert found["mitools"]


def test_a_run_is_described_in_plain_values(student: Any) -> None:
    student.device, student.dtype = "cpu", "torch.float32"
    found = describe_run(OpenedStudent(student, "s@1", "1f"), {"seed": 0})
    assert (found["student"], found["device"], found["dtype"]) == ("s@1", "cpu", "float32")
    assert found["metadata"] == {"task": "equation"}
    assert found["asked"] == {"seed": 0}
