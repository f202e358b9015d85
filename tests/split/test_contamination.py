"""Leaks that were planted are found where they are, and nothing is found in clean data."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import MissingFieldError, SourceError
from mitools.records import Record
from mitools.split.contamination import ContaminationReport, PlaceOverlap
from tests.conftest import WriteRecords
from tests.split.conftest import Divide

LETTERS = "abcdefghijklmnop"


def sentence(seed: object, words: int = 20) -> str:
    rng = random.Random(str(seed))
    return " ".join("".join(rng.choices(LETTERS, k=6)) for _ in range(words))


def clean(count: int = 60) -> list[Record]:
    """Records of three splits that have nothing in common."""
    splits = ("train", "valid", "test")
    return [
        {
            "id": f"r{number}",
            "input": sentence(number),
            "split": splits[number % 3],
            "teacher": {"rationale": sentence(f"why {number}")},
        }
        for number in range(count)
    ]


def changed(records: list[Record], number: int, **fields: Any) -> list[Record]:
    """The same records, one of them with other fields."""
    return [{**record, **fields} if row == number else record for row, record in enumerate(records)]


@pytest.fixture(name="study")
def run_study(divide: Divide, write_records: WriteRecords) -> Any:
    """Compare records with a file, which holds nothing of theirs where none is given."""

    def run(records: list[Record], other: str | None = None, **options: Any) -> ContaminationReport:
        path = other or str(write_records([{"input": sentence("else")}]))
        _, report = divide(records, against=(path,), **options)
        assert report.contamination is not None
        return report.contamination

    return run


def found(study: ContaminationReport, place: str) -> PlaceOverlap:
    (comparison,) = (item for item in study.comparisons if item.place == place)
    return comparison


def ids(study: ContaminationReport, place: str) -> list[str]:
    return [leak.id for leak in found(study, place).leaks]


def test_nothing_is_found_in_clean_data(study: Any) -> None:
    result = study(clean())
    assert [item.texts for item in result.comparisons] == [20, 20, 40, 1]
    assert all(not item.leaks for item in result.comparisons)
    assert (dict(result.records), result.wordings) == ({"valid": 20, "test": 20}, 0)


def test_inputs_in_a_file_are_found_whatever_their_case(study: Any, tmp_path: Path) -> None:
    records = clean()
    path = tmp_path / "examples.jsonl.gz"
    copies = [
        {"id": "e0", "input": sentence("else")},
        {"id": "e1", "input": f"Q: {records[2]['input'].upper()}!"},  # test
        {"id": "e2", "input": records[4]["input"][:-30]},  # valid, most of it
        {"id": "e3", "input": records[3]["input"]},  # train, which is nobody's business
    ]
    path.write_bytes(gzip.compress("".join(json.dumps(c) + "\n" for c in copies).encode()))
    result = study(records, str(path))
    (whole, part) = found(result, str(path)).leaks
    assert (whole.id, whole.split, whole.share, whole.other) == ("r2", "test", 1.0, "e1")
    assert (part.id, part.split, part.other) == ("r4", "valid", "e2")
    assert 0 < part.share < 1
    assert part.words == " ".join(records[4]["input"].split()[:13])
    assert (found(result, str(path)).count("test"), found(result, str(path)).texts) == (1, 4)


def test_inputs_in_train_are_found(study: Any) -> None:
    records = clean()
    result = study(changed(records, 3, input=f"Once more: {records[5]['input']}"))
    assert ids(result, "train inputs") == ["r5"]
    assert found(result, "train inputs").leaks[0].other == "r3"


def test_the_same_input_in_train_is_found_once_a_record(study: Any) -> None:
    records = clean()
    same = changed(changed(records, 3, input=records[5]["input"]), 6, input=records[5]["input"])
    assert ids(study(same), "train inputs") == ["r5"]


def test_inputs_in_rationales_of_train_are_found(study: Any) -> None:
    records = clean()
    teacher = {"rationale": f"As in {records[4]['input']}, so here."}
    result = study(changed(changed(records, 0, teacher=teacher), 3, rationale=records[2]["input"]))
    assert sorted(ids(result, "train rationales")) == ["r2", "r4"]
    assert {leak.other for leak in found(result, "train rationales").leaks} == {"r0", "r3"}


def test_a_rationale_may_repeat_its_own_question_but_no_other_one(study: Any) -> None:
    records = clean()
    own = {"rationale": f"{records[5]['input']} So it is."}
    assert not ids(study(changed(records, 5, teacher=own)), "other records' rationales")
    other = {"rationale": f"{records[5]['input']} {records[8]['input']}"}
    result = study(changed(records, 5, teacher=other))
    assert ids(result, "other records' rationales") == ["r8"]
    assert found(result, "other records' rationales").leaks[0].other == "r5"


def test_a_question_that_its_own_and_another_rationale_repeat_is_found(study: Any) -> None:
    records = clean()
    text = {"rationale": records[5]["input"]}
    for others in ((2, 5), (5, 8)):  # the other one comes before its own, and behind it
        both = changed(changed(records, others[0], teacher=text), others[1], teacher=text)
        assert ids(study(both), "other records' rationales") == ["r5"]


def test_rationales_of_one_group_are_its_own(study: Any) -> None:
    records = [{**record, "group": record["id"]} for record in clean()]
    records = changed(records, 5, group="g", teacher={"rationale": "because"})
    text = {"rationale": records[5]["input"]}
    assert not ids(study(changed(records, 8, group="g", teacher=text)), "other records' rationales")
    assert ids(study(changed(records, 8, teacher=text)), "other records' rationales") == ["r5"]


def test_words_that_more_than_ten_texts_have_are_the_wording_of_the_task(study: Any) -> None:
    records = clean()
    wording = sentence("the task is to say", 13)
    for texts, leaks in ((10, 9), (11, 0)):
        asked = [
            {**record, "input": f"{wording} {record['input']}"} if row < texts else record
            for row, record in enumerate(records)
        ]
        result = study(asked)
        assert result.wordings == (leaks == 0)
        assert len(ids(result, "train inputs")) == (6 if leaks else 0)


def test_a_question_repeated_in_train_is_no_wording(study: Any) -> None:
    records = clean()
    repeated = [
        {"id": f"again {number}", "input": records[2]["input"], "split": "train"}
        for number in range(30)
    ]
    assert ids(study(records + repeated), "train inputs") == ["r2"]


def test_the_worst_leaks_come_first(study: Any, write_records: WriteRecords) -> None:
    records = clean()
    cut = [
        {"input": records[2]["input"][: 6 * 7 * 2 + 13]},
        {"input": records[5]["input"]},
        {"input": records[8]["input"][:-10]},
    ]
    path = str(write_records(cut, "cut.jsonl"))
    leaks = found(study(records, path), path).leaks
    assert [leak.id for leak in leaks] == ["r5", "r8", "r2"]
    assert [leak.share for leak in leaks] == sorted((leak.share for leak in leaks), reverse=True)


def test_the_order_of_records_does_not_matter(study: Any) -> None:
    records = clean()
    records = changed(records, 3, input=records[5]["input"], teacher={"rationale": "?"})
    records = changed(records, 8, teacher={"rationale": records[5]["input"]})
    straight, reversed_ = study(records), study(records[::-1])
    for one, other in zip(straight.comparisons, reversed_.comparisons, strict=True):
        assert sorted(leak.id for leak in one.leaks) == sorted(leak.id for leak in other.leaks)


def test_records_that_a_subset_is_without_are_not_in_train(study: Any) -> None:
    records = clean(300)
    copied = [
        {**record, "input": records[row + 1]["input"]} if record["split"] == "train" else record
        for row, record in enumerate(records)
    ]
    assert len(ids(study(copied), "train inputs")) == 100
    assert 10 < len(ids(study(copied, subsample=0.2), "train inputs")) < 30


def test_records_without_input_are_passed_over(study: Any) -> None:
    bare = [{"id": f"x{number}"} for number in range(20)]
    result = study([*clean(), *bare])
    assert sum(result.records.values()) == 40


def test_shorter_ngrams_find_more(study: Any) -> None:
    records = clean()
    words = records[5]["input"].split()[:10]
    records = changed(records, 3, input=f"{' '.join(words)} and so on")
    assert ids(study(records), "train inputs") == []
    assert ids(study(records, ngram_words=8), "train inputs") == ["r5"]


def test_a_file_that_cannot_be_compared_with_is_named(
    study: Any, write_records: WriteRecords
) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        study(clean(), "nowhere.jsonl")
    path = str(write_records([{"text": "x"}], "texts.jsonl"))
    with pytest.raises(MissingFieldError, match=r'texts.jsonl:1: field "input" is missing'):
        study(clean(), path)
