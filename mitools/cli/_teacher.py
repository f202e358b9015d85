"""From the options of ``mitools annotate`` to a teacher; and what is done without asking one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mitools.cli._stage import Stage, stdout
from mitools.errors import UsageError
from mitools.escape import visible
from mitools.files import STDOUT, atomic_output, output_errors
from mitools.schema import READINGS

if TYPE_CHECKING:
    from mitools.annotate import Teacher
    from mitools.annotate.client.budget import Budget, Price
    from mitools.annotate.client.journal import Journal
    from mitools.annotate.client.kept_replies import KeptReplies
    from mitools.annotate.client.requests import Requests
    from mitools.annotate.dry_run import Bill, CostEstimate
    from mitools.annotate.prompt import Message, Prompts
    from mitools.annotate.strategy import Strategy

__all__ = [
    "MadeTeacher",
    "dry_run",
    "emit_batch",
    "make_prompts",
    "make_strategy",
    "make_teacher",
    "reading_option",
    "show_prompt",
]


reading_option = click.option(
    "--reading",
    type=click.Choice(READINGS),
    help="The loosest place that an answer is read from: a field (JSON or <answer>), \\boxed, "
    'hashes (####), a cue such as "the answer is", a line of its own, or the last statement.  '
    "[default: statement where gold is known, else line]",
)


@dataclass(frozen=True)
class MadeTeacher:
    """A teacher, and what a report needs of it."""

    teacher: Teacher
    journal: Journal | None = None
    budget: Budget | None = None


def make_strategy(options: Mapping[str, Any]) -> Strategy:
    from mitools.annotate.strategy import Strategy

    return Strategy(
        options["strategy"],
        options["samples"],
        options["stop_after"],
        options["keep"],
        options["reading"],
        _headers(options["template"]),
    )


def _headers(template: str | None) -> frozenset[str]:
    """List the headers of the user's template, which a model may repeat for an invented example."""
    from mitools.annotate.prompt import read_template
    from mitools.reading import headers_in

    return headers_in(read_template(template)) if template else frozenset()


def make_teacher(stage: Stage, options: Mapping[str, Any]) -> MadeTeacher:
    name = options["teacher"]
    if name == "openai":
        return _chat_teacher(stage, options)
    _check_endpoint(options, "max_cost", "from_batch")
    from mitools.annotate.replay import DemoTeacher, FieldTeacher, ReplayTeacher

    if name == "demo":
        return MadeTeacher(DemoTeacher(options["seed"], options["error_rate"]))
    if options["strategy"] != "blind":
        message = f"--strategy {options['strategy']} needs a teacher that can be told the answer"
        raise UsageError(message, hint="replayed completions can only be read blind")
    # A recipe's model is the one to ask; these answers are another's.
    source = click.get_current_context().get_parameter_source("model")
    model = options["model"] if source == ParameterSource.COMMANDLINE else "replay"
    if name == "replay":
        return MadeTeacher(FieldTeacher(model))
    return MadeTeacher(ReplayTeacher(name.removeprefix("replay:"), model))


def _check_endpoint(options: Mapping[str, Any], *names: str) -> None:
    """Refuse options that only a teacher behind an endpoint can serve."""
    for name in names:
        if options[name] and options["teacher"] != "openai":
            message = f"--{name.replace('_', '-')} is for a teacher behind an endpoint"
            raise UsageError(message, hint=f'leave it out, or "--teacher {options["teacher"]}"')


