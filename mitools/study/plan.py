"""A study file, and the runs that it asks for.

A study file is a recipe with more tables. ``[load]``, ``[annotate]`` and ``[split]`` make the
records, ``[train]`` and ``[eval]`` hold the options that all runs share, and then:

- ``[grid]``: ``seeds`` (a number, or a list), ``sizes`` (training records), ``folds``, ``valid``
  and ``test`` (most records of these parts, drawn by a hash; with ``folds`` no ``test``),
  ``baselines`` (objectives).
- ``[objectives.NAME]``: options of train; ``answers`` names the ways of answering to measure.
- ``[answers.NAME]``: options of eval. Without any, eval runs once with its defaults, as
  ``default``.

Studies that share objectives name one file: ``extends = "objectives.toml"``.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mitools.errors import RecipeError
from mitools.recipe import read_tables

__all__ = ["GRID_KEYS", "Objective", "Run", "Study", "narrow", "read_study", "runs_of"]

Options = Mapping[str, Any]

GRID_KEYS = ("seeds", "sizes", "folds", "valid", "test", "baselines")
STAGES = ("load", "annotate", "split")
_TABLES = (*STAGES, "train", "eval", "grid", "objectives", "answers")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_MOST = 10**9
_NO_ANSWERS: Mapping[str, Options] = {"default": {}}


@dataclass(frozen=True)
class Objective:
    """One way to train: options of train over the common ones, and how its students are asked."""

    name: str
    train: Options
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One student: an objective, a number of training records, a seed and perhaps a fold.

    Attributes:
        size: training records; None takes all there are.
        fold: which part of the records is the test, from 0; None keeps the records' own split.
        options: everything that decides the run, for :attr:`digest`.
    """

    objective: Objective
    size: int | None
    seed: int
    fold: int | None
    options: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """The run's name, also that of its folder: ``dss.n500.s0`` or ``dss.s0.f3``."""
        size = "" if self.size is None else f".n{self.size}"
        fold = "" if self.fold is None else f".f{self.fold}"
        return f"{self.objective.name}{size}.s{self.seed}{fold}"

    @property
    def digest(self) -> str:
        """A hash of the options; the same run with other options has another one."""
        text = json.dumps(self.options, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Study:
    """A study file, read and checked.

    Attributes:
        path: the file.
        preparation: the tables of load, annotate and split that there are, in this order.
        train: options that all runs share; likewise ``eval``.
        answers: options of eval by way of answering.
        sizes: training records; (None,) takes all.
        folds: the number of parts for cross-validation; None keeps the records' own split.
        valid: the most validation records of a run; likewise ``test``.
        baselines: the objectives that the others are compared to.
    """

    path: Path
    preparation: Mapping[str, Options]
    train: Options
    eval: Options
    objectives: tuple[Objective, ...]
    answers: Mapping[str, Options]
    sizes: tuple[int | None, ...]
    seeds: tuple[int, ...]
    folds: int | None
    valid: int | None
    test: int | None
    baselines: tuple[str, ...]

    def train_options(self, objective: Objective) -> dict[str, Any]:
        """The options of train for one objective, under their long names.

        Its ``epochs`` replace the ``max-steps`` of all runs, which would override them.
        """
        common = dict(self.train)
        if "epochs" in objective.train:
            common.pop("max-steps", None)
        return {**common, **objective.train}

    def eval_options(self, answer: str) -> dict[str, Any]:
        """The options of eval for one way of answering."""
        return {**self.eval, **self.answers[answer]}


def runs_of(study: Study) -> Iterator[Run]:
    """List the runs so that those of one seed come together, whatever their objective.

    A study that is cut short has then measured all objectives on the same seeds, but for the last.
    """
    for seed in study.seeds:
        for fold in range(study.folds) if study.folds else (None,):
            for size in study.sizes:
                for objective in study.objectives:
                    options = {
                        "train": study.train_options(objective),
                        "eval": {name: study.eval_options(name) for name in objective.answers},
                        "grid": [size, seed, fold, study.folds, study.valid, study.test],
                    }
                    if study.folds is None and (study.valid or study.test):
                        options["limits"] = "drawn by hash"  # earlier: the first of the file
                    yield Run(objective, size, seed, fold, options)


def narrow(study: Study, objectives: Sequence[str], sizes: Sequence[int]) -> Study:
    """Keep some objectives and sizes of a study, in their order; all where none is named.

    Raises:
        RecipeError: one that is named is not one of the study.
    """
    check = _Checker(study.path)
    for name in objectives:
        check.known(name, [one.name for one in study.objectives], "an objective")
    if sizes and study.sizes == (None,):
        raise check.error(
            "the study has no sizes", 'add "sizes" to "[grid]", or leave out "--size"'
        )
    for size in sizes:
        check.known(f"{size}", [f"{one}" for one in study.sizes], "a size")
    return replace(
        study,
        objectives=tuple(
            one for one in study.objectives if not objectives or one.name in objectives
        ),
        sizes=tuple(one for one in study.sizes if not sizes or one in sizes),
    )


def read_study(path: Path) -> Study:
    """Read a study file.

    Raises:
        RecipeError: it is missing or not TOML, or a table or key in it is not one of a study.
    """
    tables = _read_tables(path)
    check = _Checker(path)
    for name in tables:
        check.known(name, _TABLES, "a table of a study")
    if not tables.get("objectives"):
        raise check.error("has no objective", 'add a table such as "[objectives.dss]"')
    grid = tables.get("grid", {})
    for key in grid:
        check.known(key, GRID_KEYS, "a key of [grid]")
    answers = tables.get("answers") or _NO_ANSWERS
    objectives = tuple(_objectives(check, tables["objectives"], answers))
    folds = grid.get("folds")
    if folds is not None and "test" in grid:
        hint = "remove one of them; with folds, each seed is tested on all records"
        raise check.error('"test" and "folds" exclude each other', hint)
    return Study(
        path=path,
        preparation={name: tables[name] for name in STAGES if name in tables},
        train=_hyphenated(tables.get("train", {})),
        eval=_hyphenated(tables.get("eval", {})),
        objectives=objectives,
        answers={check.name(name): _hyphenated(table) for name, table in answers.items()},
        sizes=tuple(check.numbers(grid["sizes"], "sizes", 1)) if "sizes" in grid else (None,),
        seeds=tuple(check.seeds(grid.get("seeds", 1))),
        folds=None if folds is None else check.number(folds, "folds", 2),
        valid=check.number(grid["valid"], "valid", 1) if "valid" in grid else None,
        test=check.number(grid["test"], "test", 1) if "test" in grid else None,
        baselines=_baselines(check, grid, objectives),
    )


def _read_tables(path: Path) -> dict[str, Any]:
    if not path.exists():
        hint = "give the path of a study file; recipes/study has some"
        raise RecipeError(f"the file {path} does not exist", hint=hint)
    tables = read_tables(path)
    for name, table in tables.items():
        inner = name in ("objectives", "answers") and isinstance(table, dict)
        members = table.values() if inner else ()
        if not isinstance(table, dict) or not all(isinstance(one, dict) for one in members):
            raise RecipeError(f'{path}: "{name}" must be a table', hint=f'write it as "[{name}]"')
    return tables


def _objectives(
    check: _Checker, tables: Mapping[str, Options], answers: Mapping[str, Options]
) -> Iterator[Objective]:
    for name, table in tables.items():
        train = _hyphenated(table)
        asked = train.pop("answers", list(answers)[:1])
        if not isinstance(asked, list) or not asked:
            hint = f"write a list of {', '.join(answers)}"
            raise check.error(f'objective "{name}" needs a list of answers', hint)
        for answer in asked:
            check.known(answer, list(answers), "an answer")
        yield Objective(check.name(name), train, tuple(asked))


def _baselines(check: _Checker, grid: Options, objectives: Sequence[Objective]) -> tuple[str, ...]:
    known = [objective.name for objective in objectives]
    given = grid.get("baselines", known[:1])
    names = given if isinstance(given, list) else [given]
    for name in names:
        check.known(name, known, "an objective")
    return tuple(names)


def _hyphenated(table: Options) -> dict[str, Any]:
    """Spell the keys as on the command line, so that a table laid over another replaces them."""
    return {key.replace("_", "-"): value for key, value in table.items()}


@dataclass(frozen=True)
class _Checker:
    """Refuses values of a study file, naming the file."""

    path: Path

    def error(self, problem: str, hint: str) -> RecipeError:
        return RecipeError(f"{self.path}: {problem}", hint=hint)

    def known(self, name: object, names: Sequence[str], what: str) -> None:
        if name in names:
            return
        close = difflib.get_close_matches(str(name), names, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"known are {', '.join(names)}"
        raise self.error(f'"{name}" is not {what}', hint)

    def name(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise self.error(f'"{name}" cannot name a folder', "use letters, digits, - and _ only")
        return name

    def number(self, value: object, key: str, least: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
            raise self.error(f"{key} cannot be {value!r}", f"give a number from {least} up")
        return value

    def numbers(self, values: object, key: str, least: int) -> list[int]:
        if not isinstance(values, list) or not values or len(set(map(str, values))) < len(values):
            raise self.error(f"{key} cannot be {values!r}", "give a list of different numbers")
        return [self.number(value, key, least) for value in values]

    def seeds(self, value: object) -> list[int]:
        if isinstance(value, list):
            return self.numbers(value, "seeds", 0)
        return list(range(self.number(value, "seeds", 1)))
