"""Signals that arrive together are one request to stop."""

from __future__ import annotations

import signal
import threading

import pytest

from mitools import interrupts
from mitools.interrupts import SIGNALS, handling


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(interrupts, "time", clock)
    return clock


def test_signals_that_arrive_together_are_one_request(clock: Clock) -> None:
    received: list[int] = []
    with handling(received.append):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
            clock.now += 0.4
        assert received == [signal.SIGTERM]
        clock.now += interrupts.TOGETHER_SECONDS
        signal.raise_signal(signal.SIGINT)
    assert received == [signal.SIGTERM, signal.SIGINT]


def test_an_outer_block_does_not_see_the_rest_of_a_request_of_the_inner_one(clock: Clock) -> None:
    outer: list[int] = []
    inner: list[int] = []
    with handling(outer.append):
        with handling(inner.append):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert (outer, inner) == ([], [signal.SIGTERM])
        clock.now += interrupts.TOGETHER_SECONDS
        signal.raise_signal(signal.SIGTERM)
    assert outer == [signal.SIGTERM]


def test_a_block_begins_with_no_request_and_restores_the_handlers(clock: Clock) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    for _ in range(2):
        received: list[int] = []
        with handling(received.append):
            signal.raise_signal(signal.SIGINT)
        assert received == [signal.SIGINT]
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_a_handler_raises_is_raised_and_other_signals_keep_theirs(clock: Clock) -> None:
    def stop(_number: int) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with handling(stop, [signal.SIGTERM]):
        assert signal.getsignal(signal.SIGINT) == before
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_outside_the_main_thread_a_block_does_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    found: list[object] = []

    def run() -> None:
        with handling(found.append):
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]
