from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from mitools.evaluate.measures.metric import Metric
from mitools.evaluate.score import scored
from mitools.evaluate.simulators.tally import Simulated
from mitools.records import Record
from mitools.tasks import task_of
from tests.evaluate.synthetic import answered

pytestmark = pytest.mark.usefixtures("few_resamples")

PLACES = ("sea", "garden", "school", "bridge", "forest")


def fold(records: list[Record], taught: list[Record] = [], **options: Any) -> Simulated:  # noqa: B006
    found = Simulated("local", **{"permutations": 2, **options})
    for record in records:
        found.add(record)
    for record in taught:
        found.add_taught(record)
    return found


def sections(records: list[Record], **options: Any) -> dict[str, Any]:
    tasks = Counter(task_of(record).name for record in records)
    return fold(records, **options).sections(tasks, 0)


def consistency(records: list[Record], taught: list[Record]) -> Metric:
    tasks = Counter(task_of(record).name for record in records)
    return fold(records, taught).consistency(tasks, 0)


def metrics(found: dict[str, Any]) -> list[Metric]:
    blocks = (found["association"], found["quality"])
    return [one for block in blocks for one in block.values() if isinstance(one, Metric)]


def choice(number: int, rationale: str, label: str = "sea") -> Record:
    student = {"label": label, "rationale": rationale}
    record: Record = {"id": str(number), "input": f"where {number}", "label": "sea"}
    record |= {"choices": list(PLACES[: 3 + number % 2]), "student": student}
    record["teacher"] = {"label": label, "rationale": rationale}
    return scored(record, task_of(record))


def test_records_are_measured_and_the_family_is_told() -> None:
    found = sections(answered("informative", 80))
    assert {metric.status for metric in metrics(found)} <= {"ok", "undefined"}
    assert found["association"]["cvi"].n == 80
    assert found["simulator"]["family"].startswith("logistic regression on TF-IDF")
    assert found["simulator"]["records"] == 80
    assert set(found["association"]["rationale_editing"])


def test_the_order_of_the_records_changes_no_figure() -> None:
    records = answered("informative + leak", 70)
    ahead = sections(records)
    random.Random(0).shuffle(records)
    back = sections(records)
    assert [one.as_json() for one in metrics(ahead)] == [one.as_json() for one in metrics(back)]


@pytest.mark.parametrize(
    ("records", "status", "reason"),
    [
        (answered("informative", 49), "undefined", "wants 50 records with a rationale, not 49"),
        (
            [choice(n, "r", label="park") for n in range(60)],
            "undefined",
            "0 records have an answer",
        ),
        ([choice(0, "r", label=None)], "undefined", "no record has both"),
        ([choice(0, None)], "skipped", "not asked for rationales"),
    ],
)
def test_too_few_records_say_so(records: list[Record], status: str, reason: str) -> None:
    found = fold(records).sections(Counter(["labels"]), 0)
    assert {metric.status for metric in metrics(found)} == {status}
    assert all(reason in (metric.reason or "") for metric in metrics(found))
    assert found["simulator"] is None


@pytest.mark.parametrize(
    ("tasks", "reason"), [(["text"], "open texts"), (["labels", "equation"], "several tasks")]
)
def test_some_tasks_have_nothing_to_guess(tasks: list[str], reason: str) -> None:
    found = fold(answered("informative", 60))
    for metric in (
        *metrics(found.sections(Counter(tasks), 0)),
        found.consistency(Counter(tasks), 0),
    ):
        assert metric.status == "not_applicable"
        assert reason in (metric.reason or "")


def test_no_simulator_measures_nothing() -> None:
    found = Simulated()
    found.add(answered("informative", 1)[0])
    assert {metric.status for metric in metrics(found.sections(Counter(["labels"]), 0))} == {
        "skipped"
    }


def test_a_student_of_one_answer_is_measured_and_tells_nothing() -> None:
    records = [{**record, "label": "neutral"} for record in answered("oracle", 60)]
    for record in records:
        record["student"] = {**record["student"], "label": "neutral"}
    found = sections(records)
    assert found["association"]["cvi"].value == pytest.approx(0, abs=1e-9)
    assert found["association"]["accuracy_x"].value == 1


def test_what_words_leave_open_is_read_by_a_simulator_of_the_teacher() -> None:
    taught = answered("informative", 150, seed=1)
    for record in taught:  # a teacher that argues as this student does
        record["teacher"] = {
            "label": record["student"]["label"],
            "rationale": record["student"]["rationale"],
        }
    open_ones = answered("informative", 60)
    assert all(record["scores"]["supports"] == "none" for record in open_ones)
    found = consistency(open_ones, taught)
    assert found.n == 60
    assert found.details == {"by_words": 0, "by_simulator": 60}
    assert (found.value or 0) > 0.7
    assert (consistency(answered("shuffled", 60), taught).value or 1) < 0.55


def test_what_words_say_is_not_asked_of_a_simulator() -> None:
    records = answered("pure leak", 30)
    found = consistency(records, answered("informative", 60, seed=1))
    assert found.details == {"by_words": 30, "by_simulator": 0}
    assert found.value == 1


def test_choices_that_differ_are_read_too() -> None:
    taught = [choice(n, f"So it is the {PLACES[n % 3]}s.", PLACES[n % 3]) for n in range(60)]
    said = [choice(n, "Near the seashore, I think.") for n in range(100, 110)]
    found = consistency(said, taught)
    assert found.details["by_simulator"] == 10


def test_an_empty_rationale_supports_nothing() -> None:
    found = consistency(answered("empty", 60), answered("informative", 60, seed=1))
    assert (found.status, found.reason) == ("undefined", "no rationale supports an answer")


def test_without_a_taught_record_the_open_ones_stay_open() -> None:
    found = consistency(answered("informative", 60), [])
    assert found.status == "skipped"
    assert "the input holds 0 training records" in (found.reason or "")
