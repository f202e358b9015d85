"""The index of a folder of runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import SourceError
from mitools.explain.page.write_index import write_index
from tests.explain.page.pages import HOSTILE, choice
from tests.explain.page.test_find_runs import SUMMARY, judged
from tests.explain.page.test_write import Outline


def config_of(page: str) -> dict[str, Any]:
    start = page.index('<script id="config" type="application/json">')
    text = page[page.index(">", start) + 1 : page.index("</script>", start)]
    found: dict[str, Any] = json.loads(text)
    return found


def test_an_index_lists_runs_with_figures_and_links(tmp_path: Path) -> None:
    judged(tmp_path / "runs" / "mi" / "judged.jsonl")
    (tmp_path / "runs" / "mi" / "page.html").write_text("")
    judged(tmp_path / "runs" / "dss" / "judged.jsonl")
    summary = {**SUMMARY, "records": 2}  # two of the four are of the split valid
    (tmp_path / "runs" / "dss" / "judged.json").write_text(json.dumps(summary))
    path = tmp_path / "index.html"
    assert write_index(str(tmp_path / "runs"), str(path)) == 2
    outline = Outline(path.read_text(encoding="utf-8"))
    links = [attributes["href"] for tag, attributes in outline.elements if tag == "a"]
    assert links == ["./runs/mi/page.html"]
    assert "dss student@0123456789ab" in outline.words
    assert "50.0%" in outline.words
    assert "AUROC" not in outline.words  # no run has one
    config = config_of(path.read_text(encoding="utf-8"))
    assert [run["name"] for run in config["runs"]] == ["dss", "mi"]
    assert config["groups"][0]["runs"] == [0, 1]


def test_a_folder_gets_a_page_for_each_run(tmp_path: Path) -> None:
    judged(tmp_path / "runs" / "mi.jsonl")
    judged(tmp_path / "runs" / "index.jsonl")  # its page must not replace the index
    assert write_index(str(tmp_path / "runs"), str(tmp_path / "pages")) == 2
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == [
        "index-2.html",
        "index.html",
        "mi.html",
    ]
    page = (tmp_path / "pages" / "index.html").read_text(encoding="utf-8")
    links = [attributes["href"] for tag, attributes in Outline(page).elements if tag == "a"]
    assert links == ["./index-2.html", "./mi.html"]


def test_a_summary_of_another_run_is_told_and_the_run_has_its_own_figures(tmp_path: Path) -> None:
    path = judged(tmp_path / "runs" / "bad.jsonl")
    records = [{**choice(i), "student": {"label": "car"}} for i in range(4)]
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    (tmp_path / "runs" / "summary.json").write_text(json.dumps(SUMMARY))
    told: list[str] = []
    assert write_index(str(tmp_path / "runs"), str(tmp_path / "pages"), warn=told.append) == 1
    assert len(told) == 1
    assert "summary.json is left out: its accuracy is not that of the records in" in told[0]
    index, page = (
        Outline((tmp_path / "pages" / name).read_text()).words
        for name in ("index.html", "bad.html")
    )
    assert told[0] in index
    assert "50.0%" not in index
    assert "0.0%" in index
    assert "Accuracy 0.0%" in page
    assert "the figures are" not in page


def test_a_run_says_how_many_records_its_figures_leave_out(tmp_path: Path) -> None:
    judged(tmp_path / "a.jsonl", 6)
    write_index(str(tmp_path), str(tmp_path / "index.html"))
    assert "a.jsonl 3 of 6 " in Outline((tmp_path / "index.html").read_text()).words


def test_a_run_that_cannot_be_read_is_listed_with_the_reason(tmp_path: Path) -> None:
    judged(tmp_path / "good.jsonl")
    bad = judged(tmp_path / "bad.jsonl")
    bad.write_text(bad.read_text() + "{broken\n")
    told: list[str] = []
    assert write_index(str(tmp_path), str(tmp_path / "i.html"), warn=told.append) == 2
    assert len(told) == 1
    assert "bad.jsonl:5" in told[0]
    assert "bad.jsonl:5" in Outline((tmp_path / "i.html").read_text()).words


def test_runs_that_are_left_out_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitools.explain.page.find_runs.MAX_RUNS", 2)
    for name in "ab":
        judged(tmp_path / f"{name}.jsonl")
    told: list[str] = []
    assert write_index(str(tmp_path), str(tmp_path / "i.html"), warn=told.append) == 2
    assert not told
    judged(tmp_path / "c.jsonl")
    assert write_index(str(tmp_path), str(tmp_path / "i.html"), warn=told.append) == 2
    last = tmp_path / "b.jsonl"
    assert told == [f"{tmp_path} has more than 2 runs; those behind {last} are left out"]
    assert "has more than 2 runs" in Outline((tmp_path / "i.html").read_text()).words


def test_a_folder_without_runs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no file with a student's answers"):
        write_index(str(tmp_path), str(tmp_path / "index.html"))
    assert not (tmp_path / "index.html").exists()


def test_hostile_names_add_no_element(tmp_path: Path) -> None:
    tags = []
    for number, text in enumerate(["x", *(text for text in HOSTILE.values())]):
        folder = tmp_path / str(number)
        name = text.replace("/", "_").replace("\x00", "").encode(errors="ignore").decode()
        model = {**choice(0)["student"], "model": text.encode(errors="ignore").decode()}
        judged(folder / f"{name[:60]}.jsonl").write_text(
            json.dumps(choice(0, student=model)) + "\n"
        )
        path = folder / "index.html"
        write_index(str(folder), str(path))
        page = path.read_text(encoding="utf-8")
        outline = Outline(page)
        tags.append([tag for tag, _ in outline.elements])
        assert "javascript:" not in [str(a.get("href"))[:11] for _, a in outline.elements]
    assert all(one == tags[0] for one in tags)


def test_ids_that_come_twice_are_told(tmp_path: Path) -> None:
    path = judged(tmp_path / "runs" / "a.jsonl")
    path.write_text(path.read_text() * 2)
    told: list[str] = []
    write_index(str(tmp_path / "runs"), str(tmp_path / "index.html"), warn=told.append)
    (warning,) = told
    assert "with an id seen before; all count" in warning
