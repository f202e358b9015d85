"""How long a call takes, on a machine that does other work as well."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_seconds(call: Callable[[], object], runs: int = 3) -> float:
    """Return the processor time of the quickest of ``runs`` calls.

    The quickest says what the call takes, the others what the machine was doing. A call with a
    cache clears it first.
    """

    def once() -> float:
        started = time.process_time()
        call()
        return time.process_time() - started

    return min(once() for _ in range(runs))
