"""Published reasoning traces: one row is a question with one sample or several.

The columns are those of the published data sets: OpenR1-Math (``generations`` with flags of
correctness), s1K and s1K-1.1, OpenThoughts (subset ``metadata``), and tables with
``reasoning_content``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitools.errors import InvalidFieldError, Where
from mitools.schema import json_type
from mitools.sources.chat.exchange import Exchange, Given, flatten

__all__ = ["Trace", "read_trace", "trace_of"]

_QUESTIONS = ("problem", "question", "prompt", "instruction", "query", "input")
_FLAGS = ("correctness_math_verify", "correctness_llama")
_GRADES = {"yes": True, "no": False}
_SKIP = 'skip the row: "--on-error skip"'


@dataclass(frozen=True)
class Trace:
    """The columns of one kind of data set.

    Attributes:
        title: its name in messages.
        answer: the column of the answer, or of the list of samples.
        thoughts: the column of the thoughts; empty where the answer holds them.
        solution: the column of a text that ends in the gold label.
        label: the column of the gold label.
        grade: the column that says whether the answer is right.
        model: the model, where a column names it.
        repeats: columns that repeat a sample.
    """

    title: str
    answer: str
    thoughts: str = ""
    solution: str = ""
    label: str = ""
    grade: str = ""
    model: str = ""
    repeats: tuple[str, ...] = ()


_TRACES = (
    Trace(
        "reasoning traces with several samples (generations)",
        "generations",
        solution="solution",
        label="answer",
        repeats=("messages",),
    ),
    Trace(
        "reasoning traces (deepseek_thinking_trajectory)",
        "deepseek_attempt",
        "deepseek_thinking_trajectory",
        solution="solution",
        grade="deepseek_grade",
        model="deepseek",
    ),
    Trace(
        "reasoning traces (gemini_thinking_trajectory)",
        "gemini_attempt",
        "gemini_thinking_trajectory",
        solution="solution",
        grade="gemini_grade",
        model="gemini",
    ),
    Trace(
        "reasoning traces (thinking_trajectories)",
        "attempt",
        "thinking_trajectories",
        solution="solution",
    ),
    Trace(
        "reasoning traces (deepseek_reasoning)",
        "deepseek_solution",
        "deepseek_reasoning",
        solution="ground_truth_solution",
        model="deepseek",
    ),
    *(
        Trace(f"reasoning traces (reasoning_content, {answer})", answer, "reasoning_content")
        for answer in ("content", "response", "output", "answer", "completion")
    ),
)


def _question_of(row: Mapping[str, Any]) -> str | None:
    names = (name for name in _QUESTIONS if isinstance(row.get(name), str))
    return next(names, None)


def trace_of(row: Mapping[str, Any]) -> Trace | None:
    """Find the kind of trace that a row is; None if it is not one."""
    if _question_of(row) is None:
        return None
    for trace in _TRACES:
        thoughts = row.get(trace.thoughts) if trace.thoughts else row.get(trace.answer)
        if isinstance(thoughts, str | list) and trace.answer in row:
            return trace
    return None


def read_trace(
    row: Mapping[str, Any], trace: Trace, where: Where
) -> tuple[Exchange, frozenset[str], str | None]:
    """Read a row of traces.

    Returns:
        The question with its samples; the columns that it was made of; the column of the label.

    Raises:
        InvalidFieldError: a column has a wrong type.
    """
    question = _question_of(row) or ""
    try:
        replies = _samples(row, trace) if not trace.thoughts else (_sample(row, trace),)
    except TypeError as exc:
        raise InvalidFieldError(f"a trace of the row {exc}", where=where, hint=_SKIP) from exc
    if not replies:
        message = f'field "{trace.answer}" has no samples'
        raise InvalidFieldError(message, where=where, hint=_SKIP)
    label = trace.label if isinstance(row.get(trace.label), str) else None
    solution = row.get(trace.solution)
    model = next((row[name] for name in ("model", "generator") if _is_text(row.get(name))), "")
    exchange = Exchange(
        flatten(row[question]).strip(),
        replies,
        model=model or trace.model,
        gold_solution=solution if label is None and isinstance(solution, str) else "",
    )
    used = {question, trace.answer, trace.thoughts, *trace.repeats}
    return exchange, frozenset(used | ({label} if label else set())), label


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _sample(row: Mapping[str, Any], trace: Trace) -> Given:
    thoughts = row.get(trace.thoughts)
    if isinstance(thoughts, list):
        thoughts = "\n\n".join(map(flatten, thoughts))
    grade = row.get(trace.grade)
    is_right = _GRADES.get(grade.strip().lower()) if isinstance(grade, str) else None
    return Given(flatten(row.get(trace.answer)), flatten(thoughts).strip(), is_right=is_right)


def _samples(row: Mapping[str, Any], trace: Trace) -> tuple[Given, ...]:
    """Read a list of samples with the lists of flags beside it."""
    samples = row[trace.answer]
    if isinstance(samples, str):
        samples = [samples]
    for sample in samples:
        if not isinstance(sample, str):
            raise TypeError(f"is {json_type(sample)}, not a text")
    return tuple(
        Given(
            flatten(text),
            is_truncated=_at(row.get("is_reasoning_complete"), place) is False
            or _at(row.get("finish_reasons"), place) == "length",
            is_right=_is_right(row, place),
        )
        for place, text in enumerate(samples)
    )


def _at(values: Any, place: int) -> Any:
    return values[place] if isinstance(values, list) and place < len(values) else None


def _is_right(row: Mapping[str, Any], place: int) -> bool | None:
    """Return whether a check of the authors found the sample right; None without a check."""
    checks = [check for name in _FLAGS if isinstance(check := _at(row.get(name), place), bool)]
    return any(checks) if checks else None
