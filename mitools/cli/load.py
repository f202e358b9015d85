"""``mitools load``: turn a data set into records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mitools.bounds import JSON_BYTES
from mitools.cli._places import RecipePath, SourceName
from mitools.cli._sizes import ByteSize
from mitools.cli._stage import Stage, seed_option, stage, use_recipe
from mitools.errors import UsageError
from mitools.files import STDIN
from mitools.recipe import find_recipe, is_recipe_name
from mitools.schema import SPLITS, TASKS

if TYPE_CHECKING:
    from mitools.bounds import Bounds
    from mitools.sources import FileOptions, LoadOptions, Part

__all__ = ["command"]

_HUB_PREFIX = "hf:"
_DEMO = "demo"
_DEMO_SIZE = 1000
# As in mitools.sources, which would take too long to import for --help.
_FORMATS = ("jsonl", "json", "csv", "tsv", "parquet")
_LABEL_FORMS = ("text", "key", "letter", "index0", "index1")


def _names(value: Any) -> tuple[str, ...]:
    """Read names with commas between; a recipe may give a list."""
    names = value.split(",") if isinstance(value, str) else value
    return tuple(str(name).strip() for name in names if str(name).strip())


class _MapOption(click.Option):
    """An option of pairs that is a table in a recipe."""

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        return super().type_cast_value(ctx, _as_pairs(value))


def _as_pairs(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(f"{name}={spec}" for name, spec in value.items())
    return value


def _read_map(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Read pairs; those of the command line are put over the recipe's, field by field."""
    recipe = _as_pairs((ctx.default_map or {}).get(str(param.name), ()))
    fields = {}
    for item in (*recipe, *values):
        name, found, spec = item.partition("=")
        if not found:
            raise click.BadParameter(f'"{item}" is no FIELD=SPEC, such as input=question')
        fields[name.strip()] = spec
    return fields


def _read_hub_splits(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str | None], ...]:
    pairs = []
    for value in values:
        name, _, split = value.partition("=")
        if split and split not in SPLITS:
            raise click.BadParameter(f'"{split}" is none of {", ".join(SPLITS)}')
        pairs.append((name, split or None))
    return tuple(pairs)


