"""The number of files that a process may have open; each connection is one."""

from __future__ import annotations

import contextlib
import resource

__all__ = ["allow_connections"]

_OTHERS = 100  # journal, inputs, outputs, libraries


def allow_connections(count: int) -> None:
    """Raise this process's soft limit of open files, if it is too low for so many connections.

    It is not raised above the hard limit, which only an administrator can change. Where the system
    allows less, a connection too many is a fault of its request.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    with contextlib.suppress(OSError, ValueError):  # the fault says what to type
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
