"""The weight of a student's two readings, as training fits and saves it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from mitools.asking.answering import settle
from mitools.asking.combine import WeightFit
from mitools.asking.weight import fit_readings, read_records
from mitools.errors import StudentError
from mitools.student import load_student
from mitools.student.local import LocalStudent
from mitools.student.protocol import Generation
from mitools.train import answer_weight
from mitools.train.options import TrainOptions
from tests.train.test_conclude import options, told_records, train


def coins(n: int) -> list[dict[str, Any]]:
    """Records of two choices, so that each valid record determines the weight."""
    return [
        {**record, "split": "valid" if place < 10 else "train"}
        for place, record in enumerate(told_records(n))
    ]


def test_the_weight_of_both_readings_is_fitted_and_saved_with_the_student(
    tmp_path: Path, tiny_causal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_weight, "count_right", lambda _pairs, way, _fit: way == "both")
    chosen = options(tmp_path, tiny_causal)
    records = coins(30)
    train(chosen, records)
    saved = json.loads((chosen.save / "mitools.json").read_text())["answer_weight"]
    student = load_student(chosen.save, "cpu")
    fit = fit_readings(read_records(student, [one for one in records if one["split"] == "valid"]))
    assert saved == {"value": fit.weight, "fitted_on": 10}
    card = (chosen.save / "README.md").read_text()
    assert f"with the weight {fit.weight:g} on the first, fitted on 10 validation rec" in card


def test_the_weight_is_fitted_on_records_from_all_of_the_split(
    tmp_path: Path, tiny_causal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def fit(pairs: Any) -> WeightFit:
        seen.extend(record["id"] for record, _ in pairs)
        return WeightFit(0.5, len(seen))

    monkeypatch.setattr(answer_weight, "fit_readings", fit)
    monkeypatch.setattr(answer_weight, "WEIGHT_RECORDS", 12)
    records = [{**one, "split": "valid" if n < 40 else "train"} for n, one in enumerate(coins(50))]
    for record in records[:10]:  # these determine no weight
        record["label"], record["teacher"]["label"] = None, None
    notes = train(options(tmp_path, tiny_causal, max_steps=1), records)
    assert "fitting the weight of both readings on 12 validation records" in notes
    places = [next(n for n, one in enumerate(records) if one["id"] == name) for name in seen]
    assert len(places) == 12
    assert min(places) >= 10
    assert places != list(range(10, 22))


def test_no_weight_is_saved_that_few_records_determine(tmp_path: Path, tiny_causal: Path) -> None:
    chosen = options(tmp_path, tiny_causal)
    notes = train(chosen, coins(30)[1:])
    assert notes[-1].startswith("9 of these records determine it, fewer than 10, so the first read")
    assert json.loads((chosen.save / "mitools.json").read_text())["answer_weight"] is None
    assert "mitools answers by both labels" not in (chosen.save / "README.md").read_text()


def test_no_weight_is_fitted_on_the_records_of_the_test(tmp_path: Path, tiny_causal: Path) -> None:
    records = [
        {**one, "split": "test" if one["split"] == "valid" else "train"} for one in coins(30)
    ]
    chosen = options(tmp_path, tiny_causal, eval_on="test", select_by="last")
    train(chosen, records)
    assert json.loads((chosen.save / "mitools.json").read_text())["answer_weight"] is None


def plain(tmp_path: Path, student: Path | str, **rest: Any) -> TrainOptions:
    """Options of a student that gives no label behind its rationale."""
    return options(tmp_path, student, **{"mi": "none", "max_steps": 1, **rest})


def saved_weight(chosen: TrainOptions) -> Any:
    return json.loads((chosen.save / "mitools.json").read_text())["answer_weight"]


def fitted(monkeypatch: pytest.MonkeyPatch, *, adds: bool) -> list[str]:
    """Replace the fit by one that has this result; return the ids of its records."""
    seen: list[str] = []

    def fit(pairs: Any) -> WeightFit:
        seen.extend(record["id"] for record, _ in pairs)
        return WeightFit(0.4, len(seen), adds)

    monkeypatch.setattr(answer_weight, "fit_readings", fit)
    return seen


def test_what_rationales_name_is_weighted_where_it_adds_to_the_label(
    tmp_path: Path, tiny_causal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted(monkeypatch, adds=True)
    chosen = plain(tmp_path, tiny_causal)
    notes = train(chosen, coins(30))
    said = re.fullmatch(
        r'of these records, right by "--answer": predict \d+, both (\d+), named (\d+); both is '
        "the default",
        notes[-1],
    )
    assert said is not None
    assert all(0 <= int(count) <= 10 for count in said.groups())
    assert saved_weight(chosen) == {"value": 0.4, "fitted_on": 10}
    card = (chosen.save / "README.md").read_text()
    assert "mitools answers by the label and what its rationale names, with the weight 0.4" in card
    metadata = load_student(chosen.save, "cpu").metadata
    assert settle(None, 1, None, metadata) == ("both", 0.4)
    assert settle("predict", 1, None, metadata) == ("predict", None)


def test_the_label_answers_alone_where_what_rationales_name_adds_nothing(
    tmp_path: Path, tiny_causal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted(monkeypatch, adds=False)
    chosen = plain(tmp_path, tiny_causal)
    notes = train(chosen, coins(30))
    assert saved_weight(chosen) is None
    assert notes[-1].endswith("predict is the default")


def test_the_fit_itself_tells_whether_the_student_names_what_is_right(
    tmp_path: Path, tiny_causal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are told apart by their rationales alone, which this student is made to give."""
    records = coins(30)
    right = {record["input"]: record["label"] for record in records}
    is_right = [True]

    def explain(_student: Any, inputs: Any, _labels: Any = None) -> list[Generation]:
        other = {"heads": "tails", "tails": "heads"}
        sides = [right[text] if is_right[0] else other[right[text]] for text in inputs]
        return [Generation(f"it shows {side}.", -1.0, False, 4) for side in sides]

    def name(_student: Any, inputs: Any, _begun: Any, texts: Any) -> list[list[float]]:
        said = [one.text for one in explain(None, inputs)]
        return [
            [math.log(0.8 if text in told else 0.2) for text in row]
            for told, row in zip(said, texts, strict=True)
        ]

    monkeypatch.setattr(LocalStudent, "generate_rationales", explain)
    monkeypatch.setattr(LocalStudent, "score_mentions", name)
    chosen = plain(tmp_path, tiny_causal)
    train(chosen, records)
    assert saved_weight(chosen)["fitted_on"] == 10
    is_right[0] = False
    worse = plain(tmp_path / "worse", tiny_causal)
    train(worse, records)
    assert saved_weight(worse) is None


