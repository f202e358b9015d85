from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import DataError
from mitools.study.plan import Run, Study, runs_of
from mitools.study.results import Result, read_results
from mitools.study.tables import build_tables
from tests.study.studies import MINIMAL, write_study

SUMMARY = {
    "calibration": {"ece_width": {"value": 0.1}, "nll": {"value": None}},
    "consistency": {"consistency": {"value": 0.75}},
    "association": {"cvi_net": {"value": 0.5}},
    "answers": {
        "weight": {"value": 0.3},
        "predict": {"consistency": {"value": 0.25}, "ece_width": {"value": 0.2}},
        "both": {"consistency": {"value": 0.75}, "ece_width": {"value": 0.1}},
    },
}


def judged(place: int, label: str, **student: Any) -> dict[str, Any]:
    return {
        "id": "same" if place < 2 else f"r{place}",
        "input": "question",
        "label": "2",
        "task": "equation",
        "student": {"label": label, "rationale": "1 + 1 = 2." if place else "so", **student},
        "scores": {"correct": label in ("2", "( 1 + 1 )")},
    }


def store(folder: Path, run: Run, answer: str, records: list[dict[str, Any]]) -> None:
    place = folder / run.name
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{answer}.json").write_text(json.dumps(SUMMARY))
    with gzip.open(place / f"{answer}.jsonl.gz", "wt") as stream:
        stream.writelines(json.dumps(record) + "\n" for record in records)
    (place / "run.json").write_text(json.dumps({"digest": run.digest, "step_seconds": 0.5}))


def study_of(folder: Path, answer: str, options: str = "") -> Study:
    text = MINIMAL.replace('mi = "none"', f'answers = ["{answer}"]')
    return write_study(folder, f"{text}[answers.{answer}]\n{options}")


def read(
    folder: Path, answer: str, records: list[dict[str, Any]], options: str = ""
) -> list[Result]:
    study = study_of(folder, answer, options)
    store(folder / "runs", next(runs_of(study)), answer, records)
    return list(read_results(study, folder / "runs"))


def test_a_student_that_was_asked_in_one_way_is_one_result(tmp_path: Path) -> None:
    records = [judged(0, "2"), judged(1, "3"), judged(2, "( 1 + 1 )")]
    (result,) = read(tmp_path, "plain", records)
    assert (result.answer, result.step_seconds) == ("plain", 0.5)
    assert [one.is_correct for one in result.verdicts.values()] == [True, False, True]
    assert list(result.verdicts) == [
        ("same", "question", 0),
        ("same", "question", 1),
        ("r2", "question", 0),
    ]
    assert result.figures == {
        "accuracy": pytest.approx(2 / 3),
        "wordless": pytest.approx(2 / 3),
        "ece": 0.1,
        "consistency": 0.75,
        "cvi_net": 0.5,
    }


def test_a_way_with_an_evaluation_of_its_own_is_one_result(tmp_path: Path) -> None:
    text = MINIMAL.replace('mi = "none"', 'answers = ["predict", "named"]')
    study = write_study(tmp_path, f"{text}[answers.predict]\n[answers.named]\nanswer = 'named'\n")
    run = next(runs_of(study))
    answers = {"predict": {"label": "3"}, "named": {"label": "( 1 + 1 )"}}
    store(tmp_path / "runs", run, "predict", [judged(2, "3")])
    named = judged(2, "( 1 + 1 )", answers=answers, answered_by="named")
    store(tmp_path / "runs", run, "named", [named])
    found = {one.answer: one.figures["accuracy"] for one in read_results(study, tmp_path / "runs")}
    assert found == {"predict": 0, "named": 1}
    assert len(list(read_results(study, tmp_path / "runs"))) == 2


def test_a_way_that_two_evaluations_ask_is_one_result(tmp_path: Path) -> None:
    text = MINIMAL.replace('mi = "none"', 'answers = ["named", "both"]')
    ways = "".join(f"[answers.{way}]\nanswer = '{way}'\n" for way in ("named", "both"))
    study = write_study(tmp_path, text + ways)
    run = next(runs_of(study))
    answers = {way: {"label": "2"} for way in ("predict", "named", "both")}
    for way in run.objective.answers:
        store(tmp_path / "runs", run, way, [judged(2, "2", answers=answers, answered_by=way)])
    results = list(read_results(study, tmp_path / "runs"))
    assert [one.answer for one in results] == ["named", "predict", "both"]
    assert all(cell["seeds"] == 1 for cell in build_tables(study, results)["cells"])


