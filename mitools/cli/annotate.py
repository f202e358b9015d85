"""``mitools annotate``: let a teacher LLM answer and explain each record."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mitools.cli._stage import RecipePath, Stage, seed_option, stage, stdout
from mitools.errors import TeacherError, UsageError
from mitools.files import output_errors
from mitools.records import Reader, Record, Writer
from mitools.schema import TASKS

if TYPE_CHECKING:
    from mitools.annotate import Run, Teacher
    from mitools.annotate.journal import Journal
    from mitools.annotate.prompt import Prompts

__all__ = ["command"]

OnFailure = Callable[[Record], Record | None]


def _check_teacher(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value in ("openai", "replay", "demo") or value.removeprefix("replay:") not in ("", value):
        return value
    raise click.BadParameter('use "openai", "replay:FILE", "replay" or "demo"')


def _check_failure(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if value in ("emit", "fail") or value.removeprefix("divert:") not in ("", value):
        return value
    raise click.BadParameter('use "emit", "fail" or "divert:FILE"')


def _parse_params(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for pair in values:
        name, is_given, value = pair.partition("=")
        if not is_given or not name:
            raise click.BadParameter(f'"{pair}" is not KEY=VALUE')
        try:
            params[name] = json.loads(value)
        except ValueError:
            params[name] = value
    return params


@stage("annotate")
@click.option("-m", "--model", metavar="MODEL", help="The teacher's name at its endpoint.")
@click.option("--base-url", metavar="URL", help="Endpoint.  [default: OPENAI_BASE_URL, or OpenAI]")
@click.option(
    "--teacher",
    default="openai",
    show_default=True,
    metavar="openai|replay:FILE|replay|demo",
    callback=_check_teacher,
    help="An OpenAI-compatible endpoint; completions by id from FILE, or from each record's own "
    "field; or the rules of the built-in demo.",
)
@click.option(
    "--task", type=click.Choice(TASKS), help="How answers are read.  [default: by record]"
)
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
@click.option("--journal", metavar="PATH", help="Where answers are kept.  [default: user cache]")
@click.option("--no-journal", is_flag=True, help="Keep nothing, and ask everything.")
@click.option("--offline", is_flag=True, help="Answer from the journal alone.")
@click.option(
    "--on-failure",
    default="emit",
    show_default=True,
    metavar="emit|fail|divert:FILE",
    callback=_check_failure,
    help="What to do with a record that got no answer; it says why in teacher.error.",
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

    Exit status: 5 where the teacher refuses (key, quota, permission), 130 after ^C.

    \b
    mitools annotate -m gpt-5-mini data.jsonl > annotated.jsonl
    mitools annotate -m qwen3 --base-url http://localhost:8000/v1 data.jsonl
    mitools annotate --teacher replay:completions.jsonl data.jsonl
    """
    if options["show_prompt"]:
        _show_prompt(stage, options)
        return
    teacher, journal = _teacher(stage, options)
    with (
        _waking() as on_stop,
        stage.reading("input") as records,
        stage.writing() as out,
        _failures(options["on_failure"]) as on_failure,
        stage.console.progress("annotating") as update,
    ):
        run = _make_run(records, teacher, options, on_failure, on_stop)
        with _reporting(stage, run, records, journal), _stopping(run):
            for record in run:
                out.write(record)
                update(1, "")


def _waking() -> contextlib.AbstractContextManager[Callable[[], None]]:
    from mitools.annotate.interrupt import wakeable_stdin

    return wakeable_stdin()


def _make_run(
    records: Reader,
    teacher: Teacher,
    options: Mapping[str, Any],
    on_failure: OnFailure | None,
    on_stop: Callable[[], None],
) -> Run:
    from mitools.annotate import Run, RunOptions

    is_ordered = not options["unordered"]
    settings = RunOptions(options["concurrency"], is_ordered, options["task"], on_failure, on_stop)
    return Run(records, teacher, settings)


@contextlib.contextmanager
def _stopping(run: Run) -> Iterator[None]:
    from mitools.annotate.interrupt import stopping_on_interrupt

    with run, stopping_on_interrupt(run.stop):
        yield