def _chat_teacher(stage: Stage, options: Mapping[str, Any]) -> MadeTeacher:
    is_offline = options["offline"] or bool(options["from_batch"])
    if options["no_journal"] and is_offline:
        by = "--from-batch puts answers into" if options["from_batch"] else "--offline answers from"
        raise UsageError(f"{by} the journal", hint="leave out --no-journal")
    requests, budget = _requests(options), _budget(options)
    from mitools.annotate.client.kept_replies import KeptReplies
    from mitools.annotate.client.teachers import ChatTeacher, OfflineTeacher

    if is_offline:
        journal = _journal(options, is_read_only=not options["from_batch"])
        if options["from_batch"]:
            _import_results(stage, options["from_batch"], journal)
        memory = KeptReplies(requests, journal)
        must_know = not options["from_batch"]
        return MadeTeacher(OfflineTeacher(memory, must_know=must_know), journal)
    from mitools.annotate.client.endpoint import Endpoint, Notices

    if options["samples"] > 1 and options["temperature"] == 0:
        stage.console.warn("at temperature 0 all samples of a record are alike")

    def on_pause(seconds: float, words: str) -> None:
        stage.console.note(f"the teacher asks to wait {seconds:.1f} s ({words})")

    endpoint = Endpoint(requests, budget, Notices(on_pause, stage.console.warn))
    kept = None if options["no_journal"] else _journal(options)
    return MadeTeacher(ChatTeacher(KeptReplies(requests, kept), endpoint), kept, budget)


def _requests(options: Mapping[str, Any]) -> Requests:
    if not options["model"]:
        hint = 'name it with "-m MODEL", or use "--teacher replay:FILE" or "--teacher demo"'
        raise UsageError("no teacher model", hint=hint)
    from mitools.annotate.client.requests import ALIKE_FAILURES, ChatOptions, Requests

    params = dict(options["params"])
    if options["temperature"] is not None:
        params = {"temperature": options["temperature"], **params}
    names = ("model", "base_url", "max_tokens", "concurrency", "retries", "max_response_bytes")
    stops_early = options["max_error_rate"] is None  # else the user says when
    chat = ChatOptions(
        **{key: options[key] for key in names},
        params=params,
        timeout_seconds=options["timeout"],
        max_wait_seconds=options["max_wait"],
        alike_failures=ALIKE_FAILURES if stops_early else None,
    )
    return Requests(chat, make_prompts(options))


def _budget(options: Mapping[str, Any]) -> Budget | None:
    price, limit = options["price"], options["max_cost"]
    if limit is not None and price is None:
        message = "--max-cost needs the price of a token"
        raise UsageError(message, hint='add "--price IN,OUT", USD per million tokens')
    if limit is not None and not _bounds_answers(options):
        message = "--max-cost needs to know how long an answer can be"
        raise UsageError(message, hint="add --max-tokens N")
    if price is None:
        return None
    from mitools.annotate.client.budget import Budget

    return Budget(price, limit)


def _bounds_answers(options: Mapping[str, Any]) -> bool:
    names = ("max_tokens", "max_completion_tokens")
    return options["max_tokens"] is not None or any(name in options["params"] for name in names)


def _journal(options: Mapping[str, Any], *, is_read_only: bool = False) -> Journal:
    from mitools.annotate.client.journal import Journal

    return Journal(_journal_place(options), is_read_only=is_read_only)


def _journal_place(options: Mapping[str, Any]) -> Path:
    from mitools.annotate.client.journal import default_place

    return Path(options["journal"] or default_place(options["model"]))


def _import_results(stage: Stage, paths: tuple[str, ...], journal: Journal) -> None:
    from mitools.annotate.batch import import_results

    try:
        done = import_results(paths, journal)
    except BaseException:
        journal.close()
        raise
    stage.console.note(f"{done.answers:,} answers and {done.failures:,} failures from the batch")


@contextlib.contextmanager
def _remembering(options: Mapping[str, Any]) -> Iterator[KeptReplies]:
    """Give what the journal knows, without making one."""
    from mitools.annotate.client.kept_replies import KeptReplies

    requests = _requests(options)
    if options["no_journal"] or not _journal_place(options).exists():
        yield KeptReplies(requests, None)
        return
    journal = _journal(options, is_read_only=True)
    try:
        yield KeptReplies(requests, journal)
    finally:
        journal.close()


