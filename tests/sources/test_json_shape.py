"""Objects that hold the rows of a file, and the commands that take them out."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import MitoolsError, SourceError
from mitools.sources.json_shape import command_for_rows
from mitools.sources.load_records import load_records

ROWS = [{"input": f"thing {n}", "label": f"kind {n % 2}"} for n in range(4)]
COLUMNS = {name: [row[name] for row in ROWS] for name in ("input", "label")}
OF_PANDAS = {
    name: {str(place): cell for place, cell in enumerate(cells)} for name, cells in COLUMNS.items()
}
SPLIT = {"columns": [*COLUMNS], "index": [*range(4)], "data": [[*row.values()] for row in ROWS]}

HOLDING = {
    "wrapped": {"version": "1.1", "data": ROWS},
    "only": {'my "rows"': ROWS},
    "splits": {"train": ROWS[:3], "test": ROWS[3:]},
    "by_id": {f"n{place}": row for place, row in enumerate(ROWS)},
    "lists": COLUMNS,
    "frame": OF_PANDAS,
    "split_frame": SPLIT,
}


def test_the_command_keeps_texts_that_look_like_numbers_or_dates(tmp_path: Path) -> None:
    columns = {"input": ["007", "08"], "label": ["1.50", "2"], "date": ["2020-01-01", "x"]}
    command = command_for_rows(columns, str(tmp_path / "a.json"))
    assert command is not None
    (tmp_path / "a.json").write_text(json.dumps(columns))
    subprocess.run(
        ["bash", "-c", command.replace("python", sys.executable)], cwd=tmp_path, check=True
    )
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert rows == [
        dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)
    ]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["it's", "my list", "stuff"])
def test_the_command_that_takes_a_list_out_of_an_object_can_be_typed(
    name: str, indent: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "my file.json"
    path.write_text(json.dumps({"n": 3, name: [{"input": "a"}, {"input": "b"}]}, indent=indent))
    with pytest.raises(MitoolsError) as caught:
        list(load_records(str(path)))
    command = "jq -c" + caught.value.hint.partition("jq -c")[2].partition(" | mitools")[0]
    command = command.replace("FILE", shlex.quote(str(path)))
    assert shlex.split(command)[2:] == [
        ".stuff[]" if name == "stuff" else f".[{json.dumps(name)}][]",
        str(path),
    ]
    if shutil.which("jq"):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", HOLDING)
def test_the_command_writes_the_rows(name: str, indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / "it's $HOME.json"
    path.write_text(json.dumps(HOLDING[name], indent=indent))
    with pytest.raises(SourceError, match="holds one object, not a list of objects") as caught:
        list(load_records(str(path)))
    command = caught.value.hint.partition(": ")[2]
    if command.startswith("jq") and shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run(command, shell=True, check=True, cwd=tmp_path, env=environment)
    found = list(load_records(str(tmp_path / "rows.jsonl")))
    assert [{"input": row["input"], "label": row["label"]} for row in found] == ROWS
    if name == "splits":
        assert [row["split"] for row in found] == ["train"] * 3 + ["test"]
    if name == "by_id":
        assert [row["id"] for row in found] == ["n0", "n1", "n2", "n3"]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"input": "a"},
        {"input": "a", "choices": ["x", "y"], "facts": [{"a": 1}]},
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"conversations": [{"from": "human", "value": "Hi"}]},
        {"tags": ["x", "y"]},
        {"question": {"stem": "Where?"}, "choices": ["x"]},
        {"a": [], "b": []},
        {"request": {"model": "m", "prompt": "Hi"}, "response": {"id": "x", "text": "Hello"}},
    ],
)
def test_what_may_be_a_row_is_one(row: dict[str, Any]) -> None:
    assert command_for_rows(row, "x.json") is None


def test_the_first_of_several_objects_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("".join(json.dumps({"input": "a", "data": ROWS}) + "\n" for _ in range(2)))
    assert len(list(load_records(str(path)))) == 2
