"""``mitools eval --by``: the main figures for each value of a field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from mitools.cli import mitools as program
from mitools.evaluate.catalog import summary_schema
from tests.cli import test_eval_answer
from tests.cli.test_eval import equation, folder, judged, lines, opened, parsed, run
from tests.cli.test_eval_answer import asked

__all__ = ["asked", "folder", "opened"]  # fixtures

# The student of these tests is right except where the number is divisible by four.
EIGHT = [
    equation(number, kind="even" if number % 2 == 0 else "odd", meta={"half": number // 4})
    for number in range(8)
]
TABLE = [
    ["kind", "records", "accuracy", "95%", "interval"],
    ["even", "4", "50.0%", "15.0", "to", "85.0"],
    ["odd", "4", "100.0%", "51.0", "to", "100.0"],
]


def rows(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stderr.splitlines()]


def of(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "figures.json").read_text())
    jsonschema.validate(found, summary_schema())
    return found


@pytest.fixture
def summary(tmp_path: Path) -> tuple[str, str]:
    return "--summary", str(tmp_path / "figures.json")


def test_a_student_is_measured_by_the_values_of_fields(
    opened: list[Any], folder: Path, tmp_path: Path, summary: tuple[str, str]
) -> None:
    by = ("--by", "kind", "--by", "meta.half")
    result = run("--student", folder, *by, *summary, records=EIGHT)
    assert result.exit_code == 0, result.stderr
    stderr = result.stderr
    assert stderr.index("8 records, task equation") < stderr.index("by kind: 2 values")
    assert stderr.index("by kind: 2 values") < stderr.index("by meta.half: 2 values")
    assert [row for row in rows(result) if row and row[0] in ("kind", "even", "odd")] == TABLE
    found = of(tmp_path)
    assert found["by"]["kind"]["odd"]["accuracy"]["value"] == 1.0
    halves = {name: one["accuracy"]["value"] for name, one in found["by"]["meta.half"].items()}
    assert halves == {"0": 0.75, "1": 0.75}
    assert found["provenance"]["run"]["asked"]["by"] == ["kind", "meta.half"]
    again = run(*by, *summary, text=result.stdout)
    assert again.stdout == result.stdout
    assert of(tmp_path)["by"] == found["by"]


def test_without_the_option_nothing_is_added(
    opened: list[Any], folder: Path, tmp_path: Path, summary: tuple[str, str]
) -> None:
    result = run("--student", folder, *summary, records=EIGHT)
    assert "mitools eval: by " not in result.stderr
    assert "by" not in of(tmp_path)


def test_a_recipe_sets_it_like_the_command_line(
    opened: list[Any], folder: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[eval]\nby = ["kind", "meta.half"]\n')
    by_recipe = run("--student", folder, "-c", recipe, records=EIGHT)
    assert by_recipe.exit_code == 0, by_recipe.stderr
    typed = run("--student", folder, "--by", "kind", "--by", "meta.half", records=EIGHT)
    assert by_recipe.stderr == typed.stderr
    assert "by meta.half" in typed.stderr
    recipe.write_text('[eval]\nby = "kind"\n')
    single = run("--student", folder, "-c", recipe, records=EIGHT)
    assert TABLE[1] in rows(single)


def test_a_record_without_the_field_has_a_row_of_its_own(opened: list[Any], folder: Path) -> None:
    records = [*EIGHT, equation(9), equation(10, kind=None)]
    result = run("--student", folder, "--by", "kind", records=records)
    assert ["(missing)", "2", "100.0%", "34.2", "to", "100.0"] in rows(result)


def test_a_field_that_no_record_has_is_an_error_after_everything_is_written(
    opened: list[Any], folder: Path, tmp_path: Path, summary: tuple[str, str]
) -> None:
    out = tmp_path / "out.jsonl"
    result = run("--student", folder, "--by", "knid", *summary, "-o", out, records=EIGHT)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        'mitools eval: --by: no record has a value in field "knid"; did you mean "--by kind"?'
    )
    assert "8 records, task equation" in result.stderr
    assert len(out.read_text().splitlines()) == 8
    assert of(tmp_path)["by"]["knid"]["(missing)"]["records"] == 8


def test_a_list_is_refused_before_the_student_answers(opened: list[Any], folder: Path) -> None:
    records = [equation(1, tags=["a"])]
    result = run("--student", folder, "--by", "tags", records=records)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        'mitools eval: <stdin>:1: record "1": --by needs a text, a number or a boolean, and field '
        '"tags" holds a list; name another field with --by\n'
    )
    skipped = run(
        "--student", folder, "--by", "tags", "--on-error", "skip", records=records + EIGHT
    )
    assert len(parsed(skipped)) == 8


def test_an_object_names_a_field_in_it(opened: list[Any], folder: Path) -> None:
    result = run("--student", folder, "--by", "meta", records=EIGHT)
    assert result.stderr.endswith('holds an object; name a field in it: "--by meta.half"\n')


def test_an_answer_of_the_student_that_is_a_list_is_refused(
    opened: list[Any], folder: Path
) -> None:
    record = {"id": "1", "input": "b", "label": "a", "choices": ["a", "b"]}
    result = run("--student", folder, "--by", "student.choices", records=[record])
    assert result.exit_code == 1
    assert 'field "student.choices" holds an object' in result.stderr


def test_hostile_values_cannot_control_the_terminal(opened: list[Any], folder: Path) -> None:
    values = ("\x1b[2J\r", "\u202eevil", "z" * 9_999)
    records = [equation(n, kind=value) for n, value in enumerate(values)]
    result = run("--student", folder, "--by", "kind", records=records)
    assert result.exit_code == 0
    table = result.stderr.split("by kind")[1]
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert "\\x1b[2J\\r" in table
    assert "\\u202eevil" in table
    assert max(len(line) for line in table.splitlines() if line.startswith("  ")) < 100


def test_shards_and_seeds_and_a_baseline_keep_the_figures(
    opened: list[Any], tmp_path: Path, summary: tuple[str, str]
) -> None:
    ours, theirs = judged(tmp_path / "a", "2233"), judged(tmp_path / "b", "2333", start=4)
    assert run("--merge", ours, theirs, "--by", "label", *summary).exit_code == 0
    merged = of(tmp_path)["by"]["label"]["2"]
    assert (merged["records"], merged["accuracy"]["value"]) == (8, 0.375)
    theirs = judged(tmp_path / "b", "2333")
    compared = run(ours, "--compare", theirs, "--by", "label", *summary)
    assert compared.exit_code == 0, compared.stderr
    assert ["2", "4", "50.0%", "15.0", "to", "85.0"] in rows(compared)
    seeds = run("--seeds", ours, theirs, "--by", "label", *summary)
    assert "by label: --summary FILE holds the figures of each run" in seeds.stderr
    values = [one["by"]["label"]["2"]["accuracy"]["value"] for one in of(tmp_path)["runs"]]
    assert values == [0.5, 0.25]


def test_the_answer_that_counts_is_that_of_the_way(
    asked: Any, folder: Path, tmp_path: Path, summary: tuple[str, str]
) -> None:
    records = [
        {**record, "animal": record["input"].split()[0]} for record in test_eval_answer.RECORDS
    ]
    for way in ("predict", "conclude", "both"):
        args = ("--student", folder, "--answer", way, "--by", "animal", *summary)
        result = run(*args, records=records)
        assert result.exit_code == 0, result.stderr
        by = of(tmp_path)["by"]["animal"]
        for animal, figures in by.items():
            own = [
                one["scores"]["correct"]
                for one in parsed(result)
                if one["animal"] == animal and one["split"] == "test"
            ]
            assert (figures["records"], figures["accuracy"]["value"]) == (3, sum(own) / len(own))
        assert len(by) == 4  # records that only fit a weight are not counted


def test_records_above_the_threshold_are_told_from_the_others(
    opened: list[Any], folder: Path
) -> None:
    # All of the valid records are right, and half of the others.
    splits = ("test", "valid", "valid", "test")
    records = [equation(n, split=splits[n % 4]) for n in range(60)]
    args = ("--student", folder, "--target-accuracy", 0.5, "--risk", 0.1, "--by", "scores.sure")
    result = run(*args, records=records)
    assert result.exit_code == 0, result.stderr
    assert [row[:3] for row in rows(result) if row[:1] == ["true"]] == [["true", "30", "50.0%"]]


def test_a_page_is_made_of_a_summary_that_holds_them(
    opened: list[Any], folder: Path, tmp_path: Path, summary: tuple[str, str]
) -> None:
    records = [equation(n, kind=("status", "value", "<b>x</b>")[n % 3]) for n in range(9)]
    judged_path, page = tmp_path / "judged.jsonl", tmp_path / "page.html"
    args = ("--student", folder, "--by", "kind", *summary, "-o", judged_path)
    assert run(*args, records=records).exit_code == 0
    made = CliRunner().invoke(
        program, ["explain", str(judged_path), *summary, "--html", str(page), "-q"]
    )
    assert made.exit_code == 0, made.stderr
    assert "<b>x</b>" not in page.read_text()
    assert lines(*records) not in page.read_text()
