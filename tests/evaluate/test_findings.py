"""Several runs together: seeds, a baseline, and what does not go together."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import DataError, UsageError
from mitools.evaluate.findings import join_runs
from mitools.evaluate.options import EvalOptions, check_runs
from mitools.evaluate.report import notes, tables
from mitools.evaluate.run import Evaluation

pytestmark = pytest.mark.usefixtures("few_resamples")


def judged(right: int, n: int = 12, first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "id": str(number),
            "input": f"{number} + 1?",
            "label": str(number + 1),
            "task": "equation",
            "student": {
                "label": str(number + 1 if number < right else number),
                "rationale": f"{number} + 1 = {number + 1}",
                "confidence": 0.5,
            },
        }
        for number in range(first, first + n)
    ]


def evaluated(records: list[dict[str, Any]], **options: Any) -> Evaluation:
    evaluation = Evaluation(EvalOptions(simulator="none", outcomes=True, **options))
    list(evaluation.run(iter(records)))
    return evaluation


def test_one_run_keeps_its_figures() -> None:
    run = evaluated(judged(9))
    assert join_runs([run]) == run.figures()


def test_runs_with_seeds_of_their_own_keep_their_figures_each() -> None:
    runs = [evaluated(judged(right)) for right in (4, 8)]
    found = join_runs(runs, by_seed=True)
    assert [one["label"]["accuracy"].value for one in found["runs"]] == [4 / 12, 8 / 12]
    assert found["seeds"]["accuracy"].value == pytest.approx(0.5)


def test_seeds_on_part_of_the_records_say_so() -> None:
    found = join_runs([evaluated(judged(4)), evaluated(judged(2, n=3))], by_seed=True)
    assert (found["seeds"]["records"], found["seeds"]["unmatched"]) == (3, 9)
    assert "9 records are not in all runs and are left out" in notes(found)
    assert tables(found)[0][0] == "2 runs on 3 records"


def test_a_baseline_adds_a_comparison() -> None:
    found = join_runs([evaluated(judged(9))], [evaluated(judged(3))])
    assert found["label"]["accuracy"].value == 0.75
    assert found["comparison"]["metrics"]["accuracy"].value == pytest.approx(0.5)


def test_the_baselines_that_are_fitted_are_told() -> None:
    told: list[str] = []
    run = evaluated([{**one, "split": "test"} for one in judged(9)], baselines=("majority",))
    join_runs([run], step=told.append)
    assert told == ["baseline majority"]


def test_a_baseline_of_other_records_is_refused() -> None:
    with pytest.raises(DataError, match="no record is in both"):
        join_runs([evaluated(judged(9))], [evaluated(judged(3, first=50))])


def test_a_judge_compares_the_run_with_its_baseline() -> None:
    asked: list[Any] = []

    class Judge:
        def judge(self, *given: Any) -> dict[str, Any]:
            asked.append(given)
            return {"about": "it"}

    run, baseline = evaluated(judged(9)), evaluated(judged(3))
    found = join_runs([run], [baseline], judge=Judge())  # type: ignore[arg-type]
    assert found["judge"] == {"about": "it"}
    assert asked == [(run.sample, baseline.sample, 0)]


RUNS: dict[str, Any] = {
    "runs": 1,
    "baselines": 0,
    "by_seed": False,
    "has_student": False,
    "has_judge": False,
}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by_seed": True, "runs": 2, "has_student": True}, "--seeds needs records that hold"),
        ({"by_seed": True}, "--seeds needs two runs or more"),
        ({"has_judge": True, "by_seed": True, "runs": 2}, "--judge compares at most two runs"),
        ({"has_judge": True, "baselines": 2}, "--judge compares at most two runs"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_runs(**{**RUNS, **given})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"has_student": True, "baselines": 3},
        {"by_seed": True, "runs": 2, "baselines": 2},
        {"has_judge": True, "baselines": 1, "has_student": True},
    ],
)
def test_what_goes_together_passes(given: dict[str, Any]) -> None:
    check_runs(**{**RUNS, **given})
