from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.evaluate.measures.metric import as_json
from mitools.evaluate.score import scored
from mitools.evaluate.summary import SummaryBuilder
from mitools.records import Record
from mitools.tasks import task_of
from tests.evaluate.synthetic import answered

pytestmark = pytest.mark.usefixtures("few_resamples")

SHAPE = {"value", "ci95", "n", "status", "reason", "unit", "higher_is_better"}


def fold(records: Iterable[Record], tally: SummaryBuilder | None = None) -> SummaryBuilder:
    tally = tally or SummaryBuilder()
    for record in records:
        tally.add(scored(record, task_of(record)), task_of(record))
    return tally


def figures(records: Iterable[Record], seed: int = 0) -> Any:
    return as_json(fold(records).summary(seed))


def equation(number: int, answer: str, rationale: str | None = None, **more: Any) -> Record:
    student = {"label": answer, "confidence": 0.1 + 0.8 / (1 + number), "model": "s@1"}
    if rationale is not None:
        student |= {"rationale": rationale, "rationale_truncated": number % 3 == 0}
    gold = f"{number} + 1"
    return {
        "id": str(number),
        "input": f"She has {number} apples and finds one more. How many?",
        "label": gold,
        "task": "equation",
        "teacher": {"rationale": f"So {gold} = {number + 1}.", "agrees": number % 2 == 0},
        "student": student,
        **more,
    }


def mixed(n: int) -> list[Record]:
    """Answers right and wrong, with rationales that support them, gold, another answer or none."""
    rationales = ("So {a} = 5.", "So {g} = {v}.", "So 90 + 9 = 99.", "I do not know.", "")
    records = []
    for number in range(n):
        answer = f"{number + 1}" if number % 3 else f"{number} + 3"
        filled = rationales[number % 5].format(a=f"{answer} + 0", g=f"{number} + 1", v=number + 1)
        records.append(equation(number, answer, filled))
    return records


