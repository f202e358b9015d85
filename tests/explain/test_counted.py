"""Which records the figures are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.explain.build_view import view_of
from mitools.explain.counted import PARTS, Part, part_of_summary, parts_of, usual_part
from mitools.explain.filters import ViewedRecord
from mitools.explain.overview import Overview
from mitools.explain.page.find_runs import FoundRun
from mitools.explain.page.run_figures import read_run
from mitools.records import dump_line
from tests.explain.page.pages import choice, make_page
from tests.explain.page.test_write import accuracy_shown


@pytest.mark.parametrize(
    ("record", "parts"),
    [
        ({"split": "test"}, {"evaluated", "unmarked", "whole"}),
        ({}, {"evaluated", "unmarked", "whole"}),
        ({"split": None, "scores": None}, {"evaluated", "unmarked", "whole"}),
        ({"split": "train"}, {"unmarked", "whole"}),
        ({"split": "valid", "scores": {"correct": True}}, {"unmarked", "whole"}),
        ({"split": "valid", "scores": {"role": "fitting"}}, {"whole"}),
        ({"split": "test", "scores": {"role": "calibration"}}, {"whole"}),
    ],
)
def test_a_record_is_in_the_parts_that_its_split_and_role_allow(
    record: dict[str, Any], parts: set[Part]
) -> None:
    assert set(parts_of(record)) == parts


def test_the_first_part_with_an_answer_is_the_usual_one() -> None:
    assert usual_part(PARTS) == "evaluated"
    assert usual_part(["whole", "unmarked"]) == "unmarked"
    assert usual_part([]) == "whole"


def test_a_summary_is_of_the_part_with_its_number_of_records() -> None:
    sizes: dict[Part, int] = {"evaluated": 5, "unmarked": 8, "whole": 9}
    assert part_of_summary({"records": 5}, sizes) == "evaluated"
    assert part_of_summary({"records": 8}, sizes) == "unmarked"
    assert part_of_summary({"records": 9}, sizes) is None  # no figure counts those with a role
    assert part_of_summary({}, sizes) is None


@pytest.mark.parametrize("splits", [("test", "valid"), ("train", "valid"), (None, "train")])
@pytest.mark.parametrize("has_roles", [False, True])
def test_overview_page_and_index_give_a_file_one_accuracy(
    splits: tuple[str | None, ...], has_roles: bool, tmp_path: Path
) -> None:
    records = [choice(i, split=splits[i // 3 % 2]) for i in range(4, 17)]
    if has_roles:
        for one in records[:2]:
            one["scores"] = {"role": "calibration"}
    path = tmp_path / "r.jsonl"
    path.write_text("".join(f"{dump_line(one)}\n" for one in records))
    overview = Overview()
    for number, one in enumerate(records, 1):
        overview.add(ViewedRecord(one, view_of(one, number)))
    summary = overview.summary(seed=0)
    assert summary is not None
    expected = f"{100 * summary['label']['accuracy']['value']:.1f}%"
    assert accuracy_shown(make_page(records)) == expected
    run = read_run(FoundRun("r", str(path)))
    assert (run.figures[0].value, run.records) == (expected, summary["records"])
