"""What ``mitools annotate`` loses when it is killed, and what it lets a server that lies charge.

    python -m tests.benchmarks.annotate_faults kills --kills 100
    python -m tests.benchmarks.annotate_faults bills --concurrency 1 --concurrency 16

``kills``: starts the command again and again on one journal and ends each run by SIGKILL at a
random moment: while Python starts, while the journal opens, or after a random number of calls. Then
a run is left to finish. Its stdout must be, byte for byte, that of a run that nobody disturbed, and
no kill may have cost more calls than were under way.

``bills``: for each kind of server, what it charges in truth beside ``--max-cost``. Each knows what
its work costs and sends that on the bill, whatever it says in ``usage``, whatever its status, and
whether or not its answer arrives. A server that keeps to ``max_tokens`` may not pass the cap. One
that ignores it may pass it by what was under way when its first such answer came.

Both start servers of their own on loopback, draw from fixed seeds, and end with status 1 where
something does not hold. ``kills`` takes about two seconds a kill, ``bills`` about a minute.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mitools.annotate.client.budget import Budget, Reservation
from mitools.annotate.client.endpoint import Endpoint
from mitools.annotate.client.journal import Journal
from mitools.annotate.client.reply_store import ReplyStore
from mitools.annotate.client.requests import Requests
from mitools.annotate.client.teachers import ChatTeacher
from mitools.annotate.options import AnnotateOptions, Price
from mitools.annotate.run import AnnotationRun
from mitools.errors import TeacherError
from mitools.records import Record
from tests.server import Act, Call, FixtureServer, solve, true_usage

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120.0


@click.group()
def main() -> None:
    """Attack annotate."""


# Kills


@main.command()
@click.option("--kills", default=100, show_default=True)
@click.option("--rows-a-kill", default=12, show_default=True)
@click.option("--concurrency", default=4, show_default=True)
@click.option("--latency", default=0.02, show_default=True, help="Seconds.")
@click.option("--seed", default=0, show_default=True)
def kills(kills: int, rows_a_kill: int, concurrency: int, latency: float, seed: int) -> None:
    """Kill runs on one journal, then finish, and compare with a run that nobody disturbed."""
    rows = kills * rows_a_kill
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, FixtureServer() as server:
        folder = Path(name)
        data, journal = folder / "data.jsonl", folder / "journal"
        data.write_text("".join(json.dumps(record) + "\n" for record in _sums(rows)))
        server.default = Act(delay=latency)
        command = _command(server, data, "--concurrency", str(concurrency))
        kept = ["--journal", str(journal)]
        lost = []
        for _ in range(kills):
            before = len(server.calls) - _answers_in(journal)
            _kill_one(server, [*command, *kept, "-o", os.devnull], chance, 2 * rows_a_kill)
            lost.append(len(server.calls) - _answers_in(journal) - before)
        left = rows - _answers_in(journal)
        calls = len(server.calls)
        finished = _output_of([*command, *kept])
        again = len(server.calls) - calls
        clean = _output_of([*command, "--no-journal"])
    click.echo(f"{kills} kills over {rows:,} rows, {concurrency} in flight")
    click.echo(f"calls before the last run: {calls:,}, lost by kills: {sum(lost)}, ", nl=False)
    click.echo(f"at most {max(lost)} by one kill ({concurrency} allowed)")
    click.echo(f"calls of the last run: {again}, rows that were left: {left}")
    click.echo(f"stdout is that of an undisturbed run: {finished == clean} ({len(clean):,} bytes)")
    is_right = finished == clean and max(lost) <= concurrency and again == left
    sys.exit(0 if is_right and calls + again <= rows + kills * concurrency else 1)


def _sums(count: int) -> list[Record]:
    return [
        {"id": f"r{n}", "input": f"Add {n + 10} and 7.", "label": f"{n + 17}", "task": "equation"}
        for n in range(count)
    ]


def _command(server: FixtureServer, data: Path, *more: str) -> list[str]:
    asked = ["annotate", "-q", "-m", "fixture", "--base-url", server.url, str(data), *more]
    return [sys.executable, "-m", "mitools", *asked]


def _kill_one(
    server: FixtureServer, command: list[str], chance: random.Random, most_calls: int
) -> None:
    """Start a run and kill it at a random moment; then wait until the server has noticed."""
    with subprocess.Popen(command, cwd=ROOT) as process:
        if chance.random() < 0.2:  # while it starts, or opens its journal
            time.sleep(1.5 * chance.random())
        else:
            enough = len(server.calls) + chance.randint(1, most_calls)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while len(server.calls) < enough and process.poll() is None:
                if time.monotonic() > deadline:
                    raise click.ClickException("a run makes no progress")
                time.sleep(0.002)
            time.sleep(0.03 * chance.random())
        process.kill()
    while any(call.done_at == float("inf") for call in server.calls):
        time.sleep(0.005)


def _answers_in(journal: Path) -> int:
    if not journal.exists():
        return 0
    with closing(sqlite3.connect(journal)) as database:
        try:
            query = "SELECT count(*) FROM responses WHERE kind = 'ok'"
            return int(database.execute(query).fetchone()[0])
        except sqlite3.OperationalError:  # killed before it had made the table
            return 0


def _output_of(command: list[str]) -> bytes:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


# Bills

PRICE = Price(1.0, 4.0)
MOST_TOKENS = 200
LONG = "So it goes on, and on, and on. " * 150 + "The answer is 4."


@dataclass(frozen=True)
class Liar:
    """A kind of server.

    Attributes:
        name: for the table.
        act: what it does with a call, and what it charges for it.
        first_excess: which call is the first for which it writes more than ``max_tokens``, from 0;
            None where it keeps to that.
    """

    name: str
    act: Callable[[FixtureServer, Call], Act]
    first_excess: int | None = None


def _says(usage: Any) -> Callable[[FixtureServer, Call], Act]:
    """Charge the whole of max_tokens, as thoughts that nobody sees, and say something else."""
    return lambda _, call: Act(usage=usage, billed=_worst(call), delay=0.01)


def _worst(call: Call) -> dict[str, int]:
    return {**true_usage(call), "completion_tokens": MOST_TOKENS}


def _fails(delay: float = 0.01, **how: Any) -> Callable[[FixtureServer, Call], Act]:
    return lambda _, call: Act(billed=_worst(call), delay=delay, **how)


def _rambles(usage: Any = "true", after: int = 0) -> Callable[[FixtureServer, Call], Act]:
    """Write six times as much as allowed, from some call on."""

    def act(server: FixtureServer, call: Call) -> Act:
        text = LONG if len(server.calls) > after else solve(call.question)
        true = true_usage(call, text)
        return Act(text=text, usage=true if usage == "true" else usage, billed=true, delay=0.01)

    return act


def _honest(_: FixtureServer, call: Call) -> Act:
    true = true_usage(call)
    return Act(usage=true, billed=true, delay=0.01)


def _draws_three(_: FixtureServer, call: Call) -> Act:
    """Answer thrice to one question, and charge for all."""
    text = "One word after another, " * 30 + "The answer is 4."
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
    true = true_usage(call, text)
    billed = {**true, "completion_tokens": 3 * true["completion_tokens"]}
    usage = {**true, "total_tokens": None}
    raw = json.dumps({"choices": [choice] * 3, "usage": usage}).encode()
    return Act(raw=raw, billed=billed, delay=0.01)


LIARS = (
    Liar("honest", _honest),
    Liar("usage negative", _says({"prompt_tokens": -1000, "completion_tokens": -1000})),
    Liar("usage zero", _says({"prompt_tokens": 0, "completion_tokens": 0})),
    Liar("usage boolean", _says({"prompt_tokens": True, "completion_tokens": True})),
    Liar("usage null", _says(None)),
    Liar("usage empty", _says({})),
    Liar("usage only total_tokens", _says({"total_tokens": 12})),
    Liar("usage huge", _says({"prompt_tokens": 10**15, "completion_tokens": 10**15})),
    Liar("usage of 1,000 digits", _says({"prompt_tokens": 10**1000, "completion_tokens": 1})),
    Liar("usage float", _says({"prompt_tokens": 100.5, "completion_tokens": 7.5})),
    Liar("usage NaN", _says({"prompt_tokens": float("nan"), "completion_tokens": float("nan")})),
    Liar("usage string", _says({"prompt_tokens": "100", "completion_tokens": "7"})),
    Liar("usage too low", _says({"prompt_tokens": 1, "completion_tokens": 1})),
    Liar("500 after work", _fails(status=500)),
    Liar("502 after work", _fails(status=502)),
    Liar("504 after work", _fails(status=504)),
    Liar("503 after work, try at once", _fails(status=503, headers={"Retry-After": "0"})),
    Liar("reset in the body", _fails(reset="middle")),
    Liar("reset before the body", _fails(reset="before")),
    Liar("no answer in time", _fails(delay=0.6)),
    Liar("body cut off", _fails(raw=b'{"choices": [{"mess')),
    Liar("JSON 100,000 deep", _fails(raw=b"[" * 100_000)),
    Liar("three answers to one", _draws_three, first_excess=0),
    Liar("ignores max_tokens, says so", _rambles(), first_excess=0),
    Liar("ignores it, usage null", _rambles(None), first_excess=0),
    Liar(
        "ignores it, claims little",
        _rambles({"prompt_tokens": 100, "completion_tokens": 20}),
        first_excess=0,
    ),
    Liar("ignores it from call 40 on", _rambles(after=40), first_excess=40),
)


@main.command()
@click.option("--rows", default=600, show_default=True)
@click.option("--max-cost", default=0.05, show_default=True, help="USD.")
@click.option("--concurrency", "concurrencies", type=int, multiple=True, default=[1, 16, 256])
def bills(rows: int, max_cost: float, concurrencies: tuple[int, ...]) -> None:
    """Let servers lie about their bills, and compare the bills with the cap."""
    shown = " | ".join(f"{count} in flight" for count in concurrencies)
    click.echo(f"cap ${max_cost:.4f}, {rows} rows; bill (counted; calls, rows answered)")
    click.echo(f"| server | {shown} | over the cap at most by |")
    click.echo("|---|" + "---|" * (len(concurrencies) + 1))
    is_right = True
    for liar in LIARS:
        found = [_bill(liar, rows, max_cost, concurrency) for concurrency in concurrencies]
        over = max(bill.billed - max_cost for bill in found)
        is_right &= all(bill.is_allowed for bill in found)
        shown = " | ".join(map(str, found))
        click.echo(f"| {liar.name} | {shown} | {f'${over:.4f}' if over > 1e-9 else '-'} |")
    sys.exit(0 if is_right else 1)


class Watched(Budget):
    """A budget that notes when the first answer came that cost more than was reserved for it."""

    excess_at = float("inf")

    def settle(self, reservation: Reservation, answer: Any) -> None:
        before = self.spent
        super().settle(reservation, answer)
        if self.spent - before > reservation.amount * (1 + 1e-9):
            self.excess_at = min(self.excess_at, time.monotonic())


@dataclass(frozen=True)
class Bill:
    """What came of one run: USD charged and counted, calls, rows answered, and the verdict."""

    billed: float
    counted: float
    calls: int
    answered: int
    is_allowed: bool
    crash: str = ""

    def __str__(self) -> str:
        if self.crash:
            return f"{self.crash} !"
        mark = "" if self.is_allowed else " !"
        return f"${self.billed:.4f} (${self.counted:.4f}; {self.calls}, {self.answered}){mark}"


def _bill(liar: Liar, rows: int, limit: float, concurrency: int) -> Bill:
    budget, crash = Watched(PRICE, limit), ""
    with tempfile.TemporaryDirectory() as name, FixtureServer() as server:
        costs: list[float] = []

        def act(call: Call) -> Act:
            chosen = liar.act(server, call)
            assert chosen.billed is not None
            costs.append(PRICE.cost(*(chosen.billed[name] for name in server.billed)))
            return chosen

        server.act = act
        options = AnnotateOptions(
            model="fixture",
            base_url=server.url,
            max_tokens=MOST_TOKENS,
            concurrency=concurrency,
            timeout_seconds=0.5,
            retries=0,
            max_wait_seconds=5.0,
            max_error_rate=1.0,  # the cap is to end the run, not that all requests fail alike
        )
        requests = Requests(options)
        memory = ReplyStore(requests, Journal(Path(name) / "j"))
        teacher = ChatTeacher(memory, Endpoint(memory.requests, budget))
        run = AnnotationRun(_sums(rows), teacher, options)
        try:
            with run:
                list(run)
        except TeacherError:  # no money is left, no request was answered, or it waits for too long
            pass
        except Exception as exc:
            crash = type(exc).__name__
        while any(call.done_at == float("inf") for call in server.calls):
            time.sleep(0.01)
    allowed = limit
    if liar.first_excess is not None and len(costs) > liar.first_excess:
        pairs = zip(server.calls, costs, strict=True)
        long = itertools.islice(pairs, liar.first_excess, None)
        allowed += sum(cost for call, cost in long if call.at <= budget.excess_at)
    is_allowed = not crash and sum(costs) <= allowed * (1 + 1e-9)
    return Bill(sum(costs), budget.spent, len(costs), run.tally.answered, is_allowed, crash)


if __name__ == "__main__":
    main()
