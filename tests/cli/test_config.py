"""``--config``: how a recipe's table fills the options of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mitools.cli._places import RecipePath
from mitools.cli._stage import Stage, stage


@pytest.fixture(autouse=True)
def toy_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let recipes have tables for the command of these tests, and one for another."""
    monkeypatch.setattr("mitools.recipe.TABLES", ("toy", "other"))


def write_recipe(folder: Path, text: str, name: str = "recipe.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@stage("toy")
@click.option("--rate", type=float, default=0.5)
@click.option("--count", type=int, expose_value=False)
@click.option("--size", type=click.IntRange(1), multiple=True, expose_value=False)
@click.option("--name", "names", multiple=True)
@click.option("--loud/--soft", default=False)
@click.option("--beside", type=RecipePath())
@click.option("--near", type=RecipePath(), multiple=True)
def toy(stage: Stage, rate: float, names: tuple[str, ...], loud: bool, **paths: Any) -> None:
    near = "".join(f" {path}" for path in paths["near"])
    click.echo(f"{rate} {names} {loud} {paths['beside']} {stage.output} {stage.on_error}{near}")


def run_toy(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(toy, list(args), prog_name="toy")
    return result.exit_code, result.stdout.strip(), result.stderr.strip()


def test_a_table_fills_options_and_the_command_line_wins(tmp_path: Path) -> None:
    path = str(
        write_recipe(
            tmp_path,
            "[toy]\nrate = 0.25\nname = ['a', 'b']\nloud = true\nbeside = 'x/y'\n"
            "on_error = 'skip'\n[other]\nanything = 1\n",
        )
    )
    filled = f"('a', 'b') True {tmp_path}/x/y None skip"
    assert run_toy("-c", path) == (0, f"0.25 {filled}", "")
    assert run_toy("--rate", "1", "-c", path) == (0, f"1.0 {filled}", "")
    code, out, _ = run_toy("-c", path, "--soft", "--name", "z", "--beside", "here", "-o", "-")
    assert (code, out) == (0, "0.25 ('z',) False here - skip")


def test_whole_numbers_may_be_written_as_floats(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, "[toy]\nrate = 1\ncount = 7.0\nsize = [1, 2]\n")
    assert run_toy("-c", str(path))[0] == 0


def test_one_value_of_a_repeatable_option_needs_no_list(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, "[toy]\nname = 'both'\nnear = 'x.jsonl'\n")
    code, out, _ = run_toy("-c", str(path))
    assert (code, out) == (0, f"0.5 ('both',) False None None stop {tmp_path}/x.jsonl")


def test_each_of_several_paths_is_read_from_where_the_recipe_is(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, f"[toy]\nnear = ['x.jsonl', '{tmp_path}/y.jsonl']\n")
    assert run_toy("-c", str(path))[1].endswith(f" {tmp_path}/x.jsonl {tmp_path}/y.jsonl")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("rte = 1", 'has no option "rte"; did you mean "rate"?'),
        ("zzz = 1", 'has no option "zzz"; see "mitools toy --help"'),
        ("debug = true", 'has no option "debug"'),
        ("quiet = true", 'has no option "quiet"'),
        ("config = 'x'", 'has no option "config"'),
        ("rate = 'x'", "cannot take rate = 'x' ('x' is not a valid float)"),
        ("rate = [1]", "cannot take rate = [1] ("),
        ("rate = true", "cannot take rate = True (true is not a number)"),
        ("count = 7.9", "cannot take count = 7.9 (7.9 is not a whole number)"),
        ("count = true", "cannot take count = True (true is not a whole number)"),
        ("size = [1, 2.5]", "(2.5 is not a whole number)"),
        ("on_error = 'skip'\non-error = 'skip'", "sets on_error and on-error, which are one"),
        ("beside = 3", "cannot take beside = 3 ("),
        ("beside = ['x', 3]", "cannot take beside = ['x', 3] ("),
        ("beside = '../x'", "a recipe may only read files in its own folder"),
        ("near = ['x', '/y']", "a recipe may only read files in its own folder"),
        ("output = 'x'", "a recipe may not set this; if you want it, type it yourself: --output x"),
        ("on-error = 'x'", 'use "stop", "skip" or "divert:FILE"'),
    ],
)
def test_a_key_or_value_that_does_not_fit_is_a_usage_error(
    tmp_path: Path, line: str, problem: str
) -> None:
    path = write_recipe(tmp_path, f"[toy]\n{line}\n")
    # Under the group it is one line; the toy command stands alone and click adds its usage.
    code, out, err = run_toy("-c", str(path))
    assert (code, out) == (2, "")
    assert problem in err.splitlines()[-1]
