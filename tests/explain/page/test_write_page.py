"""A page made from Python: the same file as the command's."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import mitools.explain.page.write
from mitools.cli import mitools as command
from mitools.errors import DataError, OutputError
from mitools.explain.options import ExplainOptions
from mitools.explain.page.write import write_page
from mitools.explain.summary_file import read_summary
from tests.explain.figures import probed
from tests.explain.page.pages import choice
from tests.explain.page.test_write_index import config_of

RECORDS = [choice(number) for number in range(12)]


def test_a_page_is_the_one_that_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    second = [{**record, "student": {"label": record["label"]}} for record in RECORDS]
    for name, records in (("a.jsonl", RECORDS), ("b.jsonl", second)):
        Path(name).write_text("".join(json.dumps(record) + "\n" for record in records))
    Path("a.json").write_text(json.dumps(probed()))
    typed = ["a.jsonl", "--vs", "b.jsonl", "--summary", "a.json", "--grep", "e", "--seed", "4"]
    done = CliRunner().invoke(command, ["explain", *typed, "--html", "theirs.html"])
    assert done.exit_code == 0, done.stderr
    warnings: list[str] = []
    counts = write_page(
        "mine.html",
        RECORDS,
        ExplainOptions(vs="b.jsonl", grep="e", seed=4),
        summaries={"student": read_summary("a.json")},
        source="a.jsonl",
        warn=warnings.append,
    )
    assert Path("mine.html").read_bytes() == Path("theirs.html").read_bytes()
    assert (counts.read, counts.shown) == (12, 12)
    assert warnings == ["the figures are of 200 records; this page has 12"]


@pytest.mark.parametrize("source", ["a, b.jsonl", ("a, b.jsonl",), ("x.jsonl", "a, b.jsonl")])
def test_a_comma_in_the_name_of_a_file_stays_in_the_command(
    source: str | tuple[str, ...], tmp_path: Path
) -> None:
    write_page(tmp_path / "page.html", RECORDS, source=source)
    page = (tmp_path / "page.html").read_text()
    files = [source] if isinstance(source, str) else list(source)
    assert config_of(page)["command"] == ["mitools", "explain", *files]
    assert f"<dt>from</dt> <dd>{', '.join(files)}</dd>" in page


def test_a_students_name_is_that_of_its_file_also_with_a_comma(tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    options = ExplainOptions(vs=str(other))
    write_page(tmp_path / "page.html", RECORDS, options, source=str(tmp_path / "a, b.jsonl"))
    runs = config_of((tmp_path / "page.html").read_text())["runs"]
    assert [run["name"] for run in runs] == ["a, b", "other"]


def test_a_run_that_fails_leaves_no_page(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text(json.dumps({**RECORDS[0], "student": None}) + "\n")
    options = ExplainOptions(vs=str(tmp_path / "b.jsonl"))
    with pytest.raises(DataError, match="no record has a student's answer"):
        write_page(tmp_path / "page.html", RECORDS, options)
    with pytest.raises(OutputError):
        write_page(tmp_path / "nowhere" / "page.html", RECORDS)
    assert [path.name for path in tmp_path.iterdir()] == ["b.jsonl"]


def test_the_example_of_the_docstring_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(mitools.explain.page.write) == (0, 3)
    assert (tmp_path / "page.html").stat().st_size > 10_000
