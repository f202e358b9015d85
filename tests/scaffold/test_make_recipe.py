"""Recipes that are made from files: what is written, and that it runs."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import stat
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitools.cli import COMMANDS, mitools
from mitools.errors import MitoolsError, OutputError, RecipeError, SourceError, UsageError
from mitools.recipe import find_recipe
from mitools.records import Record
from mitools.scaffold.make_recipe import MadeRecipe, make_recipe
from mitools.scaffold.options import InitOptions
from tests.scaffold.conftest import WriteTable

TEXTS = [f"A message about the thing number {n}." for n in range(40)]
LABELS = ["x", "y"] * 20


def make(folder: Path, file: str | None = None, **options: Any) -> MadeRecipe:
    return make_recipe(InitOptions(folder=folder, file=file, **options))


def tables(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))


def run(*args: str | Path, stdin: str = "") -> str:
    done = CliRunner().invoke(mitools, [str(arg) for arg in args], input=stdin)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def records(text: str) -> list[Record]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_recipe_has_its_data_and_a_script(write_table: WriteTable, tmp_path: Path) -> None:
    path = write_table("My Data.CSV", text=TEXTS, label=LABELS)
    made = make(tmp_path / "mine", path)
    assert sorted(os.listdir(tmp_path / "mine")) == ["data.csv", "recipe.toml", "run.sh"]
    assert (tmp_path / "mine" / "data.csv").read_bytes() == Path(path).read_bytes()
    assert stat.S_IMODE((tmp_path / "mine" / "run.sh").stat().st_mode) == 0o755
    assert made.reasons[0] == f"{path}: 40 rows, columns text, label"
    assert (made.warnings, made.names_teacher) == ((), False)


def test_every_line_of_a_recipe_is_explained(write_table: WriteTable, tmp_path: Path) -> None:
    make(tmp_path / "mine", write_table(text=TEXTS, label=LABELS))
    lines = (tmp_path / "mine" / "recipe.toml").read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        assert " = " not in line or line.startswith("#") or above.startswith("#"), line
    assert set(tables(tmp_path / "mine")) <= COMMANDS.keys()
    assert tables(tmp_path / "mine")["load"] == {
        "source": "data.csv",
        "task": "labels",
        "labels": ["x", "y"],
        "label-is": "text",
        "map": {"label": "label", "input": "text"},
    }


def test_a_recipe_runs_from_load_to_split(write_table: WriteTable, tmp_path: Path) -> None:
    completions = [f"It says so. The answer is {label}." for label in LABELS]
    folder = tmp_path / "mine"
    make(folder, write_table(text=TEXTS, label=LABELS, completion=completions))
    loaded = run("load", "-c", folder)
    answered = run("annotate", "-c", folder, "--teacher", "replay", stdin=loaded)
    divided = records(run("split", "-c", folder, stdin=answered))
    assert [record["input"] for record in divided] == TEXTS
    assert {record["teacher"]["agrees"] for record in divided} == {True}
    assert {record["split"] for record in divided} == {"train", "valid", "test"}


@pytest.mark.parametrize("stage", ["annotate", "split", "train", "eval", "explain"])
def test_every_stage_takes_its_table(stage: str, write_table: WriteTable, tmp_path: Path) -> None:
    import click

    folder = tmp_path / "mine"
    make(folder, write_table(text=TEXTS, label=LABELS), from_recipe="quickstart")
    command = mitools.get_command(click.Context(mitools), stage)
    assert command is not None
    save = ["--save", "z"] if stage == "train" else []
    command.make_context(stage, [*save, "-c", str(folder)])


def test_lengths_follow_the_texts(write_table: WriteTable, tmp_path: Path) -> None:
    make(tmp_path / "a", write_table(text=TEXTS, label=LABELS))
    assert tables(tmp_path / "a")["train"]["max-input-tokens"] == 32
    assert tables(tmp_path / "a")["train"]["max-label-tokens"] == 16
    path = write_table(text=[text * 20 for text in TEXTS], label=LABELS)
    make(tmp_path / "b", path, from_recipe="tickets")
    assert tables(tmp_path / "b")["train"]["max-input-tokens"] == 384
    path = write_table(text=["信" * 36 for _ in TEXTS], kind=LABELS)
    make(tmp_path / "c", path, fields={"input": "text"})
    assert tables(tmp_path / "c")["train"]["max-input-tokens"] == 64


def test_settings_of_a_recipe_are_taken(write_table: WriteTable, tmp_path: Path) -> None:
    answers = list(range(40))
    path = write_table(question=TEXTS, answer=answers)
    made = make(tmp_path / "mine", path, from_recipe="svamp", student="scratch:tiny")
    found = tables(tmp_path / "mine")
    assert found["train"]["max-steps"] == 10000
    assert found["train"]["student"] == "scratch:tiny"
    assert found["annotate"] == {"examples": "examples.jsonl"}
    examples = find_recipe("svamp").parent / "examples.jsonl"
    assert (tmp_path / "mine" / "examples.jsonl").read_bytes() == examples.read_bytes()
    assert found["split"]["test"] == 0.2
    assert made.warnings == ()


def test_an_objective_of_choices_is_left_out_where_there_are_none(
    write_table: WriteTable, tmp_path: Path
) -> None:
    path = write_table(question=TEXTS, answer=list(range(40)))
    make(tmp_path / "numbers", path, from_recipe="cqa")
    assert "mi" not in tables(tmp_path / "numbers")["train"]
    make(tmp_path / "labels", write_table(text=TEXTS, label=LABELS), from_recipe="cqa")
    assert tables(tmp_path / "labels")["train"]["mi"] == "name"


def test_examples_for_other_labels_are_left_out(write_table: WriteTable, tmp_path: Path) -> None:
    path = write_table(text=TEXTS, label=LABELS)
    made = make(tmp_path / "mine", path, from_recipe="esnli")
    assert "examples" not in tables(tmp_path / "mine").get("annotate", {})
    assert sorted(os.listdir(tmp_path / "mine")) == ["data.csv", "recipe.toml", "run.sh"]
    assert made.warnings == (
        "system, examples of the recipe esnli left out: they are for its own labels",
    )


def test_a_recipe_is_copied_with_its_data(tmp_path: Path) -> None:
    made = make(tmp_path / "mine", from_recipe="tickets")
    names = ["examples.jsonl", "recipe.toml", "run.sh", "tickets.csv"]
    assert sorted(os.listdir(tmp_path / "mine")) == names
    assert made.reasons == ("all settings and data are those of the recipe tickets",)
    assert len(records(run("load", "-q", "-c", tmp_path / "mine"))) == 360


@pytest.mark.parametrize("recipe", ["active", "quickstart"])
def test_a_copy_of_a_recipe_with_a_script_of_its_own_says_where_that_is(
    tmp_path: Path, recipe: str
) -> None:
    _, told = make(tmp_path / "mine", from_recipe=recipe).reasons
    assert told.startswith(f"run.sh is the one of every new recipe; {recipe} has its own: ")
    assert Path(told.rpartition(" ")[2]).is_file()


def test_a_recipe_that_names_its_teacher_needs_no_model(tmp_path: Path) -> None:
    assert make(tmp_path / "mine", from_recipe="quickstart").names_teacher


def test_rows_that_give_no_record_are_skipped_and_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = [f"{text},{label}" for text, label in zip(TEXTS, LABELS, strict=True)]
    path.write_text("\n".join(["text,label", *rows[:20], "one,two,three", *rows[20:]]))
    made = make(tmp_path / "mine", str(path))
    assert made.warnings == (
        f"1 of the first 41 rows are skipped: {path}:22: 3 cells, but the header has 2; "
        "put quotes around a cell that holds the separator",
    )
    assert tables(tmp_path / "mine")["load"]["on-error"] == "skip"
    assert len(records(run("load", "-q", "-c", tmp_path / "mine"))) == 40


def test_a_file_of_mostly_bad_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["text,label", *(f"a,{n},c" for n in range(9)), "a b c d,x"]))
    with pytest.raises(MitoolsError, match="3 cells, but the header has 2"):
        make(tmp_path / "mine", str(path), task="text", fields={"label": "label", "input": "text"})
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_file_with_the_columns_of_a_published_one_may_be_another(
    write_table: WriteTable, tmp_path: Path
) -> None:
    columns = {"question": TEXTS, "passage": TEXTS}
    make(tmp_path / "boolq", write_table(**columns, answer=["yes", "no"] * 20))
    assert tables(tmp_path / "boolq")["load"]["preset"] == "boolq"
    assert tables(tmp_path / "boolq")["load"]["task"] == "labels"
    make(tmp_path / "other", write_table(**columns, answer=["in Rome", "in Oslo"] * 20))
    found = tables(tmp_path / "other")["load"]
    assert "preset" not in found
    assert found["labels"] == ["in Oslo", "in Rome"]
    assert found["map"]["input"] == "Passage: {{ passage }}\nQuestion: {{ question }}"


def test_hints_name_the_options_of_init(write_table: WriteTable, tmp_path: Path) -> None:
    path = write_table(question=TEXTS, answer=[f"It is {n}!" for n in range(40)])
    with pytest.raises(SourceError, match=r'--label "\{\{ answer \| number \}\}"'):
        make(tmp_path / "mine", path, task="equation")
    (tmp_path / "bad.jsonl").write_text("{\n" * 3)
    with pytest.raises(MitoolsError) as caught:
        make(tmp_path / "mine", str(tmp_path / "bad.jsonl"))
    assert "--on-error" not in str(caught.value)
    spec = "{{ answer | number }}"
    make(tmp_path / "mine", path, task="equation", fields={"label": spec})
    assert tables(tmp_path / "mine")["load"]["map"]["label"] == spec


def test_a_label_that_no_choice_is_is_named(write_table: WriteTable, tmp_path: Path) -> None:
    path = write_table(q=TEXTS, option1=["u"] * 40, option2=["v"] * 40, answer=["n1", "n2"] * 20)
    problem = r'csv:2: label "n1" is not one of its choices \(u, v\); map .* "--label FIELD"$'
    with pytest.raises(MitoolsError, match=problem):
        make(tmp_path / "mine", path)
    assert os.listdir(tmp_path) == ["table.csv"]


def test_labels_that_can_be_read_in_two_ways_are_refused(
    write_table: WriteTable, tmp_path: Path
) -> None:
    cells = {f"option{n}": [f"thing {n}"] * 40 for n in (0, 1, 2)}
    path = write_table(question=TEXTS, **cells, answer=["1", "2"] * 20)
    with pytest.raises(SourceError, match='choose how labels are written: "--label-is index0"'):
        make(tmp_path / "mine", path)
    make(tmp_path / "mine", path, label_is="index0")
    assert tables(tmp_path / "mine")["load"]["label-is"] == "index0"


def test_how_a_file_is_read_goes_into_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    lines = [f"{text};{label}" for text, label in zip(TEXTS, LABELS, strict=True)]
    path.write_text("\n".join(["text;label", *lines]), encoding="utf-16")
    options = {"format": "csv", "delimiter": "semicolon", "encoding": "utf-16"}
    make(tmp_path / "mine", str(path), **options)
    assert tables(tmp_path / "mine")["load"].items() >= options.items()
    assert len(records(run("load", "-q", "-c", tmp_path / "mine"))) == 40


def test_names_of_columns_go_into_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    lines = [f"{label},{text}" for text, label in zip(TEXTS, LABELS, strict=True)]
    path.write_text("\n".join(lines))
    make(tmp_path / "mine", str(path), column_names=("topic", "text"))
    assert tables(tmp_path / "mine")["load"]["columns"] == ["topic", "text"]
    assert len(records(run("load", "-q", "-c", tmp_path / "mine"))) == 40


@pytest.mark.parametrize(
    ("name", "kind"), [("t.jsonl.gz", "jsonl"), ("t.json", "json"), ("t.parquet", "parquet")]
)
def test_every_format_is_read(name: str, kind: str, tmp_path: Path) -> None:
    import gzip

    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"text": t, "label": y} for t, y in zip(TEXTS, LABELS, strict=True)]
    path = tmp_path / name
    if kind == "jsonl":
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    elif kind == "json":
        path.write_text(json.dumps(rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    make(tmp_path / "mine", str(path))
    assert len(records(run("load", "-q", "-c", tmp_path / "mine"))) == 40


def sorted_by_class(path: Path, rows: int) -> None:
    import pyarrow.parquet as pq
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    columns = {
        "text": [f"a film with the number {n}" for n in range(rows)],
        "label": [int(n > rows - 3) for n in range(rows)],
    }
    made = Dataset.from_dict(columns, features=features)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(made.with_format("arrow")[:], path)


def test_classes_that_the_file_names_are_the_labels_though_few_rows_show_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.scaffold.sample.MOST_ROWS", 10)
    sorted_by_class(tmp_path / "film.parquet", 30)
    made = make(tmp_path / "mine", str(tmp_path / "film.parquet"))
    assert "label = label: 2 classes: neg, pos" in made.reasons
    found = records(run("load", "-q", "-c", tmp_path / "mine"))
    assert {record["label"] for record in found} == {"neg", "pos"}
    assert found[0]["choices"] == ["neg", "pos"]


def test_a_label_that_is_the_same_in_all_rows_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_table: WriteTable
) -> None:
    monkeypatch.setattr("mitools.scaffold.sample.MOST_ROWS", 20)
    path = write_table(text=TEXTS, label=["a"] * 30 + ["b"] * 10)
    for fields in ({}, {"input": "text", "label": "label"}):
        with pytest.raises(UsageError, match='first 20 rows all have the label "a"') as caught:
            make(tmp_path / "mine", path, fields=fields)
        assert "--task labels --labels A,B" in caught.value.hint
    made = make(
        tmp_path / "mine", path, task="labels", labels=("a", "b"), fields={"label": "label"}
    )
    assert made.folder == tmp_path / "mine"


def test_a_folder_is_read_whole_and_its_data_files_are_copied(tmp_path: Path) -> None:
    for name in ("train-0", "test-0"):
        sorted_by_class(tmp_path / "film" / "data" / f"{name}.parquet", 12)
    (tmp_path / "film" / "README.md").write_text("about")
    made = make(tmp_path / "mine", str(tmp_path / "film"))
    assert "split: test, train, by the names of the files" in made.reasons
    copied = sorted(path.name for path in (tmp_path / "mine" / "data").rglob("*.*"))
    assert copied == ["test-0.parquet", "train-0.parquet"]
    found = records(run("load", "-q", "-c", tmp_path / "mine"))
    assert [record["split"] for record in found] == ["test"] * 12 + ["train"] * 12


def test_a_saved_data_set_is_copied_with_its_splits(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    parts = {
        split: Dataset.from_dict({"text": TEXTS[:n], "label": LABELS[:n]})
        for split, n in (("test", 10), ("train", 40))
    }
    DatasetDict(parts).save_to_disk(tmp_path / "saved")
    made = make(tmp_path / "mine", str(tmp_path / "saved"))
    assert made.reasons[0].startswith(f"{tmp_path}/saved/train/data-00000-of-00001.arrow: first 40")
    found = records(run("load", "-q", "-c", tmp_path / "mine"))
    assert [record["split"] for record in found] == ["test"] * 10 + ["train"] * 40
    divided = records(
        run("split", "-q", "-c", tmp_path / "mine", stdin="\n".join(map(json.dumps, found)))
    )
    assert [record["split"] for record in divided[:10]] == ["test"] * 10
    assert {record["split"] for record in divided[10:]} == {"train", "valid"}


@pytest.mark.parametrize(
    ("splits", "shares"),
    [
        (["train"], {"reassign-split": "train", "test": 0.2, "valid": 0.1}),
        (["train", "test"], {"reassign-split": "train", "test": 0.0, "valid": 0.1}),
        (["training", "dev"], {"reassign-split": "train", "test": 0.2, "valid": 0.0}),
        (["train", "val", "test"], {"test": 0.0, "valid": 0.1}),
        (["valid", "test"], {"test": 0.0, "valid": 0.1}),
    ],
)
def test_a_split_that_the_data_lacks_is_taken_from_train(
    splits: list[str], shares: dict[str, Any], write_table: WriteTable, tmp_path: Path
) -> None:
    names = (splits * 30)[:30]
    make(tmp_path / "mine", write_table(text=TEXTS[:30], label=LABELS[:30], split=names))
    assert tables(tmp_path / "mine")["split"] == shares


def test_nothing_is_taken_from_train_where_later_rows_may_have_it(
    write_table: WriteTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.scaffold.sample.MOST_ROWS", 20)
    path = write_table(text=TEXTS[:30], label=LABELS[:30], split=["train"] * 20 + ["test"] * 10)
    make(tmp_path / "mine", path)
    assert "reassign-split" not in tables(tmp_path / "mine")["split"]


def test_nothing_is_replaced(write_table: WriteTable, tmp_path: Path) -> None:
    path = write_table(text=TEXTS, label=LABELS)
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputError, match="mine already exists; choose another name"):
        make(tmp_path / "mine", path)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OutputError, match="link already exists"):
        make(tmp_path / "link", path)
    assert os.listdir(tmp_path / "mine") == []


def test_what_cannot_be_a_recipe_is_refused(tmp_path: Path, write_table: WriteTable) -> None:
    path = write_table(text=TEXTS, label=LABELS)
    with pytest.raises(UsageError, match='"svamp" is the name of a recipe that came with mitools'):
        make(Path("svamp"), path)
    with pytest.raises(UsageError, match="cannot name a recipe"):
        make(tmp_path / "a\nb", path)
    with pytest.raises(UsageError, match="give a data file, or a recipe to copy"):
        make(tmp_path / "mine")
    with pytest.raises(UsageError, match="--task is for data files, and none is named"):
        make(tmp_path / "mine", from_recipe="tickets", task="text")
    with pytest.raises(UsageError, match="--input or --label is for data files"):
        make(tmp_path / "mine", from_recipe="tickets", fields={"input": "a", "label": "b"})
    with pytest.raises(UsageError, match="is a data set on the Hub, and init reads local files"):
        make(tmp_path / "mine", "hf:openai/gsm8k")
    with pytest.raises(UsageError, match=r"svamp is a recipe, .* init new --from svamp"):
        make(Path("new"), "svamp")
    with pytest.raises(
        UsageError, match="- is not a file or folder, and init reads its data more than once"
    ):
        make(tmp_path / "mine", "-")
    with pytest.raises(RecipeError, match='no recipe or file "tikets"; did you mean "tickets"'):
        make(tmp_path / "mine", path, from_recipe="tikets")
    with pytest.raises(SourceError, match="check the path"):
        make(tmp_path / "mine", str(tmp_path / "nowhere.csv"))
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_recipe_of_another_person_gives_no_file_of_other_folders(
    tmp_path: Path, write_table: WriteTable
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / "secret").write_text("secret")
    (theirs / "link").symlink_to("../secret")
    for name in ("../secret", "link"):
        (theirs / "recipe.toml").write_text(
            f'[load]\ntask = "equation"\n[annotate]\nexamples = "{name}"'
        )
        path = write_table(question=TEXTS, answer=list(range(40)))
        with pytest.raises(RecipeError, match="may only read files in its own folder"):
            make(tmp_path / "mine", path, from_recipe=str(theirs))
        with pytest.raises(RecipeError, match="may only read files in its own folder"):
            make(tmp_path / "mine", from_recipe=str(theirs))
    assert sorted(os.listdir(tmp_path)) == ["secret", "table.csv", "theirs"]


def test_rationales_of_the_file_need_no_teacher(write_table: WriteTable, tmp_path: Path) -> None:
    why = ["It is so because of it."] * 40
    path = write_table(text=TEXTS, label=LABELS, explanation=why)
    assert make(tmp_path / "mine", path).has_rationales
    assert not make(tmp_path / "bare", path, fields={"rationale": ""}).has_rationales
    assert not make(tmp_path / "open", path, fields={"label": ""}).has_rationales


@pytest.mark.slow
def test_a_recipe_runs_to_the_page_and_continues(write_table: WriteTable, tmp_path: Path) -> None:
    completions = [f"It says so. The answer is {label}." for label in LABELS]
    folder = tmp_path / "mine"
    path = write_table(text=TEXTS, label=LABELS, completion=completions)
    make(folder, path, student="scratch:tiny")
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 20", "epochs = 1"))
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [folder / "run.sh", "--teacher", "replay"]
    for note in ("saved runs/mine", "runs/mine is already trained"):
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"mitools train: {note}" in done.stderr
    endings = ["", ".annotated.jsonl", ".html", ".json", ".jsonl", ".records.jsonl"]
    assert sorted(os.listdir(tmp_path / "runs")) == [f"mine{ending}" for ending in endings]


# Hostile files

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NASTY = [
    "'; touch pwned; '",
    "$(touch pwned)",
    "`touch pwned`",
    '"""\n[train]\nlr = 1',
    "a\rb",
    "#",
]


