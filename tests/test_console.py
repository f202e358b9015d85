"""What people are told on stderr: plain lines in a log, colours on a terminal, nothing with -q."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

import mitools.console
from mitools.console import Console

HOSTILE = "[bold]kept[/bold] \x1b[31m 100%"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# Called by each test and no fixtures: pytest takes stderr back between a fixture and its test.


def log_on(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    return stream


def terminal_on(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    return stream


def say_everything(console: Console) -> None:
    console.note("a note")
    console.warn("careful")
    console.table("2 things", ("thing", "n"), [("apples", "1"), ("pears", "1,000")])
    with console.progress("working", 3) as update:
        update(1, "loss 0.5")
    console.error("broken; mend it")


def test_a_log_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_on(monkeypatch)
    say_everything(Console("mitools toy"))
    assert log.getvalue() == (
        "mitools toy: a note\n"
        "mitools toy: warning: careful\n"
        "mitools toy: 2 things\n"
        "  thing       n\n"
        "  apples      1\n"
        "  pears   1,000\n"
        "mitools toy: broken; mend it\n"
    )


def test_a_log_gets_fewer_lines_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    log, now = log_on(monkeypatch), 0.0
    monkeypatch.setattr(mitools.console, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(mitools.console, "DRAW_SECONDS", 30.0)
    shown: list[float] = []
    with Console("mitools toy").progress(total=9) as update:
        update(0)
        for second in range(0, 4000, 10):
            now = float(second)
            if second == 2010:
                update(1)
            before = len(log.getvalue())
            update.show()
            if len(log.getvalue()) > before:
                shown.append(now)
    assert shown == [30, 60, 120, 240, 480, 960, 1560, 2010, 2040, 2100, 2220, 2460, 2940, 3540]


def test_quiet_keeps_everything_back_but_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_on(monkeypatch)
    say_everything(Console("mitools toy", quiet=True))
    assert log.getvalue() == "mitools toy: broken; mend it\n"


def test_quiet_keeps_everything_back_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_on(monkeypatch)
    console = Console("mitools toy", quiet=True)
    console.table("2 things", ("thing",), [("a",)])
    with console.progress("working", 3) as update:
        update(1, "")
    assert terminal.getvalue() == ""


def test_a_terminal_gets_colour_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_on(monkeypatch)
    Console("mitools toy").error("broken")
    assert "\x1b[1;31mmitools toy: broken" in terminal.getvalue()
    terminal.truncate(0)
    terminal.seek(0)
    monkeypatch.setenv("NO_COLOR", "1")
    Console("mitools toy").error("broken")
    assert terminal.getvalue() == "mitools toy: broken\n"


def test_a_long_line_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_on(monkeypatch)
    Console("mitools toy").error("word " * 60)
    assert terminal.getvalue().count("\n") == 1


def test_what_data_say_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_on(monkeypatch)
    Console("toy").note(HOSTILE)
    assert log.getvalue() == "toy: [bold]kept[/bold] \\x1b[31m 100%\n"
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    Console("toy").note("[bold]kept[/bold]")
    Console("toy").table("t", ("c",), [("[red]kept[/red]",)])
    assert "[bold]kept[/bold]" in terminal.getvalue()
    assert "[red]kept[/red]" in terminal.getvalue()


@pytest.mark.parametrize("total", [3, None, 0])
def test_progress_is_drawn_on_a_terminal_and_gone_afterwards(
    monkeypatch: pytest.MonkeyPatch, total: int | None
) -> None:
    terminal = terminal_on(monkeypatch)
    with Console("toy").progress("working", total, "steps") as update:
        update(2, "loss 0.5")
    text = terminal.getvalue()
    assert "working" in text
    assert "steps" in text
    assert text.endswith("\x1b[2K")  # the line is wiped


def test_a_table_on_a_terminal_shows_every_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_on(monkeypatch)
    Console("toy").table("2 things", ("thing", "n"), [("apples", "1"), ("pears", "1,000")])
    for cell in ("2 things", "thing", "apples", "pears", "1,000"):
        assert cell in terminal.getvalue()


def test_the_title_of_a_narrow_table_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_on(monkeypatch)
    title = "500 records, task equation, by a-student-with-a-name@0123456789ab"
    Console("toy").table(title, ("a", "n"), [("b", "1")])
    assert f"toy: {title}" in terminal.getvalue()


def test_a_table_without_rows_is_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_on(monkeypatch)
    Console("toy").table("nothing", ("thing", "n"), [])
    assert log.getvalue() == "toy: nothing\n  thing  n\n"


def test_a_stderr_that_cannot_be_written_brings_nobody_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    say_everything(Console("toy"))
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    Console("toy").error("unheard")
