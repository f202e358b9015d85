"""Processes that make runs, several at once.

A worker lives as long as runs wait, so that the libraries of train and eval are imported once and
not for every run: at toy sizes that would take as long as training. After that it ends, as a
process that has trained keeps gigabytes that the last runs may need.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from mitools.errors import MitoolsError
from mitools.study.make_run import Execute, Order, make_run

__all__ = ["Ended", "Workers"]

_SECONDS_TO_STOP = 60.0
_SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Ended:
    """A run that ended; ``error`` says why it has no result."""

    order: Order
    seconds: float
    error: str | None = None


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    order: Order | None = None
    started: float = 0.0


class Workers:
    """A few processes, each of which makes one run at a time."""

    def __init__(self, count: int, execute: Execute) -> None:
        """Start nothing yet: a worker starts with its first run.

        Args:
            count: the most runs at once.
            execute: runs a command; it is sent to another process, so it is a module's function.
        """
        self.count = count
        self._execute = execute
        self._workers: list[_Worker] = []
        self._context = multiprocessing.get_context("spawn")

    @property
    def busy(self) -> int:
        """How many runs are being made."""
        return sum(worker.order is not None for worker in self._workers)

    @property
    def has_room(self) -> bool:
        return self.busy < self.count

    def start(self, order: Order) -> None:
        """Begin a run in a worker that has none."""
        worker = next((one for one in self._workers if one.order is None), None)
        if worker is None:
            worker = self._new_worker()
            self._workers.append(worker)
        worker.order, worker.started = order, time.monotonic()
        worker.connection.send(order)

    def wait(self, seconds: float | None) -> list[Ended]:
        """Wait until a run ends, and give those that have; [] where the time is over."""
        ready = wait([one.connection for one in self._workers if one.order], seconds)
        return [self._end(one) for one in list(self._workers) if one.connection in ready]

    def _end(self, worker: _Worker) -> Ended:
        order, seconds = worker.order, time.monotonic() - worker.started
        assert order is not None
        try:
            error = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            self._workers.remove(worker)
            code = worker.process.exitcode
            error = f"its process ended with status {code}; is there enough memory?"
        worker.order = None
        return Ended(order, seconds, error)

    def _new_worker(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._execute), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def end_idle(self) -> None:
        """End the workers that have no run, which gives their memory back."""
        idle = [worker for worker in self._workers if worker.order is None]
        self._workers = [worker for worker in self._workers if worker.order is not None]
        for worker in idle:
            worker.connection.close()  # the worker reads its end, and returns
        for worker in idle:
            worker.process.join(_SECONDS_TO_STOP)
            if worker.process.is_alive():
                worker.process.kill()

    def stop(self) -> list[Order]:
        """End all workers; a run that is being trained saves a checkpoint first.

        Returns:
            The runs that were interrupted.
        """
        interrupted = [worker.order for worker in self._workers if worker.order is not None]
        for worker in self._workers:
            worker.process.terminate()
            worker.connection.close()  # a worker that has saved its checkpoint reads its end
        deadline = time.monotonic() + _SECONDS_TO_STOP
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
        self._workers.clear()
        return interrupted


def _work(connection: Connection, execute: Execute) -> None:
    """Make runs until the connection is closed.

    The process is a group of its own, so that ^C in a terminal reaches the study alone. That then
    ends its workers by one signal, at which a training run saves a checkpoint; a second one would
    stop it at once.
    """
    os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    while True:
        try:
            order = connection.recv()
        except (EOFError, OSError):
            return
        order.folder.mkdir(parents=True, exist_ok=True)
        with _output_to(order.log):
            error = _try_run(order, execute)
        with contextlib.suppress(OSError):  # the study has ended
            connection.send(error)


def _try_run(order: Order, execute: Execute) -> str | None:
    try:
        make_run(order, execute)
    except MitoolsError as exc:
        return str(exc)
    except Exception as exc:
        traceback.print_exc()
        return f"unexpected {type(exc).__name__}: {exc}"
    return None


@contextlib.contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Send whatever this process prints to a file, also what libraries print."""
    before = [os.dup(1), os.dup(2)]
    with path.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        yield
    finally:
        for number, old in enumerate(before, start=1):
            os.dup2(old, number)
            os.close(old)


def _end_with_parent(parent: int) -> None:
    """Stop this process, as a signal would, when the study's own process is gone."""
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)
