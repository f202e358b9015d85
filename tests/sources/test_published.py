"""Well-known data sets as they are published: one command each, on rows of their shape."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from mitools.cli import load as cli_load
from mitools.cli import mitools
from mitools.sources.published import PRESETS

NLI = ["entailment", "neutral", "contradiction"]
ARC = {"text": ["ice", "steam", "snow", "fog"], "label": ["A", "B", "C", "D"]}

# Preset, two rows as published, and the labels that they mean.
ROWS: dict[str, tuple[list[dict[str, Any]], list[str | None]]] = {
    "anli": (
        [
            {"uid": "u", "premise": "p", "hypothesis": "h", "label": 2, "reason": "why"},
            {"uid": "v", "premise": "p", "hypothesis": "h", "label": 1, "reason": ""},
        ],
        ["contradiction", "neutral"],
    ),
    "aqua": (
        [
            {
                "question": "A car goes 84 km in 2 h. How fast is it?",
                "options": ["A)21", "B)42", "C)44", "D)82", "E)168"],
                "rationale": "84 / 2 = 42\nAnswer B",
                "correct": "B",
            }
        ],
        ["42"],
    ),
    "arc": (
        [
            {"id": "M1", "question": "What is frozen?", "choices": ARC, "answerKey": "C"},
            {
                "id": "M2",
                "question": "What is hot?",
                "choices": {"text": ["ice", "steam", "snow"], "label": ["1", "2", "3"]},
                "answerKey": "2",
            },
            {"id": "M3", "question": "Hidden?", "choices": ARC, "answerKey": ""},
        ],
        ["snow", "steam", None],
    ),
    "arc-original": (
        [
            {
                "id": "7-980",
                "question": {
                    "stem": "The sun is responsible for",
                    "choices": [
                        {"text": "puppies", "label": "A"},
                        {"text": "plants sprouting", "label": "B"},
                    ],
                },
                "answerKey": "B",
            }
        ],
        ["plants sprouting"],
    ),
    "boolq": (
        [
            {"question": "is ice cold", "passage": "Ice is cold.", "answer": True},
            {"question": "is ice warm", "passage": "Ice is cold.", "answer": False},
        ],
        ["yes", "no"],
    ),
    "chat": (
        [
            {
                "messages": [
                    {"role": "user", "content": "Is ice warm?"},
                    {"role": "assistant", "content": "Ice is cold. The answer is no."},
                ],
                "label": "no",
            }
        ],
        ["no"],
    ),
    "csqa": (
        [
            {
                "id": "1afa02",
                "question": "Where do you sleep?",
                "question_concept": "sleep",
                "choices": {"label": ["A", "B"], "text": ["bed", "bank"]},
                "answerKey": "A",
            }
        ],
        ["bed"],
    ),
    "esnli": (
        [
            {"premise": "p", "hypothesis": "h", "label": 1, "explanation_1": "why"},
            {"premise": "p", "hypothesis": "h", "label": 2, "explanation_1": "why"},
            {"premise": "p", "hypothesis": "h", "label": -1, "explanation_1": ""},
        ],
        ["neutral", "contradiction", None],
    ),
    "esnli-original": (
        [
            {
                "pairID": f"{number}.jpg#1r1n",
                "gold_label": label,
                "Sentence1": "A man naps.",
                "Sentence2": "A man rests.",
                "Explanation_1": "Naps are rest.",
            }
            for number, label in enumerate(["entailment", "-"])
        ],
        ["entailment", None],
    ),
    "gsm8k": (
        [
            {
                "question": "How many clips in May?",
                "answer": "Natalia sold 48/2 = <<48/2=24>>24 clips.\n#### 24",
            },
            {"question": "How much?", "answer": "It is $500 * 2.\n#### 1,000"},
        ],
        ["24", "1,000"],
    ),
    "hellaswag": (
        [
            {"ctx": "She opens the door and", "endings": ["a", "b", "c", "d"], "label": "3"},
            {"ctx": "He sits down and", "endings": ["a", "b", "c", "d"], "label": "1"},
            {"ctx": "Nobody knows", "endings": ["a", "b", "c", "d"], "label": ""},
        ],
        ["d", "b", None],
    ),
    "mmlu": (
        [
            {"question": "2+2?", "subject": "maths", "choices": ["0", "4", "2", "6"], "answer": 1},
            {"question": "1+1?", "subject": "maths", "choices": ["0", "4", "2", "6"], "answer": 2},
        ],
        ["4", "2"],
    ),
    "openbookqa": (
        [{"id": "7", "question_stem": "What is frozen?", "choices": ARC, "answerKey": "A"}],
        ["ice"],
    ),
    "piqa": (
        [
            {"goal": "Open a jar", "sol1": "Twist it.", "sol2": "Sing to it.", "label": label}
            for label in (1, -1)
        ],
        ["Sing to it.", None],
    ),
    "race": (
        [
            {
                "example_id": "high1.txt",
                "article": "Ann moved.",
                "question": "Who moved?",
                "options": ["Bob", "Ann", "Carl", "Dan"],
                "answer": "B",
            }
        ],
        ["Ann"],
    ),
    "siqa": (
        [
            {
                "context": "Tracy fell.",
                "question": "How is Tracy?",
                "answerA": "glad",
                "answerB": "hurt",
                "answerC": "rich",
                "label": label,
            }
            for label in ("2", "1")
        ],
        ["hurt", "glad"],
    ),
    "winogrande": (
        [
            {
                "sentence": "The cat left the dog since _ was tired.",
                "option1": "cat",
                "option2": "dog",
                "answer": answer,
            }
            for answer in ("1", "")
        ],
        ["cat", None],
    ),
}


def run(*args: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(mitools, ["load", *map(str, args)], input=stdin)


def records(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def as_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_every_preset_has_rows_here_and_stands_in_the_help() -> None:
    assert list(ROWS) == list(PRESETS)
    (option,) = [one for one in cli_load.command.params if one.name == "preset"]
    for name in PRESETS:
        assert name in str(option.help)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ROWS)
def test_a_data_set_is_read_as_it_is_published(name: str) -> None:
    rows, labels = ROWS[name]
    found = records(run("--preset", name, stdin=as_lines(rows)))
    assert [record["label"] for record in found] == labels
    for record in found:
        assert record["label"] is None or record["label"] in record.get(
            "choices", [record["label"]]
        )
        for choice in record.get("choices", []):
            assert choice in record["input"] or record["task"] == "labels"


@pytest.mark.parametrize("name", [name for name in ROWS if not PRESETS[name].is_chat])
def test_a_data_set_is_known_by_its_fields(name: str) -> None:
    result = run(stdin=as_lines(ROWS[name][0]))
    assert result.exit_code == 1
    assert f'"--preset {name}"' in result.stderr


def test_rationales_and_tasks_come_along() -> None:
    (first, _) = records(run("--preset", "gsm8k", stdin=as_lines(ROWS["gsm8k"][0])))
    assert first["rationale"] == "Natalia sold 48/2 = <<48/2=24>>24 clips."
    assert (first["task"], first["input"]) == ("equation", "How many clips in May?")
    first = records(run("--preset", "esnli", stdin=as_lines(ROWS["esnli"][0])))[0]
    assert (first["rationale"], first["task"], first["choices"]) == ("why", "labels", NLI)
    (first,) = records(run("--preset", "aqua", stdin=as_lines(ROWS["aqua"][0])))
    assert first["rationale"].startswith("84 / 2")
    assert "(b) 42" in first["input"]


def test_a_table_of_a_published_data_set_is_read_alike(tmp_path: Path) -> None:
    rows, labels = ROWS["esnli-original"]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path = tmp_path / "esnli_dev.csv"
    path.write_text(stream.getvalue())
    found = records(run(path, "--preset", "esnli-original"))
    assert [record["label"] for record in found] == labels
    assert found[0]["id"] == "0.jpg#1r1n"


def class_label_table(rows: list[dict[str, Any]], name: str, names: list[str]) -> pa.Table:
    """Make a table as the Hub's Parquet files are, where a label is the place of a class."""
    table = pa.Table.from_pylist(rows)
    kinds = {"string": "string", "int64": "int64"}
    features: dict[str, Any] = {
        field.name: {"dtype": kinds[str(field.type)], "_type": "Value"}
        if str(field.type) in kinds
        else {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
        for field in table.schema
    }
    features[name] = {"names": names, "_type": "ClassLabel"}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    return table.replace_schema_metadata(metadata)


@pytest.mark.parametrize(
    ("name", "field", "names"),
    [
        ("mmlu", "answer", list("ABCD")),
        ("piqa", "label", ["0", "1"]),
        ("esnli", "label", NLI),
    ],
)
def test_a_feature_of_classes_decides(
    tmp_path: Path, name: str, field: str, names: list[str]
) -> None:
    rows, labels = ROWS[name]
    path = tmp_path / "a.parquet"
    pq.write_table(class_label_table(rows, field, names), path)
    found = records(run(path, "--preset", name))
    assert [record["label"] for record in found] == labels


def test_what_is_given_by_hand_comes_before_the_preset() -> None:
    rows = as_lines(ROWS["siqa"][0])
    args = ("--preset", "siqa", "--map", "input=question", "--label-is", "index0")
    found = records(run(*args, stdin=rows))
    assert [record["label"] for record in found] == ["rich", "hurt"]
    assert found[0]["input"] == "How is Tracy?"


def test_an_unknown_preset_is_a_usage_error() -> None:
    result = run("--preset", "gsm", stdin="{}")
    assert result.exit_code == 2
    assert 'did you mean "gsm8k"?' in result.stderr
