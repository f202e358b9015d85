"""What tests of the split stage share: runs from records to records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mitools.records import Record
from mitools.split.divide import divide
from mitools.split.options import SplitOptions
from mitools.split.report import SplitReport
from mitools.spool import RecordSpool, no_progress

Divide = Callable[..., tuple[list[Record], SplitReport]]


@pytest.fixture(name="divide")
def run_divide() -> Divide:
    """Split records by a options; gives them back with its report."""

    def run(records: list[Record], **options: Any) -> tuple[list[Record], SplitReport]:
        split_options = SplitOptions(**{"test": 0.2, "valid": 0.1, **options})
        with RecordSpool() as spool:
            divided = divide(records, split_options, spool, no_progress)
            return list(divided), divided.report

    return run
