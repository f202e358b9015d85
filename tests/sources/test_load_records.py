"""Loading from Python: the same records as the command writes, from every kind of source."""

from __future__ import annotations

import dataclasses
import doctest
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mitools.cli import load as command_module
from mitools.cli import mitools
from mitools.errors import DataError, EmptyInputError, RecipeError, SourceError, UsageError
from mitools.recipe import list_recipes
from mitools.sources import load_records as module
from mitools.sources.load_records import load_records
from mitools.sources.options import LoadOptions
from mitools.sources.recipe_source import recipe_source

QUIZ = "question,a,b,answer,topic\nWhere?,park,zoo,B,place\nWhen?,now,then,a,time\n"
MAPPING = {"input": "question", "label": "answer", "choices": "a,b"}


def printed(*args: str) -> list[dict[str, Any]]:
    """Load by the command."""
    result = CliRunner().invoke(mitools, ["load", *args])
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def quiz(tmp_path: Path) -> Path:
    path = tmp_path / "quiz.csv"
    path.write_text(QUIZ)
    return path


def test_the_example_of_the_docstring_runs() -> None:
    done = doctest.testmod(module)
    assert done.attempted
    assert not done.failed


def test_a_file_gives_the_records_that_the_command_writes(quiz: Path) -> None:
    options = LoadOptions(fields=MAPPING, drop_fields=["topic"], as_split="test", limit=1)
    typed = [f"--map={name}={spec}" for name, spec in MAPPING.items()]
    by_command = printed(
        str(quiz), *typed, "--drop-fields", "topic", "--as-split", "test", "--limit", "1"
    )
    assert list(load_records(quiz, options)) == by_command
    assert by_command[0]["label"] == "zoo"


def test_the_demo_gives_the_records_that_the_command_writes() -> None:
    by_command = printed("demo", "--n", "7", "--seed", "3")
    assert list(load_records("demo", LoadOptions(n=7, seed=3))) == by_command


def test_a_recipe_gives_its_source_and_given_options_win(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(load_records("quickstart", LoadOptions(n=5))) == printed("demo", "--n", "5")
    seen: list[tuple[list[str], LoadOptions]] = []
    monkeypatch.setattr(module, "open_sources", lambda *given: seen.append(given) or [])
    given = LoadOptions(limit=2, fields={"label": "Answer"})
    with pytest.raises(EmptyInputError):
        list(load_records("svamp", given))
    [(names, options)] = seen
    assert names == ["hf:ChilleD/SVAMP"]
    assert (options.task, options.limit) == ("equation", 2)
    assert options.fields["label"] == "Answer"
    assert options.fields["input"] == "{{ Body }}\n{{ Question }}"


@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_means_the_same_to_the_library_and_to_the_command(name: str) -> None:
    context = command_module.command.make_context("load", [name])
    shared = {one.name for one in dataclasses.fields(LoadOptions)} & context.params.keys()
    by_command = LoadOptions(**{key: context.params[key] for key in shared})
    assert recipe_source(name) == (context.params["source"], by_command)


def test_a_recipe_reads_a_file_of_its_own_folder_only(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('[load]\nsource = "rows.csv"\n')
    assert recipe_source(str(tmp_path)) == (str(tmp_path / "rows.csv"), LoadOptions())
    (tmp_path / "recipe.toml").write_text('[load]\nsource = "../rows.csv"\n')
    with pytest.raises(RecipeError, match="a recipe may only read files in its own folder"):
        recipe_source(str(tmp_path))


def test_the_defaults_of_the_command_are_those_of_the_class() -> None:
    params = command_module.command.make_context("load", ["demo"]).params
    shared = {one.name for one in dataclasses.fields(LoadOptions)} & params.keys()
    assert LoadOptions(**{key: params[key] for key in shared}) == LoadOptions()
    assert len(shared) > 15


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("demo", {"labels": ("a",), "choices": ("b",)}, "--labels and --choices exclude"),
        ("demo", {"fields": {"inptu": "x"}}, 'no field "inptu" can be mapped'),
        ("demo", {"format": "csv"}, "--format is for files and stdin only"),
        ("demo", {"hf_splits": (("train", None),)}, "--hf-split is for data sets of the Hub only"),
        ("quickstart", {"revision": "main"}, "--revision is for data sets of the Hub only"),
        ("a.jsonl", {"n": 5}, "--n is for the demo only"),
        ("demo", {"n": 0}, "--n must be at least 1, not 0"),
        ("demo", {"limit": 0}, "--limit must be at least 1, not 0"),
        ("demo", {"task": "chioce"}, 'no task "chioce"'),
        ("demo", {"preset": "csqa2"}, 'no preset "csqa2"'),
        (["svamp", "a.jsonl"], {}, 'the recipe "svamp" brings its own source'),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(
    source: str | list[str], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load_records(source, LoadOptions(**options))


def test_errors_of_a_source_come_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match='did you mean "svamp"'):
        list(load_records("svmap"))
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"input": "a"}\n{"input": [3]}\n')
    records = load_records(bad)
    assert next(records)["input"] == "a"
    with pytest.raises(DataError, match=r"bad\.jsonl:2"):
        next(records)


def test_a_source_that_is_left_early_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"input": "a"}\n' * 5000)
    records = load_records(path)
    next(records)
    records.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(records)
