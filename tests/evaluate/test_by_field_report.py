"""Tables of figures by value, for people."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.evaluate.by_field import MOST_VALUES, ByField
from mitools.evaluate.by_field_report import by_notes, by_tables
from mitools.evaluate.report import notes, tables
from mitools.evaluate.summary import SummaryBuilder
from mitools.records import Record
from mitools.tasks import task_of
from tests.evaluate.test_by_field import judged

pytestmark = pytest.mark.usefixtures("few_resamples")


def summary(records: list[Record], *fields: str) -> dict[str, Any]:
    builder = SummaryBuilder(by=ByField(fields))
    for record in records:
        builder.add(record, task_of(record))
    return builder.summary(0)


def table(records: list[Record], field: str = "type") -> tuple[str, tuple[str, ...], list[Any]]:
    (found,) = by_tables(summary(records, field))
    return found


def test_a_value_has_a_row_and_what_no_value_has_is_left_out() -> None:
    records = [judged(number, right=number > 1, type="ab"[number == 3]) for number in range(4)]
    records.append(judged(9, right=False))
    assert table(records) == (
        "by type: 2 values",
        ("type", "records", "accuracy", "95% interval"),
        [
            ("a", "3", "33.3%", "6.1 to 79.2"),
            ("b", "1", "100.0%", "20.7 to 100.0"),
            ("(missing)", "1", "0.0%", "0.0 to 79.3"),
        ],
    )


def test_calibration_and_consistency_are_shown_where_records_are_enough() -> None:
    records = [judged(number, right=number % 5 > 0, type=number >= 100) for number in range(110)]
    title, columns, rows = table(records)
    assert title == "by type: 2 values"
    assert columns[4:] == ("consistency", "confidence", "ECE", "by chance")
    assert rows[0][:7] == ("false", "100", "80.0%", "71.1 to 86.7", "80.0%", "75.0%", "5.0%")
    assert rows[0][7].startswith("0.0 to ")
    assert rows[1][4:] == ("", "", "", "")
    assert [*by_notes(summary(records, "type"))] == [
        "figures by value are left out for too few records: consistency and confidence below 20, "
        "ECE below 100"
    ]


def test_a_field_without_any_value_has_no_table() -> None:
    assert [*by_tables(summary([judged(1, right=True)], "type"))] == []


def test_without_gold_the_agreement_with_the_teacher_is_shown() -> None:
    records = [
        judged(number, right=number > 0, label=None, type="a", teacher={"label": "2"})
        for number in range(3)
    ]
    _, columns, rows = table(records)
    assert columns == ("type", "records", "agreement with teacher", "95% interval")
    assert rows == [("a", "3", "66.7%", "20.8 to 93.9")]


def test_hostile_and_long_values_are_escaped_and_shortened() -> None:
    values = ("\x1b[31mred\r", "a\nb", "<b>&", "x" * 500)
    _, _, rows = table([judged(n, right=True, type=value) for n, value in enumerate(values)])
    shown = [row[0] for row in rows]
    assert shown[:3] == ["\\x1b[31mred\\r", "<b>&", "a\\nb"]
    assert len(shown[3]) == 40
    assert shown[3].startswith("xxx")
    assert "…" in shown[3]


def test_many_values_say_how_many_are_told_together() -> None:
    many = [judged(number, right=True, type=number // 2) for number in range(2 * MOST_VALUES + 6)]
    title, _, rows = table(many)
    assert title == "by type: 63 values, the 60 most frequent"
    assert rows[-1][:2] == ("(3 other values)", "6")
    assert "of 60 values, some stand out by chance" in [*by_notes(summary(many, "type"))][-1]
    single = [judged(number, right=True, type=number) for number in range(61)]
    title, _, rows = table(single)
    assert title == "by type: 61 values, none with two records"
    assert rows[0][:3] == ("(61 values)", "61", "100.0%")


def test_the_tables_are_under_the_main_figures() -> None:
    found = summary([judged(1, right=True, type="a", of=1)], "type", "of")
    headings = [heading for heading, *_ in tables(found, is_full=False)]
    assert headings[:3] == ["1 record, task equation", "by type: 1 value", "by of: 1 value"]


def test_runs_of_several_seeds_point_to_the_summary() -> None:
    runs = [summary([judged(1, right=True, type="a")], "type") for _ in range(5)]
    assert notes({"runs": runs, "seeds": {}}) == [
        "by type: --summary FILE holds the figures of each run"
    ]
