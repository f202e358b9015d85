"""The mapping and the task that a file suggests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import UsageError
from mitools.scaffold.options import InitOptions
from mitools.scaffold.propose import Proposal, propose
from mitools.scaffold.sample import read_sample
from mitools.sources.load_records import load_records
from mitools.sources.options import LoadOptions
from tests.scaffold.conftest import WriteTable

TEXTS = [f"A message about the thing number {n}." for n in range(30)]


def of(path: str, **options: Any) -> Proposal:
    return propose(read_sample(path, LoadOptions()), InitOptions(folder=Path("x"), **options))


def test_texts_and_categories_are_a_classification(write_table: WriteTable) -> None:
    found = of(write_table(text=TEXTS, channel=["mail", "web"] * 15, intent=["buy", "ask"] * 15))
    assert found.fields == {"label": "intent", "input": "text"}
    assert (found.task, found.labels, found.label_is) == ("labels", ("ask", "buy"), "text")
    assert found.reasons == [
        "label = intent: 2 different values: ask, buy (--label could also be channel)",
        "input = text: different texts of 36 characters on average",
        "task = labels: the same 2 labels occur again and again",
    ]


def test_labels_behind_the_first_rows_may_be_missing(
    write_table: WriteTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitools.scaffold.sample.MOST_ROWS", 20)
    found = of(write_table(text=TEXTS, label=["a", "b"] * 15))
    assert found.reasons[-1] == (
        "task = labels: the same 2 labels occur again and again; labels behind the first 10,000 "
        "rows are not known, so check them"
    )


def test_names_that_say_nothing_are_decided_by_content(write_table: WriteTable) -> None:
    found = of(write_table(v1=[f"n{n}" for n in range(30)], v2=TEXTS, v3=["ham", "spam"] * 15))
    assert found.fields == {"label": "v3", "input": "v2"}
    assert found.task == "labels"


def test_numbers_are_compared_by_value(write_table: WriteTable) -> None:
    found = of(write_table(question=TEXTS, answer=[n % 7 for n in range(30)]))
    assert (found.fields["label"], found.task, found.labels) == ("answer", "equation", ())
    found = of(write_table(problem=TEXTS, equation=[f"( {n} + 1 ) / 2" for n in range(30)]))
    assert (found.fields["label"], found.task) == ("equation", "equation")


def test_a_scale_of_few_numbers_is_a_set_of_labels(write_table: WriteTable) -> None:
    found = of(write_table(review=TEXTS, stars=[n % 5 + 1 for n in range(30)]))
    assert (found.task, found.labels) == ("labels", ("1", "2", "3", "4", "5"))


def test_numbers_of_classes_are_labels_and_their_names_are_better_ones(
    write_table: WriteTable,
) -> None:
    numbers = [n % 15 for n in range(30)]
    found = of(write_table(text=TEXTS, label=numbers))
    assert (found.fields["label"], found.task, len(found.labels)) == ("label", "labels", 15)
    names = [f"intent {n}" for n in numbers]
    found = of(write_table(text=TEXTS, label=numbers, label_text=names))
    assert found.fields["label"] == "label_text"


def test_zero_and_one_are_labels(write_table: WriteTable) -> None:
    found = of(write_table(question1=TEXTS, question2=TEXTS, is_duplicate=["0", "1"] * 15))
    assert found.fields["input"] == "Question1: {{ question1 }}\nQuestion2: {{ question2 }}"
    assert (found.fields["label"], found.task, found.labels) == (
        "is_duplicate",
        "labels",
        ("0", "1"),
    )


def test_a_count_of_rows_is_not_a_label(write_table: WriteTable) -> None:
    path = write_table(row=list(range(30)), text=TEXTS)
    with pytest.raises(UsageError, match="no column looks like the label"):
        of(path)
    found = of(write_table(row=list(range(30)), text=TEXTS, price=[n * n for n in range(30)]))
    assert (found.fields["label"], found.task) == ("price", "equation")


def test_of_several_columns_the_one_of_codes_belongs_to_choices(write_table: WriteTable) -> None:
    cells = {f"op{mark}": ["red", "green", "blue"] * 10 for mark in "abcd"}
    path = write_table(question=TEXTS, **cells, cop=["1", "2", "4"] * 10, a_type=["u", "v"] * 15)
    found = of(path)
    assert found.fields["choices"] == "opa,opb,opc,opd"
    assert (found.fields["label"], found.task) == ("cop", "choice")


def test_columns_of_choices_are_shown_below_the_question(write_table: WriteTable) -> None:
    cells = {f"option{n}": [f"thing {n}"] * 30 for n in (1, 2, 3)}
    found = of(write_table(question=TEXTS, **cells, answer=["1", "2", "3"] * 10))
    assert found.fields == {
        "choices": "option1,option2,option3",
        "label": "answer",
        "input": "{{ question }}\nAnswer Choices:\n{{ [option1, option2, option3] | lettered }}",
    }
    assert found.task == "choice"
    assert found.reasons[0] == "choices = option1,option2,option3: one choice in each"


def test_names_that_are_not_variables_stand_in_templates_as_items_of_the_row(
    write_table: WriteTable,
) -> None:
    cells = {f"Option {mark}": ["red", "green"] * 15 for mark in "AB"}
    path = write_table(question=TEXTS, **cells, answer=["A", "B"] * 15)
    found = of(path)
    assert found.fields["choices"] == "Option A,Option B"
    assert found.fields["input"] == (
        '{{ question }}\nAnswer Choices:\n{{ [row["Option A"], row["Option B"]] | lettered }}'
    )
    record = next(load_records(str(path), LoadOptions(fields=found.fields)))
    assert record["input"].endswith("\nAnswer Choices:\n(a) red\n(b) red")


def test_a_column_called_row_leaves_names_that_are_not_variables_out_of_templates(
    write_table: WriteTable,
) -> None:
    cells = {f"Option {mark}": ["red", "green"] * 15 for mark in "AB"}
    found = of(write_table(row=list(range(30)), question=TEXTS, **cells, answer=["A", "B"] * 15))
    assert found.fields["choices"] == "Option A,Option B"
    assert found.fields["input"] == "question"


def test_two_texts_with_a_common_first_word_are_the_input_together(write_table: WriteTable) -> None:
    cells = {"Ticket Subject": TEXTS, "Ticket Body": [f"{text} again" for text in TEXTS]}
    found = of(write_table(**cells, department=["a", "b", "c"] * 10))
    assert found.fields["input"] == (
        'Ticket subject: {{ row["Ticket Subject"] }}\nTicket body: {{ row["Ticket Body"] }}'
    )


def test_a_list_of_choices_is_found(tmp_path: Path) -> None:
    path = tmp_path / "quiz.jsonl"
    rows = [
        {"q": text, "answer_options": ["x", "y"], "facts": ["a", "b"], "answer": "x"}
        for text in TEXTS
    ]
    path.write_text("\n".join(map(json.dumps, [*rows, {**rows[0], "answer": "y"}])))
    found = of(str(path))
    assert found.fields["choices"] == "answer_options"
    assert found.fields["input"] == "{{ q }}\nAnswer Choices:\n{{ answer_options | lettered }}"


def test_ids_and_rationales_are_found(write_table: WriteTable) -> None:
    columns = {"Ticket ID": [f"t{n}" for n in range(30)], "text": TEXTS, "label": ["a", "b"] * 15}
    found = of(write_table(**columns, why=["It is so because of it."] * 30))
    assert found.fields == {"id": "Ticket ID", "label": "label", "input": "text"}
    found = of(write_table(**columns, explanation=["It is so because of it."] * 30))
    assert found.fields["rationale"] == "explanation"


def test_an_id_that_occurs_twice_is_not_one(write_table: WriteTable) -> None:
    found = of(write_table(uid=["a", "b", "c"] * 10, text=TEXTS, label=["x", "y"] * 15))
    assert "id" not in found.fields


def test_two_texts_become_one_input(write_table: WriteTable) -> None:
    found = of(write_table(premise=TEXTS, hypothesis=TEXTS, label=["yes", "no", "no"] * 10))
    assert found.fields["input"] == "Premise: {{ premise }}\nHypothesis: {{ hypothesis }}"


def test_long_answers_are_texts(write_table: WriteTable) -> None:
    answers = [f"It is the one of number {n}, as always." for n in range(30)]
    found = of(write_table(question=TEXTS, answer=answers))
    assert (found.fields["label"], found.task) == ("answer", "text")


def test_a_published_data_set_is_recognized(write_table: WriteTable) -> None:
    found = of(write_table(question=TEXTS, answer=["So it is 3.\n#### 3"] * 30))
    assert (found.preset, found.fields, found.task) == ("gsm8k", {}, None)
    assert found.reasons == ["preset = gsm8k: the columns question, answer are of it"]


def test_what_is_given_wins(write_table: WriteTable) -> None:
    path = write_table(text=TEXTS, kind=["a", "b"] * 15, label=["x", "y"] * 15, body=TEXTS)
    found = of(path, fields={"label": "kind", "input": "body"})
    assert found.fields == {"label": "kind", "input": "body"}
    assert found.labels == ("a", "b")
    found = of(path, task="text", fields={"label": ""})
    assert (found.fields["label"], found.task, found.labels) == ("", "text", ())
    assert of(path, labels=("x", "y", "z")).labels == ("x", "y", "z")


def test_a_column_with_the_name_of_another_field_is_left_out(write_table: WriteTable) -> None:
    found = of(write_table(text=TEXTS, label=["x", "y"] * 15, student=["Ada"] * 30))
    assert found.drop_fields == ("student",)


def test_what_a_teacher_said_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    rows = [
        {"input": text, "label": str(n % 2), "teacher": {"label": "0"}}
        for n, text in enumerate(TEXTS)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert of(str(path)).drop_fields == ()


def test_splits_are_kept_where_they_are_splits(write_table: WriteTable) -> None:
    columns = {"text": TEXTS, "label": ["x", "y"] * 15}
    found = of(write_table(**columns, split=["train", "dev"] * 15))
    assert found.splits == {"train", "valid"}
    assert "split" not in found.fields
    found = of(write_table(**columns, split=["north", "south"] * 15))
    assert not found.splits
    assert found.fields["split"] == ""
    assert found.reasons[-1] == (
        "split: left out, its values are not splits (2 different values: north, south)"
    )


def test_a_name_that_reads_as_a_template_is_not_proposed(write_table: WriteTable) -> None:
    found = of(write_table(**{"{{ label }}": ["x", "y"] * 15}, text=TEXTS, kind=["x", "y"] * 15))
    assert found.fields == {"label": "kind", "input": "text"}


def test_without_a_label_the_file_is_described(write_table: WriteTable) -> None:
    path = write_table(text=TEXTS, notes=TEXTS)
    with pytest.raises(UsageError) as caught:
        of(path)
    assert str(caught.value) == (
        f"{path}: no column looks like the label; columns: text (different texts of 36 characters "
        "on average), notes (different texts of 36 characters on average); name the columns: "
        "--input FIELD --label FIELD; a file without labels: --label ''"
    )


def test_two_columns_that_may_be_the_label_are_named(write_table: WriteTable) -> None:
    path = write_table(text=TEXTS, p=["x", "y"] * 15, q=["u", "v"] * 15)
    with pytest.raises(UsageError, match=r"2 columns may be the label \(p, q\); columns: text"):
        of(path)


def test_without_texts_there_is_no_input(write_table: WriteTable) -> None:
    path = write_table(a=[1, 2, 3] * 10, label=["x", "y"] * 15)
    with pytest.raises(UsageError, match="no column looks like the input"):
        of(path)


def test_numbers_of_classes_are_named_by_the_person(write_table: WriteTable) -> None:
    path = write_table(sentence=TEXTS, label=["0", "1"] * 15)
    found = of(path)
    assert (found.labels, found.label_is) == (("0", "1"), "text")
    assert found.warnings == [
        "the labels 0, 1 are numbers, and a teacher does not know what they mean: write their "
        'names, in this order, in labels of recipe.toml, and "index0" in label-is'
    ]
    found = of(path, labels=("bad", "good"))
    assert (found.labels, found.label_is, found.warnings) == (("bad", "good"), None, [])


def test_a_text_that_is_the_same_in_each_row_is_not_the_input(write_table: WriteTable) -> None:
    told = ["Sort this message into one of two groups."] * 30
    found = of(write_table(instruction=told, message=TEXTS, label=["a", "b"] * 15))
    assert found.fields["input"] == "message"
    found = of(write_table(title=told, body=TEXTS, label=["a", "b"] * 15))
    assert found.fields["input"] == "body"


def test_headers_with_capitals_are_pairs_too(write_table: WriteTable) -> None:
    found = of(write_table(Title=TEXTS, Description=TEXTS, Topic=["a", "b"] * 15))
    assert found.fields["input"] == "Title: {{ Title }}\nDescription: {{ Description }}"
    found = of(write_table(Context=TEXTS, Query=TEXTS, Answer=["a", "b"] * 15))
    assert found.fields["input"] == "Context: {{ Context }}\nQuery: {{ Query }}"


def test_texts_without_spaces_between_words_are_an_input(write_table: WriteTable) -> None:
    texts = [f"第{n}个包裹还没有到，请帮忙查一下" for n in range(30)]
    found = of(write_table(内容=texts, 类别=["物流", "退款"] * 15))
    assert found.fields == {"input": "内容", "label": "类别"}
    assert found.labels == ("物流", "退款")


def test_answers_are_taken_out_of_worked_solutions(write_table: WriteTable) -> None:
    boxed = [rf"We add and get $\boxed{{{n}}}$." for n in range(30)]
    found = of(write_table(problem=TEXTS, solution=boxed))
    assert found.fields == {
        "label": "{{ solution | after('boxed{') | before('}') }}",
        "rationale": "solution",
        "input": "problem",
    }
    assert found.task == "equation"
    letters = [rf"It must be $\boxed{{\text{{({'ABC'[n % 3]})}}}}$." for n in range(30)]
    assert of(write_table(problem=TEXTS, solution=letters)).task == "labels"
    hashes = [f"We add and get it.\n#### {n}" for n in range(30)]
    found = of(write_table(problem=TEXTS, solution=hashes, why=TEXTS))
    assert found.fields["label"] == "{{ solution | after('####') }}"
    assert found.fields["rationale"] == "{{ solution | before('####') }}"


def test_long_free_texts_are_said_to_seldom_agree(write_table: WriteTable) -> None:
    answers = [f"You go to the counter of floor {n} and ask there for a form." for n in range(30)]
    found = of(write_table(question=TEXTS, answer=answers))
    assert found.task == "text"
    assert "seldom agree" in found.reasons[-1]


@pytest.mark.parametrize(
    ("answers", "hint"),
    [
        ({"text": ["the king"], "start": [0]}, ", such as --label answers.text.0;"),
        (["red", "blue"], '--label answers.0 is the first in a list, --label "{{ answers | join'),
        ({"value": "king", "aliases": ["k"]}, ", such as --label answers.value;"),
    ],
)
def test_a_label_inside_a_list_or_an_object_can_be_named(
    answers: Any, hint: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.jsonl"
    rows = [{"question": text, "answers": answers} for text in TEXTS]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UsageError) as caught:
        of(str(path))
    assert hint in caught.value.hint


def test_a_set_of_labels_that_the_file_does_not_show_must_be_named(write_table: WriteTable) -> None:
    path = write_table(text=TEXTS, answer=TEXTS)
    with pytest.raises(UsageError, match=r"set of labels cannot be read .*--labels A,B,C"):
        of(path, task="labels")
