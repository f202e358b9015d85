from __future__ import annotations

from typing import Any

from mitools.evaluate.caveats import caveats, pairing_notes
from mitools.evaluate.measures.labels import ACCURACY, VALID


def figures(**details: Any) -> dict[str, Any]:
    return {"label": {"accuracy": ACCURACY.ok(0.5, 20, **details)}}


def test_groups_are_told_with_what_knows_of_them() -> None:
    (sentence,) = caveats(figures(groups=4))
    assert sentence.startswith("the records are of 4 groups (field group)")
    assert list(caveats(figures())) == []
    first, _ = caveats({"runs": [figures(groups=4), figures()]})
    assert first == sentence


def test_few_seeds_are_told_to_widen_no_interval() -> None:
    few = (
        "2 seeds are few: intervals over seeds are too narrow where seeds differ much; p-values "
        "take the number of seeds into account"
    )
    assert list(caveats({"runs": [figures()] * 2})) == [few]
    assert list(caveats({"runs": [figures()] * 5})) == []
    assert list(caveats({"runs": [figures()]})) == []
    metrics = {"accuracy": ACCURACY.ok(0.0, 3, runs=[6, 2]), "valid": VALID.ok(0.0, 3)}
    assert list(caveats({"comparison": {"metrics": metrics}})) == [few]


def supporting(better: int, worse: int) -> dict[str, Any]:
    quadrants = {
        "right": {"student": 30, "gold": 0, "other": worse, "none": 40},
        "wrong": {"student": 20, "gold": better, "other": 50, "none": 60},
    }
    return {**figures(), "quadrants": quadrants}


def test_a_rationale_that_names_a_better_label_is_pointed_to() -> None:
    # 2 · (1 + 10) / 2^10 = 0.021 and 2 · (1 + 12) / 2^12 = 0.0063.
    assert list(caveats(supporting(9, 1))) == []
    assert list(caveats(supporting(11, 1))) == [
        "the label that the rationale names is right more often than the answer: 11 records to 1 "
        '(p = 0.0063); "--answer named" answers with it'
    ]
    assert list(caveats(supporting(1, 11))) == []
    assert list(caveats({**figures(), "quadrants": None})) == []


def test_what_is_left_out_of_pairs_is_counted() -> None:
    assert list(pairing_notes({"records": 3, "unmatched": 0, "differing": 0})) == []
    assert list(pairing_notes({"unmatched": 1, "differing": 1})) == [
        "1 record is not in all runs and is left out",
        "1 id stands for another input, label or choices in another run",
    ]
    assert list(pairing_notes({"unmatched": 1234})) == [
        "1,234 records are not in all runs and are left out"
    ]


def test_a_comparison_tells_of_a_single_run_and_of_accuracies_that_are_alike() -> None:
    metrics = {
        "accuracy": ACCURACY.ok(0.0, 3, note="the two are alike", runs=[3, 1]),
        "valid": VALID.ok(0.0, 3, note="the two are alike"),
    }
    few, single, alike = caveats({"comparison": {"metrics": metrics}})
    assert few.startswith("3 seeds are few")
    assert single.startswith("one side is a single run")
    assert alike == "accuracy: the two are alike"