@pytest.mark.parametrize(("named", "both"), [(7, 6), (6, 6), (5, 6)])
def test_a_student_that_concludes_answers_with_what_it_names_unless_that_is_worse(
    tmp_path: Path, tiny_causal: Path, monkeypatch: pytest.MonkeyPatch, named: int, both: int
) -> None:
    right = {"predict": 3, "conclude": 4, "named": named, "both": both}
    monkeypatch.setattr(answer_weight, "count_right", lambda _pairs, way, _fit: right[way])
    chosen = options(tmp_path, tiny_causal, max_steps=1)
    notes = train(chosen, coins(30))
    metadata = load_student(chosen.save, "cpu").metadata
    way = "named" if named >= both else "both"
    assert notes[-1] == (
        f'of these records, right by "--answer": predict 3, conclude 4, both {both}, '
        f"named {named}; {way} is the default"
    )
    assert settle(None, 1, None, metadata)[0] == way
    card = (chosen.save / "README.md").read_text()
    assert ("answers with the choice that the rationale names" in card) is (way == "named")


def test_a_student_whose_teacher_names_no_choice_answers_by_both_readings(
    tmp_path: Path, tiny_causal: Path
) -> None:
    chosen = options(tmp_path, tiny_causal, max_steps=1)
    records = coins(30)
    for record in records:
        record["teacher"]["rationale"] = "it fell."
    train(chosen, records)
    metadata = load_student(chosen.save, "cpu").metadata
    assert "answer" not in metadata
    assert settle(None, 1, None, metadata)[0] == "both"


def test_a_way_of_a_later_version_is_not_taken_for_another() -> None:
    with pytest.raises(StudentError, match="which this mitools does not know"):
        settle(None, 1, None, {"answer": "guess"})
    assert settle("predict", 1, None, {"answer": "guess"}) == ("predict", None)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"alpha": 1.0}, {}),
        ({"order": "label-rationale"}, {}),
        ({"order": "rationale-label"}, {}),
        ({}, {"choices": None}),
        ({}, {"teacher": {"label": "heads", "rationale": "it fell."}}),
    ],
    ids=["no-rationale", "label-first", "rationale-first", "no-choices", "names-nothing"],
)
def test_a_student_is_not_asked_where_no_rationale_can_name_a_choice(
    tmp_path: Path,
    tiny_causal: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    fields: dict[str, Any],
) -> None:
    seen = fitted(monkeypatch, adds=True)
    chosen = plain(tmp_path, tiny_causal, **changes)
    train(chosen, [{**one, **fields, "task": "text"} if fields else one for one in coins(30)])
    assert seen == []
    assert saved_weight(chosen) is None
