"""Distill a large language model's labels and rationales into a small model.

The names in ``__all__`` are what mitools promises to those who import it. They are imported when
they are first used, so that ``import mitools`` is fast. Modules, low to high; each imports only
what stands above it:

- ``errors``: the exceptions, with the exit status of each; ``bounds``: limits on what is read;
  ``escape``: untrusted text made safe to print; ``packed``: reading Zstandard files
- ``files``: opening inputs, and outputs that appear whole; ``schema``: the fields of a record;
  ``expressions``: arithmetic; ``recipe``: finding and reading TOML recipes; ``console``: stderr
- ``lines``: lines of JSON; ``parts``: several files that are replaced together
- ``records``: reading and writing records; ``diverted``: lines that were put aside
- ``reading``: the answer that a text states; ``tasks``: answer formats, built on it
- ``gold``: checks of gold labels and label sets; ``demo``: the built-in word problems
- ``sources`` (load), ``annotate``, ``split``, ``student``: the stages up to a student, and students
- ``train``, ``evaluate``, then ``explain``: the stages that need one; ``study``: many students
- ``cli``: the command line, with ``__main__`` for ``python -m mitools``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitools.annotate.protocol import Problem, Question, Reply, Teacher
    from mitools.bounds import Bounds
    from mitools.errors import (
        BudgetError,
        DataError,
        EmptyInputError,
        InvalidFieldError,
        MalformedLineError,
        MissingExtraError,
        MissingFieldError,
        MitoolsError,
        OutputError,
        RecipeError,
        SourceError,
        StudentError,
        TeacherError,
        TeacherRefusedError,
        TrainingError,
        UsageError,
        Where,
    )
    from mitools.evaluate.measures.metric import Interval, Measure, Metric
    from mitools.evaluate.options import EvalOptions
    from mitools.evaluate.probes import PROBES
    from mitools.evaluate.run import Evaluation
    from mitools.explain.options import ExplainOptions
    from mitools.explain.view import View
    from mitools.records import read_records, write_records
    from mitools.schema import SCHEMA, SPLITS, Record, json_schema, validate
    from mitools.sources.options import LoadOptions
    from mitools.split.options import SplitOptions
    from mitools.student.folder import load_student, save_student
    from mitools.student.protocol import Generation, Student
    from mitools.tasks import TASK_NAMES, Answer, Task, read_answer, task_named, task_of
    from mitools.train.losses.objective import DIVERGENCES, MI_TERMS, POOLS, Objective
    from mitools.train.options import TrainOptions

    __version__: str

__all__ = [
    "DIVERGENCES",
    "MI_TERMS",
    "POOLS",
    "PROBES",
    "SCHEMA",
    "SPLITS",
    "TASK_NAMES",
    "Answer",
    "Bounds",
    "BudgetError",
    "DataError",
    "EmptyInputError",
    "EvalOptions",
    "Evaluation",
    "ExplainOptions",
    "Generation",
    "Interval",
    "InvalidFieldError",
    "LoadOptions",
    "MalformedLineError",
    "Measure",
    "Metric",
    "MissingExtraError",
    "MissingFieldError",
    "MitoolsError",
    "Objective",
    "OutputError",
    "Problem",
    "Question",
    "RecipeError",
    "Record",
    "Reply",
    "SourceError",
    "SplitOptions",
    "Student",
    "StudentError",
    "Task",
    "Teacher",
    "TeacherError",
    "TeacherRefusedError",
    "TrainOptions",
    "TrainingError",
    "UsageError",
    "View",
    "Where",
    "__version__",
    "json_schema",
    "load_student",
    "read_answer",
    "read_records",
    "save_student",
    "task_named",
    "task_of",
    "validate",
    "write_records",
]

_ERRORS = """
    BudgetError DataError EmptyInputError InvalidFieldError MalformedLineError MissingExtraError
    MissingFieldError MitoolsError OutputError RecipeError SourceError StudentError TeacherError
    TeacherRefusedError TrainingError UsageError Where
"""

_MODULES = {
    "annotate.protocol": "Problem Question Reply Teacher",
    "bounds": "Bounds",
    "errors": _ERRORS,
    "evaluate.measures.metric": "Interval Measure Metric",
    "evaluate.options": "EvalOptions",
    "evaluate.probes": "PROBES",
    "evaluate.run": "Evaluation",
    "explain.options": "ExplainOptions",
    "explain.view": "View",
    "records": "read_records write_records",
    "schema": "SCHEMA SPLITS Record json_schema validate",
    "sources.options": "LoadOptions",
    "split.options": "SplitOptions",
    "student.folder": "load_student save_student",
    "student.protocol": "Generation Student",
    "tasks": "TASK_NAMES Answer Task read_answer task_named task_of",
    "train.losses.objective": "DIVERGENCES MI_TERMS POOLS Objective",
    "train.options": "TrainOptions",
}
"""The module that each public name comes from."""

_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used; torch, openai and others are slow to import."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("mitools")
    elif name in _HOME:
        from importlib import import_module

        value = getattr(import_module(f"mitools.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
