"""``mitools study`` as a user runs it."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools

STUDY = """
[load]
source = "demo"
n = 60
steps = 2
[annotate]
teacher = "demo"
no-journal = true
[train]
student = "scratch:tiny"
max-steps = 2
batch-size = 4
precision = "fp32"
[eval]
permutations = 1
[grid]
seeds = 2
sizes = [8]
test = 3
[objectives.dss]
mi = "none"
"""


def study(*arguments: str | Path) -> Result:
    return CliRunner().invoke(mitools, ["study", *map(str, arguments)])


def write(folder: Path, text: str = STUDY) -> Path:
    path = folder / "toy.toml"
    path.write_text(text)
    return path


@pytest.mark.timeout(900)
def test_a_study_makes_its_runs_as_the_commands_by_hand_would(tmp_path: Path) -> None:
    path, out = write(tmp_path), tmp_path / "out"
    result = study(path, "--out", out, "--jobs", "1", "--keep-students")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (out / "report.md").read_text()
    assert result.stdout.startswith("2 of 2 runs are complete.\n")
    # The second run of a worker: nothing of the first one is left in its process.
    run = out / "runs" / "dss.n8.s1"
    judged = gzip.decompress((run / "default.jsonl.gz").read_bytes())
    drawn = [json.loads(line)["id"] for line in judged.splitlines()]
    assert len(drawn) == 3
    again = study(path, "--out", out, "--report")
    assert (again.exit_code, again.stdout) == (0, result.stdout)

    records, student = run / "records.jsonl", tmp_path / "student"
    by_hand = [
        ["train", records, "-c", run / "train.toml", "--save", student],
        ["eval", records, "-c", run / "eval.default.toml", "--student", student],
    ]
    by_hand[0] += ["-o", "/dev/null"]
    by_hand[1] += ["-o", tmp_path / "judged.jsonl"]
    for command in by_hand:
        done = CliRunner().invoke(mitools, [str(word) for word in command])
        assert done.exit_code == 0, done.stderr
    assert (tmp_path / "judged.jsonl").read_bytes() == judged
    weights = "model.safetensors"
    assert (student / weights).read_bytes() == (run / "student" / weights).read_bytes()

    shutil.rmtree(run / "student")
    again = study(path, "--out", out, "--keep-students")
    assert 'warning: 1 complete run was made without "--keep-students"' in again.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'mi = "none"',
            'mii = "none"',
            'objective "dss": [train] has no option "mii"; did you mean "mi"?',
        ),
        ('mi = "none"', 'mi = "max"', "objective \"dss\": [train] cannot take mi = 'max'"),
        ("permutations", "permutation", 'answer "default": [eval] has no option "permutation"'),
        ('mi = "none"', 'save = "x"', "objective \"dss\": save = 'x': a recipe may not set this"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_runs(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    result = study(write(tmp_path, STUDY.replace(old, new)), "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert f"mitools study: {tmp_path / 'toy.toml'}: {message}" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_report_of_nothing_is_an_error(tmp_path: Path) -> None:
    result = study(write(tmp_path), "--out", tmp_path / "out", "--report")
    assert result.exit_code == 1
    assert "holds no complete run; make some" in result.stderr
    assert result.stdout == ""


def test_a_study_with_failing_runs_ends_with_status_1(tmp_path: Path) -> None:
    text = STUDY.replace("seeds = 2", "seeds = 1").replace("sizes = [8]", "sizes = [999]")
    result = study(write(tmp_path, text), "--out", tmp_path / "out", "--jobs", "1")
    assert result.exit_code == 1
    assert "dss.n999.s0: dss.n999.s0 asks for 999 training records of 54" in result.stderr
    assert "log.txt" in result.stderr
