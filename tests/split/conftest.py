"""What tests of the split stage share: a silent progress, and runs from records to records."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mitools.records import Record
from mitools.split import Fractions
from mitools.split.options import SplitOptions
from mitools.split.report import Report
from mitools.split.run import divide
from mitools.split.spool import RecordSpool


@contextlib.contextmanager
def silent(_what: str, _total: int | None) -> Iterator[Callable[[int, str], None]]:
    yield lambda _advance, _text: None


Divide = Callable[..., tuple[list[Record], Report]]


@pytest.fixture(name="divide")
def run_divide() -> Divide:
    """Split records by a plan; gives them back with its report."""

    def run(records: list[Record], **options: Any) -> tuple[list[Record], Report]:
        plan = SplitOptions(**{"fractions": Fractions(test=0.2, valid=0.1), **options})
        with RecordSpool() as spool:
            division = divide(records, plan, spool, silent)
            return list(division), division.report

    return run
