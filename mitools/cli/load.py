"""``mitools load``: turn a data set into records."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._completion import complete_from, complete_sources
from mitools.cli._config import use_recipe
from mitools.cli._options import csv_options, read_names, seed_option, task_option, typed
from mitools.cli._places import RecipePath, SourceName, refuse_written
from mitools.cli._sizes import ByteSize
from mitools.cli._stage import Stage, stage
from mitools.errors import UsageError
from mitools.files import STDIN
from mitools.recipe import find_recipe, is_recipe_name
from mitools.schema import SPLITS
from mitools.sources.label_forms import LABEL_FORMS
from mitools.sources.options import (
    CONTEXTS,
    DEMO_ANSWERS,
    FORMATS,
    RATIONALES,
    TURNS,
    LoadOptions,
    with_preset,
)
from mitools.sources.published import PRESETS

if TYPE_CHECKING:
    from mitools.gold import GoldCheck
    from mitools.sources.part import Part

__all__ = ["command"]


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
    """Read pairs; those of the command line override the recipe's, field by field."""
    recipe = _as_pairs((ctx.default_map or {}).get(str(param.name), ()))
    fields = {}
    for item in (*recipe, *values):
        name, is_pair, spec = item.partition("=")
        if not is_pair:
            raise click.BadParameter(f'"{item}" is not FIELD=SPEC, such as input=question')
        fields[name.strip()] = spec
    return fields


def _read_hub_splits(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str | None], ...]:
    pairs = []
    for value in values:
        name, _, split = value.partition("=")
        if split and split not in SPLITS:
            raise click.BadParameter(f'"{split}" is not one of {", ".join(SPLITS)}')
        pairs.append((name, split or None))
    return tuple(pairs)