def emit_batch(stage: Stage, options: Mapping[str, Any]) -> None:
    """Write what is to be asked, and no record."""
    from mitools.annotate.batch import MOST_BYTES, MOST_REQUESTS, emit_requests
    from mitools.gold import with_label_sets

    _check_endpoint(options, "emit_batch")
    with (
        _remembering(options) as memory,
        stage.reading("input") as records,
        _open_batch(options["emit_batch"]) as out,
    ):
        known = with_label_sets(records, options["task"])
        done = emit_requests(known, memory, make_strategy(options), options["task"], out)
    stage.console.note(
        f"{done.rows:,} records: {done.answered:,} answered already, {done.requests:,} requests"
    )
    if not done.requests:
        stage.console.note("nothing is left to ask: run it again without --emit-batch")
    elif done.requests > MOST_REQUESTS or done.size > MOST_BYTES:
        limits = f"{MOST_REQUESTS:,} requests and {MOST_BYTES // 1_000_000} MB"
        stage.console.warn(f'OpenAI takes {limits} a file; cut it with "split -l {MOST_REQUESTS}"')


@contextlib.contextmanager
def _open_batch(path: str) -> Iterator[IO[str]]:
    if path == STDOUT:
        with output_errors("<stdout>"):
            yield stdout()
            stdout().flush()
        return
    with atomic_output(path) as stream:
        yield stream


def dry_run(stage: Stage, options: Mapping[str, Any]) -> None:
    """Say what a run will take."""
    from mitools.annotate.dry_run import estimate_cost
    from mitools.gold import with_label_sets

    _check_endpoint(options, "dry_run")
    with _remembering(options) as memory, stage.reading("input") as records:
        known = with_label_sets(records, options["task"])
        found = estimate_cost(known, memory, make_strategy(options), options["task"])
        lines = _estimate_lines(found, options["price"])
        messages: list[Message] = []
        if found.first_open is not None:
            messages = list(memory.requests.make(found.first_open).body["messages"])
    with output_errors("<stdout>"):
        stdout().write("".join(f"{line}\n" for line in lines) + "\n")
        _write_messages(messages)


def _estimate_lines(found: CostEstimate, price: Price | None) -> list[str]:
    rows = f"{found.rows:,} rows: {found.rows - found.open_rows:,} answered by the journal"
    lines = [f"{rows} ({found.recalled:,} completions), {found.open_rows:,} to ask", ""]
    lines.append(f"{'':10}{'calls':>12}{'prompt':>14}{'completion':>14}{'cost':>14}")
    for name in ("low", "expected", "worst"):
        lines.append(f"{name:10}{_bill_line(getattr(found, name), price)}")
    lines += ["", f"expected: {found.basis}"]
    lines.append("worst: every try and token that is allowed; repeats after faults come on top")
    if price is None:
        lines.append('cost: unknown; add "--price IN,OUT", USD per million tokens')
    return lines


def _bill_line(bill: Bill, price: Price | None) -> str:
    cost = bill.cost(price)
    written = "no limit" if bill.completion_tokens is None else f"{bill.completion_tokens:,.0f}"
    shown = "unknown" if cost is None else f"${cost:,.4f}"
    return f"{bill.calls:>12,.0f}{bill.prompt_tokens:>14,.0f}{written:>14}{shown:>14}"


def show_prompt(stage: Stage, options: Mapping[str, Any]) -> None:
    """Print what would be asked about the first record."""
    from mitools.annotate.protocol import Question
    from mitools.tasks import task_of

    prompts = make_prompts(options)
    with stage.reading("input") as records, output_errors("<stdout>"):
        record = next(iter(records))
        hint = record.get("label") if options["strategy"] == "hinted" else None
        question = Question(record, task_of(record, options["task"]), hint=hint)
        _write_messages(prompts.messages(question.record, question.task, question.hint))


def _write_messages(messages: list[Message]) -> None:
    """Print a prompt; what could drive a terminal is spelt out, and is sent as it is."""
    for message in messages:
        stdout().write(visible(f"--- {message['role']}\n{message['content']}\n\n"))
    stdout().flush()


def make_prompts(options: Mapping[str, Any]) -> Prompts:
    from mitools.annotate.prompt import Prompts, PromptSource

    return Prompts(PromptSource(options["system"], options["template"], options["examples"]))
