"""The parts of a source, with chat rows replaced by one row for each question.

The first row that can be parsed decides whether a part is a chat log. The rows of other parts pass
unchanged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NoReturn

from mitools.errors import MissingFieldError
from mitools.records import Record, Row
from mitools.sources.answers import shortened
from mitools.sources.chat.forms import Form, Reading, form_of, form_of_first, rows_of
from mitools.sources.chat.report import ChatReport
from mitools.sources.chat.requests import Requests
from mitools.sources.options import LoadOptions
from mitools.sources.part import Part

__all__ = ["with_chats"]

_FORMS = "messages, conversations, prompt with completion, instruction with output, or a trace"


def with_chats(parts: Iterable[Part], options: LoadOptions, report: ChatReport) -> Iterator[Part]:
    """Replace the rows of parts that are chat logs.

    Args:
        parts: from :func:`~mitools.sources.load_records.open_sources`.
        options: how chat rows are read; a mapped ``input`` leaves parts as they are, unless the
            options are those of a chat log.
        report: receives the form of each part.

    Raises:
        SourceError: the file of requests cannot be read.
    """
    if "input" in options.fields and not options.are_chats:
        yield from parts
        return
    with contextlib.ExitStack() as stack:
        requests = None
        if options.requests is not None:
            requests = Requests(options.requests, options.bounds)
            stack.callback(requests.close)
        reading = Reading(options.turns == "all", options.context, requests)
        for part in parts:
            see = partial(report.see, part.name)
            yield replace(part, rows=_rows(part.rows, reading, see, must=options.are_chats))


def _rows(
    rows: Iterable[Row], reading: Reading, see: Callable[[str], None], *, must: bool
) -> Iterator[Row]:
    first: Form | None = None
    rest = iter(rows)
    for row in rest:
        try:
            values = row.parse()
        except Exception:  # it is raised again where the row is let in
            yield row
            continue
        is_open = first is None and not must
        form = form_of_first(values) if is_open else form_of(values) or first
        if form is None and is_open:
            yield row._replace(parse=partial(_same, values))
            yield from rest
            return
        if first is None and form is not None:
            first = form
            see(form.title)
        yield from _split(row, values, form, reading)


def _same(values: Record) -> Record:
    return values


def _split(row: Row, values: Record, form: Form | None, reading: Reading) -> Iterator[Row]:
    """Yield a row for each question; a row that cannot be read raises where it is let in."""
    try:
        if form is None:
            fields = shortened(", ".join(values), 200)
            message = f"no form of a chat log fits the fields {fields}"
            raise MissingFieldError(message, where=row.where, hint=f"needs {_FORMS}")
        made = rows_of(values, form, row.where, reading)
    except Exception as exc:
        yield row._replace(parse=partial(_raise, exc))
        return
    for one in made:
        yield row._replace(parse=partial(_same, one))


def _raise(error: Exception) -> NoReturn:
    raise error
