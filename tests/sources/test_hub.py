"""Data sets of the Hub, through the real ``datasets`` from a Hub on loopback."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# One process for all commands: the Hub's address is read when its packages are imported.
SCRIPT = """
import json, sys
from click.testing import CliRunner
from mitools.cli import mitools
for args in json.load(sys.stdin):
    result = CliRunner().invoke(mitools, ["load", *args])
    print(json.dumps([result.exit_code, result.stdout, result.stderr]))
"""

COMMANDS = {
    "svamp": ["svamp"],
    "esnli": ["esnli"],
    "all splits": ["hf:ChilleD/SVAMP", "--map", "input=Body", "--keep-fields", ""],
    "one split": ["hf:ChilleD/SVAMP", "--map", "input=Body", "--hf-split", "train"],
    "limit": ["svamp", "--limit", "2"],
    "missing field": ["hf:ChilleD/SVAMP", "--map", "input=body"],
    "script": ["hf:esnli/esnli"],
    "unknown": ["hf:no/such"],
    "configuration": ["hf:ChilleD/SVAMP", "--name", "big"],
    "split": ["hf:ChilleD/SVAMP", "--hf-split", "tests"],
    "revision": ["hf:ChilleD/SVAMP", "--revision", "v2"],
}

README = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*
---
"""

SVAMP = {
    "ID": "chal-1",
    "Body": "Ann has 5 pens and 2 cats. She loses 3 pens.",
    "Question": "How many pens are left?",
    "Equation": "( 5.0 - 3.0 )",
    "Answer": "2",
    "Type": "Subtraction",
    "question_concat": "…",
}
ESNLI = {
    "premise": "A man sleeps.",
    "hypothesis": "A man runs.",
    "label": 2,
    "explanation_1": "Who sleeps does not run.",
    "explanation_2": "",
    "explanation_3": "",
}


def write(path: Path, rows: list[dict[str, Any]], **features: Any) -> None:
    from datasets import Dataset, Features, Value, disable_progress_bars

    disable_progress_bars()
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = Features({name: features.get(name, Value("string")) for name in rows[0]})
    Dataset.from_list(rows, features=kinds).to_parquet(path)


def make_hub(root: Path) -> None:
    from datasets import ClassLabel

    svamp = root / "ChilleD" / "SVAMP" / "main"
    rows = [{**SVAMP, "ID": f"chal-{number}"} for number in range(2, 7)]
    write(svamp / "data" / "train-00000-of-00001.parquet", rows)
    write(svamp / "data" / "test-00000-of-00001.parquet", [SVAMP])
    (svamp / "README.md").write_text(README)
    script = root / "esnli" / "esnli" / "main"
    script.mkdir(parents=True)
    (script / "README.md").write_text("e-SNLI")
    (script / "esnli.py").write_text("raise SystemExit('a data set was executed')")
    copy = root / "esnli" / "esnli" / "refs__convert__parquet" / "plain_text"
    label = ClassLabel(names=["entailment", "neutral", "contradiction"])
    for split in ("train", "validation", "test"):
        rows = [{**ESNLI, "premise": f"{split}: A man sleeps."}, {**ESNLI, "label": -1}]
        write(copy / split / "0000.parquet", rows, label=label)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    root = tmp_path_factory.mktemp("hub")
    make_hub(root)
    spec = importlib.util.spec_from_file_location(
        "fake_hub", Path(__file__).with_name("fake_hub.py")
    )
    assert spec is not None
    assert spec.loader is not None
    fake_hub = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fake_hub)
    with fake_hub.serve(root) as address:
        home = tmp_path_factory.mktemp("home")
        keep = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            input=json.dumps(list(COMMANDS.values())),
            env={**keep, "HF_ENDPOINT": address, "HF_HOME": str(home)},
            capture_output=True,
            text=True,
            check=True,
        )
    lines = map(json.loads, done.stdout.splitlines())
    return {name: tuple(line) for name, line in zip(COMMANDS, lines, strict=True)}


def records(result: tuple[int, str, str]) -> list[dict[str, Any]]:
    code, text, errors = result
    assert code == 0, errors
    return [json.loads(line) for line in text.splitlines()]


def test_a_recipe_reads_the_hub_and_keeps_its_test_split(
    results: dict[str, tuple[int, str, str]],
) -> None:
    found = records(results["svamp"])
    assert [record["id"] for record in found] == [f"chal-{n}" for n in (2, 3, 4, 5, 6, 1)]
    assert [record.get("split") for record in found] == [None] * 5 + ["test"]
    assert found[-1] == {
        "id": "chal-1",
        "input": f"{SVAMP['Body']}\n{SVAMP['Question']}",
        "label": "( 5.0 - 3.0 )",
        "task": "equation",
        "Answer": "2",
        "Type": "Subtraction",
        "split": "test",
    }
    assert results["svamp"][2] == "mitools load: 6 records\n"


def test_a_script_is_read_from_its_parquet_copy_with_class_names(
    results: dict[str, tuple[int, str, str]],
) -> None:
    found = records(results["esnli"])
    assert [record["split"] for record in found] == ["train"] * 2 + ["valid"] * 2 + ["test"] * 2
    assert [record["label"] for record in found] == ["contradiction", None] * 3
    assert found[0]["input"] == "Premise: train: A man sleeps.\nHypothesis: A man runs."
    assert found[0]["rationale"] == "Who sleeps does not run."
    assert found[0]["choices"] == ["entailment", "neutral", "contradiction"]


def test_all_splits_are_read_and_named_but_a_single_one_is_not(
    results: dict[str, tuple[int, str, str]],
) -> None:
    assert [r["split"] for r in records(results["all splits"])] == ["train"] * 5 + ["test"]
    assert ["split" in record for record in records(results["one split"])] == [False] * 5


def test_the_limit_counts_records_of_each_split(
    results: dict[str, tuple[int, str, str]],
) -> None:
    assert [record["id"] for record in records(results["limit"])] == ["chal-2", "chal-3", "chal-1"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "missing field",
            'hf:ChilleD/SVAMP/train:1: field "body" is missing among ID, Body, Question, Equation, '
            'Answer, Type, question_concat; did you mean "--map input=Body"?',
        ),
        (
            "script",
            "esnli/esnli is a script, which mitools does not run; "
            'try its Parquet copy: "--revision refs/convert/parquet"',
        ),
        (
            "unknown",
            "there is no data set no/such on the Hub, or it is private; "
            "check the name on https://huggingface.co/datasets, or set HF_TOKEN",
        ),
        (
            "configuration",
            'ChilleD/SVAMP has no configuration "big"; choose one: "--name" default',
        ),
        (
            "split",
            'ChilleD/SVAMP has no split "tests" among train, test; did you mean "--hf-split test"?',
        ),
        (
            "revision",
            'ChilleD/SVAMP has no revision "v2"; '
            "look at https://huggingface.co/datasets/ChilleD/SVAMP/tree/main",
        ),
    ],
)
def test_a_failure_is_one_line_that_says_what_to_do(
    results: dict[str, tuple[int, str, str]], name: str, message: str
) -> None:
    assert results[name] == (1, "", f"mitools load: {message}\n")


def test_without_the_hub_the_way_around_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mitools.errors import SourceError
    from mitools.sources.hub import open_hub
    from mitools.sources.options import LoadOptions

    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(SourceError, match="cannot reach the Hub for no/such; unset HF_HUB_OFFLINE"):
        list(open_hub("no/such", LoadOptions()))