@contextlib.contextmanager
def _reporting(stage: Stage, run: Run, records: Reader, journal: Journal | None) -> Iterator[None]:
    """Say at the end what happened, however it ended; say nothing to a closed downstream."""
    try:
        yield
    except BrokenPipeError:
        raise
    except BaseException:
        _report(stage, run, records)
        if journal is not None and run.tally.replies > run.tally.recalled:
            stage.console.note(f"run it again to go on; answers are kept in {journal.path}")
        raise
    _report(stage, run, records)


def _report(stage: Stage, run: Run, records: Reader) -> None:
    if run.tally.replies or records.rejected:
        for line in run.tally.lines(records.rejected):
            stage.console.note(line)


@contextlib.contextmanager
def _failures(choice: str) -> Iterator[OnFailure | None]:
    """Give what is called with each record that got no answer."""
    if choice == "emit":
        yield None
    elif choice == "fail":
        yield _raise_failure
    else:
        path = choice.removeprefix("divert:")
        with output_errors(path), open(path, "w", encoding="utf-8", newline="\n") as stream:
            yield Writer(stream).write


def _raise_failure(record: Record) -> None:
    error = record["teacher"]["error"]
    message = f"record {record['id']!r} got no answer: {error['kind']}: {error['message']}"
    raise TeacherError(message, hint='to go on without it: "--on-failure emit" or "divert:FILE"')


def _teacher(stage: Stage, options: Mapping[str, Any]) -> tuple[Teacher, Journal | None]:
    name = options["teacher"]
    if name == "openai":
        return _chat_teacher(stage, options)
    from mitools.annotate.replay import DemoTeacher, FieldTeacher, ReplayTeacher

    if name == "demo":
        return DemoTeacher(options["seed"], options["error_rate"]), None
    # A recipe's model is the one to ask; these answers are another's.
    source = click.get_current_context().get_parameter_source("model")
    model = options["model"] if source == ParameterSource.COMMANDLINE else "replay"
    if name == "replay":
        return FieldTeacher(model), None
    return ReplayTeacher(name.removeprefix("replay:"), model), None


def _chat_teacher(stage: Stage, options: Mapping[str, Any]) -> tuple[Teacher, Journal | None]:
    if not options["model"]:
        hint = 'name it with "-m MODEL", or use "--teacher replay:FILE" or "--teacher demo"'
        raise UsageError("no teacher model", hint=hint)
    if options["no_journal"] and options["offline"]:
        raise UsageError("--offline answers from the journal", hint="leave out --no-journal")
    from mitools.annotate.chat import ChatOptions, ChatTeacher
    from mitools.annotate.journal import Journal, default_place

    prompts = _prompts(options)
    params = dict(options["params"])
    if options["temperature"] is not None:
        params = {"temperature": options["temperature"], **params}
    names = ("model", "base_url", "max_tokens", "concurrency", "retries")
    chat = ChatOptions(
        **{key: options[key] for key in names},
        params=params,
        timeout_seconds=options["timeout"],
        is_offline=options["offline"],
    )
    journal = None
    if not options["no_journal"]:
        journal = Journal(options["journal"] or default_place(options["model"]))

    def on_pause(seconds: float) -> None:
        stage.console.note(f"the teacher asks to wait: nothing is sent for {seconds:.1f} s")

    return ChatTeacher(chat, prompts, journal, on_pause), journal


def _prompts(options: Mapping[str, Any]) -> Prompts:
    from mitools.annotate.prompt import Prompts, PromptSource

    return Prompts(PromptSource(options["system"], options["template"], options["examples"]))


def _show_prompt(stage: Stage, options: Mapping[str, Any]) -> None:
    from mitools.tasks import task_of

    prompts = _prompts(options)
    with stage.reading("input") as records, output_errors("<stdout>"):
        record = next(iter(records))
        for message in prompts.messages(record, task_of(record, options["task"])):
            stdout().write(f"--- {message['role']}\n{message['content']}\n\n")
        stdout().flush()
