"""The command that a page's filters are added to."""

from __future__ import annotations

from mitools.explain.options import ExplainOptions
from mitools.explain.page.command import command_words


def test_it_names_the_files_and_what_answers() -> None:
    options = ExplainOptions(vs=("b.jsonl", "c.jsonl"), task="equation", student="runs/x", draws=4)
    assert command_words(options, ["a.jsonl", "stdin"]) == (
        *("mitools", "explain", "a.jsonl", "-", "--vs", "b.jsonl", "--vs", "c.jsonl"),
        *("--student", "runs/x", "--draws", "4", "--task", "equation"),
    )


def test_filters_are_not_part_of_it() -> None:
    options = ExplainOptions(wrong=True, limit=3, vs="b.jsonl")
    assert command_words(options, ["a.jsonl"]) == (
        "mitools",
        "explain",
        "a.jsonl",
        "--vs",
        "b.jsonl",
    )


def test_a_typed_text_has_no_command() -> None:
    assert command_words(ExplainOptions(text="?", student="runs/x"), ["?"]) == ()
