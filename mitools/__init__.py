"""Distill a large language model's labels and rationales into a small model.

The names in ``__all__`` are what mitools promises to those who import it. They are imported when
they are first used, so that ``import mitools`` is fast. Modules, low to high; each imports only
what stands above it:

- ``errors``: the exceptions, with the exit status of each; ``bounds``: limits on what is read;
  ``escape``: untrusted text made safe to print; ``packed``: reading Zstandard files;
  ``interrupts``: signals that ask to stop
- ``files``: opening inputs, and outputs that appear whole; ``schema``: the fields of a record;
  ``expressions``: arithmetic; ``recipe``: finding and reading TOML recipes;
  ``rounding``: of figures
- ``console``: stderr, with ``progress``: the progress of a loop in one line; ``terminal_lock``:
  which process of a pipe draws it
- ``lines``: lines of JSON; ``parts``: several files that are replaced together
- ``records``: reading and writing records; ``diverted``: lines that were put aside
- ``spool``: records in a temporary file
- ``reading``: the answer that a text states; ``tasks``: answer formats, built on it
- ``replies``: a teacher's reply, read as an answer; ``message_thoughts``: the thoughts of a chat
  message; ``question``: whether two records ask the same
- ``gold``: checks of gold labels and label sets; ``demo``: the built-in word problems;
  ``operating``: above which confidence a student answers by itself
- ``sources`` (load), ``annotate``, ``split``, ``student``: the stages up to a student, and students
- ``asking``: the answers of a student, by one reading of the label or both
- ``train``, ``evaluate``, then ``explain``: the stages that need one; ``cascade``: a student before
  a teacher; ``export``: students for other runtimes; ``study``: many students; ``scaffold``: a
  recipe of one's own
- ``cli``: the command line, with ``__main__`` for ``python -m mitools``
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitools.annotate.annotate_records import annotate_records
    from mitools.annotate.notices import Notices
    from mitools.annotate.options import AnnotateOptions, Price
    from mitools.annotate.protocol import Problem, Question, Reply, Teacher
    from mitools.annotate.run import StoppedError
    from mitools.bounds import Bounds
    from mitools.cascade.cascade_records import cascade_records
    from mitools.cascade.options import CascadeOptions
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
    from mitools.evaluate.evaluate_student import compare_runs, evaluate_student
    from mitools.evaluate.measures.metric import Interval, Measure, Metric
    from mitools.evaluate.options import EvalOptions
    from mitools.evaluate.probes import PROBES
    from mitools.evaluate.run import Evaluation
    from mitools.explain.options import ExplainOptions
    from mitools.explain.page.write import write_page
    from mitools.explain.run import explain_records
    from mitools.explain.view import View
    from mitools.export.options import ExportOptions
    from mitools.export.run import export_student
    from mitools.operating.point import OperatingPoint
    from mitools.records import read_records, student_text, write_records
    from mitools.schema import SCHEMA, SPLITS, Record, json_schema, validate
    from mitools.sources.load_records import load_records
    from mitools.sources.options import LoadOptions
    from mitools.split.options import SplitOptions
    from mitools.split.run import split_records
    from mitools.student.folder import load_student, save_student
    from mitools.student.protocol import Generation, Student
    from mitools.tasks import TASK_NAMES, Answer, Task, read_answer, task_named, task_of
    from mitools.train.choices import DIVERGENCES, MI_TERMS, POOLS
    from mitools.train.losses.combination import Objective
    from mitools.train.options import TrainOptions
    from mitools.train.run import train_student
    from mitools.train.training_run import Interrupted

    __version__: str

__all__ = [
    "DIVERGENCES",
    "MI_TERMS",
    "POOLS",
    "PROBES",
    "SCHEMA",
    "SPLITS",
    "TASK_NAMES",
    "AnnotateOptions",
    "Answer",
    "Bounds",
    "BudgetError",
    "CascadeOptions",
    "DataError",
    "EmptyInputError",
    "EvalOptions",
    "Evaluation",
    "ExplainOptions",
    "ExportOptions",
    "Generation",
    "Interrupted",
    "Interval",
    "InvalidFieldError",
    "LoadOptions",
    "MalformedLineError",
    "Measure",
    "Metric",
    "MissingExtraError",
    "MissingFieldError",
    "MitoolsError",
    "Notices",
    "Objective",
    "OperatingPoint",
    "OutputError",
    "Price",
    "Problem",
    "Question",
    "RecipeError",
    "Record",
    "Reply",
    "SourceError",
    "SplitOptions",
    "StoppedError",
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
    "annotate_records",
    "cascade_records",
    "compare_runs",
    "evaluate_student",
    "explain_records",
    "export_student",
    "json_schema",
    "load_records",
    "load_student",
    "read_answer",
    "read_records",
    "save_student",
    "split_records",
    "student_text",
    "task_named",
    "task_of",
    "train_student",
    "validate",
    "write_page",
    "write_records",
]

_ERRORS = """
    BudgetError DataError EmptyInputError InvalidFieldError MalformedLineError MissingExtraError
    MissingFieldError MitoolsError OutputError RecipeError SourceError StudentError TeacherError
    TeacherRefusedError TrainingError UsageError Where
"""

_MODULES = {
    "annotate.annotate_records": "annotate_records",
    "annotate.notices": "Notices",
    "annotate.options": "AnnotateOptions Price",
    "annotate.protocol": "Problem Question Reply Teacher",
    "annotate.run": "StoppedError",
    "bounds": "Bounds",
    "cascade.cascade_records": "cascade_records",
    "cascade.options": "CascadeOptions",
    "errors": _ERRORS,
    "evaluate.evaluate_student": "compare_runs evaluate_student",
    "evaluate.measures.metric": "Interval Measure Metric",
    "evaluate.options": "EvalOptions",
    "evaluate.probes": "PROBES",
    "evaluate.run": "Evaluation",
    "explain.options": "ExplainOptions",
    "explain.page.write": "write_page",
    "explain.run": "explain_records",
    "explain.view": "View",
    "export.options": "ExportOptions",
    "export.run": "export_student",
    "operating.point": "OperatingPoint",
    "records": "read_records student_text write_records",
    "schema": "SCHEMA SPLITS Record json_schema validate",
    "sources.load_records": "load_records",
    "sources.options": "LoadOptions",
    "split.options": "SplitOptions",
    "split.run": "split_records",
    "student.folder": "load_student save_student",
    "student.protocol": "Generation Student",
    "tasks": "TASK_NAMES Answer Task read_answer task_named task_of",
    "train.choices": "DIVERGENCES MI_TERMS POOLS",
    "train.losses.combination": "Objective",
    "train.options": "TrainOptions",
    "train.run": "train_student",
    "train.training_run": "Interrupted",
}
"""The module that each public name comes from."""

_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}


if not TYPE_CHECKING:  # or type checkers would accept any name

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used; some are slow to import."""
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
