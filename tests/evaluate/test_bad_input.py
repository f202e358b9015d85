"""Records that leave something to be desired: every figure says so, and none is NaN."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mitools import expressions
from mitools.cli import mitools
from mitools.evaluate.measures import statistics
from mitools.evaluate.score import scored
from mitools.tasks import task_of
from tests.clock import cpu_seconds
from tests.evaluate.synthetic import answered

Records = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 100)
    monkeypatch.setattr(statistics, "_FEWEST_RESAMPLES", 100)


def told(n: int = 60) -> Records:
    return [dict(record) for record in answered("informative", n)]


def without(records: Records, *names: str) -> Records:
    return [{name: value for name, value in one.items() if name not in names} for one in records]


def saying(records: Records, **student: Any) -> Records:
    return [{**one, "student": {**one["student"], **student}} for one in records]


def run(records: Records, folder: Path, *args: str) -> tuple[Result, dict[str, Any]]:
    file = folder / "figures.json"
    text = "".join(json.dumps(record) + "\n" for record in records)
    options = ["eval", "--summary", str(file), "--permutations", "2", "--temperature", *args]
    result = CliRunner().invoke(mitools, options, input=text)
    return result, json.loads(file.read_text()) if file.exists() else {}


def metrics(found: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(found, dict) and "status" in found:
        yield path, found
    elif isinstance(found, dict):
        for name, inner in found.items():
            yield from metrics(inner, f"{path}.{name}" if path else name)


def reasons(found: dict[str, Any]) -> dict[str, str]:
    return {path: one["reason"] for path, one in metrics(found) if one["value"] is None}


CASES: dict[str, tuple[Records, dict[str, str]]] = {
    "no gold": (
        without(told(), "label"),
        {
            "label.accuracy": "no record has a gold label",
            "calibration.brier": "no record has both a gold label and a confidence",
            "calibration.classwise_ece": "no record has a gold label among its scored labels",
            "association.cvi_net": "no record has a gold label among the possible answers",
            "quality.cvi": "no record has a gold label among the possible answers",
        },
    ),
    "no rationales": (
        [{**one, "student": {**one["student"], "rationale": None}} for one in told()],
        {
            "rationale.empty": "the student was not asked for rationales",
            "association.cvi": "the student was not asked for rationales",
        },
    ),
    "no confidence": (
        saying(told(), confidence=None, choices={}),
        {
            "calibration.ece_width": "no record has both a gold label and a confidence",
            "temperature.temperature": 'no record of the split "valid" has a gold label',
        },
    ),
    "one class": (
        [
            {**one, "label": "neutral", "student": {**one["student"], "label": "neutral"}}
            for one in told()
        ],
        {
            "calibration.auroc": "every answer is right, so none can be ranked",
            "association.las": "60 rationales leak the answer and 0 do not",
        },
    ),
    "one record": (
        told(1),
        {"association.cvi_net": "a simulator wants 50 records with a rationale, not 1"},
    ),
    "another task": (
        saying(told(), label="( 84 / 2 )", choices={"( 84 / 2 )": 1.0}),
        {
            "calibration.gold_nll": "no record with a gold label among its choices",
            "association.cvi_net": "0 records have an answer among the possible ones",
        },
    ),
    "no answer": (
        saying(told(), label=None),
        {"association.cvi_net": "no record has both a rationale and a label by the student"},
    ),
    "open texts": (
        without([{**one, "task": "text"} for one in told()], "choices"),
        {
            "association.cvi_net": "labels are open texts",
            "label.macro_f1": "the answers are not one fixed set of labels",
        },
    ),
}


def test_labels_of_another_task_are_pointed_at(tmp_path: Path) -> None:
    pointed = 'no label given is one of the task "labels": too little training, or another task?'
    records, _ = CASES["another task"]
    assert pointed in run(records, tmp_path)[0].stderr
    assert "too little training" not in run(told(), tmp_path)[0].stderr


@pytest.mark.parametrize("name", CASES)
def test_what_is_missing_has_a_reason_and_the_rest_a_value(name: str, tmp_path: Path) -> None:
    records, expected = CASES[name]
    result, found = run(records, tmp_path)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == len(records)
    assert "NaN" not in json.dumps(found)
    for _, one in metrics(found):
        assert (one["value"] is None) == (one["status"] != "ok") == bool(one["reason"])
    why = reasons(found)
    for path, reason in expected.items():
        assert reason in why[path], path
    assert found["label"]["valid"]["value"] is not None


def test_repeated_ids_count_each_and_are_reported(tmp_path: Path) -> None:
    records = [{**one, "id": "same"} for one in told(5)]
    result, found = run(records, tmp_path)
    assert result.exit_code == 0
    assert '4 records with an id seen before (such as "same"); all count' in result.stderr
    assert found["label"]["accuracy"]["n"] == 5


@pytest.mark.parametrize(
    "label", ["__import__('os').system('touch owned')", "9**9**9", "(" * 5_000 + "1" + ")" * 5_000]
)
def test_a_malicious_label_is_invalid_fast_and_nothing_runs(label: str, tmp_path: Path) -> None:
    said = {"label": label, "rationale": f"So it is {label}."}
    record = {"id": "1", "input": "1 and 2", "label": "3", "task": "equation", "student": said}
    _, warm = run([record], tmp_path)

    def judge() -> dict[str, Any]:
        expressions._parse.cache_clear()
        return scored(record, task_of(record))

    assert cpu_seconds(judge) < 0.01
    assert judge()["scores"]["valid"] is False
    assert warm["label"]["valid"]["value"] == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "figures.json"]
