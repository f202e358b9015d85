"""Options of a split: ranges, and options without effect."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import UsageError
from mitools.split.options import SplitOptions


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"test": 1.5}, "--test must be between 0 and 1, not 1.5"),
        ({"valid": float("nan")}, "--valid must be between 0 and 1, not nan"),
        ({"test": 0.7, "valid": 0.5}, r"add up to more than 1 \(0.7 \+ 0.5\)"),
        ({"subsample": 0}, "--subsample must be above 0 and at most 1, not 0"),
        ({"threshold": 0}, "--threshold must be above 0 and at most 1, not 0"),
        ({"shingle_chars": 0}, "--shingle-chars must be at least 1, not 0"),
        ({"ngram_words": 0}, "--ngram-words must be at least 1, not 0"),
        ({"select": ("train", "dev")}, '--select: "dev" is not a split'),
        ({"reassign_split": "dev"}, '--reassign-split: "dev" is not a split'),
        ({"reassign": True, "reassign_split": "train"}, "--reassign assigns every record again"),
    ],
)
def test_a_value_out_of_range_is_refused_when_the_options_are_made(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        SplitOptions(**wrong)


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("threshold", {"dedup": "near"}),
        ("shingle_chars", {"dedup": "near"}),
        ("ngram_words", {"against": ("other.jsonl",)}),
    ],
)
def test_an_option_that_was_given_must_have_an_effect(name: str, needed: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} has no effect without"):
        SplitOptions().check([name])
    SplitOptions(**needed).check([name])
    SplitOptions().check()


def test_the_options_decide_how_often_the_records_are_read() -> None:
    assert not SplitOptions(subsample=0.5, reassign=True).reads_twice
    assert SplitOptions(against=("other.jsonl",)).reads_twice
    assert not SplitOptions(against=("other.jsonl",)).assigns_units
    for options in (SplitOptions(exact=True), SplitOptions(stratify="label")):
        assert options.has_exact_sizes
        assert options.assigns_units
        assert options.reads_twice
    assert SplitOptions(dedup="near").assigns_units
    assert not SplitOptions(dedup="near").has_exact_sizes
