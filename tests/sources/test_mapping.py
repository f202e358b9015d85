"""Rows into records: renaming, paths, templates, choices, labels, tasks."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import (
    DataError,
    InvalidFieldError,
    MissingFieldError,
    SourceError,
    UsageError,
    Where,
)
from mitools.records import Record
from mitools.schema import validate
from mitools.sources.mapping import Mapper
from mitools.sources.options import LoadOptions
from mitools.sources.part import Part

HERE = Where("here", 1)


def record_of(row: dict[str, Any], part: Part | None = None, /, **plan: Any) -> Record:
    record = Mapper(LoadOptions(**plan), part or Part("here", ()))(row, HERE)
    validate(record)
    return record


def test_a_record_passes_through_with_its_task_named() -> None:
    row = {"id": "a", "input": "i", "label": None, "teacher": {"label": "x"}, "mine": [1, None]}
    assert record_of(row) == {**row, "task": "text"}


def test_a_mapped_field_is_renamed_and_the_others_stay() -> None:
    row = {"question": "q", "answer": 42, "completion": "c"}
    record = record_of(row, fields={"input": "question", "label": "answer"})
    assert record == {"input": "q", "label": "42", "task": "text", "completion": "c"}
    assert list(record) == ["input", "label", "task", "completion"]


def test_a_task_with_another_meaning_is_kept_under_another_name() -> None:
    assert record_of({"input": "i", "task": "sst2"})["source_task"] == "sst2"
    assert "source_task" not in record_of({"input": "i", "task": "choice", "choices": ["a"]})
    assert "source_task" not in record_of({"input": "i", "task": "sst2"}, drop_fields=["task"])


@pytest.mark.parametrize("name", ["teacher", "student", "scores"])
def test_a_column_called_as_what_a_stage_writes_can_be_left_out(name: str) -> None:
    row = {"input": "i", name: [1, 2]}
    with pytest.raises(InvalidFieldError, match=f'"{name}" must be an object or null') as caught:
        record_of(row)
    assert f"--drop-fields {name}" in caught.value.hint
    assert name not in record_of(row, drop_fields=[name])


@pytest.mark.parametrize("split", [0, ["dev"], 1])
def test_a_split_that_is_not_a_text_is_refused(split: Any) -> None:
    with pytest.raises(DataError, match='field "split" must be'):
        record_of({"input": "i", "split": split})
    assert record_of({"input": "i", "split": split}, as_split="test")["split"] == "test"


def test_null_in_a_template_is_an_empty_text() -> None:
    fields = {"input": "{{ title }}\n{{ text }}", "label": "{{ answer | after('####') }}"}
    record = record_of({"title": None, "text": "t", "answer": None}, fields=fields)
    assert (record["input"], record["label"]) == ("\nt", None)
    with pytest.raises(MissingFieldError, match='field "input" is empty'):
        record_of({"title": None, "text": " ", "answer": None}, fields=fields)
    numbers = {
        "input": "text",
        "label": "{{ answer | number }}",
        "rationale": "{{ a | before('x') }}",
    }
    record = record_of({"text": "t", "answer": None, "a": None}, fields=numbers)
    assert record["label"] is None
    assert "rationale" not in record


def test_what_a_template_says_where_a_field_is_null_counts() -> None:
    said = {"input": "{{ a | default('nothing', true) }}"}
    assert record_of({"a": None}, fields=said)["input"] == "nothing"
    assert (
        record_of({"a": None}, fields={"input": "{% if a %}A{% else %}B{% endif %}"})["input"]
        == "B"
    )


def test_a_template_names_any_field_by_row() -> None:
    row = {"Ticket Body": "late", "n": 2}
    fields = {"input": "{{ row['Ticket Body'] }} {{ n }}"}
    assert record_of(row, fields=fields)["input"] == "late 2"
    assert LoadOptions(fields=fields, keep_fields=()).columns(["x", "Ticket Body", "n"]) == [
        *("Ticket Body", "n")
    ]
    whole = LoadOptions(fields={"input": "{{ row | length }} {{ row['n'] }}"}, keep_fields=())
    assert whole.columns(["x", "n"]) == ["x", "n"]
    with pytest.raises(MissingFieldError, match="row has no field 'Body', among Ticket Body, n"):
        record_of(row, fields={"input": "{{ row['Body'] }}"})
    assert record_of({"row": {"a": "b"}}, fields={"input": "{{ row.a }}"})["input"] == "b"


CLASSES = Part("here", (), {"label": ("neg", "pos")})


def test_labels_replace_the_names_of_classes_in_their_order() -> None:
    def label(name: str, *labels: str) -> Any:
        return record_of({"input": "i", "label": name}, CLASSES, labels=labels)["label"]

    assert [label(name, "negative", "positive") for name in ("neg", "pos")] == [
        *("negative", "positive")
    ]
    assert [label(name, "pos", "neg") for name in ("neg", "pos")] == ["neg", "pos"]
    assert [label(name, "Neg", "good") for name in ("neg", "pos")] == ["Neg", "good"]
    with pytest.raises(InvalidFieldError, match='"neg" is not one of its choices'):
        label("neg", "bad", "fair", "good")
    with pytest.raises(InvalidFieldError, match='"neg" is not one of its choices'):
        label("neg", "pos", "other")


def test_true_and_false_are_classes_where_that_is_asked_for() -> None:
    row = {"input": "i", "label": True}
    with pytest.raises(InvalidFieldError, match='"true" is not one of') as caught:
        record_of(row, labels=("ham", "spam"))
    assert caught.value.hint == 'if false is "ham" and true is "spam", add "--label-is index0"'
    assert record_of(row, labels=("ham", "spam"), label_is="index0")["label"] == "spam"
    assert (
        record_of({**row, "label": False}, labels=("ham", "spam"), label_is="index0")["label"]
        == "ham"
    )
    assert record_of(row, labels=("no", "yes"))["label"] == "yes"


def test_a_field_used_in_a_template_stays() -> None:
    row = {"premise": "p", "hypothesis": "h"}
    record = record_of(row, fields={"input": "{{ premise }}\\n{{ hypothesis }}"})
    assert record == {"input": "p\nh", "task": "text", **row}


def test_keep_and_drop_choose_among_the_other_fields() -> None:
    row = {"input": "i", "a": 1, "b": 2, "c": 3}
    assert record_of(row, keep_fields=frozenset("a")) == {"input": "i", "task": "text", "a": 1}
    assert record_of(row, keep_fields=()) == {"input": "i", "task": "text"}
    assert record_of(row, drop_fields=frozenset("ab")) == {"input": "i", "task": "text", "c": 3}


def test_dotted_paths_and_places_reach_inside() -> None:
    row = {"qa": {"text": "q", "answers": ["x", "y"]}, "a.b": "dot"}
    fields = {"input": "qa.text", "label": "qa.answers.1", "group": "a.b"}
    record = record_of(row, fields=fields)
    assert (record["input"], record["label"], record["group"]) == ("q", "y", "dot")


def test_null_on_the_way_is_null_and_nothing_there_is_an_error() -> None:
    assert record_of({"input": "i", "a": None}, fields={"label": "a.b"})["label"] is None
    with pytest.raises(MissingFieldError, match=r'field "a\.c" is missing among input, a'):
        record_of({"input": "i", "a": {"b": 1}}, fields={"label": "a.c"})


def test_a_misspelled_field_is_guessed() -> None:
    with pytest.raises(MissingFieldError, match='did you mean "--map label=answer"'):
        record_of({"question": "q", "answer": "a"}, fields={"input": "question", "label": "anser"})


def test_a_guessed_field_with_a_space_is_quoted_for_the_shell() -> None:
    with pytest.raises(MissingFieldError, match="did you mean \"--map 'label=right answer'\""):
        record_of({"input": "q", "right answer": "a"}, fields={"label": "right_answer"})


def test_a_missing_input_is_guessed() -> None:
    with pytest.raises(MissingFieldError, match=r'here:1: .*"--map input=question"'):
        record_of({"question": "q", "answer": "a"})


def test_objects_in_a_list_are_pointed_at() -> None:
    with pytest.raises(MissingFieldError, match=r"jq -c '\.data\[\]' FILE \| mitools load -"):
        record_of({"version": 1, "data": [{"question": "q"}]})


def test_an_empty_input_is_no_input() -> None:
    with pytest.raises(MissingFieldError, match='"input" is empty'):
        record_of({"input": "  "})


def test_a_template_is_strict_and_says_what_there_is() -> None:
    with pytest.raises(MissingFieldError, match="'premis' is undefined, among premise"):
        record_of({"premise": "p"}, fields={"input": "{{ premis }}"})
    fields = {"input": "premise", "rationale": "{{ why | default('') }}"}
    assert "rationale" not in record_of({"premise": "p"}, fields=fields)
    assert record_of({"premise": "p", "why": "w"}, fields=fields)["rationale"] == "w"


@pytest.mark.parametrize("spec", ["{{ input", "{% if %}", "{{ a | nofilter }}"])
def test_a_wrong_template_is_a_usage_error(spec: str) -> None:
    with pytest.raises(UsageError, match="--map input: the template is wrong"):
        LoadOptions(fields={"input": spec}).check()


@pytest.mark.parametrize(
    "spec", ["{{ a.__class__.__mro__ }}", "{{ ''.__class__ }}", "{{ a.append(1) }}"]
)
def test_a_template_cannot_leave_its_sandbox(spec: str) -> None:
    with pytest.raises((InvalidFieldError, MissingFieldError)):
        record_of({"a": [], "input": "i"}, fields={"rationale": spec})


def test_a_template_that_fails_on_a_row_is_that_rows_error() -> None:
    with pytest.raises(InvalidFieldError, match="here:1: --map input: division by zero"):
        record_of({"a": 0}, fields={"input": "{{ 1 / a }}"})


def test_an_empty_mapping_leaves_a_field_out() -> None:
    assert record_of({"input": "i", "rationale": "r"}, fields={"rationale": ""}) == {
        "input": "i",
        "task": "text",
    }


@pytest.mark.parametrize(("target", "hint"), [("inputs", 'mean "input"'), ("x", "use one of id")])
def test_only_fields_of_a_record_can_be_mapped(target: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        LoadOptions(fields={target: "question"}).check()


def test_commonsense_qa_keys_become_texts() -> None:
    row = {
        "id": "q1",
        "question": "Where?",
        "choices": {"label": ["A", "B"], "text": ["park", "zoo"]},
        "answerKey": "B",
    }
    fields = {"input": "{{ question }}\\n{{ choices | lettered }}", "label": "answerKey"}
    assert record_of(row, fields=fields, keep_fields=()) == {
        "id": "q1",
        "input": "Where?\n(a) park\n(b) zoo",
        "label": "zoo",
        "task": "choice",
        "choices": ["park", "zoo"],
    }


def test_choices_in_columns_of_their_own_are_gathered_and_renamed() -> None:
    row = {"q": "Where?", "opa": "park", "opb": 7, "cop": 1}
    fields = {"input": "q", "choices": "opa, opb", "label": "cop"}
    assert record_of(row, fields=fields, label_is="index0") == {
        "input": "Where?",
        "label": "7",
        "task": "choice",
        "choices": ["park", "7"],
    }


def test_labels_name_whole_numbers_and_are_the_choices() -> None:
    names = ("entailment", "neutral", "contradiction")
    record = record_of({"input": "i", "label": 2}, labels=names, label_is="index0")
    assert record == {
        "input": "i",
        "label": "contradiction",
        "task": "labels",
        "choices": list(names),
    }
    assert record_of({"input": "i", "label": "Neutral"}, labels=names)["label"] == "neutral"
    assert record_of({"input": "i", "label": -1}, labels=names)["label"] is None
    with pytest.raises(InvalidFieldError, match='label "e" is not one of its choices'):
        record_of({"input": "i", "label": "e"}, labels=names)


def test_a_number_among_labels_that_fits_two_places_is_refused() -> None:
    with pytest.raises(SourceError, match="--label-is index0"):
        record_of({"input": "i", "label": 2}, labels=("world", "sports", "business", "science"))


@pytest.mark.parametrize(
    ("names", "expected"), [("01", "b"), ("12", "b"), ("AB", "b"), ("ab", "b"), ("ba", "a")]
)
def test_a_feature_of_classes_tells_how_labels_are_written(names: str, expected: str) -> None:
    part = Part("here", (), {"label": tuple(names)})
    for label_is in (None, "index0"):  # the feature comes first
        row = {"input": "i", "label": names[1], "choices": ["a", "b"]}
        assert record_of(row, part, label_is=label_is)["label"] == expected


def test_columns_that_nothing_is_made_of_are_not_read() -> None:
    names = ["q", "a", "b", "c", "id", "when"]
    fields = {"input": "{{ q }}", "choices": "a, b"}
    assert LoadOptions(fields=fields, drop_fields=["a", "when"]).columns(names) == names[:-1]
    assert LoadOptions(fields=fields, keep_fields=()).columns(names) == ["q", "a", "b", "id"]
    assert LoadOptions(fields={"input": "other"}, keep_fields=()).columns(names) == names


def test_class_names_of_the_label_are_the_choices_unless_the_row_has_some() -> None:
    classes = {"answer": ("A", "B"), "other": ("x", "y")}
    part = Part("here", (), classes)
    record = record_of({"input": "i", "answer": "B"}, part, fields={"label": "answer"})
    assert (record["label"], record["task"], record["choices"]) == ("B", "labels", ["A", "B"])
    row = {"input": "i", "answer": "B", "choices": ["0", "1"]}  # MMLU
    record = record_of(row, part, fields={"label": "answer"})
    assert (record["label"], record["task"], record["choices"]) == ("1", "choice", ["0", "1"])


def test_fixed_choices_make_a_choice() -> None:
    record = record_of({"input": "i", "label": "yes"}, choices=("yes", "no"))
    assert (record["task"], record["choices"]) == ("choice", ["yes", "no"])
    with pytest.raises(UsageError, match="exclude each other"):
        LoadOptions(labels=("a",), choices=("b",)).check()


def test_the_task_asked_for_wins_then_the_records_own() -> None:
    row = {"input": "i", "label": "1", "task": "equation"}
    assert record_of(row)["task"] == "equation"
    assert record_of(row, task="text")["task"] == "text"
    assert record_of({**row, "task": "nli"})["task"] == "text"
    part = Part("here", (), {"label": ("1", "2")})
    assert "choices" not in record_of(row, part, task="text")


def test_splits_come_from_the_plan_the_part_or_the_row() -> None:
    row = {"input": "i", "split": "validation"}
    assert record_of(row)["split"] == "valid"
    assert record_of(row, Part("here", (), split="test"))["split"] == "test"
    assert record_of(row, Part("here", (), split="test"), as_split="train")["split"] == "train"
    assert "split" not in record_of({"input": "i"})


@pytest.mark.parametrize("plan", [{}, {"labels": ("red", "blue")}])
def test_the_path_to_a_label_in_a_list_is_the_hint(plan: dict[str, Any]) -> None:
    row = {"input": "i", "tags": ["red", "blue"]}
    with pytest.raises(InvalidFieldError) as caught:
        record_of(row, fields={"label": "tags"}, **plan)
    assert '"--map label=tags.0", or join them' in caught.value.hint
