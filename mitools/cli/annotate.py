"""``mitools annotate``: let a teacher LLM answer and explain each record."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mitools.annotate.options import ENDPOINT_ONLY, KEEPS, STRATEGIES, AnnotateOptions
from mitools.cli._annotate_options import (
    max_error_rate_option,
    parse_params,
    parse_price,
    prompt_option,
    scoring_options,
    top_logprobs_option,
    within,
)
from mitools.cli._journal_options import journal_options
from mitools.cli._options import seed_option, task_option, typed
from mitools.cli._places import DivertOr, RecipePath, ReplayOr, TypedOption
from mitools.cli._request_options import REQUEST_GROUP, request_options
from mitools.cli._stage import Stage, stage, watched
from mitools.cli._student_front import FRONT_GROUP, front_options, take_cascade
from mitools.cli._unsent import print_batch, print_dry_run, print_prompt
from mitools.errors import UsageError
from mitools.records import Reader
from mitools.schema import READINGS

if TYPE_CHECKING:
    from mitools.annotate.notices import Notices
    from mitools.annotate.open_teacher import OpenTeacher
    from mitools.annotate.run import AnnotationRun
    from mitools.cascade.options import CascadeOptions
    from mitools.console import Update

__all__ = ["command"]


GROUPS = {
    "Teacher": "--model --base-url --teacher --error-rate --temperature --max-tokens "
    "--top-logprobs --score-choices --chat-template --param",
    "Prompt": "--prompt --system --template --examples --show-prompt",
    "Answers": "--task --reading --strategy --samples --stop-after --keep",
    "Student first": FRONT_GROUP,
    "Requests": REQUEST_GROUP,
    "Failures": "--on-failure --max-error-rate",
    "Cost": "--limit --dry-run --price --max-cost",
    "Journal and batches": "--journal --no-journal --offline --batch --emit-batch --from-batch",
}


@stage("annotate", groups=GROUPS)
@click.option("-m", "--model", metavar="MODEL", help="Name of the teacher model at the endpoint.")
@click.option(
    "--base-url",
    cls=TypedOption,
    metavar="URL",
    help="URL of the endpoint.  [default: OPENAI_BASE_URL, or OpenAI]",
)
@click.option(
    "--teacher",
    default=AnnotateOptions.teacher,
    show_default=True,
    metavar="openai|replay:FILE|replay|demo",
    type=ReplayOr("openai", "replay", "demo"),
    help="Source of the answers: an OpenAI-compatible endpoint, completions by id in FILE or in "
    "each record's completion field, or the demo's rules.",
)
@task_option
@click.option(
    "--reading",
    type=click.Choice(READINGS),
    help="Least certain place that a label is read from, from a JSON field to the last statement.  "
    "[default: statement if the gold label is known, else line]",
)
@prompt_option
@click.option("--system", metavar="TEXT", help="System message.  [default: by task]")
@click.option(
    "--template",
    type=RecipePath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Jinja2 template of the user message, with input, choices and record.  [default: by task]",
)
@click.option(
    "--examples",
    type=RecipePath(exists=True, dir_okay=False),
    metavar="FILE",
    help="Few-shot examples: records with input, label and rationale.",
)
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    default=AnnotateOptions.strategy,
    show_default=True,
    help="Use of the gold label: not shown (blind), shown (hinted), or shown after a wrong blind "
    "answer (star).",
)
@click.option(
    "--samples",
    type=within("samples"),
    default=AnnotateOptions.samples,
    show_default=True,
    metavar="K",
    help="Number of answers per record; all are kept in teacher.samples.",
)
@click.option(
    "--stop-after",
    type=within("stop_after"),
    metavar="M",
    help="Number of answers that agree with gold after which sampling stops.",
)
@click.option(
    "--keep",
    type=click.Choice(KEEPS),
    help="Sample that becomes the answer: the first (all), the first that agrees with gold, or the "
    "majority's.  [default: agree with hinted, star or --stop-after, else all]",
)
@click.option("--show-prompt", is_flag=True, help="Print the prompt of the first record and exit.")
@click.option("--temperature", type=float, help="Sampling temperature.  [default: server's]")
@click.option(
    "--max-tokens",
    type=within("max_tokens"),
    help="Maximum number of tokens per answer.  [default: server's]",
)
@top_logprobs_option
@scoring_options
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_params,
    help="Further field of the request, as JSON or text. Repeatable.",
)
@request_options
@click.option(
    "--limit",
    type=within("limit"),
    metavar="N",
    help="Maximum number of records; run again without it, only the others are asked.",
)
@click.option(
    "--price",
    metavar="IN,OUT",
    callback=parse_price,
    help="Price in USD per million input and output tokens.",
)
@click.option(
    "--max-cost",
    type=within("max_cost"),
    metavar="USD",
    help="Budget of this run; needs --price and --max-tokens.",
)
@click.option("--dry-run", is_flag=True, help="Print the expected cost and one prompt, and exit.")
@journal_options
@click.option(
    "--on-failure",
    default=AnnotateOptions.on_failure,
    show_default=True,
    metavar="emit|fail|divert:FILE",
    type=DivertOr("emit", "fail"),
    help="How to handle a record without an answer; teacher.error holds the reason.",
)
@max_error_rate_option
@click.option(
    "--error-rate",
    type=within("error_rate"),
    default=AnnotateOptions.error_rate,
    show_default=True,
    help="Fraction of wrong answers of the demo teacher.",
)
@front_options
@seed_option
def command(
    stage: Stage, show_prompt: bool, dry_run: bool, emit_batch: str | None, **params: Any
) -> None:
    """Let a teacher LLM answer and explain each record.

    Each response is written to a journal when it arrives: run an interrupted command again, and
    only the missing answers are requested. The first ^C or SIGTERM stops reading and waits for
    requests in flight; the second cancels them.

    Exit status: 4 if the budget is used up, 5 if the endpoint refuses (key, quota, permission),
    130 after ^C or SIGTERM.

    \b
    mitools annotate -m MODEL data.jsonl > annotated.jsonl
    mitools annotate -m MODEL --base-url http://localhost:8000/v1 data.jsonl
    mitools annotate -m MODEL --strategy star --price 0.25,2 --max-tokens 500 --max-cost 5 …
    mitools annotate -m MODEL --batch data.jsonl > annotated.jsonl
    mitools annotate --teacher replay:completions.jsonl data.jsonl
    mitools annotate --student runs/x -m MODEL --price 0.25,2 new.jsonl > answered.jsonl
    mitools annotate --student runs/x --least-sure 200 -m MODEL data.jsonl > more.jsonl
    """
    cascade = take_cascade(params)
    options = _options(**params)
    cascade.check()
    if show_prompt:
        print_prompt(stage, options)
    elif dry_run:
        print_dry_run(stage, options, cascade)
    elif emit_batch:
        print_batch(stage, options, cascade, emit_batch)
    else:
        _annotate(stage, options, cascade)


def _options(*, unordered: bool, no_journal: bool, **params: Any) -> AnnotateOptions:
    given = typed(("journal", "no_journal"))
    if len(given) == 2:
        message = "--journal and --no-journal exclude each other"
        raise UsageError(message, hint="leave out one of them")
    keeps = not no_journal or "journal" in given
    options = AnnotateOptions(**params, is_ordered=not unordered, keeps_journal=keeps)
    if options.has_endpoint:
        return options
    # What a recipe sets for the endpoint that it names is of no use to another teacher.
    unread = {name: getattr(AnnotateOptions, name) for name in ("model", *ENDPOINT_ONLY)}
    return replace(options, **{name: unread[name] for name in unread if not typed((name,))})


def _annotate(stage: Stage, options: AnnotateOptions, cascade: CascadeOptions) -> None:
    from mitools.annotate.failures import open_failures
    from mitools.annotate.interrupt import stopping_on_interrupt, wakeable_stdin
    from mitools.annotate.open_teacher import open_teacher
    from mitools.annotate.report import progress_figures
    from mitools.annotate.run import AnnotationRun
    from mitools.cascade.bill import CascadeBill, front_lines
    from mitools.cascade.open_front import open_front

    options.check()  # before a student is loaded
    if cascade.student is not None or cascade.chosen is not None:
        options.check_front()
    front = open_front(cascade, options, _notices(stage))
    bill = CascadeBill(options.price, cascade.student_price)
    with (
        open_teacher(options, _notices(stage)) as opened,
        wakeable_stdin() as on_stop,
        stage.reading("input") as records,
        stage.writing() as out,
        open_failures(options.on_failure) as handle_failure,
        stage.console.progress(total=stage.expected(limit=options.limit)) as update,
    ):
        shown = watched(opened.first_asked(records, _shown_batches(update)), update)
        run = AnnotationRun(
            shown,
            opened.teacher,
            options,
            handle_failure=handle_failure,
            on_stop=on_stop,
            front=front,
        )
        reporting = _reporting(stage, run, records, opened, options)
        with reporting, run, stopping_on_interrupt(run.stop):
            for batch in run.batches():
                out.write_batch(batch)
                bill.add(batch)
                update(len(batch), *progress_figures(run.tally, opened.budget))
    for line in front_lines(front, bill) if front is not None else ():
        stage.console.note(line)
    if warning := run.gold.warning():
        stage.console.warn(warning)
    if options.from_batch and run.tally.failed:
        stage.console.note(_after_batch(run.tally.failed.total()))
    if options.limit is not None and run.tally.read == options.limit:
        stage.console.note(_after_trial(options, opened))
    if run.late_error is not None:  # the output is complete
        raise run.late_error


def _shown_batches(update: Update) -> Callable[[int, int, int], None]:
    """Make what shows the progress of batches."""

    def show(done: int, total: int, batches: int) -> None:
        at_work = f"{batches:,} batch{'' if batches == 1 else 'es'} at work"
        update(0, f"{done:,} of {total:,} requests done", at_work if batches else "")

    return show


def _after_batch(failed: int) -> str:
    """Say how to ask about the records that a batch left without an answer."""
    records = "1 record has" if failed == 1 else f"{failed:,} records have"
    return (
        f"{records} no answer: --emit-batch FILE in place of --from-batch writes the requests that "
        "are open, and without either they are sent now"
    )


def _after_trial(options: AnnotateOptions, opened: OpenTeacher) -> str:
    """Say how to go on after the first records."""
    read = f"read the first {options.limit:,} records only (--limit)"
    if opened.journal is None:
        return f"{read}; for all records, leave --limit out"
    return f"{read}; for all, leave --limit out: these answers are taken from the journal"


def _notices(stage: Stage) -> Notices:
    from mitools.annotate.notices import Notices

    return Notices(stage.console.note, stage.console.warn)


@contextlib.contextmanager
def _reporting(
    stage: Stage,
    run: AnnotationRun,
    records: Reader,
    opened: OpenTeacher,
    options: AnnotateOptions,
) -> Iterator[None]:
    """Report on the run, however it ended; but not to a downstream that has closed."""
    from mitools.annotate.report import unanswered_lines

    try:
        yield
    except BrokenPipeError:
        raise
    except BaseException as exc:
        _report(stage, run, records, opened)
        for line in unanswered_lines(run, options):
            stage.console.note(line)
        if opened.journal is not None and opened.journal.has_written:
            kept = f"answers are kept in {opened.journal.path}"
            if isinstance(exc, KeyboardInterrupt):
                exc.add_note(kept)  # the message of the interrupt says what to type
            else:
                stage.console.note(f"run it again to go on; {kept}" if run.has_open else kept)
        raise
    _report(stage, run, records, opened)
    if run.late_error is None and (reason := run.unanswered.main_reason(run.tally)):
        stage.console.note(reason)


def _report(stage: Stage, run: AnnotationRun, records: Reader, opened: OpenTeacher) -> None:
    from mitools.annotate.report import overspending, run_lines

    for line in run_lines(run, opened.budget, records.rejected):
        stage.console.note(line)
    if warning := overspending(opened.budget):
        stage.console.warn(warning)
