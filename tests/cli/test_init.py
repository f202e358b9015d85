"""``mitools init``: what it prints, and that the result runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools
from mitools.recipe import find_recipe

TEXTS = [f"A message about the thing number {n}." for n in range(10, 40)]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{text},{'buy' if n % 3 else 'ask'}" for n, text in enumerate(TEXTS)]
    Path("t.csv").write_text("\n".join(["text,intent", *rows]))


def run(*args: str) -> Result:
    return CliRunner().invoke(mitools, args, prog_name="mitools")


def test_it_says_what_it_saw_what_it_decided_and_what_to_type_next() -> None:
    done = run("init", "mine", "t.csv")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == (
        "mitools init: t.csv: 30 rows, columns text, intent\n"
        "mitools init: label = intent: 2 different values: ask, buy\n"
        "mitools init: input = text: different texts of 36 characters on average\n"
        "mitools init: task = labels: the same 2 labels occur again and again\n"
        "mitools init: wrote mine; read and change mine/recipe.toml\n"
        "mitools init: next, a first look: LIMIT=50 mine/run.sh -m MODEL "
        "--base-url http://localhost:8000/v1\n"
        "mitools init: then all of it: mine/run.sh -m MODEL --base-url http://localhost:8000/v1\n"
    )
    assert sorted(os.listdir("mine")) == ["data.csv", "recipe.toml", "run.sh"]


def test_a_copied_recipe_that_has_a_teacher_needs_no_model() -> None:
    done = run("init", "my quick", "--from", "quickstart")
    assert done.stderr == (
        "mitools init: all settings and data are those of the recipe quickstart\n"
        "mitools init: run.sh is the one of every new recipe; quickstart has its own: "
        f"{find_recipe('quickstart').parent / 'run.sh'}\n"
        "mitools init: wrote my quick; read and change my quick/recipe.toml\n"
        "mitools init: next, a first look: LIMIT=50 'my quick/run.sh'\n"
        "mitools init: then all of it: 'my quick/run.sh'\n"
    )
    assert sorted(os.listdir("my quick")) == ["recipe.toml", "run.sh"]


def test_a_copied_recipe_has_the_one_that_it_extends_beside_it() -> None:
    Path("theirs").mkdir()
    Path("theirs/first.toml").write_text("[split]\ntest = 0.5\n")
    Path("theirs/common.toml").write_text(
        'extends = "first.toml"\n[load]\nsource = "demo"\n[annotate]\nsystem = "s.txt"\n'
    )
    Path("theirs/s.txt").write_text("Answer.")
    Path("theirs/recipe.toml").write_text('extends = "common.toml"\n[load]\nn = 3\n')
    done = run("init", "mine", "--from", "theirs")
    assert done.exit_code == 0, done.stderr
    files = ["common.toml", "first.toml", "recipe.toml", "run.sh", "s.txt"]
    assert sorted(os.listdir("mine")) == files
    assert len(run("load", "-q", "-c", "mine").stdout.splitlines()) == 3


def test_rationales_of_the_file_are_a_second_way_to_go_on() -> None:
    rows = [
        f"{text},{'buy' if n % 3 else 'ask'},It says so plainly." for n, text in enumerate(TEXTS)
    ]
    Path("e.csv").write_text("\n".join(["text,intent,explanation", *rows]))
    done = run("init", "mine", "e.csv")
    assert done.stderr.splitlines()[-1] == (
        "mitools init: or, from the rationales of the file: TEACHER=none mine/run.sh"
    )


def test_replies_of_a_teacher_in_the_file_are_a_second_way_to_go_on() -> None:
    rows = [f"{text},{'buy' if n % 3 else 'ask'},So it is buy." for n, text in enumerate(TEXTS)]
    Path("e.csv").write_text("\n".join(["text,intent,completion", *rows]))
    done = run("init", "mine", "e.csv")
    assert done.stderr.splitlines()[-1] == (
        'mitools init: or, from its column "completion": mine/run.sh --teacher replay'
    )
    loaded = run("load", "-q", "-c", "mine", "--limit", "1", "-o", "one.jsonl")
    assert loaded.exit_code == 0
    answered = run("annotate", "-q", "-c", "mine", "--teacher", "replay", "one.jsonl")
    assert json.loads(answered.stdout)["teacher"]["label"] == "buy"
    dropped = run("init", "other", "e.csv", "--rationale", "completion")
    assert "replay" not in dropped.stderr


def test_options_replace_the_proposal() -> None:
    done = run("init", "-q", "mine", "t.csv", "--input", "intent", "--label", "", "--task", "text")
    assert (done.exit_code, done.stderr) == (0, "")
    loaded = run("load", "-q", "-c", "mine", "--limit", "1")
    record = json.loads(loaded.stdout)
    assert (record["input"], record["label"], record["task"]) == ("ask", None, "text")


def test_a_folder_that_exists_is_not_replaced() -> None:
    Path("mine").mkdir()
    done = run("init", "mine", "t.csv")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == ("mitools init: mine already exists; choose another name, or remove it\n")
    assert os.listdir("mine") == []


def test_without_a_file_and_a_recipe_it_says_what_to_type() -> None:
    done = run("init", "mine")
    assert done.exit_code == 2
    assert done.stderr == (
        "mitools init: give a data file, or a recipe to copy; "
        "mitools init NAME FILE, or mitools init NAME --from RECIPE\n"
    )


def test_names_of_columns_cannot_control_the_terminal() -> None:
    Path("bad.csv").write_text("text,\x1b]0;pwned\x07\nsome words are here,x\nand others here,y\n")
    done = run("init", "mine", "bad.csv", "--input", "text", "--label", "", "--task", "text")
    assert done.exit_code == 0, done.stderr
    assert "columns text, \\x1b]0;pwned\\x07\n" in done.stderr
    assert "\x1b" not in done.stderr
