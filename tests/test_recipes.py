"""Every recipe: its keys are options, its script runs, its examples teach what the task reads."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mitools.cli import COMMANDS, mitools
from mitools.cli._config import use_recipe
from mitools.recipe import find_recipe, list_recipes
from mitools.records import Record
from mitools.tasks import task_of
from tests.toys import toy_records

ROOT = Path(__file__).parents[1]
RECIPES = list_recipes()
PUBLISHED = ("anli", "cqa", "esnli", "gsm8k", "svamp", "tickets")
NLI = ["entailment", "neutral", "contradiction"]


def tables(name: str) -> dict[str, Any]:
    with find_recipe(name).open("rb") as stream:
        return tomllib.load(stream)


def examples(name: str) -> list[Record]:
    text = (find_recipe(name).parent / "examples.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_the_published_data_sets_have_recipes() -> None:
    assert set(PUBLISHED) <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_every_key_of_a_recipe_is_an_option_with_a_value_it_takes(name: str) -> None:
    for stage in tables(name):
        assert stage in COMMANDS
        command: click.Command = importlib.import_module(f"mitools.cli.{stage}").command
        ctx = click.Context(command, info_name=stage)
        use_recipe(ctx, find_recipe(name))
        for param in command.params:
            if param.name in ctx.default_map:
                assert param.type_cast_value(ctx, ctx.default_map[param.name]) is not None


@pytest.mark.parametrize("name", RECIPES)
def test_the_script_of_a_recipe_can_be_run(name: str) -> None:
    script = find_recipe(name).parent / "run.sh"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_names_no_model_to_ask_and_says_what_to_type(name: str, tmp_path: Path) -> None:
    assert "model" not in tables(name)["annotate"]
    script = find_recipe(name).parent / "run.sh"
    done = subprocess.run([script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"{script}: name the teacher: {script} -m MODEL [--base-url URL], or TEACHER=none\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_what_it_costs_and_gives(name: str) -> None:
    text = (find_recipe(name).parent / "README.md").read_text(encoding="utf-8")
    assert "## Result" in text
    if name in PUBLISHED:
        for heading in ("## Cost", "## Data"):
            assert heading in text


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_examples_of_a_recipe_read_as_the_task_reads_a_teacher(name: str) -> None:
    found = examples(name)
    assert 5 <= len(found) <= 8
    assert len({example["input"] for example in found}) == len(found)
    task_name = tables(name)["load"]["task"]
    for example in found:
        task = task_of(example)
        assert task.name == task_name
        assert task.is_valid(example["label"], example.get("choices"))
        completion = f"{example['rationale']} The answer is {example['label']}."
        answer = task.parse(completion, example.get("choices"))
        assert task.is_equal(answer.label, example["label"])
        assert answer.rationale == example["rationale"]


@pytest.mark.parametrize("name", ["gsm8k", "svamp"])
def test_the_rationales_of_the_word_problems_reach_their_answers(name: str) -> None:
    for example in examples(name):
        task = task_of(example)
        assert task.is_equal(task.supported(example["rationale"]), example["label"])


@pytest.mark.parametrize("name", ["anli", "esnli"])
def test_the_examples_show_each_label_equally_often(name: str) -> None:
    labels = [example["label"] for example in examples(name)]
    assert {labels.count(label) for label in NLI} == {2}


@pytest.mark.slow
def test_objectives_are_compared_with_those_of_a_baseline(
    tmp_path: Path, tiny_causal: Path, write_records: Any
) -> None:
    records = [
        {**record, "split": "train" if place < 12 else "test"}
        for place, record in enumerate(toy_records(24))
    ]
    script = find_recipe("svamp").parent / "compare.sh"
    assert os.access(script, os.X_OK)
    command = [script, write_records(records), tmp_path / "out", "--student", tiny_causal]
    command += ["--max-steps", "2", "--batch-size", "4", "--quiet"]
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SEEDS": "0 1",
        "OBJECTIVES": "label none",
    }
    for baseline, other in [("label", "none"), ("none", "label")]:  # all is done the second time
        if baseline != "label":  # which is the default
            env["BASELINE"] = baseline
        result = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        summary = json.loads((tmp_path / "out" / f"{other}.vs.{baseline}.json").read_text())
        assert f"{other} against {baseline}" in result.stderr
        assert summary["comparison"]
        assert len(list((tmp_path / "out").glob("*.?.jsonl"))) == 4


def write_parquet(path: Path, rows: list[dict[str, Any]], **features: Any) -> str:
    """Write rows in the schema of a data set on the Hub; what is not named is a string."""
    from datasets import Dataset, Features, Value, disable_progress_bars

    disable_progress_bars()
    kinds = Features({name: features.get(name, Value("string")) for name in rows[0]})
    Dataset.from_list(rows, features=kinds).to_parquet(path)
    return str(path)


def load(*args: str) -> list[Record]:
    result = CliRunner().invoke(mitools, ["load", *args])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_svamp_reads_the_schema_of_the_hub(tmp_path: Path) -> None:
    row = {
        "ID": "chal-777",
        "Body": "There are 87 oranges and 290 bananas in Philip's collection.",
        "Question": "How many bananas are there?",
        "Equation": "( 290.0 - 0.0 )",
        "Answer": "290.0",
        "Type": "Subtraction",
        "question_concat": "…",
    }
    assert load("-c", "svamp", write_parquet(tmp_path / "a.parquet", [row])) == [
        {
            "id": "chal-777",
            "input": f"{row['Body']}\n{row['Question']}",
            "label": "( 290.0 - 0.0 )",
            "task": "equation",
            "Answer": "290.0",
            "Type": "Subtraction",
        }
    ]


def test_cqa_reads_the_schema_of_the_hub(tmp_path: Path) -> None:
    from datasets import List, Value

    row = {
        "id": "6b819727",
        "question": "Where is a kite flown?",
        "choices": ["cellar", "park", "oven", "park", "desk"],
        "answer": "park",
        "abstractive_explanation": "It needs wind and room.",
        "extractive_explanation": "kite flown",
    }
    path = write_parquet(tmp_path / "a.parquet", [row], choices=List(Value("string")))
    assert load("-c", "cqa", path) == [
        {
            "id": "6b819727",
            "input": "Where is a kite flown?\nAnswer Choices:\n"
            "(a) cellar\n(b) park\n(c) oven\n(d) park\n(e) desk",
            "label": "park",
            "task": "choice",
            "choices": ["cellar", "park", "oven", "park", "desk"],
            "rationale": "It needs wind and room.",
        }
    ]


def test_anli_reads_the_schema_of_the_hub(tmp_path: Path) -> None:
    from datasets import ClassLabel

    row = {
        "uid": "0fd0abfb",
        "premise": "The line was opened in 1903.",
        "hypothesis": "It is older than 1910.",
        "label": 0,
        "reason": "",
    }
    rows = [row, {**row, "uid": "b", "label": 2, "reason": "1903 < 1910"}]
    path = write_parquet(tmp_path / "a.parquet", rows, label=ClassLabel(names=NLI))
    first, second = load("-c", "anli", path, "--as-split", "valid")
    assert first == {
        "id": "0fd0abfb",
        "input": "Premise: The line was opened in 1903.\nHypothesis: It is older than 1910.",
        "label": "entailment",
        "task": "labels",
        "choices": NLI,
        "split": "valid",
    }
    assert (second["label"], second["rationale"]) == ("contradiction", "1903 < 1910")


def test_esnli_reads_the_schema_of_the_hub(tmp_path: Path) -> None:
    from datasets import ClassLabel

    row = {
        "premise": "Two girls jump.",
        "hypothesis": "Girls move.",
        "label": 1,
        "explanation_1": "Jumping is moving.",
        "explanation_2": "",
        "explanation_3": "",
    }
    rows = [row, {**row, "label": -1}]
    path = write_parquet(tmp_path / "a.parquet", rows, label=ClassLabel(names=NLI))
    first, second = load("-c", "esnli", path)
    assert {**first, "id": ""} == {
        "id": "",
        "input": "Premise: Two girls jump.\nHypothesis: Girls move.",
        "label": "neutral",
        "task": "labels",
        "choices": NLI,
        "rationale": "Jumping is moving.",
    }
    assert second["label"] is None
    assert first["id"] != second["id"]


def test_gsm8k_reads_the_schema_of_the_hub(tmp_path: Path) -> None:
    answer = "Half of 48 is 48/2 = <<48/2=24>>24.\nTogether 48+24 = <<48+24=72>>72.\n#### 72"
    row = {"question": "Natalia sold 48 clips, and half as many later. How many?", "answer": answer}
    (found,) = load("-c", "gsm8k", write_parquet(tmp_path / "a.parquet", [row]))
    assert {**found, "id": ""} == {
        "id": "",
        "input": row["question"],
        "label": "72",
        "task": "equation",
        "rationale": "Half of 48 is 48/2 = <<48/2=24>>24.\nTogether 48+24 = <<48+24=72>>72.",
    }


def test_tickets_reads_the_file_beside_it() -> None:
    found = load("-c", "tickets")
    assert len(found) == 360
    assert len({record["input"] for record in found}) == 360
    labels = [record["label"] for record in found]
    assert sorted(set(labels)) == found[0]["choices"]
    assert {labels.count(label) for label in labels} == {60}


def test_tickets_are_what_their_script_writes() -> None:
    folder = find_recipe("tickets").parent
    done = subprocess.run([sys.executable, folder / "make_tickets.py"], capture_output=True)
    assert done.stdout == (folder / "tickets.csv").read_bytes()


def test_whole_numbers_without_class_names_are_named_by_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("uid,premise,hypothesis,label,reason\nu,p,h,2,\n")
    assert load("-c", "anli", str(path))[0]["label"] == "contradiction"
    path.write_text("uid,premise,hypothesis,label,reason\nu,p,h,neutral,\n")
    assert load("-c", "anli", str(path))[0]["label"] == "neutral"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_replayed_teacher_agrees_with_gold_under_every_recipe(name: str, tmp_path: Path) -> None:
    lines, completions = [], []
    for example in examples(name):
        given = {field: example[field] for field in ("id", "input", "label", "task")}
        lines.append(json.dumps({**given, "choices": example.get("choices")}))
        statement = task_of(example).state(example["label"], example.get("choices"))
        text = f"{example['rationale']} {statement}\n\nQ: And what else?\nA: The answer is (1)."
        completions.append(json.dumps({"id": example["id"], "completion": text}))
    replay = tmp_path / "completions.jsonl"
    replay.write_text("\n".join(completions))
    result = CliRunner().invoke(
        mitools,
        ["annotate", "-c", name, "--teacher", f"replay:{replay}", "--no-journal"],
        input="\n".join(lines),
    )
    assert result.exit_code == 0, result.output
    teachers = [json.loads(line)["teacher"] for line in result.stdout.splitlines()]
    assert [teacher["agrees"] for teacher in teachers] == [True] * len(lines)
    rationales = [example["rationale"] for example in examples(name)]
    assert [teacher["rationale"] for teacher in teachers] == rationales


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_splits_of_the_hub_are_kept(name: str, tmp_path: Path) -> None:
    line = json.dumps({"id": "a", "input": "b", "split": "test"})
    result = CliRunner().invoke(mitools, ["split", "-c", name], input=line)
    assert json.loads(result.stdout)["split"] == "test"
    new = [json.dumps({"id": str(n), "input": f"question {n}"}) for n in range(200)]
    result = CliRunner().invoke(mitools, ["split", "-c", name], input="\n".join(new))
    found = {json.loads(line)["split"] for line in result.stdout.splitlines()}
    parts = {"train", "valid"} if name in ("svamp", "cqa", "gsm8k") else {"train"}
    assert found == ({"train", "valid", "test"} if name == "tickets" else parts)


# The scripts beside the recipes

STUB = """#!/usr/bin/env bash
# Stands for mitools: train fails where the student is there, annotate where it is told to, and
# those with an output write there what came in.
stage=$1 in=/dev/stdin
[ "${LOG:-}" ] && echo "$*" >> "$LOG"
while [ $# -gt 0 ]; do
  case $1 in
    --save) save=$2 ;;
    -o) out=$2; shift ;;
    *.jsonl) in=$1 ;;
    --resume | --overwrite) again=yes ;;
  esac
  shift