@pytest.mark.parametrize(
    ("answer", "names"),
    [("both", ["both", "predict"]), ("four", ["four", "four.predict"])],
)
def test_each_way_of_one_evaluation_is_a_result(
    tmp_path: Path, answer: str, names: list[str]
) -> None:
    answers = {"predict": {"label": "3"}, "both": {"label": "( 1 + 1 )"}}
    records = [judged(2, "( 1 + 1 )", answers=answers, answered_by="both")]
    both, predict = read(tmp_path, answer, records, "answer = 'both'\n")
    assert [both.answer, predict.answer] == names
    assert (predict.figures["accuracy"], both.figures["accuracy"]) == (0, 1)
    assert (predict.figures["consistency"], both.figures["consistency"]) == (0.25, 0.75)
    assert (predict.figures["ece"], both.figures["ece"]) == (0.2, 0.1)
    assert "cvi_net" not in predict.figures
    assert both.figures["cvi_net"] == 0.5


def test_students_that_choose_their_way_are_one_result_whatever_they_choose(
    tmp_path: Path,
) -> None:
    study = study_of(tmp_path, "default")
    answers = {"predict": {"label": "3"}, "both": {"label": "( 1 + 1 )"}}
    for run in runs_of(study):
        way = "both" if run.seed else "predict"
        record = judged(2, answers[way]["label"], answers=answers, answered_by=way)
        if run.objective.name == "dss":
            store(tmp_path / "runs", run, "default", [record])
    found = list(read_results(study, tmp_path / "runs"))
    assert {one.answer for one in found} == {"default"}
    assert [one.figures["accuracy"] for one in found] == [0, 0, 1, 1]


def test_a_record_that_has_no_second_reading_counts_as_it_was_answered(tmp_path: Path) -> None:
    answers = {"predict": {"label": "3"}, "both": {"label": "( 1 + 1 )"}}
    closed = judged(2, "( 1 + 1 )", answers=answers, answered_by="both")
    one_way = {"predict": {"label": "2"}}
    open_ended = judged(3, "2", answers=one_way, answered_by="predict")
    both, predict = read(tmp_path, "both", [closed, open_ended], "answer = 'both'\n")
    assert (len(both.verdicts), both.figures["accuracy"]) == (2, 1)
    assert (len(predict.verdicts), predict.figures["accuracy"]) == (2, 0.5)


def test_the_group_of_a_record_is_kept_for_each_way(tmp_path: Path) -> None:
    answers = {"predict": {"label": "3"}, "both": {"label": "2"}}
    records = [judged(place, "2", answers=answers, answered_by="both") for place in (2, 3, 4)]
    records[0]["group"] = records[1]["group"] = "story"
    for result in read(tmp_path, "both", records, "answer = 'both'\n"):
        assert [one.group for one in result.verdicts.values()] == ["story", "story", None]


def test_validation_records_that_were_answered_as_well_do_not_count(tmp_path: Path) -> None:
    records = [{**judged(2, "3"), "split": "valid"}, {**judged(3, "2"), "split": "test"}]
    chose_the_threshold = {**judged(4, "3"), "split": "test"}
    chose_the_threshold["scores"] = {"correct": False, "role": "calibration"}
    (result,) = read(tmp_path, "plain", [*records, chose_the_threshold])
    assert list(result.verdicts) == [("r3", "question", 0)]
    assert result.figures["accuracy"] == 1


def test_an_answer_without_a_gold_label_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    answers = {"predict": {"label": "2"}, "both": {"label": "2"}}
    records = [judged(place, "2", answers=answers, answered_by="both") for place in (0, 2)]
    records[1] |= {"label": None, "scores": {"correct": None}}
    study = study_of(tmp_path, "both", "answer = 'both'\n")
    run = next(runs_of(study))
    store(tmp_path / "runs", run, "both", records)
    found = list(read_results(study, tmp_path / "runs"))
    assert [one.figures["accuracy"] for one in found] == [1, 1]
    assert [one.figures["wordless"] for one in found] == [0.5, 0.5]
    (cell, _) = build_tables(study, found)["cells"]
    assert (cell["figures"]["accuracy"]["value"], cell["figures"]["accuracy"]["n"]) == (1, 1)
    store(tmp_path / "runs", run, "both", records[1:])
    tables = build_tables(study, list(read_results(study, tmp_path / "runs")))
    assert "accuracy" not in tables["cells"][0]["figures"]


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    study = study_of(tmp_path, "plain")
    run = next(runs_of(study))
    store(tmp_path / "runs", run, "plain", [judged(0, "2")])
    (tmp_path / "runs" / run.name / "plain.json").write_text("{")
    with pytest.raises(DataError, match=r"plain\.json is damaged.*delete the run's folder"):
        list(read_results(study, tmp_path / "runs"))
    (tmp_path / "runs" / run.name / "plain.json").unlink()
    with pytest.raises(DataError, match=r"plain\.json is missing"):
        list(read_results(study, tmp_path / "runs"))