def _take_recipe(
    ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Let ``load svamp`` stand for ``load -c svamp``."""
    recipes = [name for name in values if is_recipe_name(name) and not Path(name).is_file()]
    if not recipes:
        return values
    if len(values) > 1 or ctx.params.get("config"):
        raise UsageError(
            f'the recipe "{recipes[0]}" brings its own source',
            hint=f'to read your files by its rules: "mitools load -c {recipes[0]} FILE"',
        )
    use_recipe(ctx, find_recipe(recipes[0]))
    return ()


_SOURCES = click.argument(
    "files",
    nargs=-1,
    type=RecipePath(readable=False),
    metavar="[SOURCE]...",
    is_eager=True,
    callback=_take_recipe,
)


GROUPS = {
    "Fields": "--preset --map --choices --keep-fields --drop-fields",
    "Labels": "--task --labels --label-is",
    "Records": "--limit --as-split",
    "Files": "--format --delimiter --encoding --max-json-bytes",
    "Hub": "--name --revision --hf-split",
    "Demo": "--n",
    "Input and output": "--source",
}


@stage("load", argument=_SOURCES, groups=GROUPS)
@click.option(
    "--map",
    "fields",
    cls=_MapOption,
    multiple=True,
    callback=_read_map,
    metavar="FIELD=SPEC",
    help="Fill input, label, choices, rationale, id, group or split from a source field, a dotted "
    "path or a Jinja2 template. Repeatable; an empty SPEC leaves the field out.",
)
@click.option(
    "--preset",
    metavar="NAME",
    help="Map the fields of a published data set: anli, aqua, arc, arc-original, "
    "boolq, csqa, esnli, esnli-original, gsm8k, hellaswag, mmlu, openbookqa, piqa, race, siqa or "
    "winogrande.",
)
@click.option(
    "--labels",
    type=_names,
    default=(),
    metavar="A,B,…",
    help="The only labels; whole numbers in the source stand for them in this order.",
)
@click.option(
    "--choices", type=_names, default=(), metavar="A,B,…", help="The choices of every record."
)
@click.option(
    "--label-is",
    type=click.Choice(_LABEL_FORMS),
    help="How labels are written: as the text of a choice, its key, its letter, or its place, "
    "counted from 0 (index0) or from 1 (index1). Without it the first rows decide, and labels that "
    "they leave open are refused.",
)
@click.option(
    "--task",
    type=click.Choice(TASKS),
    help="How labels compare. Without it: labels where they are fixed, choice where a record has "
    "choices, else text.",
)
@click.option(
    "--keep-fields", type=_names, metavar="A,B,…", help="Of the other source fields keep these."
)
@click.option("--drop-fields", type=_names, default=(), metavar="A,B,…", help="Leave these out.")
@click.option("--as-split", type=click.Choice(SPLITS), help="Put every record into this split.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Take N records of each file or Hub split.",
)
@click.option("--format", type=click.Choice(_FORMATS), help="Format of files and of stdin.")
@click.option(
    "--delimiter",
    metavar="CHAR",
    help="CSV: what separates cells: a character, or tab, comma, semicolon, pipe.",
)
@click.option(
    "--encoding", metavar="NAME", help="Encoding of texts, such as utf-16.  [default: utf-8]"
)
@click.option(
    "--max-json-bytes",
    "json_bytes",
    default=f"{JSON_BYTES >> 20}M",
    show_default=True,
    metavar="SIZE",
    type=ByteSize(),
    help="Longest JSON list, unpacked; K, M and G are units.",
)
@click.option("--source", type=SourceName(), metavar="SOURCE", help="For recipes: the SOURCE.")
@click.option("--name", metavar="NAME", help="Hub: which configuration of the data set.")
@click.option("--revision", metavar="REV", help="Hub: branch, tag or commit.")
@click.option(
    "--hf-split",
    "hub_splits",
    multiple=True,
    callback=_read_hub_splits,
    metavar="NAME[=SPLIT]",
    help="Hub: a split to read, and the one its records get. Repeatable; without it all are read, "
    "and where there are several, those with a usual name keep it.",
)
@click.option(
    "--n", type=click.IntRange(min=1), metavar="N", help=f"demo: how many  [default: {_DEMO_SIZE}]"
)
@seed_option
def command(stage: Stage, source: str | None, limit: int | None, **options: Any) -> None:
    """Turn a data set into records.

    SOURCE is the name of a recipe, hf:ORG/NAME for a data set of the Hugging Face Hub, demo for
    word problems made on the spot, or a .jsonl, .json, .csv, .tsv or .parquet file; JSON Lines on
    stdin without any. Other source fields pass through. Filters for templates: lettered (choices as
    lines), after('MARK') and before('MARK') (the last mark in a text), number (the only one in it).

    \b
    mitools load svamp
    mitools load -c svamp my-problems.parquet
    mitools load gsm8k.jsonl --preset gsm8k
    mitools load quiz.csv --map input=question --map label=answer --map choices=a,b,c,d
    mitools load nli.jsonl --labels entailment,neutral,contradiction \\
      --map 'input=Premise: {{ premise }}\\nHypothesis: {{ hypothesis }}'
    """
    from mitools.gold import GoldCheck
    from mitools.sources import load

    names = stage.files or ((source,) if source else (STDIN,))
    plan, gold = _plan(options), GoldCheck()
    with stage.reading("input") as reader, stage.writing() as out:
        for record in load(_parts(names, options, plan, stage.bounds), plan, reader, limit, gold):
            out.write(record)
    if warning := gold.warning():
        stage.console.warn(warning)
    stage.console.note(f"{out.count:,} {'record' if out.count == 1 else 'records'}")


def _plan(options: Mapping[str, Any]) -> LoadOptions:
    from mitools.sources import LoadOptions, with_preset

    keep = options["keep_fields"]
    plan = LoadOptions(
        fields=options["fields"],
        labels=options["labels"],
        choices=options["choices"],
        task=options["task"],
        keep=None if keep is None else frozenset(keep),
        drop=frozenset(options["drop_fields"]),
        split=options["as_split"],
        label_is=options["label_is"],
    )
    return with_preset(plan, options["preset"]) if options["preset"] else plan


def _file_options(options: Mapping[str, Any], plan: LoadOptions, bounds: Bounds) -> FileOptions:
    from mitools.sources import FileOptions

    named = {name: options[name] for name in ("format", "delimiter", "encoding", "json_bytes")}
    return FileOptions(**named, columns=plan.columns, bounds=bounds)


def _parts(
    names: tuple[str, ...], options: Mapping[str, Any], plan: LoadOptions, bounds: Bounds
) -> Iterator[Part]:
    from mitools.sources import HubSource, open_demo, open_hub, open_named

    _refuse_useless(names, options)
    as_files = _file_options(options, plan, bounds)
    for name in names:
        if name == _DEMO and not Path(name).exists():
            yield open_demo(options["n"] or _DEMO_SIZE, options["seed"])
        elif name.startswith(_HUB_PREFIX):
            path = name.removeprefix(_HUB_PREFIX)
            source = HubSource(path, options["name"], options["revision"], options["hub_splits"])
            yield from open_hub(source, plan.columns)
        else:
            yield open_named(name, as_files)


def _refuse_useless(names: tuple[str, ...], options: Mapping[str, Any]) -> None:
    """Refuse options, given by hand, that no source here heeds; a recipe's may lie idle."""
    ctx = click.get_current_context()
    given = {
        name for name in options if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if "n" in given and _DEMO not in names:
        raise UsageError("--n is for the demo only", hint="use --limit")
    are_files = [name for name in names if name != _DEMO and not name.startswith(_HUB_PREFIX)]
    for option in ("format", "delimiter", "encoding"):
        if option in given and not are_files:
            raise UsageError(f"--{option} is for files and stdin only", hint="leave it out")
    for option in ("name", "revision", "hub_splits"):
        if option in given and not any(name.startswith(_HUB_PREFIX) for name in names):
            flag = {"hub_splits": "hf-split"}.get(option, option)
            hint = "use --as-split" if flag == "hf-split" else "leave it out"
            raise UsageError(f"--{flag} is for data sets of the Hub only", hint=hint)
