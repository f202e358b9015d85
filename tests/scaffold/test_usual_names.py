"""Columns are recognized by the names that data sets use."""

from __future__ import annotations

from mitools.scaffold.usual_names import by_usual_name, choice_columns


def test_the_best_name_comes_first_and_long_names_last() -> None:
    names = ["Ticket Text", "text", "Question", "other"]
    assert by_usual_name("input", names) == ["Question", "text", "Ticket Text"]
    assert by_usual_name("label", ["gold-label", "labelled", "Label"]) == ["Label", "gold-label"]


def test_columns_with_one_choice_each_are_found_in_order() -> None:
    assert choice_columns(["option2", "x", "option1"]) == ["option1", "option2"]
    assert choice_columns(["Option A", "Option B", "Option C"]) == [
        "Option A",
        "Option B",
        "Option C",
    ]
    assert choice_columns(["C", "A", "B", "answer"]) == ["A", "B", "C"]
    assert choice_columns(["ending0", "ending1"]) == ["ending0", "ending1"]


def test_a_word_before_the_name_of_a_choice_does_not_matter() -> None:
    assert choice_columns(["q_op1", "q_op2", "q_text"]) == ["q_op1", "q_op2"]


def test_a_spelled_label_comes_before_its_number() -> None:
    names = ["label", "label_text", "category name"]
    assert by_usual_name("label", names) == ["label_text", "label", "category name"]


def test_a_gap_or_a_single_column_is_not_a_set_of_choices() -> None:
    assert choice_columns(["option1", "option3"]) == []
    assert choice_columns(["a", "b"]) == []
    assert choice_columns(["1", "2", "3"]) == []
    assert choice_columns(["option 1,", "option 2,"]) == []
