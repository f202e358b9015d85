"""The study files that come with mitools."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mitools.cli import mitools
from mitools.study.plan import read_study, runs_of

FOLDER = Path(__file__).parents[2] / "recipes" / "study"
STUDIES = sorted({*FOLDER.glob("*.toml")} - {FOLDER / "objectives.toml"})


def test_there_are_studies_of_stories_and_of_published_data() -> None:
    assert {path.stem for path in STUDIES} == {"demo", "equations", "pretrained", "svamp", "cqa"}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_all_studies_compare_the_same_objectives(path: Path) -> None:
    common, study = read_study(FOLDER / "objectives.toml"), read_study(path)
    assert study.answers == common.answers
    names = [one.name for one in common.objectives]
    # One objective needs records with choices.
    assert [one.name for one in study.objectives] == names + ["name"] * (path.stem == "cqa")
    for one, other in zip(study.objectives, common.objectives, strict=False):
        # Where records have choices, a student of DSS can also answer by both of its readings.
        assert replace(one, answers=other.answers) == other
        assert one.answers == other.answers or (path.stem, one.name) == ("cqa", "dss")


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_option_of_a_study_exists_and_its_runs_are_of_one_name_each(
    path: Path, tmp_path: Path
) -> None:
    study = read_study(path)
    assert {"dss", "label", "conclude"} <= {one.name for one in study.objectives}
    assert set(study.baselines) == {"dss", "label"}
    names = [run.name for run in runs_of(study)]
    assert len(set(names)) == len(names)
    # Options are checked before anything is read; there is nothing to report on, so this ends.
    result = CliRunner().invoke(mitools, ["study", str(path), "--report", "--out", str(tmp_path)])
    assert "holds no complete run" in result.stderr