def metrics_of(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "status" in value:
            yield value
        else:
            for inner in value.values():
                yield from metrics_of(inner)


def test_every_metric_has_the_same_shape_and_a_value_or_a_reason() -> None:
    found = list(metrics_of(figures(mixed(20))))
    assert len(found) == 113
    for metric in found:
        assert set(metric) >= SHAPE
        assert (metric["value"] is None) == (metric["status"] != "ok") == bool(metric["reason"])


def test_figures_by_hand() -> None:
    records = [
        equation(1, "2", "So 1 + 1 = 2."),
        equation(2, "9", "So 2 + 1 = 3."),
        equation(3, "4", "No idea."),
        equation(4, "x", "The answer is 5."),
    ]
    found = figures(records)
    assert found["label"]["accuracy"]["value"] == 0.5
    assert found["label"]["exact_match"]["value"] == 0
    assert found["label"]["valid"]["value"] == 0.75
    assert found["consistency"]["consistency"]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["consistency"]["coverage"]["value"] == 0.75
    assert found["quadrants"] == {
        "right": {"student": 1, "gold": 0, "other": 0, "none": 1},
        "wrong": {"student": 0, "gold": 2, "other": 0, "none": 0},
    }
    assert found["rationale"]["steps_right"]["value"] == 1
    assert found["overlap"]["teacher"]["bleu"]["n"] == 4
    assert found["overlap"]["teacher_correct"]["bleu"]["n"] == 2
    assert found["overlap"]["human"]["bleu"]["status"] == "undefined"
    assert (found["records"], found["tasks"], found["models"]) == (4, {"equation": 4}, {"s@1": 4})


def test_a_rationale_that_states_gold_makes_consistency_equal_accuracy() -> None:
    records = [equation(n, str(n + 1 + n % 2), f"So {n} + 1 = {n + 1}.") for n in range(20)]
    found = figures(records)
    assert found["consistency"]["coverage"]["value"] == 1
    consistency, accuracy = found["consistency"]["consistency"], found["label"]["accuracy"]
    assert (consistency["value"], consistency["ci95"]) == (accuracy["value"], accuracy["ci95"])


def test_a_rationale_that_echoes_the_label_is_always_consistent() -> None:
    records = [equation(n, f"{n} + {n % 4}", f"The answer is {n} + {n % 4}.") for n in range(20)]
    assert figures(records)["consistency"]["consistency"]["value"] == 1
    assert figures(records)["label"]["accuracy"]["value"] == 0.25


def test_rationale_editing_is_not_applicable() -> None:
    tests = figures(mixed(3))["association"]["rationale_editing"]
    assert {metric["status"] for metric in tests.values()} == {"not_applicable"}


def test_simulators_measure_only_where_they_are_asked_to() -> None:
    records = answered("informative", 60)
    skipped = figures(records)
    measured = as_json(fold(records, SummaryBuilder(simulator="local", permutations=1)).summary(0))
    assert skipped["association"]["cvi"]["status"] == "skipped"
    assert skipped["simulator"] is None
    assert measured["association"]["cvi"]["status"] == "ok"
    assert measured["simulator"]["sampled_from"] == 60
    assert measured["label"] == skipped["label"]


def test_duplicated_records_keep_accuracy_brier_nll_and_ece() -> None:
    once, twice = figures(mixed(17)), figures(mixed(17) * 2)
    assert once["label"]["accuracy"]["value"] == twice["label"]["accuracy"]["value"]
    for name in ("brier", "nll", "ece_width", "ece_mass"):
        assert once["calibration"][name]["value"] == twice["calibration"][name]["value"]
    assert twice["records"] == 34


def test_the_order_of_the_records_changes_no_figure() -> None:
    shuffled = mixed(40)
    random.Random(0).shuffle(shuffled)
    assert json.dumps(figures(shuffled)) == json.dumps(figures(mixed(40)))


def test_shards_fold_into_the_figures_of_the_whole() -> None:
    records = mixed(30)
    shards = fold(records[20:], fold(records[:20]))
    assert as_json(shards.summary(0)) == figures(records)


def test_the_seed_moves_intervals_and_no_value() -> None:
    one, other = figures(mixed(30), seed=0), figures(mixed(30), seed=1)
    values = [[metric["value"] for metric in metrics_of(found)] for found in (one, other)]
    assert values[0] == values[1]
    assert one["calibration"]["brier"]["ci95"] != other["calibration"]["brier"]["ci95"]


def test_the_data_hash_tells_data_apart_and_ignores_the_student() -> None:
    records = mixed(5)
    changed = [{**records[0], "label": "7"}, *records[1:]]
    unlike = [{**record, "student": {"label": "0"}} for record in records]
    assert figures(records)["data_hash"] == figures(unlike)["data_hash"]
    assert figures(records)["data_hash"] != figures(changed)["data_hash"]
    assert figures(records)["data_hash"] != figures(records[:4])["data_hash"]


def test_records_without_gold_leave_the_rest_measured() -> None:
    records = [{**record, "label": None} for record in mixed(10)]
    found = figures(records)
    for section, name in (
        ("label", "accuracy"),
        ("label", "exact_match"),
        ("calibration", "brier"),
    ):
        assert found[section][name]["status"] == "undefined"
        assert "gold" in found[section][name]["reason"]
    assert found["label"]["valid"]["value"] == 1
    assert found["consistency"]["coverage"]["status"] == "ok"
    assert found["overlap"]["teacher"]["chrf"]["status"] == "ok"
    assert found["reliability"] == []


def test_without_rationales_their_sections_are_skipped() -> None:
    found = figures([equation(1, "2"), equation(2, "2")])
    skipped = [found[name] for name in ("rationale", "overlap", "consistency")]
    assert {metric["status"] for part in skipped for metric in metrics_of(part)} == {"skipped"}
    assert found["quadrants"] is None
    assert found["label"]["accuracy"]["value"] == 0.5


def test_answers_without_a_confidence_leave_calibration_undefined() -> None:
    records = [equation(n, "2") for n in (1, 2)]
    for record in records:
        del record["student"]["confidence"]
    found = figures(records)["calibration"]
    assert found["brier"]["reason"] == "no record has both a gold label and a confidence"
    assert found["gold_nll"]["status"] == "not_applicable"


def nli(gold: str, shares: tuple[float, float, float]) -> Record:
    names = ["entailment", "neutral", "contradiction"]
    chances = dict(zip(names, shares, strict=True))
    best = max(chances, key=chances.__getitem__)
    student = {"label": best, "confidence": chances[best], "choices": chances, "in_set_mass": 0.9}
    return {
        "id": gold,
        "input": "p h",
        "label": gold,
        "choices": names,
        "task": "labels",
        "student": student,
    }


def test_a_fixed_set_has_macro_f1_a_confusion_table_and_gold_probabilities() -> None:
    records = [nli("entailment", (0.5, 0.25, 0.25)), nli("neutral", (0.5, 0.25, 0.25))]
    found = figures(records)
    # entailment: 2·1 / (1 + 2); neutral: 0 / 1; contradiction does not occur
    assert found["label"]["macro_f1"]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["calibration"]["gold_nll"]["value"] == pytest.approx(
        1.039721
    )  # (log 2 + log 4) / 2
    # (0.25 + 0.0625 + 0.0625 + 0.25 + 0.5625 + 0.0625) / 2
    assert found["calibration"]["gold_brier"]["value"] == pytest.approx(0.625)
    assert found["calibration"]["in_set_mass"]["value"] == pytest.approx(0.9)
    assert found["calibration"]["classwise_ece"]["value"] == pytest.approx(1 / 6, abs=1e-6)
    assert found["confusion"] == [
        {"gold": "entailment", "given": "entailment", "n": 1},
        {"gold": "neutral", "given": "entailment", "n": 1},
    ]


def test_oracle_choices_have_no_loss() -> None:
    found = figures([nli("entailment", (1, 0, 0)), nli("neutral", (0, 1, 0))])
    assert found["label"]["accuracy"]["value"] == 1
    assert found["calibration"]["aurc"]["value"] == 0
    assert found["calibration"]["gold_nll"]["value"] == 0
    assert found["calibration"]["gold_brier"]["value"] == 0
    assert found["calibration"]["nll"]["value"] == pytest.approx(0, abs=1e-7)


def test_gold_outside_the_scored_choices_has_no_probability() -> None:
    (record,) = [nli("entailment", (1, 0, 0))]
    found = figures([{**record, "label": "maybe"}])
    assert found["calibration"]["gold_nll"]["status"] == "not_applicable"
    assert found["label"]["accuracy"]["value"] == 0


def test_one_record_has_rates_with_wide_intervals_and_means_without() -> None:
    found = figures(mixed(1))
    assert found["label"]["accuracy"]["n"] == 1
    low, high = found["label"]["accuracy"]["ci95"]
    assert high - low > 0.7
    assert found["calibration"]["brier"]["ci95"] is None


ANSWERS = st.fixed_dictionaries(
    {"label": st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["1 + 1", "2", "a"]))},
    optional={
        "rationale": st.one_of(st.none(), st.text(max_size=40), st.just("So 1 + 1 = 2.")),
        "confidence": st.one_of(st.none(), st.floats(0, 1)),
        "choices": st.dictionaries(st.sampled_from("ab"), st.floats(0, 1)),
        "decoded": st.text(max_size=3),
        "rationale_truncated": st.booleans(),
    },
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"input": st.text(max_size=20), "student": ANSWERS},
        optional={
            "label": st.one_of(st.none(), st.sampled_from(["2", "a", "b"])),
            "choices": st.just(["a", "b"]),
            "task": st.sampled_from(["choice", "labels", "equation", "text"]),
            "rationale": st.text(max_size=20),
            "teacher": st.fixed_dictionaries({"rationale": st.text(max_size=20)}),
        },
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(RECORDS)
def test_any_records_give_figures_without_nan(records: list[Record]) -> None:
    found = figures(records)
    json.dumps(found, allow_nan=False)
    for metric in metrics_of(found):
        assert (metric["value"] is None) == (metric["status"] != "ok") == bool(metric["reason"])


def test_the_interval_of_accuracy_takes_groups_as_units() -> None:
    records = [
        equation(n, f"{n + 1}" if n // 4 % 3 else "0", None, group=f"g{n // 4}") for n in range(80)
    ]
    found = figures(records)["label"]["accuracy"]
    alone = figures([{**one, "group": f"{n}"} for n, one in enumerate(records)])["label"][
        "accuracy"
    ]
    assert found["groups"] == 20
    assert "groups" not in alone
    assert found["value"] == alone["value"]
    assert found["ci95"][0] < alone["ci95"][0] < alone["ci95"][1] < found["ci95"][1]
    assert found["smallest_detectable"] > alone["smallest_detectable"]
