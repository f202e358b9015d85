"""Recipes are found by name, folder or path, and their tables are read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mitools import recipe as module
from mitools.cli import COMMANDS
from mitools.errors import RecipeError
from mitools.recipe import (
    TABLES,
    find_recipe,
    is_recipe_name,
    list_recipes,
    load_table,
    read_tables,
)


def write_recipe(folder: Path, text: str, name: str = "recipe.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_folder_with_the_name_of_a_recipe_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets").mkdir()
    assert find_recipe("tickets").is_relative_to(Path(module.__file__).parents[1])
    own = write_recipe(tmp_path / "tickets", "[load]\n")
    with pytest.raises(RecipeError, match=r'of a folder with one; "\./tickets" is the folder'):
        find_recipe("tickets")
    assert find_recipe("./tickets").samefile(own)


def test_a_recipe_is_found_by_its_name() -> None:
    assert list_recipes() == sorted(list_recipes())
    assert "svamp" in list_recipes()
    for name in list_recipes():
        assert is_recipe_name(name)
        assert find_recipe(name).parts[-2:] == (name, "recipe.toml")


def test_recipes_in_a_wheel_are_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HERE", tmp_path / "mitools")
    folder = tmp_path / "mitools" / "recipes" / "tickets"
    folder.mkdir(parents=True)
    path = write_recipe(folder, "")
    assert (list_recipes(), find_recipe("tickets")) == (["tickets"], path)
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["recipes"] == "mitools/recipes"


def test_a_recipe_of_ones_own_is_found_by_its_path_or_folder(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, "")
    assert find_recipe(str(path)) == path
    assert find_recipe(str(tmp_path)) == path
    assert not is_recipe_name(str(path))


def test_a_name_wins_over_a_file_that_happens_to_be_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "svamp").touch()
    monkeypatch.chdir(tmp_path)
    assert find_recipe("svamp").name == "recipe.toml"


@pytest.mark.parametrize("name", ["", ".", "..", "../recipes/svamp", "svamp/..", "/", "no/such"])
def test_what_is_no_recipe_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="no recipe or file"):
        find_recipe(name)


def test_a_misspelt_name_is_answered_with_what_was_meant() -> None:
    with pytest.raises(RecipeError) as caught:
        find_recipe("svmap")
    assert str(caught.value) == 'no recipe or file "svmap"; did you mean "svamp"?'
    with pytest.raises(RecipeError) as caught:
        find_recipe("zzz")
    assert caught.value.hint == f"recipes: {', '.join(list_recipes())}"


def test_a_table_is_read_and_an_absent_one_is_empty(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, "[split]\ntest = 0.2\nout-dir = 'x'\n")
    assert load_table(path, "split") == {"test": 0.2, "out-dir": "x"}
    assert load_table(path, "train") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[split", "cannot read .*end of document"),
        ("split = 3", '"split" must be a table; write it as "\\[split\\]"'),
        ("[[split]]\ntest = 1", '"split" must be a table'),
        ("a = '\xff'", "cannot read"),
    ],
)
def test_a_file_that_is_no_recipe_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(RecipeError, match=message) as caught:
        load_table(path, "split")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trian]\nlr = 1", 'there is no table "[trian]"; did you mean "[train]"?'),
        (
            "[zzz]",
            'there is no table "[zzz]"; tables: load, annotate, split, train, eval, explain',
        ),
        (
            "lr = 1\n[train]",
            '"lr" is not in a table; put it below the name of its stage, such as "[train]"',
        ),
    ],
)
def test_what_no_stage_reads_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write_recipe(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        load_table(path, "split")
    assert str(caught.value) == f"{path}: {message}"


def test_every_command_and_every_table_of_a_study_may_have_a_table(tmp_path: Path) -> None:
    assert set(TABLES) == {*COMMANDS, "grid", "objectives", "answers"}
    path = write_recipe(tmp_path, "[grid]\nseeds = 2\n[objectives.dss]\n[answers.predict]\n")
    assert load_table(path, "split") == {}


def test_a_recipe_keeps_the_tables_of_the_one_it_extends(tmp_path: Path) -> None:
    write_recipe(tmp_path, "[load]\nn = 9\n[split]\ntest = 0.1\nout_dir = 'x'\n", "base.toml")
    text = "extends = 'base.toml'\n[split]\nout-dir = 'y'\nvalid = 0.3\n[train]\nlr = 1\n"
    path = write_recipe(tmp_path, text)
    assert load_table(path, "load") == {"n": 9}
    assert load_table(path, "split") == {"test": 0.1, "out-dir": "y", "valid": 0.3}
    assert load_table(path, "train") == {"lr": 1}


def test_a_recipe_may_extend_one_that_extends_another(tmp_path: Path) -> None:
    write_recipe(tmp_path, "[split]\ntest = 0.1\nvalid = 0.2\nseed = 1\n", "first.toml")
    write_recipe(tmp_path, "extends = 'first.toml'\n[split]\nvalid = 0.3\nseed = 2\n", "mid.toml")
    path = write_recipe(tmp_path, "extends = 'mid.toml'\n[split]\nseed = 3\n")
    assert load_table(path, "split") == {"test": 0.1, "valid": 0.3, "seed": 3}


def test_an_objective_of_a_study_is_replaced_as_a_whole_in_its_place(tmp_path: Path) -> None:
    base = "[objectives.a_b]\nmi = 'none'\nalpha = 1\n[objectives.dss]\n"
    write_recipe(tmp_path, base, "base.toml")
    text = "extends = 'base.toml'\n[objectives.new]\n[objectives.a_b]\nmi = 'paper'\n"
    objectives = read_tables(write_recipe(tmp_path, text))["objectives"]
    assert list(objectives.items()) == [("a_b", {"mi": "paper"}), ("dss", {}), ("new", {})]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("3", 'must name a recipe in the same folder, not 3; write extends = "FILE.toml" above'),
        ("'../outside.toml'", "must name a recipe in the same folder, not '../outside.toml'"),
        ("'missing.toml'", "missing.toml does not exist; check its name"),
        ("'broken.toml'", "cannot read"),
        ("'chain.toml'", 'typo.toml: there is no table "[trian]"; did you mean "[train]"?'),
        ("'typo.toml'", 'typo.toml: there is no table "[trian]"; did you mean "[train]"?'),
        ("'recipe.toml'", "recipe.toml extends this recipe; remove one of them"),
        ("'./circle.toml'", "recipe.toml extends this recipe; remove one of them"),
    ],
)
def test_what_cannot_be_extended_is_refused(tmp_path: Path, name: str, message: str) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    write_recipe(tmp_path, "", "outside.toml")
    write_recipe(folder, "[train", "broken.toml")
    write_recipe(folder, "extends = 'typo.toml'", "chain.toml")
    write_recipe(folder, "[trian]", "typo.toml")
    write_recipe(folder, "extends = 'recipe.toml'", "circle.toml")
    path = write_recipe(folder, f"extends = {name}\n[train]\n")
    with pytest.raises(RecipeError) as caught:
        load_table(path, "train")
    assert message in str(caught.value)
