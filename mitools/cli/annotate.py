"""``mitools annotate``: let a teacher LLM answer and explain each record."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._failures import OnFailure, failures
from mitools.cli._places import DivertOr, OutputPath, RecipePath, ReplayOr, TypedOption
from mitools.cli._sizes import ByteSize
from mitools.cli._stage import Stage, seed_option, stage
from mitools.cli._teacher import (
    MadeTeacher,
    dry_run,
    emit_batch,
    make_prompts,
    make_strategy,
    make_teacher,
    reading_option,
    show_prompt,
)
from mitools.records import Reader, Record
from mitools.schema import TASKS

if TYPE_CHECKING:
    from mitools.annotate import AnnotationRun, Teacher

__all__ = ["command"]

# As in mitools.annotate.strategy, which would take too long to import for --help.
STRATEGIES = ("blind", "hinted", "star")
KEEPS = ("all", "agree", "vote")

FEWEST_UNREAD = 20
"""Answers after which a teacher is given up where none of them could be read."""

_PROMPT_CHARACTERS = 2000


def _check_price(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
    if value is None:
        return None
    from mitools.annotate.client.budget import Price

    try:
        return Price.parse(value)
    except ValueError as exc:
        hint = 'write it as "IN,OUT" in USD per million tokens, such as "0.25,2"'
        raise click.BadParameter(hint) from exc


def _parse_params(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for pair in values:
        name, is_given, value = pair.partition("=")
        if not is_given or not name:
            raise click.BadParameter(f'"{pair}" is not KEY=VALUE')
        if name == "n":
            raise click.BadParameter("several answers a record are asked for with --samples")
        if name in ("messages", "model"):
            raise click.BadParameter(f"{name} is no parameter: use --system, --template or -m")
        try:
            params[name] = json.loads(value)
        except ValueError:
            params[name] = value
    return params


GROUPS = {
    "Teacher": "--model --base-url --teacher --error-rate --temperature --max-tokens --param",
    "Prompt": "--system --template --examples --show-prompt",
    "Answers": "--task --reading --strategy --samples --stop-after --keep",
    "Requests": "--concurrency --unordered --timeout --retries --max-wait --max-response-bytes",
    "Failures": "--on-failure --max-error-rate",
    "Cost": "--dry-run --price --max-cost",
    "Journal and batches": "--journal --no-journal --offline --emit-batch --from-batch",
}


@stage("annotate", groups=GROUPS)
@click.option("-m", "--model", metavar="MODEL", help="The teacher's name at its endpoint.")
@click.option(
    "--base-url",
    cls=TypedOption,
    metavar="URL",
    help="Endpoint.  [default: OPENAI_BASE_URL, or OpenAI]",
)
@click.option(
    "--teacher",
    default="openai",
    show_default=True,
    metavar="openai|replay:FILE|replay|demo",
    type=ReplayOr("openai", "replay", "demo"),
    help="An OpenAI-compatible endpoint; completions by id from FILE, or from each record's own "
    "field; or the rules of the built-in demo.",
)
@click.option(
    "--task", type=click.Choice(TASKS), help="How answers are read.  [default: by record]"
)
@reading_option
@click.option("--system", metavar="TEXT", help="System message.  [default: by task]")
@click.option(
    "--template",
    type=RecipePath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Jinja2 template of the user message: input, choices, record.  [default: by task]",
)
@click.option(
    "--examples",
    type=RecipePath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Worked examples: records with input, label and rationale.",
)
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    default="blind",
    show_default=True,
    help="blind: ask, then compare with gold; hinted: show the gold label and ask for its reasons; "
    "star: ask blind, and show it where the answer missed it.",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="K",
    help="Answers a record; all are kept in teacher.samples.",
)
@click.option(
    "--stop-after", type=click.IntRange(1), metavar="M", help="Draw no more once M agree with gold."
)
@click.option(
    "--keep",
    type=click.Choice(KEEPS),
    help="Which answer becomes the record's: the first, the first that agrees, or the majority's.  "
    "[default: all; agree where agreement is looked for]",
)
@click.option("--show-prompt", is_flag=True, help="Print the first record's prompt and stop.")
@click.option("--temperature", type=float, help="Sampling temperature.  [default: the server's]")
@click.option(
    "--max-tokens", type=click.IntRange(1), help="Bound on an answer.  [default: the server's]"
)
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_parse_params,
    help="A further field of the request, as JSON or text; repeatable.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 4096),
    default=16,
    show_default=True,
    help="Requests under way at once.",
)
@click.option("--unordered", is_flag=True, help="Write records as they finish.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="For one request.",
)
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="For one request, after faults that may pass; waiting for a rate limit costs none.",
)
@click.option(
    "--max-wait",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop when the endpoint has asked to wait (rate limit, Retry-After) for so long without "
    "answering any request, or asks to wait for longer than this.",
)
@click.option(
    "--max-response-bytes",
    default="16M",
    show_default=True,
    metavar="SIZE",
    type=ByteSize(),
    help="Refuse larger responses, after unpacking; K, M and G are units.",
)
@click.option(
    "--price",
    metavar="IN,OUT",
    callback=_check_price,
    help="USD per million tokens read and written.",
)
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="Never let this run cost more; needs --price and --max-tokens.",
)
@click.option("--dry-run", is_flag=True, help="Say what it will cost, with one prompt, and stop.")
@click.option(
    "--emit-batch",
    cls=TypedOption,
    type=OutputPath(),
    metavar="FILE",
    help="Write what is to be asked as requests for the OpenAI Batch API or vllm run-batch.",
)
@click.option(
    "--from-batch",
    multiple=True,
    type=RecipePath(),
    metavar="FILE",
    help="Take the answers from a batch's output; repeatable.",
)
@click.option(
    "--journal",
    cls=TypedOption,
    type=OutputPath(),
    metavar="PATH",
    help="Where answers are kept.  [default: user cache]",
)
@click.option("--no-journal", is_flag=True, help="Keep nothing, and ask everything.")
@click.option("--offline", is_flag=True, help="Answer from the journal alone.")
@click.option(
    "--on-failure",
    default="emit",
    show_default=True,
    metavar="emit|fail|divert:FILE",
    type=DivertOr("emit", "fail"),
    help="What to do with a record that got no answer; it says why in teacher.error.",
)
@click.option(
    "--max-error-rate",
    type=click.FloatRange(0, 1),
    metavar="FRACTION",
    help="Stop when a larger share of the records than this gets no answer.  [default: when the "
    f"first 10 requests fail alike, or none of the first {FEWEST_UNREAD} answers can be read]",
)
@click.option(
    "--error-rate",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="How often the demo teacher is wrong.",
)
@seed_option
def command(stage: Stage, **options: Any) -> None:
    """Let a teacher LLM answer and explain each record.

    Every response is kept in a journal as soon as it arrives: run an interrupted pipe again and
    only the remainder is asked. The first ^C stops reading and waits for what is under way, the
    second does not wait.

    Exit status: 4 where the budget is used up, 5 where the teacher refuses (key, quota,
    permission), 130 after ^C.

    \b
    mitools annotate -m MODEL data.jsonl > annotated.jsonl
    mitools annotate -m MODEL --base-url http://localhost:8000/v1 data.jsonl
    mitools annotate -m MODEL --strategy star --price 0.25,2 --max-tokens 500 --max-cost 5 …
    mitools annotate --teacher replay:completions.jsonl data.jsonl
    """
    if options["show_prompt"]:
        show_prompt(stage, options)
    elif options["dry_run"]:
        dry_run(stage, options)
    elif options["emit_batch"]:
        emit_batch(stage, options)
    else:
        _annotate(stage, options)


def _annotate(stage: Stage, options: Mapping[str, Any]) -> None:
    from mitools.gold import GoldCheck, with_label_sets

    teacher = make_teacher(stage, options)
    with (
        _waking() as on_stop,
        stage.reading("input") as records,
        stage.writing() as out,
        failures(options["on_failure"]) as on_failure,
        stage.console.progress("annotating") as update,
    ):
        gold = GoldCheck(options["task"])
        checked = gold.watch(with_label_sets(records, options["task"]))
        run = _make_run(checked, teacher.teacher, options, on_failure, on_stop)
        with _reporting(stage, run, records, teacher, options), _stopping(run):
            for batch in run.batches():
                out.write_batch(batch)
                update(len(batch), "")
    if warning := gold.warning():
        stage.console.warn(warning)


def _waking() -> contextlib.AbstractContextManager[Callable[[], None]]:
    from mitools.annotate.interrupt import wakeable_stdin

    return wakeable_stdin()


def _make_run(
    records: Iterable[Record],
    teacher: Teacher,
    options: Mapping[str, Any],
    on_failure: OnFailure | None,
    on_stop: Callable[[], None],
) -> AnnotationRun:
    from mitools.annotate import AnnotationRun, RunOptions

    settings = RunOptions(
        concurrency=options["concurrency"],
        is_ordered=not options["unordered"],
        task=options["task"],
        strategy=make_strategy(options),
        max_error_rate=options["max_error_rate"],
        most_unread=FEWEST_UNREAD if options["max_error_rate"] is None else None,
        on_failure=on_failure,
        on_stop=on_stop,
    )
    return AnnotationRun(records, teacher, settings)


@contextlib.contextmanager
def _stopping(run: AnnotationRun) -> Iterator[None]:
    from mitools.annotate.interrupt import stopping_on_interrupt

    with run, stopping_on_interrupt(run.stop):
        yield


@contextlib.contextmanager
def _reporting(
    stage: Stage, run: AnnotationRun, records: Reader, made: MadeTeacher, options: Mapping[str, Any]
) -> Iterator[None]:
    """Say at the end what happened, however it ended; say nothing to a closed downstream."""
    try:
        yield
    except BrokenPipeError:
        raise
    except BaseException:
        _report(stage, run, records, made)
        if run.unread and not run.tally.answered:
            _show_unread(stage, run, options)
        if made.journal is not None and made.journal.has_written:
            stage.console.note(f"run it again to go on; answers are kept in {made.journal.path}")
        raise
    _report(stage, run, records, made)


def _report(stage: Stage, run: AnnotationRun, records: Reader, made: MadeTeacher) -> None:
    is_paid = made.budget is not None and made.budget.spent > 0
    if not (run.tally.replies or records.rejected or is_paid):
        return
    for line in run.tally.lines(records.rejected):
        stage.console.note(line)
    budget = made.budget
    if budget is None:
        return
    for line in budget.lines():
        stage.console.note(line)
    if budget.limit is not None and budget.spent > budget.limit:
        stage.console.warn(
            f"${budget.spent - budget.limit:,.4f} over --max-cost: it was under way when the "
            "server first took more tokens than it was asked for"
        )


def _show_unread(stage: Stage, run: AnnotationRun, options: Mapping[str, Any]) -> None:
    """Show what was asked, and what came back that cannot be read."""
    from mitools.tasks import task_of

    if options["teacher"] == "openai":
        record = run.unread[0]
        hint = record.get("label") if options["strategy"] == "hinted" else None
        task = task_of(record, options["task"])
        for message in make_prompts(options).messages(record, task, hint):
            text = message["content"][:_PROMPT_CHARACTERS]
            stage.console.note(f"prompt, {message['role']}: {text}")
    for record in run.unread:
        stage.console.note(f"record {record['id']}: {record['teacher']['error']['message']}")