done
case $stage in
  load) echo "made by $RUN" > "${out:-/dev/stdout}" ;;
  annotate) [ "${FAULT:-}" ] && exit 1; cat "$in" > "${out:-/dev/stdout}" ;;
  split) cat "$in" ;;
  train) if [ -e "$save" ] && [ -z "${again:-}" ]; then exit 1; fi; touch "$save"; cat ;;
  eval) text=$(cat); [ "$text" ] || exit 1; echo "$text" > "$out" ;;
  explain) ;;
  *) cat ;;
esac
"""


def run_script(name: str, folder: Path, *arguments: str, **environment: str) -> int:
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "mitools").write_text(STUB)
    (programs / "mitools").chmod(0o755)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **environment}
    script = find_recipe(name).parent / "run.sh"
    return subprocess.run([script, *arguments], cwd=folder, env=env, capture_output=True).returncode


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_script_of_a_recipe_is_that_of_a_new_one_and_continues(
    name: str, tmp_path: Path
) -> None:
    script = (find_recipe(name).parent / "run.sh").read_bytes()
    assert script == (ROOT / "mitools" / "scaffold" / "run.sh").read_bytes()
    log = tmp_path / "log"
    for number, environment in enumerate([{}, {}, {"OVERWRITE": "1"}, {"LIMIT": "50"}], start=1):
        where = {"RUN": f"{number}", "LOG": str(log)}
        assert run_script(name, tmp_path, "-m", "toy", **where, **environment) == 0
    train = [line for line in log.read_text().splitlines() if line.startswith("train ")]
    assert [line.split(name, 1)[1].split(" --save ")[1] for line in train] == [
        f"runs/{name}",
        f"runs/{name} --resume",
        f"runs/{name} --overwrite",
        f"runs/{name}-50",
    ]
    assert (tmp_path / "runs" / f"{name}.jsonl").read_text() == "made by 3\n"
    assert (tmp_path / "runs" / f"{name}-50.jsonl").read_text() == "made by 4\n"


@pytest.mark.parametrize("name", PUBLISHED)
def test_no_student_is_trained_where_the_teacher_failed(name: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run_script(name, tmp_path, "-m", "toy", RUN="1", LOG=str(log), FAULT="yes") == 1
    assert "annotate" in log.read_text()
    assert "train" not in log.read_text()


def test_no_teacher_is_asked_where_none_is_wanted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run_script("esnli", tmp_path, RUN="1", LOG=str(log), TEACHER="none") == 0
    assert "annotate" not in log.read_text()
    assert (tmp_path / "runs" / "esnli.jsonl").read_text() == "made by 1\n"
    assert run_script("esnli", tmp_path, "-m", "x", RUN="2", LOG=str(log), TEACHER="none") == 0
    assert "annotate" in log.read_text()
    assert run_script("esnli", tmp_path, RUN="3", LOG=str(log), TEACHER="other") == 2


@pytest.mark.parametrize("name", [*PUBLISHED, "quickstart"])
def test_a_script_resumes_training_that_was_interrupted(name: str, tmp_path: Path) -> None:
    (tmp_path / "runs" / f"{name}.work").mkdir(parents=True)
    log = tmp_path / "log"
    arguments = ("-m", "toy") if name != "quickstart" else ()
    assert run_script(name, tmp_path, *arguments, RUN="1", LOG=str(log)) == 0
    assert f" --save runs/{name} --resume\n" in log.read_text()


def test_the_quickstart_continues_unless_it_is_told_to_train_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environments = [{}, {}, {"OVERWRITE": "1"}, {"SEED": "3"}]
    for number, environment in enumerate(environments, start=1):
        arguments = ["other place"] if "SEED" in environment else []
        done = run_script(
            "quickstart", tmp_path, *arguments, RUN=f"{number}", LOG=str(log), **environment
        )
        assert done == 0
    train = [line for line in log.read_text().splitlines() if line.startswith("train ")]
    assert [line.split(" --seed ")[1] for line in train] == [
        "0 --save runs/quickstart",
        "0 --save runs/quickstart --resume",
        "0 --save runs/quickstart --overwrite",
        "3 --save other place",
    ]
    assert (tmp_path / "runs" / "quickstart.jsonl").read_text() == "made by 3\n"
    assert (tmp_path / "other place.jsonl").read_text() == "made by 4\n"


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(ROOT.glob("recipes/*/*.sh")) if "\nrecipe=" in path.read_text()],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_a_script_finds_its_folder_whatever_cd_prints(path: Path, tmp_path: Path) -> None:
    (line,) = (line for line in path.read_text().splitlines() if line.startswith("recipe="))
    folder = tmp_path / "my recipes"
    folder.mkdir()
    (folder / "a.sh").write_text(f'set -euo pipefail\n{line}\nprintf %s "$recipe"\n')
    env = {**os.environ, "CDPATH": str(tmp_path)}  # with it, cd prints where it goes
    command = ["bash", "my recipes/a.sh"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (str(folder), "")


@pytest.mark.parametrize("name", ["anli", "cqa", "esnli", "svamp"])
def test_what_to_try_on_a_cpu_makes_records_and_keeps_the_student(name: str) -> None:
    text = (find_recipe(name).parent / "README.md").read_text(encoding="utf-8")
    _, marker, rest = text.partition("On a CPU try")
    assert marker
    commands = rest.partition("```sh\n")[2].partition("```")[0].replace("|\n", "|").splitlines()
    stages = [stage.split() for stage in commands[-1].split("|")]
    assert [stage[1] for stage in stages] == ["load", "annotate", "split", "train", "eval"]
    assert all(stage[2:4] == ["-c", name] for stage in stages)
    saved, student = (
        stage[stage.index(option) + 1]
        for stage, option in zip(stages[-2:], ("--save", "--student"), strict=True)
    )
    assert saved == student
    assert commands[0] == f"mkdir -p {Path(saved).parent}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("recipes/*/*.sh")), ids=str)
def test_no_script_empties_a_file_before_it_has_another(path: Path) -> None:
    for line in path.read_text().splitlines():
        code = line.partition("#")[0] if line.lstrip().startswith("#") else line
        assert not re.search(r"(?<![>&2])>(?!&)\s*\"?\$", code), line