@given(
    names=st.lists(NAMES | st.sampled_from(NASTY), min_size=2, max_size=2, unique_by=str.strip),
    cell=NAMES | st.sampled_from(NASTY),
    is_given=st.booleans(),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_names_and_cells_of_a_file_stay_data(names: list[str], cell: str, is_given: bool) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows(
        [f"{cell} one two three {n}", cell if n % 2 else f"{cell}!"] for n in range(20)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
        fields = {"input": names[0], "label": names[1]}
        options = {"fields": fields, "task": "text"} if is_given else {}
        try:
            make(Path(folder) / "mine", str(path), **options)
        except MitoolsError:
            assert os.listdir(folder) == ["x.csv"]
            return
        found = tables(Path(folder) / "mine")
        if is_given:
            assert found["load"]["map"] == fields
        assert set(found["load"]) <= {"source", "task", "labels", "label-is", "on-error", "map"}
        assert set(found) == {"load", "annotate", "split", "train", "eval"}
        script = (Path(folder) / "mine" / "run.sh").read_bytes()
        assert script == (find_recipe("tickets").parent / "run.sh").read_bytes()


def test_a_script_runs_nothing_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    header = ['"$(touch pwned)"', '"\'; touch pwned #"']
    rows = [f'"one two three `touch pwned` {n}",a{n % 2}' for n in range(20)]
    path.write_text("\n".join([",".join(header), *rows]))
    folder = tmp_path / "o'f \"$x"
    made = make(folder, str(path))
    programs = tmp_path / "bin"
    programs.mkdir()
    stub = f'#!/bin/sh\n[ "$1" = load ] && exec {sys.executable} -m mitools "$@"\ncat > /dev/null\n'
    (programs / "mitools").write_text(stub)
    (programs / "mitools").chmod(0o755)
    away = tmp_path / "away"
    away.mkdir()
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CDPATH": str(tmp_path)}
    command = [made.folder / "run.sh", "-m", "x"]
    done = subprocess.run(command, cwd=away, env=env, input="", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr == "mitools load: 20 records\n"
    assert not list(tmp_path.rglob("pwned"))
