"""Check of gold labels: a source with mostly unreadable ones is refused, with a mapping to type."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from mitools.errors import SourceError
from mitools.gold import GoldCheck
from mitools.records import Record
from mitools.sources.labelling import MOST_HELD
from mitools.sources.templates import after, before, is_template, number
from mitools.tasks import task_named

__all__ = ["mapping_hint", "with_readable_gold"]

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")


def with_readable_gold(records: Iterable[Record], gold: GoldCheck, field: str) -> Iterator[Record]:
    """Pass records on while the task can read most of their gold labels.

    Otherwise records are held, at most :data:`MOST_HELD` of them, so nothing is written of a source
    with a wrong mapping.

    Args:
        records: the mapped records.
        gold: counts their gold labels.
        field: the specification of the label.

    Raises:
        SourceError: most gold labels are unreadable, among the first records or among all.
    """
    held: deque[Record] = deque()
    for record in records:
        gold.add(record)
        if 2 * gold.unreadable <= gold.known:
            while held:
                yield held.popleft()
            yield record
            continue
        held.append(record)
        if len(held) >= MOST_HELD:
            break
    if 2 * gold.unreadable > gold.known:
        message = gold.warning() or ""
        raise SourceError(message, hint=mapping_hint(gold, field))
    yield from held


def mapping_hint(gold: GoldCheck, field: str) -> str:
    """Suggest a mapping by which labels like the example are readable."""
    is_valid = task_named(gold.example_task).is_valid
    ways = (
        ("after('####')", after(gold.example, "####")),
        (r"after('boxed{') | before('}')", before(after(gold.example, "boxed{"), "}")),
        ("number", number(gold.example)),
    )
    for filters, text in ways:
        if text != gold.example and is_valid(text):
            if is_template(field) or not _PATH.fullmatch(field):
                return f"end the template of --map label in | {filters}"
            return f'map the answer in it: --map "label={{{{ {field} | {filters} }}}}"'
    return 'compare labels as plain text with "--task text", or drop them with "--map label="'
