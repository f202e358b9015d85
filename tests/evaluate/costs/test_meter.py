from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from mitools.evaluate.costs.meter import Meter, Metered, peak_memory


def meter(*times: float) -> Meter:
    ticks = itertools.chain(times)
    return Meter(clock=lambda: next(ticks))


def test_each_record_waits_for_its_batch() -> None:
    found = meter(0.0, 1.0, 5.0, 8.0)
    for size in (2, 1):
        with found.batch(size):
            pass
    assert found.waits.tolist() == [1.0, 1.0, 3.0]
    assert (found.records, found.seconds, found.largest) == (3, 4.0, 2)


def test_tokens_count_inside_a_batch_only(student: Any) -> None:
    found = meter(0.0, 1.0)
    metered = Metered(student, found)
    metered.generate_labels(["a"])
    with found.batch(2):
        assert [one.text for one in metered.generate_rationales(["a", "b"])] == ["", ""]
        metered.generate_labels(["a"])
    metered.generate_labels(["a"])
    assert found.tokens == 9


def test_a_batch_that_fails_is_not_timed() -> None:
    found = meter(0.0)
    with pytest.raises(ValueError, match="no"), found.batch(3):
        raise ValueError("no")
    assert found.records == 0


def test_a_metered_student_answers_as_the_student(student: Any) -> None:
    student.favourite = {"q": "b"}
    metered = Metered(student, Meter())
    assert metered.metadata is student.metadata
    assert metered.score_choices(["q"], [["a", "b"]]) == student.score_choices(["q"], [["a", "b"]])


def test_memory_is_that_of_the_process_without_a_gpu(student: Any) -> None:
    before, where = peak_memory(student)
    assert where == "process, resident"
    block = torch.ones(16 << 20)  # 64 MiB
    assert peak_memory(student)[0] >= before
    assert 10 < peak_memory(student)[0] < 1e6
    del block


def test_memory_is_that_of_the_gpu_where_the_student_is(
    student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    student.device = torch.device("cuda:1")
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: (1 + device.index) << 20)
    assert peak_memory(student) == (2.0, "GPU, tensors")