def _take_recipe(
    ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Let ``load svamp`` stand for ``load -c svamp``."""
    recipes = [name for name in values if is_recipe_name(name) and not Path(name).is_file()]
    if not recipes:
        return values
    if Path(recipes[0]).is_dir():
        raise UsageError(
            f'"{recipes[0]}" is the name of a recipe and of a folder here',
            hint=f'"mitools load ./{recipes[0]}" reads the folder, '
            f'"mitools load -c {recipes[0]}" loads the recipe',
        )
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
    shell_complete=complete_sources,
    is_eager=True,
    callback=_take_recipe,
)


GROUPS = {
    "Fields": "--preset --map --choices --keep-fields --drop-fields",
    "Labels": "--task --labels --label-is",
    "Records": "--limit --as-split",
    "Chat logs": "--turns --context --requests --rationale-from --max-rationale-words",
    "Files": "--format --delimiter --quotes --columns --encoding --max-json-bytes",
    "Hub": "--name --revision --hf-split",
    "Demo": "--n --steps --distractors --answer",
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
    help="Source of a record's field: a field name, a dotted path or a Jinja2 template; an empty "
    "SPEC drops the field. Repeatable.",
)
@click.option(
    "--preset",
    metavar="NAME",
    shell_complete=complete_from(PRESETS),
    help=f"Field mapping of a published data set: {', '.join(PRESETS)}.",
)
@click.option(
    "--labels",
    type=read_names,
    default=LoadOptions.labels,
    metavar="A,B,…",
    help="Label set, in the order of class numbers; other names than those of the file replace "
    "them.",
)
@click.option(
    "--choices",
    type=read_names,
    default=LoadOptions.choices,
    metavar="A,B,…",
    help="Choices of every record.",
)
@click.option(
    "--label-is",
    type=click.Choice(LABEL_FORMS),
    help="Form of labels: text, key or letter of a choice, its index from 0 or 1, or a sign "
    "(-1, 0, 1).  "
    "[default: inferred from the first rows]",
)
@task_option
@click.option(
    "--keep-fields",
    type=read_names,
    metavar="A,B,…",
    help="Unmapped source fields to keep.  [default: all]",
)
@click.option(
    "--drop-fields",
    type=read_names,
    default=LoadOptions.drop_fields,
    metavar="A,B,…",
    help="Source fields to drop.",
)
@click.option("--as-split", type=click.Choice(SPLITS), help="Split of every record.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Maximum number of records per file or Hub split.",
)
@click.option(
    "--turns",
    type=click.Choice(TURNS),
    default=LoadOptions.turns,
    show_default=True,
    help="Answers of a conversation that become records.",
)
@click.option(
    "--context",
    type=click.Choice(CONTEXTS),
    default=LoadOptions.context,
    show_default=True,
    help="Earlier messages that begin the input: none, the turns, or also the system prompt.",
)
@click.option(
    "--requests",
    type=RecipePath(),
    metavar="FILE",
    help="Requests of a batch, as they were sent; SOURCE holds its responses.",
)
@click.option(
    "--rationale-from",
    type=click.Choice(RATIONALES),
    default=LoadOptions.rationale_from,
    show_default=True,
    help="Text that is the rationale where a reply has both.",
)
@click.option(
    "--max-rationale-words",
    type=click.IntRange(min=1),
    metavar="N",
    help="Cut longer rationales to whole sentences: the first, and the last ones that fit.",
)
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    help="Format of files and stdin.  [default: by ending; stdin is jsonl]",
)
@csv_options
@click.option(
    "--max-json-bytes",
    default=f"{LoadOptions.max_json_bytes >> 20}M",
    show_default=True,
    metavar="SIZE",
    type=ByteSize(),
    help="Maximum size of a JSON list, unpacked; K, M and G are units.",
)
@click.option("--source", type=SourceName(), metavar="SOURCE", help="Data source; used in recipes.")
@click.option("--name", metavar="NAME", help="Configuration (subset) of a Hub data set.")
@click.option("--revision", metavar="REV", help="Branch, tag or commit of a Hub data set.")
@click.option(
    "--hf-split",
    "hf_splits",
    multiple=True,
    callback=_read_hub_splits,
    metavar="NAME[=SPLIT]",
    help="Hub split to read, and the split of its records. Repeatable.  [default: all]",
)
@click.option(
    "--n",
    type=click.IntRange(min=1),
    default=LoadOptions.n,
    show_default=True,
    metavar="N",
    help="Number of demo records.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 8),
    metavar="K",
    help="Steps of each demo story.  [default: problems of one and two steps instead]",
)
@click.option(
    "--distractors",
    type=click.IntRange(0, 4),
    default=LoadOptions.distractors,
    show_default=True,
    metavar="N",
    help="Sentences of a demo story that do not matter.",
)
@click.option(
    "--answer",
    type=click.Choice(DEMO_ANSWERS),
    default=LoadOptions.answer,
    show_default=True,
    help="Label of a demo story: its value, or the expression that gives it.",
)
@seed_option
def command(stage: Stage, source: str | None, **params: Any) -> None:
    """Turn a data set into records.

    SOURCE is a recipe's name, hf:ORG/NAME for a data set on the Hugging Face Hub, demo for
    generated word problems, a .jsonl, .json, .csv, .tsv, .parquet or .arrow file, or a folder of
    such files, also one that save_to_disk of datasets wrote; without SOURCE, JSON Lines are read
    from stdin. Unmapped source fields are kept. Templates name fields, or row["Any name"], and
    write null as an empty text; their filters: lettered (choices as lines), after('MARK') and
    before('MARK') (text around the last mark), number (the only number). Chat logs and reasoning
    traces are recognized by their fields: the last message of the user becomes input, the answer
    becomes teacher. Without --task, labels are compared as the task labels with --labels, as
    choice with choices, else as text.

    \b
    mitools load svamp
    mitools load -c svamp my-problems.parquet
    mitools load gsm8k.jsonl --preset gsm8k
    mitools load quiz.csv --map input=question --map label=answer --map choices=a,b,c,d
    mitools load chats.jsonl --labels billing,delivery,other
    mitools load traces.parquet --task equation --max-rationale-words 120
    mitools load nli.jsonl --labels entailment,neutral,contradiction \\
      --map 'input=Premise: {{ premise }}\\nHypothesis: {{ hypothesis }}'
    """
    from mitools.gold import GoldCheck
    from mitools.sources.chat.report import ChatReport
    from mitools.sources.load_records import open_sources, read_parts
    from mitools.sources.named_fields import NamedFields
    from mitools.sources.repeated_ids import RepeatedIds

    names = stage.files or ((source,) if source else (STDIN,))
    options = replace(with_preset(LoadOptions(**params)), bounds=stage.bounds)
    options.check()
    _check_sources(stage, names, options, typed(params))
    gold, ids, named = GoldCheck(), RepeatedIds(), NamedFields(options)
    splits: dict[str, str | None] = {}
    report = ChatReport(on_form=stage.console.note, context=options.context)
    with stage.reading("input") as reader, stage.writing() as out, _loading(stage) as update:
        parts = _noting(open_sources(names, options), splits)
        for record in read_parts(parts, options, reader, gold, report, named):
            ids.add(record["id"])
            out.write(record)
            update(1)
    if not (options.as_split or options.hf_splits or "split" in options.fields):
        _tell_splits(stage, splits)
    notes, warnings = report.notes(), (report.warning(), *gold.warnings(), ids.warning())
    _tell(stage, notes, filter(None, (*warnings, *named.warnings())))
    share = "" if notes else _share_with_gold(gold, out.count)
    stage.console.note(f"{out.count:,} {'record' if out.count == 1 else 'records'}{share}")


def _check_sources(
    stage: Stage, names: Sequence[str], options: LoadOptions, given: Sequence[str]
) -> None:
    """Refuse options without a use and files that would be written, and tell a name's meaning."""
    from mitools.sources.load_records import DEMO, check_used, sources_in

    check_used(given, names)
    if DEMO in stage.files and Path(DEMO).exists():
        stage.console.warn(f'"{DEMO}" is the built-in problems; "./{DEMO}" reads what is there')
    for name in names:
        if name != DEMO and Path(name).is_dir():
            refuse_written(sources_in(name, options))


def _tell(stage: Stage, notes: Iterable[str], warnings: Iterable[str]) -> None:
    for note in notes:
        stage.console.note(note)
    for warning in warnings:
        stage.console.warn(warning)


def _noting(parts: Iterator[Part], splits: dict[str, str | None]) -> Iterator[Part]:
    """Note the split of each part."""
    for part in parts:
        splits[part.name] = part.split or part.likely_split
        yield part


def _tell_splits(stage: Stage, splits: Mapping[str, str | None]) -> None:
    """Say which parts have which split by their names, if any, and which have none."""
    names: dict[str | None, list[str]] = {}
    times = Counter(Path(name).name for name in splits)
    for name, split in splits.items():
        is_shared = times[Path(name).name] > 1
        names.setdefault(split, []).append("/".join(Path(name).parts[-1 - is_shared :]))
    told = ", ".join(f"{_listed(names[split])} is {split}" for split in names if split)
    if not told:
        return
    stage.console.note(f"splits by name: {told}")
    if others := names.get(None):
        stage.console.warn(
            f"the name of {_listed(others)} tells no split, so that mitools split divides its "
            "records; to choose one, load it by itself with --as-split"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _share_with_gold(gold: GoldCheck, count: int) -> str:
    """Say how many records have a gold label, unless all have one."""
    if gold.known == count:
        return ""
    return f", {gold.known:,} with a gold label" if gold.known else ", none with a gold label"


@contextlib.contextmanager
def _loading(stage: Stage) -> Iterator[Callable[[int], None]]:
    """Show progress, unless the next stage of a pipe shows its own."""
    if stage.feeds_pipe:
        yield lambda _count: None
        return
    with stage.console.progress() as update:
        yield update
