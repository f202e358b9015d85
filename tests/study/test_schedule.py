from __future__ import annotations

from pathlib import Path

import pytest

from mitools.study.plan import Run, runs_of
from mitools.study.schedule import Schedule
from tests.study.studies import write_study


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Run]:
    return {run.name: run for run in runs_of(write_study(tmp_path))}


def test_without_a_limit_runs_come_in_their_order(runs: dict[str, Run]) -> None:
    schedule = Schedule(list(runs.values()))
    assert [schedule.next() for _ in runs] == list(runs.values())
    assert schedule.next() is None
    assert schedule.seconds_left is None


def test_an_estimate_is_of_the_same_objective_and_size_first(runs: dict[str, Run]) -> None:
    schedule = Schedule([])
    assert schedule.estimate(runs["dss.n4.s0"]) is None
    schedule.took(runs["dss.n4.s0"], 10)
    assert schedule.estimate(runs["label.n8.s0"]) == 10  # of all
    schedule.took(runs["dss.n8.s0"], 30)
    schedule.took(runs["dss.n8.s1"], 50)
    assert schedule.estimate(runs["dss.n8.s1"]) == 40  # the mean of its own
    assert schedule.estimate(runs["label.n8.s0"]) == 40  # of its size
    assert schedule.estimate(runs["label.n4.s0"]) == 10


def test_a_run_that_would_not_end_in_time_is_passed_over(runs: dict[str, Run]) -> None:
    clock = Clock()
    waiting = [runs["dss.n8.s1"], runs["dss.n4.s1"]]
    schedule = Schedule(waiting, 100, clock)
    schedule.took(runs["dss.n8.s0"], 60)
    schedule.took(runs["dss.n4.s0"], 20)
    clock.seconds += 50
    assert schedule.seconds_left == 50
    assert schedule.next() == runs["dss.n4.s1"]
    assert schedule.next() is None
    assert schedule.seconds_needed(jobs=2) == 30


def test_nothing_starts_when_the_time_is_over(runs: dict[str, Run]) -> None:
    clock = Clock()
    schedule = Schedule(list(runs.values()), 100, clock)
    clock.seconds += 100
    assert schedule.next() is None
    assert schedule.seconds_needed(jobs=1) is None  # nothing is known of their length
