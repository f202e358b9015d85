"""How a source writes its labels: decided by its rows, refused where they leave it open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import pytest

from mitools.errors import InvalidFieldError, SourceError, Where
from mitools.records import Reader, Rejected, Row
from mitools.sources.labelling import MOST_HELD
from mitools.sources.load_records import read_parts
from mitools.sources.options import LoadOptions
from mitools.sources.part import Part

TEXTS = ["park", "zoo", "lake"]
Rows = Iterable[tuple[Any, Any]]


def part_of(rows: Rows, name: str = "here", seen: list[int] | None = None) -> Part:
    """Make a part of pairs of choices and a label."""

    def give() -> Iterator[Row]:
        for number, (choices, label) in enumerate(rows, start=1):
            if seen is not None:
                seen.append(number)
            values = {"input": f"q{number}", "choices": choices, "label": label}
            yield Row(Where(name, number), partial(dict, values), partial(str, values))

    return Part(name, give())


def labels_of(rows: Rows, rejected: list[Rejected] | None = None, **plan: Any) -> list[Any]:
    reader = Reader(on_reject=None if rejected is None else rejected.append)
    return [record["label"] for record in read_parts([part_of(rows)], LoadOptions(**plan), reader)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["1", "3", "2"], ["park", "lake", "zoo"]),
        ([2, 0, 1], ["lake", "park", "zoo"]),
        (["2.0", None, "0.0"], ["lake", None, "park"]),
        (["B", "a", "(c)"], ["zoo", "park", "lake"]),
        (["Zoo", "park"], ["zoo", "park"]),
        ([1, -1, 0], ["zoo", None, "park"]),
    ],
)
def test_rows_together_tell_how_labels_are_written(labels: list[Any], expected: list[Any]) -> None:
    assert labels_of((TEXTS, label) for label in labels) == expected


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ([(TEXTS, "1"), (TEXTS, "2")], ("index0", "index1")),
        ([(["x", "y"], 1)] * 5, ("index0", "index1")),
        ([([4, 3, 2, 1], 3), ([1, 2, 3, 4], 2)], ("text", "index1")),
        ([(["b", "a"], "A"), (["a", "b"], "B")], ("text", "letter")),
        ([({"label": ["1", "2"], "text": ["2", "1"]}, "2")], ("text", "key")),
    ],
)
def test_labels_that_fit_two_ways_are_refused_with_the_options(
    rows: Rows, options: tuple[str, str]
) -> None:
    with pytest.raises(SourceError) as caught:
        labels_of(rows)
    assert str(caught.value).startswith("here:1: label ")
    for option in options:
        assert f'"--label-is {option}"' in caught.value.hint
        assert labels_of(rows, label_is=option)


SIGNS = {"labels": ("bad", "so so", "good")}


def test_minus_one_may_be_a_sign_or_no_label_and_is_refused_until_the_form_is_named() -> None:
    rows = [(None, 1), (None, -1), (None, 0)]
    with pytest.raises(SourceError, match='label "1" may be one of the signs') as caught:
        labels_of(rows, **SIGNS)
    assert '"--label-is sign" or "--label-is index0"' in caught.value.hint
    assert labels_of(rows, **SIGNS, label_is="sign") == ["good", "bad", "so so"]
    assert labels_of(rows, **SIGNS, label_is="index0") == ["so so", None, "bad"]
    two = {"labels": ("bad", "good")}
    with pytest.raises(SourceError, match='"--label-is sign"'):
        labels_of([(None, "1"), (None, "-1")], **two)
    assert labels_of([(None, "1"), (None, "-1")], **two, label_is="sign") == ["good", "bad"]


def test_without_minus_one_or_with_a_number_above_one_labels_are_not_signs() -> None:
    assert labels_of([(None, 1), (None, 0)], **SIGNS) == ["so so", "bad"]
    assert labels_of([(None, 1), (None, -1), (None, 2), (None, 0)], **SIGNS) == [
        *("so so", None),
        *("good", "bad"),
    ]
    assert labels_of([(None, 0), (None, -1), (None, 1)], labels=("no", "yes")) == [
        *("no", None),
        "yes",
    ]


def test_ways_that_come_to_the_same_are_not_refused() -> None:
    assert labels_of([(["0", "1", "2"], 1), (["A", "B"], "B")]) == ["1", "B"]
    keyed = {"label": ["A", "B"], "text": ["up", "down"]}
    assert labels_of([(keyed, "B"), (keyed, "A")]) == ["down", "up"]
    from_one = {"label": ["1", "2", "3"], "text": TEXTS}
    assert labels_of([(from_one, "1"), (from_one, 2)]) == ["park", "zoo"]


def test_numbers_among_numbers_are_told_by_the_rows_that_fit_one_way_only() -> None:
    assert labels_of([([1, 2, 3], 3), ([7, 8, 9], 9)]) == ["3", "9"]
    assert labels_of([([3, 2, 1], 1), ([7, 8, 9], 0)]) == ["2", "7"]
    assert labels_of([([3, 2, 1], 1), ([7, 8, 9], 3)]) == ["3", "9"]


def test_a_row_that_contradicts_the_others_is_at_fault_alone() -> None:
    rows = [(TEXTS, str(1 + number % 3)) for number in range(60)]
    rows[40] = (TEXTS, "0")
    rejected: list[Rejected] = []
    assert len(labels_of(rows, rejected)) == 59
    assert [bad.error.where for bad in rejected] == [Where("here", 41)]
    assert "counted from 1" in str(rejected[0].error)
    with pytest.raises(InvalidFieldError, match="here:41"):
        labels_of(rows)


def test_a_source_that_is_written_in_two_ways_is_refused() -> None:
    rows = [(TEXTS, label) for label in ["B", "C", "zoo", "lake"] * 3]
    with pytest.raises(SourceError, match=r"several forms: of the first 12, 6 as .*letter.*, 6 as"):
        labels_of(rows)
    rejected: list[Rejected] = []
    assert labels_of(rows, rejected, label_is="text") == ["zoo", "lake"] * 3
    assert len(rejected) == 6


def test_a_way_that_is_likely_decides_what_rows_leave_open_and_no_more() -> None:
    assert labels_of([(TEXTS, "1")], label_likely="index1") == ["park"]
    assert labels_of([(TEXTS, "1"), (TEXTS, 0)], label_likely="index1") == ["zoo", "park"]


def test_labels_in_words_hold_no_row_back_and_codes_hold_few() -> None:
    seen: list[int] = []
    rows = ((TEXTS, "zoo") for _ in range(10 * MOST_HELD))
    assert next(read_parts([part_of(rows, seen=seen)], LoadOptions(), Reader()))["label"] == "zoo"
    assert seen == [1]
    seen.clear()
    rows = ((TEXTS, number % 3) for number in range(10 * MOST_HELD))
    assert next(read_parts([part_of(rows, seen=seen)], LoadOptions(), Reader()))["label"] == "park"
    assert len(seen) == MOST_HELD


def test_rows_without_choices_hold_nothing_back() -> None:
    seen: list[int] = []
    rows = ((None, "1") for _ in range(100))
    assert next(read_parts([part_of(rows, seen=seen)], LoadOptions(), Reader()))["label"] == "1"
    assert seen == [1]


def test_a_label_that_comes_late_decides_for_itself_or_is_refused() -> None:
    plain: list[tuple[Any, Any]] = [(None, "1")] * (MOST_HELD + 10)
    assert labels_of([*plain, (TEXTS, "B")])[-1] == "zoo"
    with pytest.raises(SourceError, match="--label-is index1"):
        labels_of([*plain, (TEXTS, "1")])


def test_all_parts_of_a_source_tell_together_and_keep_their_rows() -> None:
    parts = [part_of([(TEXTS, "1")], "one"), part_of([(TEXTS, "2"), (TEXTS, "3")], "two")]
    records = list(read_parts(parts, LoadOptions(), Reader()))
    assert [record["label"] for record in records] == ["park", "zoo", "lake"]
    parts = [part_of([(TEXTS, "1")] * 3, "one"), part_of([(TEXTS, "3")] * 3, "two")]
    assert len(list(read_parts(parts, LoadOptions(limit=2), Reader()))) == 4


def test_labels_of_none_of_the_choices_leave_it_open_for_the_rows_after() -> None:
    rejected: list[Rejected] = []
    assert labels_of([(TEXTS, "sea"), (TEXTS, 0)], rejected) == ["park"]
    assert len(rejected) == 1


def test_records_that_were_loaded_before_hold_the_text_of_a_choice() -> None:
    values = {"input": "i", "task": "choice", "choices": ["1", "2", "3"], "label": "2"}
    part = Part("here", [Row(Where("here", 1), lambda: dict(values), str)])
    assert next(read_parts([part], LoadOptions(), Reader()))["label"] == "2"
