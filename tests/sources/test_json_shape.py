"""Objects that hold the rows of a file, and the commands that take them out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import SourceError
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
