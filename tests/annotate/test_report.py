"""What the progress of a run shows beside its count."""

from __future__ import annotations

import pytest

from mitools.annotate.client.budget import Budget
from mitools.annotate.options import Price
from mitools.annotate.report import progress_figures
from mitools.annotate.tally import Tally


def test_agreement_failures_cost_and_tokens_are_shown_in_this_order() -> None:
    tally = Tally(answered=7, with_gold=4, agreeing=3, recalled=1200)
    tally.failed["unreadable"] = 2
    tally.spent.update({"prompt_tokens": 12_345, "completion_tokens": 950})
    budget = Budget(Price(1, 2), limit=5)
    budget.spent = 0.01234
    assert progress_figures(tally, budget) == [
        "75.0% agree with gold",
        "2 failed",
        "$0.0123 of $5.00",
        "12.3k + 950 tokens",
        "1,200 from the journal",
    ]


def test_what_is_not_known_is_left_out() -> None:
    assert progress_figures(Tally(), None) == ["0 failed"]
    assert progress_figures(Tally(), Budget(Price(1, 2))) == ["0 failed", "$0.0000"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999"), (1000, "1k"), (99_949, "99.9k"), (123_456, "123k"), (4_500_000, "4.5M")],
)
def test_token_counts_are_short(count: int, text: str) -> None:
    tally = Tally()
    tally.spent.update({"prompt_tokens": count, "completion_tokens": 0})
    assert progress_figures(tally, None)[-1] == f"{text} + 0 tokens"
