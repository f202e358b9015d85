from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import DataError, OutputError
from mitools.study.conduct import OnEnd, Progress, StudyError, StudyOptions, conduct
from mitools.study.make_run import Execute
from mitools.study.plan import Study, narrow
from mitools.study.results import read_results
from mitools.study.workers import Ended
from tests.study import studies
from tests.study.studies import MINIMAL, counted, write_study

FEW = MINIMAL.replace("sizes = [4, 8]", "sizes = [4]")
NAMES = ["dss.n4.s0", "label.n4.s0", "dss.n4.s1", "label.n4.s1"]


def conduct_all(
    study: Study, out: Path, execute: Execute, on_end: OnEnd = lambda _: None, **options: Any
) -> Progress:
    records = study.path.parent / "records.jsonl"
    return conduct(study, StudyOptions(out, records=records, **options), execute, on_end)


def test_every_run_is_made_once_and_stored(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    ended: list[Ended] = []
    progress = conduct_all(study, out, studies.execute, ended.append)
    assert (progress.total, progress.complete, progress.made, progress.left) == (4, 4, 4, 0)
    assert counted(out) == [one.order.run.name for one in ended] == NAMES
    run = json.loads((out / "runs" / "dss.n4.s1" / "run.json").read_text())
    assert (run["objective"], run["size"], run["seed"], run["fold"]) == ("dss", 4, 1, None)
    assert (run["steps"], run["step_seconds"]) == (2, 1.5)
    left = {path.name for path in (out / "runs" / "dss.n4.s1").iterdir()}
    assert left == {
        *("run.json", "train.toml", "eval.default.toml", "log.txt"),
        *("training.jsonl", "default.json", "default.jsonl.gz"),
    }
    again = conduct_all(study, out, studies.execute, keeps_students=True)
    assert (again.complete, again.made, again.without_student) == (4, 0, 4)
    assert counted(out) == NAMES


def test_a_new_objective_adds_its_runs_only(tmp_path: Path) -> None:
    out = tmp_path / "out"
    conduct_all(write_study(tmp_path, FEW), out, studies.execute)
    study = write_study(tmp_path, FEW + "[objectives.maxpool]\nmi = 'maxpool'\n")
    assert conduct_all(study, out, studies.execute).made == 2
    assert counted(out)[4:] == ["maxpool.n4.s0", "maxpool.n4.s1"]


def test_several_runs_are_made_at_once(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, MINIMAL), tmp_path / "out"
    progress = conduct_all(study, out, studies.execute, jobs=3)
    assert (progress.complete, progress.left) == (8, 0)
    assert len(list(read_results(study, out / "runs"))) == 8


@pytest.mark.parametrize(
    ("execute", "message"),
    [
        (studies.execute_badly, '"mitools train" ended with status 1'),
        (studies.execute_fatally, "its process ended with status -9; is there enough memory?"),
    ],
)
def test_a_run_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, execute: Callable[..., int], message: str
) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    ended: list[Ended] = []
    progress = conduct_all(study, out, execute, ended.append)
    assert (progress.complete, progress.failed) == (2, ["label.n4.s0", "label.n4.s1"])
    assert {one.error for one in ended} == {None, message}
    assert conduct_all(study, out, studies.execute).made == 2  # those that failed


def test_a_study_whose_first_runs_all_fail_stops(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    ended: list[Ended] = []
    with pytest.raises(StudyError, match=r"all of the first 3 runs failed; see log\.txt in"):
        conduct_all(study, out, studies.execute_nothing, ended.append)
    assert [one.order.run.name for one in ended] == NAMES[:3]
    assert conduct_all(study, out, studies.execute).made == 4


def test_a_study_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=conduct_all, args=(study, out, studies.execute_slowly))
    process.start()
    await_true(lambda: bool(counted(out, "pid")))
    process.kill()
    process.join()
    worker = int(next(iter(counted(out, "pid"))))
    await_true(lambda: not os.path.exists(f"/proc/{worker}"))
    assert conduct_all(study, out, studies.execute).made == 2
    assert counted(out) == NAMES


