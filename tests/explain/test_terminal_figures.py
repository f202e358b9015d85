"""The figures of a summary on a terminal."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from mitools.explain.terminal import Terminal
from mitools.explain.terminal_figures import render_figures
from tests.explain.figures import hostile_summary, metric, probed, unprobed
from tests.explain.page.pages import HOSTILE


def lines_of(summary: dict[str, object], width: int = 80) -> list[str]:
    return render_figures(Terminal(width), summary).split("\n")


def test_a_figure_has_a_line_with_its_interval_and_n() -> None:
    lines = lines_of(probed())
    assert lines[0] == (
        "── figures ─────────────────────────── 200 records, task choice, by mine@0123 ──"
    )
    assert "Accuracy 90.0% 40.0 to 60.0 · n 200" in [" ".join(line.split()) for line in lines]
    assert "Noise in the input" in lines
    assert any("accuracy lost" in line and "3.1 points" in line for line in lines)
    wide = lines_of(probed(), 140)
    assert any("undefined  none of 8 insertions changes a label" in line for line in wide)
    assert "  by gpt-x, shown 10 of 200 records" in lines
    assert "  scores 1 to 5: 1, 1, 2, 4, 2 times" in lines


def test_what_is_missing_says_why_and_what_nobody_asked_for_is_named() -> None:
    text = " ".join(" ".join(lines_of(unprobed("not_applicable", "it never explains"))).split())
    assert "Noise in the input · Attribution · Inserted word" in text
    assert "wrong answer: it never explains" in text
    assert text.endswith("not requested: LLM judge")


@pytest.mark.parametrize("width", [40, 60, 80, 140])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_line_is_too_wide_and_nothing_drives_the_terminal(name: str, width: int) -> None:
    lines = lines_of(hostile_summary(HOSTILE[name]), width)
    assert max(map(cell_len, lines)) <= width
    assert not any(ord(letter) < 32 for line in lines for letter in line)


def test_a_summary_of_hardly_anything_is_shown() -> None:
    assert lines_of({"a": {"b": metric()}})[0].startswith("── figures ───")
