"""The progress of a loop, and how it reads in one line of a given width. Nothing is written here.

The count and the time left are shown at any width. Figures are left out first, the last ones before
the others; then the bar becomes shorter.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from mitools.escape import on_one_line

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["MAX_WIDTH", "Progress", "clock_text"]

MAX_WIDTH = 120
"""Cells; a longer line is hard to read."""

_MARGIN, _LEAST_WIDTH_FOR_MARGIN = 5, 40
"""Cells at the end of a line: a terminal writes ``^C`` there, and must not wrap it."""

_BAR, _SHORTEST_BAR, _LONGEST_BAR = 20, 4, 40
_GAP = "  "
_WINDOW_SECONDS = 60.0
_WINDOW_SHARE = 1 / 3
_SAMPLES = 100

Parts = list[tuple[str, str]]
"""Texts with their styles."""


class Progress:
    """The state of one loop.

    Attributes:
        stage: the name of the stage, such as ``train``.
        what: what the loop does, where it is not all that the stage does: ``reading``.
        unit: what is counted; empty if nothing is, and only the time is shown.
        total: None if it is not known.
        count: how many are done.
        figures: short texts, the most important one first.
        log: a file with more figures, named in the first plain line.
    """

    def __init__(
        self,
        stage: str,
        what: str,
        unit: str,
        total: int | None,
        *,
        log: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stage, self.what, self.unit = map(on_one_line, (stage, what, unit))
        self.total = total
        self.count = 0
        self.figures: tuple[str, ...] = ()
        self.log = log
        self._clock = clock
        self._started = clock()
        self._samples: deque[tuple[float, int]] = deque([(self._started, 0)])

    def start(self) -> None:
        """Start to measure time: a loop may wait long for its first record."""
        self._started = self._clock()
        self._samples = deque([(self._started, self.count)])

    def skip(self, count: int) -> None:
        """Count what was done before; it does not change the speed."""
        self.count += count
        self._samples = deque((when, done + count) for when, done in self._samples)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return self._clock() - self._started

    def seconds_left(self) -> float | None:
        """Estimate the time left from the speed in the last minute, or the last third of the time.

        Returns:
            None where the total or the speed is unknown.
        """
        now = self._clock()
        window = max(_WINDOW_SECONDS, (now - self._started) * _WINDOW_SHARE)
        while len(self._samples) > 1 and self._samples[1][0] <= now - window:
            self._samples.popleft()
        when, count = self._samples[0]
        if now - self._samples[-1][0] >= window / _SAMPLES:
            self._samples.append((now, self.count))
        if self.total is None or self.count <= count or now <= when:
            return None
        left = max(0, self.total - self.count)
        return left * (now - when) / (self.count - count)

    def counts(self) -> str:
        """Return how many are done, of how many: ``120/1,000``; empty if nothing is counted."""
        if not self.unit:
            return ""
        return f"{self.count:,}" if self.total is None else f"{self.count:,}/{self.total:,}"

    def time(self) -> str:
        """Return the time left; without a total, the time since the start."""
        if self.total is None:
            return clock_text(self.seconds)
        left = self.seconds_left()
        return "-:-- left" if left is None else f"{clock_text(left)} left"

    def plain(self) -> str:
        """Return a line for a log; the first one names the file with more figures."""
        when = self.time() if self.total is not None else f"{self.time()} so far"
        what = " ".join(filter(None, (self.what, self.counts(), self.unit)))
        parts = [what, when, *map(on_one_line, self.figures)]
        if self.log is not None:
            parts.append(f"log: {on_one_line(self.log)}")
            self.log = None
        return ", ".join(parts)

    def line(self, width: int) -> Text:
        """Return a line that a terminal of ``width`` cells does not wrap, also with ``^C^C``."""
        from rich.cells import cell_len
        from rich.text import Text

        margin = _MARGIN if width >= _LEAST_WIDTH_FOR_MARGIN else 1
        room = max(1, min(width - margin, MAX_WIDTH))
        figures, when = [on_one_line(figure) for figure in self.figures], self.time()
        start = f"{self.stage}: {self.what} " if self.what else f"{self.stage} "
        end = f"{self.counts()} {self.unit}{_GAP}{when}".lstrip()
        used = cell_len(start) + cell_len(end)
        shown: Parts = []
        bar = 0 if self.total is None else _BAR + 1
        for figure in figures:
            cells = len(_GAP) + cell_len(figure)
            if used + bar + cells <= room:
                shown.append((_GAP + figure, "dim"))
                used += cells
        size = min(_LONGEST_BAR, room - used - 1) if self.total is not None else 0
        if used > room:
            start, end = self._shortened(room)
        middle = self._bar(size) if size >= _SHORTEST_BAR else []
        line = Text.assemble((start, "bold"), *middle, end, *shown)
        line.truncate(room)
        return line

    def _shortened(self, room: int) -> tuple[str, str]:
        """Leave out the stage, the unit and the description, in this order, until a line fits."""
        from rich.cells import cell_len

        counts, when, what = self.counts(), self.time(), self.what or self.stage
        options = [
            (f"{what} ", f"{counts} {self.unit}{_GAP}{when}".lstrip()),
            (f"{what} ", f"{counts}{_GAP}{when}".lstrip()),
            ("", f"{counts}{_GAP}{when}".lstrip()),
        ]
        fits = (option for option in options if cell_len("".join(option)) <= room)
        return next(fits, options[-1])

    def _bar(self, size: int) -> Parts:
        done = round(size * min(1.0, self.count / max(1, self.total or 0)))
        return [("━" * done, "green"), ("╌" * (size - done), "bright_black"), (" ", "")]


def clock_text(seconds: float) -> str:
    """Write a time as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
