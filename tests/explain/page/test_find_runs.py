"""Which files of a folder are judged runs, and what is beside them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from mitools.explain.page.find_runs import find_runs
from tests.explain.page.pages import choice

SUMMARY: dict[str, Any] = {
    "records": 4,
    "label": {"accuracy": {"value": 0.5, "status": "ok", "n": 4, "unit": "fraction"}},
}


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def judged(path: Path, count: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines(*(choice(index) for index in range(count))), encoding="utf-8")
    return path


def test_files_with_answers_are_runs_and_others_are_not(tmp_path: Path) -> None:
    judged(tmp_path / "mi" / "judged.jsonl")
    judged(tmp_path / "dss" / "judged.jsonl")
    (tmp_path / "mi" / "records.jsonl").write_text(lines({"id": "a", "input": "?"}))
    (tmp_path / "mi" / "training.jsonl").write_text('{"step": 1}\n')
    (tmp_path / "broken.jsonl").write_text("{not json\n")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "folder.jsonl").mkdir()
    judged(tmp_path / "now.work" / "judged.jsonl")
    judged(tmp_path / ".hidden" / "judged.jsonl")
    found = find_runs(str(tmp_path))
    assert [one.name for one in found] == ["dss", "mi"]
    assert [Path(one.path).parent.name for one in found] == ["dss", "mi"]
    assert (found[0].summary, found[0].page) == (None, "")


def test_a_packed_file_is_a_run(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "both.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write(lines(choice(0)))
    assert [one.name for one in find_runs(str(tmp_path))] == ["both"]


def test_summary_and_page_beside_the_records_belong_to_them(tmp_path: Path) -> None:
    judged(tmp_path / "mi.jsonl")
    (tmp_path / "mi.json").write_text(json.dumps(SUMMARY))
    (tmp_path / "mi.html").write_text("")
    judged(tmp_path / "b" / "judged.jsonl")
    (tmp_path / "b" / "judged.json").write_text('{"epochs": 3}')  # settings, not a summary
    (tmp_path / "b" / "figures.json").write_text(json.dumps(SUMMARY))
    (tmp_path / "b" / "page.html").write_text("")
    first, second = find_runs(str(tmp_path))
    assert (first.summary, Path(first.page).name) == (SUMMARY, "mi.html")
    assert Path(second.summary_path).name == "figures.json"
    assert (second.summary, Path(second.page).name) == (SUMMARY, "page.html")


def test_a_shared_name_belongs_to_no_run_where_several_could_be_meant(tmp_path: Path) -> None:
    judged(tmp_path / "good.jsonl")
    judged(tmp_path / "bad.jsonl")
    (tmp_path / "records.jsonl").write_text(lines({"id": "a", "input": "?"}))
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))
    (tmp_path / "page.html").write_text("")
    (tmp_path / "figures.json").write_text('{"epochs": 3}')  # settings, not a summary
    (tmp_path / "good.json").write_text(json.dumps(SUMMARY))
    told: list[str] = []
    bad, good = find_runs(str(tmp_path), told.append)
    assert (bad.summary, bad.summary_path, bad.page, good.page) == (None, "", "", "")
    assert Path(good.summary_path).name == "good.json"
    (warning,) = told
    assert warning.startswith(f"{tmp_path / 'summary.json'} is left out: its folder has 2 judged")
    (tmp_path / "bad.jsonl").unlink()
    (tmp_path / "good.json").unlink()
    (alone,) = find_runs(str(tmp_path), told.append)
    assert (Path(alone.summary_path).name, Path(alone.page).name) == ("summary.json", "page.html")
    assert told == [warning]
