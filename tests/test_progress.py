"""The text of a progress line: what is shown at which width, and how the time left is estimated."""

from __future__ import annotations

import pytest

from mitools.progress import MAX_WIDTH, Progress, clock_text

WIDTHS = (40, 60, 80, 100, 160)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def training(count: int, total: int | None = 1000, seconds: float = 100) -> Progress:
    clock = Clock()
    progress = Progress("train", "", "steps", total, clock=clock)
    progress.start()
    clock.now += seconds
    progress.count = count
    progress.figures = ("valid accuracy 0.420", "label 0.532", "rationale 1.250", "MI 0.031")
    return progress


@pytest.mark.parametrize("width", WIDTHS)
def test_the_count_and_the_time_left_are_shown_at_any_width(width: int) -> None:
    line = training(250).line(width).plain
    assert len(line) + len("^C^C") < width, "the terminal writes ^C behind it"
    assert "250/1,000" in line
    assert "5:00 left" in line


def test_figures_are_left_out_before_the_bar_becomes_shorter() -> None:
    lines = {width: training(250).line(width).plain for width in range(30, 121)}
    for width, line in lines.items():
        bar = line.count("━") + line.count("╌")
        if bar < 20:
            assert "label" not in line, width
        if "MI" in line:
            assert bar >= 20
    assert "MI 0.031" in lines[120]
    assert "valid accuracy" in lines[80]
    assert "MI" not in lines[80]
    assert "label" not in lines[40]
    assert "━" in lines[60]


def test_at_very_small_widths_the_count_and_the_time_are_left() -> None:
    assert training(250).line(22).plain == "250/1,000  5:00 left"
    assert training(250).line(28).plain == "train 250/1,000  5:00 left"
    for width in range(1, 30):
        assert len(training(250).line(width).plain) <= max(1, width - 1)


def test_a_wide_terminal_does_not_get_an_endless_line() -> None:
    progress = training(250)
    progress.figures = ("figure 1.000",) * 50
    assert len(progress.line(1000).plain) <= MAX_WIDTH


def test_wide_characters_count_by_their_cells() -> None:
    progress = Progress("split", "searching 日本語日本語", "records", 10)
    assert progress.line(40).cell_len < 40


def test_without_a_total_the_time_so_far_is_shown_and_no_bar() -> None:
    line = training(1234, total=None, seconds=65).line(100).plain
    assert line.startswith("train 1,234 steps  1:05  valid accuracy")
    assert "━" not in line


def test_a_loop_that_counts_nothing_shows_its_time() -> None:
    clock = Clock()
    progress = Progress("train", "preparing", "", None, clock=clock)
    progress.start()
    clock.now += 5
    assert progress.line(80).plain == "train: preparing 0:05"
    assert progress.plain() == "preparing, 0:05 so far"


def test_a_plain_line_names_all_and_the_first_one_the_log() -> None:
    progress = training(250)
    progress.log = "run.work/log.jsonl"
    figures = "valid accuracy 0.420, label 0.532, rationale 1.250, MI 0.031"
    assert progress.plain() == f"250/1,000 steps, 5:00 left, {figures}, log: run.work/log.jsonl"
    assert progress.plain() == f"250/1,000 steps, 5:00 left, {figures}"


def test_texts_are_escaped() -> None:
    progress = Progress("a", "b\x1b[31m", "c", 3)
    progress.figures = ("d\r\ne\x9b",)
    for text in (progress.line(100).plain, progress.plain()):
        assert "\x1b" not in text
        assert "\n" not in text
        assert "\x9b" not in text


def test_the_time_left_is_unknown_before_the_first_step() -> None:
    assert training(0).time() == "-:-- left"
    assert training(0).seconds_left() is None
    assert training(1000).time() == "0:00 left"


def test_what_was_done_before_a_resumed_run_does_not_count_as_speed() -> None:
    clock = Clock()
    progress = Progress("train", "", "steps", 1000, clock=clock)
    progress.start()
    progress.skip(500)
    clock.now += 100
    progress.count += 50
    assert progress.counts() == "550/1,000"
    assert progress.seconds_left() == pytest.approx(900)


def test_the_time_left_follows_the_speed_of_late() -> None:
    clock = Clock()
    progress = Progress("annotate", "", "records", 10_000, clock=clock)
    progress.start()
    progress.count = 5000  # from a journal
    progress.seconds_left()
    for _ in range(300):
        clock.now += 1
        progress.count += 1
        progress.seconds_left()
    left = progress.seconds_left()
    assert left is not None
    assert left == pytest.approx(4700, rel=0.05)


def test_a_long_run_keeps_few_samples() -> None:
    clock = Clock()
    progress = Progress("train", "", "steps", 10**6, clock=clock)
    progress.start()
    for _ in range(20_000):
        clock.now += 0.5
        progress.count += 1
        progress.seconds_left()
    assert len(progress._samples) < 500


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "1:00:00"), (360_000, "100:00:00")],
)
def test_times_are_written_like_a_clock(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text
