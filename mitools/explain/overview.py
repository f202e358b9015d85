"""An overview of a run: the main figures, and the commands that are of use next.

Memory holds a few numbers for each record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mitools.explain.counted import PARTS, Part, parts_of, usual_part
from mitools.explain.filters import ViewedRecord
from mitools.explain.next_commands import Found, NextCommand, next_commands
from mitools.explain.options import ExplainOptions
from mitools.explain.page.summarize import ViewSummarizer
from mitools.explain.summary_file import Summary

__all__ = ["Overview"]


class Overview:
    """Collects the figures and the counts of records.

    If there are records of the test split, or without a split, the figures are of these, as those
    of ``mitools eval`` are by default: records of the valid split may only have served to fit a
    weight or a temperature, and ``eval`` marks those that chose a threshold.
    """

    def __init__(self) -> None:
        self._folds: dict[Part, ViewSummarizer] = {
            part: ViewSummarizer("student") for part in PARTS
        }
        self._counts: dict[Part, int] = dict.fromkeys(PARTS, 0)
        self._tasks: dict[str, None] = {}
        self._wrong = self._inconsistent = self._disagreeing = 0
        self._has_confidences = False
        self._first_id = ""

    def add(self, item: ViewedRecord) -> None:
        """Add a record."""
        view, answer = item.view, item.record.get("student") or {}
        if not self._counts["whole"]:
            self._first_id = view.id
        for part in parts_of(item.record):
            self._folds[part].add(view, view.student, answer)
            self._counts[part] += 1
        self._tasks[view.task] = None
        self._wrong += view.is_right is False
        self._inconsistent += view.is_consistent is False
        self._disagreeing += view.has("disagrees")
        self._has_confidences |= view.student is not None and view.student.confidence is not None

    def summary(self, seed: int) -> Summary | None:
        """Return the figures in the form of a summary of ``eval``; None without any answer.

        Args:
            seed: of the resampling.
        """
        part = usual_part([one for one, fold in self._folds.items() if fold.has_answers])
        fold = self._folds[part]
        if not fold.has_answers:
            return None
        facts: dict[str, Any] = {
            "records": self._counts[part],
            "tasks": self._tasks,
            "models": fold.models,
        }
        return {**fold.summary(seed), **facts}

    def next_commands(
        self, files: Sequence[str], options: ExplainOptions, summary: str | None = None
    ) -> list[NextCommand]:
        """Return the commands that are of use next.

        Args:
            files: the files that were read.
            options: of the run.
            summary: the summary that was given, if any.
        """
        found = Found(
            records=self._counts["whole"],
            evaluated=self._counts["evaluated"],
            wrong=self._wrong,
            inconsistent=self._inconsistent,
            disagreeing=self._disagreeing,
            has_confidences=self._has_confidences,
            first_id=self._first_id,
        )
        return next_commands(files, options, found, summary)
