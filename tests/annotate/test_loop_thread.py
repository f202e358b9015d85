"""An event loop in its own thread: results, errors, and a caller inside a loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest

from mitools.annotate.loop_thread import LoopThread


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_a_coroutine_gives_its_result_or_its_error() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with LoopThread() as loop:
        assert loop.wait_for(double(4)) == 8
        with pytest.raises(ZeroDivisionError):
            loop.wait_for(fail())
        assert loop.wait_for(double(5)) == 10


def test_it_works_inside_a_running_loop_and_leaves_no_thread() -> None:
    before = threading.active_count()

    async def within() -> int:
        with LoopThread() as loop:
            return loop.wait_for(double(3))

    assert asyncio.run(within()) == 6
    assert threading.active_count() == before


def test_what_runs_is_cancelled_where_the_caller_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started, ended = threading.Event(), threading.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    def interrupted(_future: object, _timeout: float | None = None) -> None:
        assert started.wait(5)
        raise KeyboardInterrupt

    with LoopThread() as loop:
        with monkeypatch.context() as patched:
            patched.setattr(concurrent.futures.Future, "result", interrupted)
            with pytest.raises(KeyboardInterrupt):
                loop.wait_for(forever())
        assert ended.wait(5)
        assert loop.wait_for(double(1)) == 2
