from __future__ import annotations

import json
import shlex
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import DataError
from mitools.study.conduct import StudyOptions, conduct
from mitools.study.learning_curve import draw_learning_curves
from mitools.study.report import as_markdown, write_report
from mitools.study.tables import build_tables
from tests.study import studies
from tests.study.studies import MINIMAL, results_of, write_study


def cell(name: str, size: int | None, value: float, low: float, high: float) -> dict[str, Any]:
    figures = {"accuracy": {"value": value, "ci95": [low, high], "n": 10}}
    return {"objective": name, "answer": "default", "size": size, "figures": figures}


def test_a_learning_curve_is_an_svg_with_a_line_and_points_for_each_objective() -> None:
    cells = [cell("a<b", 100, 0.2, 0.1, 0.3), cell("a<b", 1000, 0.6, 0.5, 0.7)]
    cells += [cell("dss", 100, 0.4, 0.3, 0.5), cell("dss", 10, 0.1, 0.0, 0.2)]
    picture = draw_learning_curves(cells)
    assert picture is not None
    root = ElementTree.fromstring(picture)
    circles = [one for one in root.iter() if one.tag.endswith("circle")]
    assert len(circles) == 4
    texts = [str(one.text) for one in root.iter() if one.tag.endswith("text")]
    assert "a<b, default" in texts
    assert {"10", "100", "1,000"} <= set(texts)
    # On a logarithmic scale 100 is halfway from 10 to 1,000.
    places = sorted({float(one.attrib["cx"]) for one in circles})
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.11)
    # A higher accuracy is drawn higher up, and on the line of its own size.
    heights = {one.attrib["cx"]: [] for one in circles}  # type: dict[str, list[float]]
    for one in circles:
        heights[one.attrib["cx"]].append(float(one.attrib["cy"]))
    assert heights[f"{places[1]:.1f}"][0] > heights[f"{places[1]:.1f}"][1]


def test_a_picture_of_many_lines_has_room_for_their_names_and_no_two_alike() -> None:
    names = [f"o{place}" for place in range(53)]  # as many as demo.toml has
    picture = draw_learning_curves([cell(one, n, 0.2, 0.1, 0.3) for one in names for n in (1, 2)])
    assert picture is not None
    root = ElementTree.fromstring(picture)
    bottom = float(root.attrib["viewBox"].split()[-1])
    assert all(float(one.get("y", 0)) < bottom for one in root.iter())
    lines = [one.attrib for one in root.iter() if "stroke-dasharray" in one.attrib]
    styles = {(one["stroke"], one["stroke-dasharray"]) for one in lines}
    assert len(styles) == len(names)


def test_one_size_or_none_makes_no_curve() -> None:
    assert draw_learning_curves([cell("dss", 10, 0.1, 0.0, 0.2)]) is None
    assert draw_learning_curves([cell("dss", None, 0.1, 0.0, 0.2)]) is None
    assert draw_learning_curves([]) is None


def test_markdown_shows_figures_with_intervals_and_comparisons(tmp_path: Path) -> None:
    study = write_study(tmp_path, MINIMAL.replace("sizes = [4, 8]", "").replace("2", "1", 1))
    results = results_of(study, {("dss", 0): [1, 1, 0, 0], ("label", 0): [0, 0, 0, 0]}, ece=0.125)
    text = as_markdown({"runs": 2, "runs_of": 2, **build_tables(study, results)}, ["accuracy.svg"])
    assert text.startswith("2 of 2 runs are complete.\n")
    assert "![accuracy by training records](accuracy.svg)" in text
    assert "## All training records" in text
    assert "| dss | default | 1 | 50.0 [15.0, 85.0] | – | – | – | 0.125 | 500 |" in text
    assert "| label | default | dss | -50.0 [" in text
    assert "| records, 1 seed |" in text
    assert "p is adjusted for 1 comparison (Holm)" in text


def test_the_report_says_what_groups_and_few_seeds_mean(tmp_path: Path) -> None:
    study = write_study(tmp_path, MINIMAL.replace("sizes = [4, 8]", ""))
    rows = {("dss", seed): [1, 1, 0, 0, seed] for seed in (0, 1)}
    rows |= {("label", seed): [0, 0, 0, 0, 1] for seed in (0, 1)}
    plain = results_of(study, rows)
    groups = ["a", "a", "b", "b", "b"]
    grouped = [
        replace(
            one,
            verdicts={
                name: replace(verdict, group=group)
                for group, (name, verdict) in zip(groups, one.verdicts.items(), strict=True)
            },
        )
        for one in plain
    ]
    text = as_markdown({"runs": 4, "runs_of": 4, **build_tables(study, grouped)})
    assert "| groups and seeds, 2 seeds |" in text
    assert "The test records are of 2 groups (field group): intervals of accuracy" in text
    assert "With fewer than 5 seeds, intervals of accuracy and differences are" in text
    text = as_markdown({"runs": 4, "runs_of": 4, **build_tables(study, plain)})
    assert "group" not in text
    one_seed = write_study(tmp_path, MINIMAL.replace("sizes = [4, 8]", "").replace("2", "1", 1))
    tables = build_tables(one_seed, results_of(one_seed, rows))
    assert "fewer than" not in as_markdown({"runs": 2, "runs_of": 2, **tables})


def test_equal_answers_promise_neither_an_interval_nor_a_least_difference(tmp_path: Path) -> None:
    study = write_study(tmp_path, MINIMAL.replace("sizes = [4, 8]", "").replace("2", "1", 1))
    results = results_of(study, {("dss", 0): [1, 0, 0], ("label", 0): [1, 0, 0]}, ece=0.125)
    tables = build_tables(study, results)
    (found,) = tables["comparisons"]
    assert (found["ci95"], found["smallest_detectable"]) == (None, None)
    text = as_markdown({"runs": 2, "runs_of": 2, **tables}, [])
    assert "| label | default | dss | +0.0 | – | 1 |" in text


def test_the_command_that_makes_runs_can_be_typed_whatever_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my studies"
    folder.mkdir()
    study = write_study(folder)
    with pytest.raises(DataError) as caught:
        write_report(study, folder / "out")
    typed = caught.value.hint.partition('"')[2].removesuffix('"')
    assert shlex.split(typed) == ["mitools", "study", str(study.path), "--out", f"{folder}/out"]


def test_a_report_is_made_again_from_what_is_stored(tmp_path: Path) -> None:
    study, out = write_study(tmp_path), tmp_path / "out"
    with pytest.raises(DataError, match="holds no complete run; make some"):
        write_report(study, out)
    conduct(study, StudyOptions(out, records=tmp_path / "records.jsonl"), studies.execute)
    text = write_report(study, out)
    names = ("report.md", "report.json", "accuracy.svg")
    before = [(out / name).read_bytes() for name in names]
    assert (out / "report.md").read_text() == text
    assert json.loads((out / "report.json").read_text())["runs"] == 8
    for name in names:
        (out / name).unlink()
    write_report(study, out)
    assert [(out / name).read_bytes() for name in names] == before
