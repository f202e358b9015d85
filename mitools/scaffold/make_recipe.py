"""The command as one function: a data file or a recipe in, the folder of a new recipe out."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from mitools.errors import MitoolsError, OutputError, UsageError
from mitools.files import STDIN, atomic_directory, output_errors
from mitools.recipe import find_recipe, is_recipe_name
from mitools.scaffold.options import InitOptions
from mitools.scaffold.propose import Proposal, propose
from mitools.scaffold.recipe_text import recipe_text
from mitools.scaffold.sample import Sample, read_sample
from mitools.scaffold.settings import Settings, copy_recipe, read_settings
from mitools.scaffold.trial import Trial, try_mapping
from mitools.sources.arrow_files import is_saved
from mitools.sources.formats import ENDINGS
from mitools.sources.hub import PREFIX
from mitools.sources.load_records import sources_in
from mitools.sources.options import LoadOptions
from mitools.sources.published import CHAT

__all__ = ["SCRIPT", "MadeRecipe", "make_recipe"]

SCRIPT = "run.sh"
_PACKED = (".gz", ".zst")


@dataclass(frozen=True)
class MadeRecipe:
    """A recipe that was written.

    Attributes:
        folder: it is in, with ``recipe.toml`` and ``run.sh``.
        reasons: what was found in the file and decided from it, one line each.
        warnings: what a person should look at.
        names_teacher: whether no model needs to be given: the recipe names a teacher, or the data
            is a chat log, which holds its answers.
        has_rationales: whether the data set has rationales beside its gold labels, from which a
            student can learn without a teacher.
        has_completions: whether the data set has replies of a teacher in ``completion``, which
            ``--teacher replay`` reads.
    """

    folder: Path
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    names_teacher: bool = False
    has_rationales: bool = False
    has_completions: bool = False


def make_recipe(options: InitOptions) -> MadeRecipe:
    """Write the folder of a new recipe, with a copy of the data and a script that runs it.

    With a file, the mapping and the task are proposed from its first rows, and the proposal is
    tried on them before anything is written. Without one, the recipe ``from_recipe`` is copied.

    Raises:
        UsageError: no column can be proposed, or neither a file nor a recipe is given.
        SourceError: the file cannot be read, or the mapping does not fit it.
        DataError: too many of its rows give no record.
        RecipeError: ``from_recipe`` is not a valid recipe.
        OutputError: the folder exists, or cannot be written.
    """
    _check(options)
    if options.file is None:
        return _copy(options)
    try:
        found, proposal, trial = _look_at(options.file, options)
    except MitoolsError as exc:
        exc.hint = _hint_of_init(exc.hint)
        raise
    settings = Settings()
    if options.from_recipe is not None:
        settings = read_settings(options.from_recipe, trial.task, trial.choices)
    if options.student is not None:
        settings.tables.setdefault("train", {})["student"] = options.student
    source = _source_name(options)
    text = recipe_text(source, proposal, trial, settings, _reading(options))
    with atomic_directory(options.folder) as part:
        (part / "recipe.toml").write_text(text, encoding="utf-8")
        _copy_data(options.file, part / source, LoadOptions(**_reading(options)))
        for name, path in settings.files.items():
            shutil.copyfile(path, part / name)
        _write_script(part)
    return MadeRecipe(
        options.folder,
        (found, *proposal.reasons),
        (*proposal.warnings, *_warnings(trial, settings)),
        _names_teacher(settings.tables) or proposal.preset == CHAT,
        trial.longest["label"] > 0 and trial.longest["rationale"] > 0,
        trial.longest["completion"] > 0,
    )


def _check(options: InitOptions) -> None:
    folder, name = options.folder, options.folder.name
    if options.file is None and options.from_recipe is None:
        message = "give a data file, or a recipe to copy"
        raise UsageError(message, hint="mitools init NAME FILE, or mitools init NAME --from RECIPE")
    if not name or not name.isprintable():
        raise UsageError(f'"{folder}" cannot name a recipe', hint="name a new folder")
    if str(folder) == name and is_recipe_name(name):
        message = f'"{name}" is the name of a recipe that came with mitools'
        raise UsageError(message, hint=f"choose another name, such as my-{name}")
    if os.path.lexists(folder):
        raise OutputError(f"{folder} already exists", hint="choose another name, or remove it")
    if options.file is None:
        _check_copy(options)
    else:
        _check_file(options.file, str(folder))


def _check_copy(options: InitOptions) -> None:
    """Refuse what would change a copy: it is changed in its ``recipe.toml``."""
    plain = InitOptions(folder=options.folder)
    for attribute in fields(InitOptions):
        name = attribute.name
        is_set = getattr(options, name) != getattr(plain, name)
        if is_set and name not in ("folder", "from_recipe"):
            flag = name.replace("_", "-")
            flag = " or --".join(options.fields) if name == "fields" else flag
            hint = "leave it out, and change recipe.toml"
            raise UsageError(f"--{flag} is for data files, and none is named", hint=hint)


def _check_file(file: str, folder: str) -> None:
    if file.startswith(PREFIX):
        message = f"{file} is a data set on the Hub, and init reads local files"
        hint = "copy a recipe of one, such as --from gsm8k, and change its source and name"
        raise UsageError(message, hint=hint)
    if is_recipe_name(file) and not os.path.exists(file):
        hint = f"to copy it: mitools init {shlex.quote(folder)} --from {file}"
        raise UsageError(f"{file} is a recipe, not a data file", hint=hint)
    is_there = os.path.isfile(file) or os.path.isdir(file)
    if file == STDIN or (os.path.exists(file) and not is_there):
        message = f"{file} is not a file or folder, and init reads its data more than once"
        raise UsageError(message, hint="write the data to a file first, and name that")


def _copy_data(source: str, copy: Path, options: LoadOptions) -> None:
    """Copy a file, or the data files of a folder."""
    if is_saved(source):
        shutil.copytree(source, copy)
        return
    for file in sources_in(source, options):
        path = copy if file == source else copy / Path(file).relative_to(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, path)


def _copy(options: InitOptions) -> MadeRecipe:
    recipe = str(options.from_recipe)
    with atomic_directory(options.folder) as part:
        tables = copy_recipe(recipe, part)
        _write_script(part)
    reason = f"all settings and data are those of the recipe {recipe}"
    reasons = (reason, *_about_script(recipe))
    return MadeRecipe(options.folder, reasons, (), _names_teacher(tables))


def _about_script(recipe: str) -> Iterator[str]:
    """Say that a recipe has another script than the one that each new recipe gets."""
    own = find_recipe(recipe).parent / SCRIPT
    if own.is_file() and own.read_bytes() != _script():
        yield f"{SCRIPT} is the one of every new recipe; {recipe} has its own: {own}"


def _look_at(file: str, options: InitOptions) -> tuple[str, Proposal, Trial]:
    """Propose a mapping and try it; say in one line what the file holds."""
    sample = read_sample(file, LoadOptions(**_reading(options)))
    try:
        proposal, trial = _propose_and_try(file, sample, options)
    except MitoolsError:
        if sample.preset is None or options.preset is not None or options.fields:
            raise
        # Another data set has the same columns as a published one.
        proposal, trial = _propose_and_try(file, replace(sample, preset=None), options)
    rows = f"{sample.rows:,} rows" if sample.is_whole else f"first {sample.rows:,} rows"
    return f"{sample.name}: {rows}, columns {', '.join(sample.columns)}", proposal, trial


def _propose_and_try(file: str, sample: Sample, options: InitOptions) -> tuple[Proposal, Trial]:
    proposal = propose(sample, options)
    load = {name.replace("-", "_"): value for name, value in proposal.as_table().items()}
    trial = try_mapping(file, LoadOptions(fields=proposal.fields, **load, **_reading(options)))
    if not proposal.task:
        proposal.reasons.append(f"task = {trial.task}: by the preset")
    return proposal, trial


def _hint_of_init(hint: str) -> str:
    """Write a hint of ``mitools load`` with the options of ``mitools init``."""
    skips = r',? (?:or|and) [^,;"]*"--on-error skip"(?: or "--on-error divert:FILE")?'
    hint = hint.replace(" | mitools load -", " > rows.jsonl")
    return re.sub(
        r'--map ("?)(id|input|label|choices|rationale)=', r"--\2 \1", re.sub(skips, "", hint)
    )


def _reading(options: InitOptions) -> dict[str, Any]:
    given = {
        "format": options.format,
        "delimiter": options.delimiter,
        "quotes": None if options.quotes else False,
        "column_names": options.column_names or None,
        "encoding": options.encoding,
    }
    return {name: value for name, value in given.items() if value is not None}


def _source_name(options: InitOptions) -> str:
    """Name the copy of the data: nothing of the file's own name but its ending."""
    if Path(str(options.file)).is_dir():
        return "data"
    name = Path(str(options.file)).name.lower()
    packed = next((ending for ending in _PACKED if name.endswith(ending)), "")
    ending = Path(name.removesuffix(packed)).suffix
    if ending not in ENDINGS:
        ending = "." + (options.format or "csv")
    return f"data{ending}{packed}"


def _warnings(trial: Trial, settings: Settings) -> list[str]:
    found = []
    if trial.rejected:
        total = trial.records + trial.rejected
        found.append(f"{trial.rejected:,} of the first {total:,} rows are skipped: {trial.problem}")
    if trial.warning:
        found.append(trial.warning)
    if settings.left_out:
        found.append(
            f"{', '.join(settings.left_out)} of the recipe {settings.recipe} left out: "
            "they are for its own labels"
        )
    return found


def _names_teacher(tables: Mapping[str, Any]) -> bool:
    return bool({"model", "teacher"} & set(tables.get("annotate", {})))


def _write_script(folder: Path) -> None:
    path = folder / SCRIPT
    with output_errors(str(path)):
        path.write_bytes(_script())
        path.chmod(0o755)


def _script() -> bytes:
    return files("mitools.scaffold").joinpath(SCRIPT).read_bytes()
