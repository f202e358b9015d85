"""``mitools init``: start a recipe of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._completion import complete_from, complete_models
from mitools.cli._options import csv_options, read_names
from mitools.cli._places import ModelName, RecipePath, TypedOption
from mitools.cli._stage import Stage, stage
from mitools.recipe import list_recipes
from mitools.schema import TASKS
from mitools.sources.label_forms import LABEL_FORMS
from mitools.sources.options import FORMATS, LoadOptions
from mitools.sources.published import PRESETS

if TYPE_CHECKING:
    from mitools.scaffold.make_recipe import MadeRecipe

__all__ = ["command"]

_FIELDS = ("input", "label", "choices", "rationale", "id")

GROUPS = {
    "Recipe": "--from --student",
    "Fields": "--input --label --choices --rationale --id --preset",
    "Labels": "--task --labels --label-is",
    "File": "--format --delimiter --quotes --columns --encoding",
}


@stage("init", reads=False, writes=False, groups=GROUPS)
@click.argument("folder", type=click.Path(readable=False), metavar="NAME")
@click.argument("file", type=RecipePath(readable=False), metavar="[FILE]", required=False)
@click.option(
    "--from",
    "from_recipe",
    cls=TypedOption,
    metavar="RECIPE",
    shell_complete=complete_from(list_recipes()),
    help="Recipe whose settings are taken; without FILE, also its data.",
)
@click.option(
    "--student",
    type=ModelName(),
    metavar="MODEL",
    shell_complete=complete_models,
    help="Base model of the student, as in train.",
)
@click.option("--input", metavar="SPEC", help="Column, or template, that teacher and student read.")
@click.option("--label", metavar="SPEC", help="Column of the label; empty if there is none.")
@click.option("--choices", metavar="SPEC", help="Columns of the choices, separated by commas.")
@click.option("--rationale", metavar="SPEC", help="Column of a human rationale.")
@click.option("--id", metavar="SPEC", help="Column of unique names.")
@click.option(
    "--preset",
    metavar="NAME",
    shell_complete=complete_from(PRESETS),
    help=f"Field mapping of a published data set: {', '.join(PRESETS)}.",
)
@click.option(
    "--task",
    type=click.Choice(TASKS),
    help="How labels are compared.  [default: inferred from the first rows]",
)
@click.option(
    "--labels",
    type=read_names,
    default=LoadOptions.labels,
    metavar="A,B,…",
    help="Label set.  [default: the labels in the file]",
)
@click.option(
    "--label-is",
    type=click.Choice(LABEL_FORMS),
    help="Form of labels: text, key or letter of a choice, its index from 0 or 1, or a sign "
    "(-1, 0, 1).  "
    "[default: inferred from the first rows]",
)
@click.option("--format", type=click.Choice(FORMATS), help="Format of FILE.  [default: by ending]")
@csv_options
def command(stage: Stage, folder: str, **params: Any) -> None:
    """Start a recipe of your own.

    Makes the folder NAME with recipe.toml, run.sh and a copy of the data. With FILE (.jsonl, .json,
    .csv, .tsv, .parquet, .arrow, or a folder of such files), the first rows decide which column is
    the input, which is the label and how labels are compared; the reasons are printed. Without
    FILE, --from copies a recipe that came with mitools.

    \b
    mitools init mine tickets.csv
    mitools init mine quiz.csv --from cqa --choices a,b,c,d
    mitools init mine data.jsonl --input question --label answer --task equation
    mitools init mytickets --from tickets
    """
    from mitools.scaffold.make_recipe import make_recipe
    from mitools.scaffold.options import InitOptions

    given = {name: params.pop(name) for name in _FIELDS}
    fields = {name: spec for name, spec in given.items() if spec is not None}
    _tell(stage, make_recipe(InitOptions(folder=Path(folder), fields=fields, **params)))


def _tell(stage: Stage, made: MadeRecipe) -> None:
    """Say what was found, what was decided from it, and what to type next."""
    for reason in made.reasons:
        stage.console.note(reason)
    for warning in made.warnings:
        stage.console.warn(warning)
    script = shlex.quote(f"{made.folder}/run.sh")
    teacher = "" if made.names_teacher else " -m MODEL --base-url http://localhost:8000/v1"
    stage.console.note(f"wrote {made.folder}; read and change {made.folder / 'recipe.toml'}")
    stage.console.note(f"next, a first look: LIMIT=50 {script}{teacher}")
    stage.console.note(f"then all of it: {script}{teacher}")
    if made.names_teacher:
        return
    if made.has_rationales:
        stage.console.note(f"or, from the rationales of the file: TEACHER=none {script}")
    if made.has_completions:
        stage.console.note(f'or, from its column "completion": {script} --teacher replay')