def test_a_worker_ends_when_no_run_waits(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    progress = conduct_all(study, out, studies.execute_last_alone, jobs=2)
    assert len(set(counted(out, "pid"))) == 2
    assert (progress.made, progress.failed) == (4, [])


def await_true(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_time_limit_interrupts_and_says_what_is_left(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    started = time.monotonic()
    progress = conduct_all(study, out, studies.execute_slowly, limit_seconds=5.0)
    assert time.monotonic() - started < 60
    assert (progress.complete, progress.left) == (2, 2)
    assert conduct_all(study, out, studies.execute).made == 2


def test_runs_that_are_interrupted_save_and_do_not_hold_the_study_up(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    started = time.monotonic()
    ended: list[Ended] = []
    told = studies.execute_until_told
    progress = conduct_all(study, out, told, ended.append, limit_seconds=15.0)
    assert time.monotonic() - started < 45  # a worker that does not end is killed after 60 s
    assert counted(out, "saved") == ["label.n4.s0"]
    assert (progress.complete, progress.left) == (1, 3)
    assert progress.seconds_needed == pytest.approx(3 * ended[0].seconds)


def test_runs_that_were_made_with_other_options_are_not_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "out"
    conduct_all(write_study(tmp_path, FEW), out, studies.execute)
    other = write_study(tmp_path, FEW.replace("max-steps = 2", "max-steps = 3"))
    with pytest.raises(DataError, match=r'was made with other options; choose another "--out"'):
        conduct_all(other, out, studies.execute)
    with pytest.raises(DataError, match="was made with other options"):
        list(read_results(other, out / "runs"))
    with pytest.raises(DataError, match="was made with other records"):
        conduct_all(write_study(tmp_path, FEW, records=44), out, studies.execute)
    with pytest.raises(DataError, match="was made with other --student"):
        conduct_all(write_study(tmp_path, FEW), out, studies.execute, student="x")


def test_runs_of_a_part_of_a_study_are_those_of_the_whole(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    records = tmp_path / "records.jsonl"
    first, second = (narrow(study, [name], []) for name in ("dss", "label"))
    conduct(first, StudyOptions(out, records=records), studies.execute, whole=study)
    other = StudyOptions(out, records=records, student="x")
    with pytest.raises(DataError, match=r"dss\.n4\.s0 was made with other --student"):
        conduct(second, other, studies.execute, whole=study)
    write_study(tmp_path, FEW, records=44)
    with pytest.raises(DataError, match=r"dss\.n4\.s0 was made with other records"):
        conduct(second, StudyOptions(out, records=records), studies.execute, whole=study)
    assert counted(out) == ["dss.n4.s0", "dss.n4.s1"]
    write_study(tmp_path, FEW)
    assert conduct(second, StudyOptions(out, records=records), studies.execute).made == 2


def test_a_key_that_interrupts_a_study_does_not_reach_its_workers(tmp_path: Path) -> None:
    out = tmp_path / "out"
    conduct_all(write_study(tmp_path, FEW), out, studies.execute_in_group)
    assert {int(group) for group in counted(out, "group")}.isdisjoint({os.getpgid(0)})


def test_a_run_that_was_begun_with_other_options_or_records_is_refused(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    first = narrow(study, ["dss"], [])
    conduct_all(first, out, studies.execute, keeps_students=True)
    for run in ("dss.n4.s0", "dss.n4.s1"):  # as if they had been interrupted before their end
        (out / "runs" / run / "run.json").unlink()
    other = write_study(tmp_path, FEW.replace("max-steps = 2", "max-steps = 3"))
    with pytest.raises(DataError, match=r'dss.n4.s0 was begun with other options; .*"--out", or'):
        conduct_all(other, out, studies.execute)
    grown = narrow(write_study(tmp_path, FEW, records=44), ["dss"], [])
    with pytest.raises(DataError, match=r"dss.n4.s0 was begun with other records; "):
        conduct_all(grown, out, studies.execute)
    write_study(tmp_path, FEW)
    assert len(list(counted(out))) == 2
    assert conduct_all(first, out, studies.execute).made == 2


def test_two_processes_do_not_conduct_a_study_in_one_folder(tmp_path: Path) -> None:
    study, out = write_study(tmp_path, FEW), tmp_path / "out"
    out.mkdir()
    with (out / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another process conducts a study"):
            conduct_all(study, out, studies.execute)


def test_the_records_of_a_study_are_made_by_its_own_stages_once(tmp_path: Path) -> None:
    text = FEW + "[load]\nsource = 'demo'\n[split]\n"
    study, out = write_study(tmp_path, text), tmp_path / "out"
    asked: list[list[str]] = []

    def prepare(arguments: list[str]) -> int:
        asked.append(arguments)
        if arguments[0] == "load":
            Path(arguments[-1]).write_text((tmp_path / "records.jsonl").read_text())
            return 0
        return 2

    with pytest.raises(
        StudyError, match=r'"mitools split .*" ended with status 2; fix "\[split\]"'
    ):
        conduct(study, StudyOptions(out), prepare)
    assert asked[0] == ["load", "-c", str(study.path), "-o", str(out / "records.load.jsonl")]
    assert asked[1][:2] == ["split", str(out / "records.load.jsonl")]
    assert not (out / "records.jsonl").exists()


@pytest.mark.parametrize("status", [1, 4, 5])
def test_a_stage_that_failed_for_another_reason_than_the_study_file_has_said_so(
    tmp_path: Path, status: int
) -> None:
    folder = tmp_path / "my study"
    folder.mkdir()
    study = write_study(folder, FEW + "[load]\nsource = 'demo'\n")
    with pytest.raises(StudyError) as caught:
        conduct(study, StudyOptions(tmp_path / "out"), lambda _: status)
    command = f"mitools load -c '{study.path}'"
    assert caught.value.message == f'"{command}" ended with status {status}'
    assert caught.value.hint == "see its message above"


def test_an_interrupt_while_records_are_made_interrupts_the_study(tmp_path: Path) -> None:
    study = write_study(tmp_path, FEW + "[load]\nsource = 'demo'\n")
    with pytest.raises(KeyboardInterrupt):
        conduct(study, StudyOptions(tmp_path / "out"), lambda _: 130)


def test_a_study_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        StudyError, match=r'does not say where records come from; name them: "--rec'
    ):
        conduct(write_study(tmp_path, FEW), StudyOptions(tmp_path / "out"), studies.execute)
