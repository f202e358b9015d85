"""Asking a student by both readings: what is asked, what is answered, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mitools.asking.answering import WAYS, Answering, Way, draw_seed
from mitools.asking.combine import WeightFit
from mitools.asking.predict import predict
from mitools.asking.reader import Reader, ask
from mitools.asking.readings import answer
from mitools.errors import StudentError
from mitools.schema import validate
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.student.local import LocalStudent
from tests.asking.two_readings import TwoReadings, closed, equation
from tests.toys import toy_records

EVEN = WeightFit(0.5, 0)


def fish(**more: Any) -> TwoReadings:
    return TwoReadings(
        {"fish": {"sea": 0.2, "tree": 0.3}, "ape": {"sea": 0.1, "tree": 0.8}},
        {"swims": {"sea": 0.9, "tree": 0.05}, "climbs": {"sea": 0.02, "tree": 0.5}},
        {"fish": "swims", "ape": "climbs"},
        **more,
    )


def sums(**more: Any) -> TwoReadings:
    return TwoReadings(
        {"two": {"1 + 1": 0.64, "3": 0.01}, "six": {"6": 0.7}},
        {
            "one and one": {"1 + 1": 0.36, "2 + 2": 0.04},
            "twice": {"2 + 2": 0.6, "1 + 1": 0.2},
            "it is": {"6": 0.5},
        },
        {"two": "one and one", "six": "it is"},
        **more,
    )


def answers(
    student: Any,
    records: list[dict[str, Any]],
    way: Way = "both",
    fit: WeightFit = EVEN,
    **how: Any,
) -> list[dict[str, Any]]:
    readings = Reader(student, Answering(way, **how)).read(records)
    return [answer(reading, way, fit) for reading in readings]


def test_choices_have_a_share_by_each_reading_and_by_both() -> None:
    (found,) = answers(fish(), [closed("fish")])
    ways = found["answers"]
    assert ways["predict"]["choices"] == pytest.approx({"sea": 0.4, "tree": 0.6})
    assert ways["conclude"]["choices"] == pytest.approx({"sea": 0.947368, "tree": 0.0526316})
    # √(0.2 · 0.9) = 0.424264 and √(0.3 · 0.05) = 0.122474: shares 0.775991 and 0.224009.
    assert ways["both"]["choices"] == pytest.approx({"sea": 0.775991, "tree": 0.224009}, abs=1e-6)
    assert [ways[way]["label"] for way in ("predict", "conclude", "both")] == ["tree", "sea", "sea"]
    assert [ways[way]["confidence"] for way in ("predict", "both")] == pytest.approx(
        [0.6, 0.775991], abs=1e-6
    )
    assert (ways["both"]["weight"], ways["both"]["fitted_on"]) == (0.5, 0)
    assert "in_set_mass" not in ways["both"]
    assert ways["conclude"]["in_set_mass"] == pytest.approx(0.95)


@pytest.mark.parametrize("way", ["predict", "conclude", "both"])
def test_the_answer_follows_the_way(way: Way) -> None:
    (found,) = answers(fish(), [closed("fish")], way)
    assert found["answered_by"] == way
    for name in ("label", "confidence", "choices", "log_prob"):
        assert found[name] == found["answers"][way][name]
    assert found["rationale"] == "swims"
    assert not {"weight", "draws", "tokens", "fitted_on"} & found.keys()
    validate({**closed("fish"), "student": found})


def test_the_predict_way_is_what_predict_answers() -> None:
    student, records = sums(), [equation("two", "2"), equation("six", "6")]
    for found, plain in zip(answers(student, records), predict(student, records), strict=True):
        ours = {name: value for name, value in found["answers"]["predict"].items()}
        assert ours.pop("tokens") == 2
        assert ours.items() <= plain.items()


def test_decoded_labels_of_both_readings_are_scored_by_both() -> None:
    student = sums()
    student.behind["one and one"] = {"2 + 2": 0.4, "1 + 1": 0.36}  # type: ignore[index]
    (found,) = answers(student, [equation("two", "2")])
    ways = found["answers"]
    assert [ways[way]["label"] for way in ("predict", "conclude", "both")] == [
        "1 + 1",
        "2 + 2",
        "1 + 1",
    ]
    # √(0.64 · 0.36) = 0.48; "2 + 2" has almost no probability in the predict pass.
    assert ways["both"]["confidence"] == pytest.approx(0.48, abs=1e-5)
    assert ways["conclude"]["confidence"] == pytest.approx(0.4)


def test_readings_that_agree_are_not_certain_for_that() -> None:
    (found,) = answers(sums(), [equation("six", "6")])
    assert found["label"] == "6"
    assert found["confidence"] == pytest.approx((0.7 * 0.5) ** 0.5, abs=1e-5)


def test_several_draws_are_averaged_as_probabilities() -> None:
    student = sums(drawn=("one and one", "twice"))
    record = equation("two", "2")
    remainders = [draw_seed(3, "two", number) % 2 for number in range(4)]
    share = sum(remainders) / 4  # of "twice"
    assert 0 < share < 1
    (found,) = answers(student, [record], "conclude", draws=4, seed=3)
    chances = {
        "1 + 1": (1 - share) * 0.36 + share * 0.2,
        "2 + 2": (1 - share) * 0.04 + share * 0.6,
    }
    best = max(chances, key=chances.__getitem__)
    assert found["label"] == best
    assert found["confidence"] == pytest.approx(chances[best], abs=1e-5)
    assert found["answers"]["conclude"]["draws"] == 4
    # Four rationales of 7 tokens and four labels of 2; the predict pass adds a label.
    assert found["answers"]["conclude"]["tokens"] == 4 * 7 + 4 * 2
    assert found["answers"]["both"]["tokens"] == 4 * 7 + 4 * 2 + 2
    assert found["rationale"] == "one and one"  # the greedy one
    assert student.seeds == [draw_seed(3, "two", number) for number in range(4)]


def test_choices_behind_several_draws_are_averaged_as_probabilities() -> None:
    student = fish(drawn=("swims", "climbs"))
    remainders = [draw_seed(0, "ape", number) % 2 for number in range(3)]
    share = sum(remainders) / 3  # of "climbs"
    (found,) = answers(student, [closed("ape")], "conclude", draws=3)
    chances = {"sea": (1 - share) * 0.9 + share * 0.02, "tree": (1 - share) * 0.05 + share * 0.5}
    total = sum(chances.values())
    expected = {name: chance / total for name, chance in chances.items()}
    assert found["choices"] == pytest.approx(expected, abs=1e-5)
    assert found["answers"]["conclude"]["tokens"] == 3 * 7


def test_a_rationale_is_left_out_and_not_decoded_where_nothing_needs_it() -> None:
    student = fish(drawn=("swims",))
    (reading,) = Reader(student, Answering("both", draws=2)).read(
        [closed("fish")], rationales=False
    )
    assert "rationale" not in answer(reading, "both", EVEN)
    assert "explain" not in [name for name, _ in student.asked]
    (reading,) = Reader(student, Answering("both")).read([closed("fish")], rationales=False)
    assert "rationale" not in answer(reading, "both", EVEN)


def test_a_label_that_was_cut_off_is_marked() -> None:
    student = sums(drawn=("it is",))
    student.behind["it is"] = {"6 + …": 0.9}  # type: ignore[index]
    for draws in (1, 2):
        (found,) = answers(student, [equation("six", "6")], "conclude", draws=draws)
        assert found["label"] == "6 + …"
        assert found["label_truncated"] is True
        assert found["answers"]["predict"]["label_truncated"] is False


def test_a_student_with_one_reading_answers_by_that() -> None:
    student = fish(metadata={"order": "rationale-label"})
    (found,) = answers(student, [closed("fish")], "conclude")
    assert list(found["answers"]) == ["conclude", "named"]
    plain = {"label": "sea", "choices": found["choices"]}
    assert plain.items() <= found.items()
    student = sums(metadata={"order": "rationale-label"}, drawn=("twice",))
    (found,) = answers(student, [equation("two", "2")], "conclude", draws=3)
    assert found["label"] == "2 + 2"
    assert list(found["answers"]) == ["conclude", "named"]


def test_open_and_closed_records_keep_their_order() -> None:
    student = fish()
    student.direct = {**student.direct, **sums().direct}
    student.behind = {**student.behind, **sums().behind}
    student.greedy = {**student.greedy, **sums().greedy}
    records = [equation("two", "2"), closed("fish"), equation("six", "6"), closed("ape")]
    together = answers(student, records)
    assert [found["label"] for found in together] == ["1 + 1", "sea", "6", "tree"]
    assert together == [answers(student, [record])[0] for record in records]


def test_the_time_of_each_reading_is_measured() -> None:
    ticks = iter(range(1000))
    reader = Reader(fish(), Answering("both"), clock=lambda: float(next(ticks)))
    reader.read([closed("fish"), closed("ape")])
    # One tick for each call: a rationale; a score behind it; a score; nothing on top of them.
    assert reader.seconds == {"predict": 1.0, "rationale": 1.0, "conclude": 1.0, "both": 0.0}
    ways = {way: reader.seconds_of(way) for way in WAYS}
    assert ways == {"predict": 1.0, "conclude": 2.0, "both": 3.0, "named": 2.0}
    assert reader.records == 2
    reader = Reader(sums(), Answering("both"), clock=lambda: float(next(ticks)))
    reader.read([equation("two", "2")])
    assert reader.seconds == {"predict": 1.0, "rationale": 1.0, "conclude": 1.0, "both": 2.0}
    only = fish(metadata={"order": "rationale-label"})
    reader = Reader(only, Answering("named"), clock=lambda: float(next(ticks)))
    reader.read([closed("fish")])
    # The label where no rationale names one comes from behind it.
    assert [reader.seconds_of(way) for way in ("predict", "conclude", "named")] == [0.0, 2.0, 2.0]


def test_a_student_that_loses_an_answer_is_refused() -> None:
    student = fish()
    student.generate_rationales = lambda _inputs, _labels=None: []  # type: ignore[method-assign]
    with pytest.raises(StudentError, match="0 answers to 1 questions"):
        answers(student, [closed("fish")])


@pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
@pytest.mark.parametrize("draws", [1, 3])
def test_answers_depend_on_no_chunk_and_on_no_order(
    request: pytest.FixtureRequest, kind: str, draws: int
) -> None:
    folder: Path = request.getfixturevalue(kind)
    base = open_checkpoint(str(folder), kind)
    codec = Codec(base.tokenizer, base.kind, 512, 6, 10, concludes=True)
    records = [*toy_records(3), *(closed(f"{n} fish") for n in range(3))]

    def ask(budget: int, chunk: int, order: int) -> list[dict[str, Any]]:
        student = LocalStudent(base.model, codec, {"concludes": True}, tokens_per_batch=budget)
        reader = Reader(student, Answering("both", draws=draws))
        given = records[::order]
        readings = [
            one
            for first in range(0, len(given), chunk)
            for one in reader.read(given[first : first + chunk])
        ]
        return [answer(reading, "both", EVEN) for reading in readings][::order]

    expected = ask(1, 1, 1)
    for found in (ask(4096, 6, 1), ask(300, 4, -1)):
        for one, other in zip(found, expected, strict=True):
            assert one["rationale"] == other["rationale"]
            for way in ("predict", "conclude", "both"):
                ours, theirs = one["answers"][way], other["answers"][way]
                assert ours["label"] == theirs["label"]
                assert ours["tokens"] == theirs["tokens"]
                assert ours["confidence"] == pytest.approx(theirs["confidence"], rel=1e-2)


class ShortSighted(TwoReadings):
    """Reads two characters."""

    def are_cut(self, inputs: Sequence[str]) -> list[bool]:
        return [len(text) > 2 for text in inputs]


@pytest.mark.parametrize("way", ["conclude", "both"])
def test_an_answer_behind_a_rationale_also_says_whether_its_input_was_cut(way: Way) -> None:
    known = fish()
    student = ShortSighted(known.direct, known.behind, known.greedy)
    (found,) = ask(student, [closed("fish")], Answering(way))
    assert found["input_truncated"] is True
    assert "input_truncated" not in ask(known, [closed("fish")], Answering(way))[0]
    validate({"id": "1", "input": "fish", "student": found})
