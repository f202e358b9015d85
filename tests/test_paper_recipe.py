"""The files of ``recipes/paper``: the records of the official run, made from toy files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from datasets import Dataset

from mitools.cli import mitools

FOLDER = Path(__file__).parents[1] / "recipes" / "paper"


def write(folder: Path, name: str, split: str, rows: list[Any], replies: list[str]) -> None:
    """Write one split as the official code has it: rows in lines, replies in lists of up to 8."""
    parts = folder / name / "llm"
    parts.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / name / f"{name}_{split}.json").write_text(text)
    for number, low in enumerate(range(0, len(replies), 8)):
        (parts / f"{split}_CoT_{number}.json").write_text(json.dumps(replies[low : low + 8]))


def records_of(folder: Path, name: str) -> list[dict[str, Any]]:
    command = [sys.executable, str(FOLDER / "records.py"), str(folder), name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def problem(number: int) -> dict[str, str]:
    return {"input": f"Bo has {number} nuts.\nHow many?", "label": f"( {number} + 0.0 )"}


@pytest.fixture
def svamp(tmp_path: Path) -> Path:
    replies = [
        f"He has {n}. The answer is ({n} + 0).\n\nQ: And Al? The answer is (9)." for n in range(20)
    ]
    replies[3] = "He has some."
    replies[4] = "The answer is (4). So: the answer is 4. The answer is (4)."
    replies[5] = "He has five. The answer is 5."
    write(tmp_path, "svamp", "train", [problem(n) for n in range(20)], replies)
    write(tmp_path, "svamp", "test", [problem(n) for n in range(50, 53)], replies[:3])
    return tmp_path


def test_word_problems_hold_out_the_tenth_that_the_official_code_does(svamp: Path) -> None:
    found = records_of(svamp, "svamp")
    assert Counter(record["split"] for record in found) == {"train": 18, "valid": 2, "test": 3}
    places = Dataset.from_dict({"n": range(20)}).train_test_split(test_size=0.1, seed=0)
    held = [record["id"] for record in found if record["split"] == "valid"]
    assert sorted(held) == sorted(f"svamp-train-{n}" for n in places["test"]["n"])
    assert {record["task"] for record in found} == {"equation"}


def test_a_reply_is_read_up_to_its_only_cue(svamp: Path) -> None:
    teachers = {record["id"]: record["teacher"] for record in records_of(svamp, "svamp")}
    assert teachers["svamp-train-7"] == {"label": "(7 + 0)", "rationale": "He has 7."}
    unread = {"label": None, "rationale": None}
    assert teachers["svamp-train-3"] == teachers["svamp-train-4"] == unread
    assert teachers["svamp-train-5"] == {"label": None, "rationale": "He has five."}


def test_questions_are_asked_with_lettered_choices_and_answered_freely(tmp_path: Path) -> None:
    row = {"question": "Where is a kite?", "choices": ["sky", "oven", "bed", "jar", "sea"]}
    reply = "It flies. So the answer is (a) sky.\n\nQ: next"
    write(tmp_path, "cqa", "train", [{**row, "answer": "sky"}] * 10, [reply] * 10)
    write(tmp_path, "cqa", "test", [{**row, "answer": "sky"}], [reply])
    found = records_of(tmp_path, "cqa")[-1]
    assert found["input"] == (
        "Where is a kite?\nAnswer Choices:\n(a) sky\n(b) oven\n(c) bed\n(d) jar\n(e) sea"
    )
    assert (found["label"], found["split"], found["task"]) == ("sky", "test", "text")
    assert found["teacher"] == {"label": "sky", "rationale": "It flies."}
    assert "choices" not in found


@pytest.mark.parametrize(
    ("name", "reply", "teacher"),
    [
        (
            "anli1",
            "It rains. So the answer is neutral.\n\nPremise: So the answer is neutral.",
            {"label": "neutral", "rationale": "It rains."},
        ),
        ("anli1", "It rains.", {"label": None, "rationale": None}),
        (
            "esnli",
            "It rains.\nAnswer: neutral\n\nPremise: sun",
            {"label": "neutral", "rationale": "It rains."},
        ),
        ("esnli", "It rains.", {"label": None, "rationale": "It rains."}),
    ],
)
def test_pairs_are_joined_by_the_end_token_and_keep_their_splits(
    tmp_path: Path, name: str, reply: str, teacher: dict[str, Any]
) -> None:
    row = {"premise": "Rain.", "hypothesis": "Sun.", "label": 1}
    for split in ("train", "valid", "test"):
        write(tmp_path, name, split, [row], [reply])
    found = records_of(tmp_path, name)
    assert [record["split"] for record in found] == ["train", "valid", "test"]
    assert {record["input"] for record in found} == {"Rain.</s>Sun."}
    assert found[0]["label"] == "neutral"
    assert found[0]["teacher"] == teacher


def test_missing_replies_and_unknown_names_are_errors(svamp: Path) -> None:
    (svamp / "svamp" / "llm" / "train_CoT_2.json").unlink()
    for name, message in (("svamp", "fewer replies to train than rows"), ("gsm8k", "usage: ")):
        command = [sys.executable, str(FOLDER / "records.py"), str(svamp), name]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_the_records_train_and_measure_a_student(
    svamp: Path, tiny_seq2seq: Path, tmp_path: Path
) -> None:
    path, save = tmp_path / "records.jsonl", tmp_path / "student"
    path.write_text("".join(json.dumps(record) + "\n" for record in records_of(svamp, "svamp")))
    short = ["--student", str(tiny_seq2seq), "--max-steps", "2", "--max-label-tokens", "8"]
    train = ["train", str(path), "--preset", "paper", *short, "--save", str(save), "-o", os.devnull]
    done = CliRunner().invoke(mitools, train)
    assert done.exit_code == 0, done.output
    assert "18 training and 3 test records, 2 not used" in done.stderr
    assert "training records with an empty rationale, as the teacher gave none" in done.stderr
    figures = tmp_path / "figures.json"
    measure = ["eval", str(path), "--student", str(save), "--no-rationales"]
    done = CliRunner().invoke(mitools, [*measure, "--summary", str(figures), "-o", os.devnull])
    assert done.exit_code == 0, done.output
    label = json.loads(figures.read_text())["label"]
    assert label["accuracy"]["n"] == label["exact_match"]["n"] == 3


def test_the_script_runs_the_preset() -> None:
    script = FOLDER / "run.sh"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    done = subprocess.run([script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "usage: " in done.stderr
    assert "--preset paper" in script.read_text()
