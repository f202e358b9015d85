"""Gold labels that the task cannot read: refused where they are most, and the mapping to type."""

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
    """Pass records on while most of their gold labels can be read.

    Records are held back while most cannot, at most :data:`MOST_HELD` of them, so that nothing is
    written of a source that is mapped wrongly.

    Args:
        gold: counts them.
        field: what labels are mapped from.

    Raises:
        SourceError: most cannot, among the first or among all.
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
    """Say what to type so that labels like the example can be read."""
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
    return 'compare labels as they are, "--task text", or leave them out, "--map label="'
