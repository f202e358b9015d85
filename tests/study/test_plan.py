from __future__ import annotations

from pathlib import Path

import pytest

from mitools.errors import RecipeError
from mitools.study.plan import narrow, read_study, runs_of
from tests.study.studies import MINIMAL, write_study


def test_runs_of_one_seed_come_before_those_of_the_next(tmp_path: Path) -> None:
    names = [run.name for run in runs_of(write_study(tmp_path))]
    assert names == [
        *("dss.n4.s0", "label.n4.s0", "dss.n8.s0", "label.n8.s0"),
        *("dss.n4.s1", "label.n4.s1", "dss.n8.s1", "label.n8.s1"),
    ]


def test_folds_make_a_run_each(tmp_path: Path) -> None:
    text = MINIMAL.replace("sizes = [4, 8]", "folds = 3").replace("seeds = 2", "seeds = [7]")
    names = [run.name for run in runs_of(write_study(tmp_path, text)) if "dss" in run.name]
    assert names == ["dss.s7.f0", "dss.s7.f1", "dss.s7.f2"]


def test_an_objective_lays_its_options_over_the_common_ones(tmp_path: Path) -> None:
    text = MINIMAL.replace("alpha = 1", "alpha = 1\nmax_steps = 9")
    study = write_study(tmp_path, text)
    dss, label = study.objectives
    assert study.train_options(dss) == {"student": "scratch:tiny", "max-steps": 2, "mi": "none"}
    assert study.train_options(label) == {"student": "scratch:tiny", "max-steps": 9, "alpha": 1}


def test_epochs_of_an_objective_replace_the_common_steps(tmp_path: Path) -> None:
    study = write_study(tmp_path, MINIMAL + "[objectives.long]\nepochs = 9\n")
    dss, *_, longer = map(study.train_options, study.objectives)
    assert (dss["max-steps"], longer["epochs"]) == (2, 9)
    assert "max-steps" not in longer


def test_an_objective_is_asked_in_the_ways_that_it_names(tmp_path: Path) -> None:
    answers = "[answers.plain]\n[answers.sure]\ntemperature = true\n"
    text = MINIMAL.replace('mi = "none"', 'answers = ["plain", "sure"]') + answers
    study = write_study(tmp_path, text)
    assert [one.answers for one in study.objectives] == [("plain", "sure"), ("plain",)]
    assert study.eval_options("sure") == {"temperature": True}


def test_a_part_of_a_study_has_the_same_runs_as_the_whole(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    whole = {run.name: run.digest for run in runs_of(study)}
    part = {run.name: run.digest for run in runs_of(narrow(study, ["label"], [8]))}
    assert list(part) == ["label.n8.s0", "label.n8.s1"]
    assert part.items() <= whole.items()
    assert narrow(study, [], []) == study
    with pytest.raises(RecipeError, match=r'"lable" is not an objective; did you mean "label"\?'):
        narrow(study, ["lable"], [])
    with pytest.raises(RecipeError, match='"5" is not a size; known are 4, 8'):
        narrow(study, [], [5])


def test_no_size_can_be_taken_of_a_study_without_sizes(tmp_path: Path) -> None:
    study = write_study(tmp_path, MINIMAL.replace("sizes = [4, 8]", ""))
    with pytest.raises(RecipeError) as caught:
        narrow(study, ["label"], [30])
    assert caught.value.message == f"{study.path}: the study has no sizes"
    assert caught.value.hint == 'add "sizes" to "[grid]", or leave out "--size"'
    assert [one.name for one in narrow(study, ["label"], []).objectives] == ["label"]


def test_the_digest_of_a_run_follows_its_options(tmp_path: Path) -> None:
    def digests(text: str) -> list[str]:
        return [run.digest for run in runs_of(write_study(tmp_path, text))]

    before = digests(MINIMAL)
    assert len(set(before)) == len(before)
    changed = digests(MINIMAL.replace("alpha = 1", "alpha = 0.9"))
    assert [one == other for one, other in zip(before, changed, strict=True)] == [True, False] * 4
    assert not set(before) & set(digests(MINIMAL.replace("max-steps = 2", "max-steps = 3")))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[grid]", "[gird]", '"gird" is not a table of a study; did you mean "grid"?'),
        ("[grid]", "[study]\nsize = [4]\n[grid]", '"study" is not a table of a study'),
        ("seeds = 2", "seed = 2", '"seed" is not a key of [grid]; did you mean "seeds"?'),
        ("seeds = 2", "seeds = 0", "seeds cannot be 0; give a number from 1 up"),
        ("seeds = 2", "seeds = [1, 1]", "give a list of different numbers"),
        ("[4, 8]", '["4"]', "sizes cannot be '4'; give a number from 1 up"),
        ("[4, 8]", "[true]", "sizes cannot be True"),
        (
            "sizes = [4, 8]",
            "folds = 2\ntest = 3",
            '"test" and "folds" exclude each other; remove one of them',
        ),
        ("sizes = [4, 8]", "folds = 1", "folds cannot be 1; give a number from 2 up"),
        ("seeds = 2", 'baselines = "dst"', '"dst" is not an objective; did you mean "dss"?'),
        ("alpha = 1", 'answers = ["both"]', '"both" is not an answer; known are default'),
        ("alpha = 1", "answers = []", 'objective "label" needs a list of answers'),
        ("[objectives.label]", '[objectives."../x"]', '"../x" cannot name a folder'),
        ("alpha = 1", "alpha = ", "cannot read"),
        ("[objectives.dss]", "[[objectives]]", '"objectives" must be a table'),
    ],
)
def test_a_study_file_is_refused_with_what_to_change(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = MINIMAL.replace(old, new)
    if new == "[[objectives]]":
        text = text.partition("[objectives.label]")[0]
    with pytest.raises(RecipeError) as caught:
        write_study(tmp_path, text)
    assert message in str(caught.value)
    assert str(tmp_path / "study.toml") in str(caught.value)


def test_a_file_without_objectives_or_without_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="has no objective"):
        write_study(tmp_path, MINIMAL.partition("[objectives.dss]")[0])
    with pytest.raises(RecipeError, match=r"the file .*missing\.toml does not exist") as caught:
        read_study(tmp_path / "missing.toml")
    assert "recipes/study" in (caught.value.hint or "")
    (tmp_path / "broken.toml").write_text("[grid")
    with pytest.raises(RecipeError, match=r"cannot read .*broken\.toml"):
        read_study(tmp_path / "broken.toml")
