from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mitools.errors import DataError
from mitools.records import Record
from mitools.study.draw_records import digest_of, draw_records, read_records
from mitools.study.plan import Run, Study, runs_of
from tests.study.studies import MINIMAL, study_records, write_study

FOLDS = MINIMAL.replace("sizes = [4, 8]", "folds = 4\nvalid = 3")


def draw(study: Study, run: Run, records: list[Record] | None = None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for record in draw_records(records or study_records(), study, run):
        found[record["split"]].append(record["id"])
    return found


def test_objectives_of_a_seed_share_records_and_seeds_do_not(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    drawn = {run.name: draw(study, run) for run in runs_of(study)}
    assert drawn["dss.n8.s0"] == drawn["label.n8.s0"]
    assert drawn["dss.n8.s0"]["train"] != drawn["dss.n8.s1"]["train"]
    assert drawn["dss.n8.s0"]["test"] == drawn["dss.n8.s1"]["test"]
    assert len(drawn["dss.n8.s0"]["test"]) == 10


def test_a_smaller_size_is_part_of_a_larger_one(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    drawn = {run.name: draw(study, run)["train"] for run in runs_of(study)}
    assert drawn["dss.n4.s0"] == drawn["dss.n8.s0"][:4]
    assert len(drawn["dss.n8.s0"]) == 8


def test_training_records_never_validate_or_test(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    for run in runs_of(study):
        drawn = draw(study, run)
        assert not set(drawn["train"]) & {*drawn["valid"], *drawn["test"]}


def test_a_study_limits_valid_and_test(tmp_path: Path) -> None:
    study = write_study(tmp_path, MINIMAL.replace("seeds = 2", "valid = 3\ntest = 2"))
    drawn = draw(study, next(runs_of(study)))
    assert (len(drawn["valid"]), len(drawn["test"])) == (3, 2)


def test_a_limited_part_is_drawn_from_a_whole_sorted_file(tmp_path: Path) -> None:
    study = write_study(tmp_path, MINIMAL.replace("seeds = 2", "seeds = 2\nvalid = 20\ntest = 20"))
    records = study_records(400)  # 100 each of valid and test
    order = {one["id"]: place for place, one in enumerate(records)}
    first, *others = [draw(study, run, records) for run in runs_of(study)]
    for split in ("valid", "test"):
        drawn = [order[name] for name in first[split]]
        assert len(drawn) == 20
        assert drawn == sorted(drawn)
        assert min(drawn) < 100
        assert max(drawn) > 300
        assert all(other[split] == first[split] for other in others)
    backwards = draw(study, next(runs_of(study)), records[::-1])
    assert set(backwards["test"]) == set(first["test"])


def test_each_record_is_tested_in_one_fold(tmp_path: Path) -> None:
    study = write_study(tmp_path, FOLDS)
    parts = [draw(study, run) for run in runs_of(study) if run.name.startswith("dss.s0")]
    assert len(parts) == 4
    assert sorted(name for part in parts for name in part["test"]) == sorted(
        record["id"] for record in study_records()
    )
    for part in parts:
        everything = [name for members in part.values() for name in members]
        assert len(everything) == len(set(everything)) == 40
        assert len(part["valid"]) == 3


def test_records_of_a_group_stay_together_in_folds(tmp_path: Path) -> None:
    study = write_study(tmp_path, FOLDS)
    records = [{**one, "group": f"g{place // 4}"} for place, one in enumerate(study_records())]
    group_of = {one["id"]: one["group"] for one in records}
    for run in runs_of(study):
        drawn = draw(study, run, records)
        tested = {group_of[name] for name in drawn["test"]}
        assert not tested & {group_of[name] for name in drawn["train"]}


@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_no_group_both_trains_and_validates_in_a_fold(tmp_path: Path, size: int) -> None:
    study = write_study(tmp_path, FOLDS)  # at most three records validate
    records = [{**one, "group": f"g{place // size}"} for place, one in enumerate(study_records())]
    group_of = {one["id"]: one["group"] for one in records}
    for run in runs_of(study):
        drawn = draw(study, run, records)
        validating = {group_of[name] for name in drawn["valid"]}
        assert not validating & {group_of[name] for name in drawn["train"]}
        assert 0 < len(drawn["valid"]) <= 3
        assert len(drawn["train"]) >= 19


def test_one_group_outside_a_fold_trains(tmp_path: Path) -> None:
    study = write_study(tmp_path, FOLDS.replace("folds = 4", "folds = 2"))
    records = [{**one, "group": f"g{place % 2}"} for place, one in enumerate(study_records())]
    drawn = draw(study, next(runs_of(study)), records)
    assert (len(drawn["train"]), len(drawn["valid"]), len(drawn["test"])) == (20, 0, 20)


def test_more_records_than_there_are_is_an_error(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    run = replace(next(runs_of(study)), size=21)
    with pytest.raises(DataError, match="asks for 21 training records of 20; lower"):
        draw(study, run)
    with pytest.raises(DataError, match=r"no record is of the split test; .*mitools split"):
        draw(study, next(runs_of(study)), [{**one, "split": None} for one in study_records()])


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    write_study(tmp_path)
    path = tmp_path / "records.jsonl"
    before = digest_of(path)
    assert [record["id"] for record in read_records(path)] == [r["id"] for r in study_records()]
    path.write_text(path.read_text() + "\n")
    assert digest_of(path) != before
