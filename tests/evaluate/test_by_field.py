"""Figures for each value of a field: one number by hand, and the same as those of a whole run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from mitools.errors import InvalidFieldError
from mitools.evaluate.by_field import FEWEST, MEASURES, MOST_VALUES, ByField
from mitools.evaluate.field_values import MISSING, OTHERS
from mitools.evaluate.measures.metric import as_json
from mitools.evaluate.score import scored
from mitools.evaluate.summary import SummaryBuilder
from mitools.records import Record
from mitools.tasks import task_of
from tests.evaluate.synthetic import answered

pytestmark = pytest.mark.usefixtures("few_resamples")


def judged(number: int, *, right: bool, **more: Any) -> Record:
    """Make a judged record about gold 2 whose rationale supports gold."""
    record = {
        "id": str(number),
        "input": f"q{number}",
        "label": "2",
        "task": "equation",
        "student": {
            "label": "2" if right else "3",
            "confidence": 0.75,
            "rationale": "So the answer is 2.",
        },
        **more,
    }
    return scored(record, task_of(record))


def folded(records: Iterable[Record], *fields: str) -> dict[str, dict[str, dict[str, Any]]]:
    by = ByField(fields)
    for record in records:
        by.add(record, task_of(record))
    return by.section(seed=0)


def test_accuracy_by_hand() -> None:
    right = {"gsm8k": "1110", "svamp": "10", None: "0"}
    records = [
        judged(number, right=verdict == "1", **({"source": source} if source else {}))
        for source, verdicts in right.items()
        for number, verdict in enumerate(verdicts)
    ]
    found = folded(records, "source")["source"]
    assert [*found] == ["gsm8k", "svamp", MISSING]
    assert [figures["records"] for figures in found.values()] == [4, 2, 1]
    accuracy = [figures["accuracy"] for figures in found.values()]
    assert [(one.value, one.n) for one in accuracy] == [(0.75, 4), (0.5, 2), (0.0, 1)]
    # Wilson for 3 of 4: (0.75 + z²/8 ± z·sqrt(0.75·0.25/4 + z²/64)) / (1 + z²/4), z = 1.96
    assert accuracy[0].ci95 == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert accuracy[2].ci95 == pytest.approx((0.0, 0.7935), abs=1e-4)


def test_calibration_and_consistency_by_hand() -> None:
    records = [judged(number, right=number % 5 > 0, type="a") for number in range(100)]
    (found,) = folded(records, "type")["type"].values()
    assert found["mean_confidence"].value == 0.75
    assert found["ece_width"].value == pytest.approx(0.05)  # 80% right at a confidence of 75%
    assert found["ece_width"].details["null95"][0] == 0
    assert (found["consistency"].value, found["consistency"].n) == (0.8, 100)
    assert found["agreement"].reason == "no record has a teacher label"


def test_one_value_for_all_records_has_the_figures_of_the_run() -> None:
    records = [
        record | {"all": "same", "group": f"g{number % 40}"}
        for number, record in enumerate(answered("oracle", 60) + answered("informative + leak", 90))
    ]
    builder = SummaryBuilder(by=ByField(["all"]))
    for record in records:
        builder.add(record, task_of(record))
    summary = builder.summary(0)
    (figures,) = summary["by"]["all"].values()
    blocks = {"accuracy": "label", "consistency": "consistency", "agreement": "teacher"}
    for name, measure in MEASURES.items():
        of_run = summary[blocks.get(name, "calibration")][name]
        ours, theirs = figures[name].as_json(), of_run.as_json()
        if name == "mean_confidence":  # it has no interval here: bootstraps of all values take long
            assert (ours.pop("ci95"), theirs.pop("ci95") is None) == (None, False)
        assert ours == theirs, name
        assert figures[name].measure is measure
    assert figures["accuracy"].details["groups"] == 40


def test_figures_of_few_records_are_undefined_and_say_so() -> None:
    def at(n: int, name: str) -> Any:
        records = [judged(number, right=number > 0, type="a") for number in range(n)]
        return folded(records, "type")["type"]["a"][name]

    for name, least in FEWEST.items():
        below = at(least - 1, name)
        assert (below.status, below.value, below.n) == ("undefined", None, least - 1)
        assert below.reason == f"too few records: {least - 1}, at least {least} are needed"
        assert at(least, name).status == "ok"
    assert at(1, "accuracy").status == "ok"  # its interval tells


def test_what_records_do_not_have_is_undefined() -> None:
    bare = {"id": "1", "input": "q", "task": "equation", "type": "a", "student": {"label": "2"}}
    (found,) = folded([scored(bare, task_of(bare))], "type")["type"].values()
    assert {name: found[name].reason for name in MEASURES} == {
        "accuracy": "no record has a gold label",
        "consistency": "no rationale supports an answer",
        "mean_confidence": "no record has a confidence",
        "ece_width": "no record has both a gold label and a confidence",
        "agreement": "no record has a teacher label",
    }


def test_records_of_a_group_are_one_unit_within_a_value() -> None:
    records = [
        judged(number, right=number % 4 < 2, type="ab"[number % 8 > 3], group=f"g{number // 2}")
        for number in range(32)
    ]
    found = folded(records, "type")["type"]
    assert found["a"]["accuracy"].details["groups"] == 8  # 16 records in pairs
    single = folded([{**record, "group": None} for record in records], "type")["type"]
    narrow, wide = single["a"]["accuracy"].ci95, found["a"]["accuracy"].ci95
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def values(*given: Any) -> list[tuple[str, int]]:
    records = [judged(number, right=True, of=value) for number, value in enumerate(given)]
    return [(name, one["records"]) for name, one in folded(records, "of")["of"].items()]


def test_numbers_are_in_their_order_and_others_by_count() -> None:
    assert values(10, 2, "10", 1.5, 2, 2, -1) == [("-1", 1), ("1.5", 1), ("2", 3), ("10", 2)]
    assert values("b", "a", "c", "c", 1) == [("c", 2), ("1", 1), ("a", 1), ("b", 1)]
    assert values(True, False, False, None, "") == [
        ("false", 2),
        ("", 1),
        ("true", 1),
        (MISSING, 1),
    ]


def test_many_values_are_cut_to_the_most_frequent_and_the_rest_is_summed_up() -> None:
    exact = [f"v{number}" for number in range(MOST_VALUES)]
    assert len(values(*exact)) == MOST_VALUES
    frequent = [name for name in exact[:5] for _ in range(3)]
    records = [
        judged(number, right=value == "v0", of=value)
        for number, value in enumerate([*exact, *frequent, "rare", None])
    ]
    found = folded(records, "of")["of"]
    assert [*found] == ["v0", "v1", "v2", "v3", "v4", OTHERS, MISSING]
    assert found["v0"]["records"] == 4
    rest = found[OTHERS]
    assert (rest["values"], rest["records"]) == (MOST_VALUES - 4, MOST_VALUES - 4)
    assert (rest["accuracy"].value, rest["accuracy"].n) == (0.0, MOST_VALUES - 4)
    assert sum(one["records"] for one in found.values()) == len(records)


def test_more_values_than_are_kept_are_ordered_by_count() -> None:
    given = [number for number in range(MOST_VALUES + 9) for _ in range(2 + number // 60)]
    found = values(*given)
    assert found[:9] == [(str(number), 3) for number in range(60, 69)]
    assert found[9] == ("0", 2)  # as numbers, where the counts are equal
    assert (len(found), found[-1]) == (MOST_VALUES + 1, (OTHERS, 18))


def test_the_order_of_the_records_changes_no_figure() -> None:
    rng = random.Random(5)
    records = [
        record | {"type": rng.choice("abc"), "group": rng.choice("uvwxyz"), "n": rng.randrange(90)}
        for record in answered("informative", 300)
    ]
    shuffled = rng.sample(records, len(records))
    once, again = (as_json(folded(order, "type", "n")) for order in (records, shuffled))
    assert json.dumps(once) == json.dumps(again)


def test_a_list_enters_no_figure() -> None:
    builder = SummaryBuilder(by=ByField(["type", "of"]))
    good, bad = judged(1, right=True, of="a"), judged(2, right=True, of=["a"])
    builder.add(good, task_of(good))
    with pytest.raises(InvalidFieldError, match='field "of" holds a list'):
        builder.add(bad, task_of(bad))
    summary = builder.summary(0)
    assert summary["records"] == summary["by"]["of"]["a"]["records"] == 1


def test_a_field_of_the_verdicts_can_be_named() -> None:
    records = [judged(number, right=number > 1) for number in range(4)]
    found = folded(records, "scores.supports", "student.label")
    assert [*found["scores.supports"]] == ["gold", "student"]
    assert found["student.label"]["3"]["accuracy"].value == 0


def test_a_field_that_no_record_has_is_told_and_one_of_few_is_not() -> None:
    by = ByField(["type", "source"])
    assert by.missing() is None  # without a record nothing is known
    for number in range(3):
        record = judged(number, right=True, **({"source": "a"} if number == 2 else {}))
        by.add(record, task_of(record))
    error = by.missing()
    assert error is not None
    assert error.message == '--by: no record has a value in field "type"'


def test_without_fields_the_summary_has_no_such_block() -> None:
    assert "by" not in SummaryBuilder().summary(0)
