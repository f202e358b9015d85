"""Actions of ``mitools annotate`` that ask no teacher: prompt, dry run, requests of a batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from mitools.annotate.options import AnnotateOptions
from mitools.cascade.options import CascadeOptions
from mitools.cli._options import refuse_output
from mitools.cli._stage import Stage, stdout
from mitools.escape import visible
from mitools.files import STDOUT, atomic_output, output_errors

if TYPE_CHECKING:
    from mitools.annotate.prompt import Message

__all__ = ["print_batch", "print_dry_run", "print_prompt"]


def print_prompt(stage: Stage, options: AnnotateOptions) -> None:
    """Print the prompt of the first record."""
    refuse_output("--show-prompt")
    from mitools.annotate.prompt import Prompts

    prompts = Prompts(options)
    with stage.reading("input") as records, output_errors("<stdout>"):
        _write_messages(prompts.first_messages(next(iter(records))))


def print_dry_run(stage: Stage, options: AnnotateOptions, cascade: CascadeOptions) -> None:
    """Print the expected cost and one prompt; a student is not opened."""
    refuse_output("--dry-run")
    from mitools.annotate.dry_run import dry_run
    from mitools.cascade.dry_run import expected_lines, may_ask

    with stage.reading("input") as records:
        done = dry_run(records, options, lambda record: may_ask(record, cascade))
    lines = [*done.lines(), *expected_lines(done, cascade)]
    with output_errors("<stdout>"):
        stdout().write("".join(f"{line}\n" for line in lines) + "\n")
        _write_messages(done.messages)


def print_batch(stage: Stage, options: AnnotateOptions, cascade: CascadeOptions, path: str) -> None:
    """Write the requests to a file; a student answers first, so that fewer are written."""
    refuse_output("--emit-batch")
    from mitools.annotate.batch import emit_batch
    from mitools.annotate.notices import Notices
    from mitools.cascade.dry_run import asked_records
    from mitools.cascade.open_front import open_front

    front = open_front(cascade, options, Notices(stage.console.note, stage.console.warn))
    with stage.reading("input") as records, _open_batch(path) as out:
        asked = iter(records) if front is None else asked_records(front, records, options)
        done = emit_batch(asked, options, out)
    for line in done.lines():
        stage.console.note(line)
    for warning in done.warnings():
        stage.console.warn(warning)


def _write_messages(messages: list[Message]) -> None:
    """Print a prompt; what could drive a terminal is spelt out, and is sent as it is."""
    for message in messages:
        stdout().write(visible(f"--- {message['role']}\n{message['content']}\n\n"))
    stdout().flush()


@contextlib.contextmanager
def _open_batch(path: str) -> Iterator[IO[str]]:
    if path == STDOUT:
        with output_errors("<stdout>"):
            yield stdout()
            stdout().flush()
        return
    with atomic_output(path) as stream:
        yield stream
