"""Many connections at once: the limit of open files is raised, or the fault names it."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator

import pytest

from mitools.annotate.client import transport
from mitools.annotate.client.faults import Secrets
from mitools.annotate.client.open_files import allow_connections


@pytest.fixture(autouse=True)
def _same_limit() -> Iterator[None]:
    restore, before = resource.setrlimit, resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    restore(resource.RLIMIT_NOFILE, before)


def soft() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_limit_is_raised_as_far_as_needed() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    allow_connections(50)
    assert soft() == 256
    allow_connections(300)
    assert soft() == 400
    allow_connections(50)
    assert soft() == 400


def test_the_hard_limit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(256, 300)]
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _what, given: limits.append(given))
    allow_connections(5000)
    assert limits[-1] == (300, 300)


def test_a_system_that_refuses_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_what: int, _given: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _what: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    allow_connections(5000)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_not_an_unreachable_server(number: int) -> None:
    cause = OSError(number, "Too many open files")
    fault = transport._sorted(cause, Secrets([]))
    assert not fault.is_unreachable
    assert not fault.is_maybe_billed
    assert "ulimit -n" in fault.message
    assert "--concurrency" in fault.message
