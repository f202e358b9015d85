"""How fast ``mitools annotate`` asks, beside other clients; what a row costs; what memory it takes.

    python -m tests.benchmarks.annotate throughput --concurrency 64 --concurrency 256
    python -m tests.benchmarks.annotate journal --rows 100000
    python -m tests.benchmarks.annotate memory --rows 10000 --rows 1000000
    python -m tests.benchmarks.annotate strategies --rows 2000

``throughput``: a server of our own answers each request after 200 ms; every client is a process of
its own, in turn, and asks the same questions. Rows a second are between the server's first request
and its last answer; CPU is the client process's, less what it takes for one row (its start).
Clients: mitools with its journal, mitools without, the script that people write (``AsyncOpenAI``,
a semaphore, ``gather``), and bespokelabs-curator in a Python of its own (``--curator-python``), as
its requirements are older than ours. ``--tree`` adds another checkout of mitools, in turn with this
one; of several ``--rounds`` the smallest CPU time and the highest rate count; ``--busy`` processes
that never wait run beside them. Run it on a quiet machine: the server takes its share of the
cores. ``strategies``: a server that is right with a known probability, calls counted by it, beside
what probability theory says.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mitools.annotate.client.endpoint import Endpoint
from mitools.annotate.client.journal import Journal
from mitools.annotate.client.reply_store import ReplyStore
from mitools.annotate.client.requests import Requests
from mitools.annotate.client.teachers import ChatTeacher
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Question
from mitools.annotate.run import AnnotationRun as Annotation
from mitools.annotate.strategy import Strategy
from mitools.tasks import task_named
from tests.server import Act, Call, FixtureServer

ROOT = Path(__file__).parents[2]
SYSTEM = "You solve word problems. Reason in a few short sentences, then state the answer."

PLAIN = """
import asyncio, json, sys
from openai import AsyncOpenAI

async def main(path, url, concurrency):
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=2)
    semaphore = asyncio.Semaphore(concurrency)
    async def ask(record):
        async with semaphore:
            answer = await client.chat.completions.create(
                model="latency",
                messages=[{"role": "system", "content": SYSTEM},
                          {"role": "user", "content": record["input"]}],
            )
        return {**record, "completion": answer.choices[0].message.content}
    records = [json.loads(line) for line in open(path)]
    for record in await asyncio.gather(*map(ask, records)):
        sys.stdout.write(json.dumps(record) + "\\n")

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""

CURATOR = """
import json, sys
from bespokelabs import curator

class Asker(curator.LLM):
    def prompt(self, row):
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": row["input"]}]
    def parse(self, row, response):
        return {**row, "completion": response}

path, url, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3])
asker = Asker(
    model_name="openai/latency", backend="openai",
    backend_params={"base_url": url, "api_key": "none", "max_concurrent_requests": concurrency,
                    "max_requests_per_minute": 10_000_000, "max_tokens_per_minute": 10_000_000_000},
)
asker([json.loads(line) for line in open(path)])
"""


@dataclass(frozen=True)
class AnnotationRun:
    """One client process: seconds of wall and CPU time, peak memory in MB, the server's counts."""

    wall: float
    cpu: float
    peak: float
    stats: dict[str, float]

    @property
    def rows_a_second(self) -> float:
        return self.stats["calls"] / (self.stats["last"] - self.stats["first"])


@contextlib.contextmanager
def serving(latency: float) -> Iterator[int]:
    """Run the server; gives its port."""
    command = [sys.executable, "-m", "tests.benchmarks.latency_server", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def measure(command: list[str], latency: float, folder: Path, tree: Path = ROOT) -> AnnotationRun:
    """Run a client against a fresh server; ``URL`` in the command is the server's."""
    with serving(latency) as port:
        url = f"http://127.0.0.1:{port}/v1"
        seconds, usage = timed([part.replace("URL", url) for part in command], folder, tree)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/stats")
        stats = json.loads(connection.getresponse().read())
        connection.close()
    cpu = usage.ru_utime + usage.ru_stime
    return AnnotationRun(seconds, cpu, usage.ru_maxrss / 1024, stats)


def timed(command: list[str], folder: Path, tree: Path = ROOT) -> tuple[float, Any]:
    """Run a command to its end; its output goes to the null device."""
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "CURATOR_CACHE_DIR": tempfile.mkdtemp(dir=folder),  # it would remember the run before
        "CURATOR_DISABLE_RICH_DISPLAY": "1",
        "TELEMETRY_ENABLED": "false",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(tree),
    }
    with (folder / "stderr").open("w") as err, open(os.devnull, "w") as out:
        begin = time.monotonic()
        process = subprocess.Popen(command, cwd=tree, env=environment, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException((folder / "stderr").read_text()[-2000:])
    return seconds, usage


def write_questions(path: Path, count: int) -> Path:
    """Write word problems, each different."""
    with path.open("w") as stream:
        for number in range(count):
            text = f"{number + 12} cows are in a field, and 7 more come to it. How many are there?"
            record = {"id": f"q{number}", "input": text, "label": f"{number + 19}"}
            stream.write(json.dumps({**record, "task": "equation"}) + "\n")
    return path


def mitools(*arguments: str) -> list[str]:
    asked = ["-m", "latency", "--base-url", "URL", "--system", SYSTEM, "-q"]
    return [sys.executable, "-m", "mitools", "annotate", *asked, *arguments]


@dataclass(frozen=True)
class Client:
    """A command that asks every question of a file, and the checkout that it runs in."""

    name: str
    command: list[str]
    tree: Path = ROOT

    def fresh(self, data: Path, folder: Path) -> list[str]:
        """Fill in the file of questions, and a journal that does not exist yet."""
        places = {"DATA": str(data), "JOURNAL": f"{tempfile.mkdtemp(dir=folder)}/journal"}
        return [places.get(part, part) for part in self.command]


def clients(concurrency: int, curator: str | None, trees: Iterable[Path]) -> list[Client]:
    most = str(concurrency)
    script = f"SYSTEM = {SYSTEM!r}\n"
    found = []
    for tree in (ROOT, *trees):
        name = "mitools" if tree == ROOT else f"mitools in {tree.name}"
        asked = mitools("--concurrency", most, "DATA")
        found.append(Client(name, [*asked, "--journal", "JOURNAL"], tree))
        found.append(Client(f"{name}, --no-journal", [*asked, "--no-journal"], tree))
    plain = [sys.executable, "-c", script + PLAIN, "DATA", "URL", most]
    found.append(Client("AsyncOpenAI + semaphore", plain))
    if curator is not None:
        found.append(Client("curator", [curator, "-c", script + CURATOR, "DATA", "URL", most]))
    return found


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Run processes that never wait."""
    loop = [sys.executable, "-c", "while True: pass"]
    spinning = [subprocess.Popen(loop) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@click.group()
def main() -> None:
    """Measure annotate."""


@main.command()
@click.option("--rows", default=6000, show_default=True)
@click.option("--latency", default=0.2, show_default=True, help="Seconds.")
@click.option("--concurrency", "concurrencies", type=int, multiple=True, default=[64, 256])
@click.option("--rounds", default=1, show_default=True)
@click.option("--curator-python", "curator", help="A Python that has bespokelabs-curator.")
@click.option("--tree", "trees", type=Path, multiple=True, help="Another checkout of mitools.")
@click.option("--busy", "beside", default=0, help="Processes beside it that never wait.")
def throughput(
    rows: int,
    latency: float,
    concurrencies: tuple[int, ...],
    rounds: int,
    curator: str | None,
    trees: tuple[Path, ...],
    beside: int,
) -> None:
    """Ask a server of fixed latency."""
    click.echo("| in flight | client | rows/s | of ideal | CPU ms a row | wall s | peak MB |")
    click.echo("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, busy(beside):
        folder = Path(name)
        data = write_questions(folder / "many.jsonl", rows)
        one = write_questions(folder / "one.jsonl", 1)
        for concurrency in concurrencies:
            every = clients(concurrency, curator, trees)
            starts: dict[str, list[AnnotationRun]] = {client.name: [] for client in every}
            runs: dict[str, list[AnnotationRun]] = {client.name: [] for client in every}
            for client in every * rounds:  # in turn
                for kept, asked in ((starts, one), (runs, data)):
                    command = client.fresh(asked, folder)
                    kept[client.name].append(measure(command, latency, folder, client.tree))
            for client in every:
                start = min(run.cpu for run in starts[client.name])
                done = runs[client.name]
                cpu = (min(run.cpu for run in done) - start) / (rows - 1) * 1000
                rate = max(run.rows_a_second for run in done)
                click.echo(
                    f"| {concurrency} | {client.name} | {rate:,.0f} "
                    f"| {rate / (concurrency / latency):.0%} | {cpu:.2f} "
                    f"| {min(run.wall for run in done):.1f} "
                    f"| {max(run.peak for run in done):,.0f} |"
                )


@main.command()
@click.option("--rows", default=100_000, show_default=True)
def journal(rows: int) -> None:
    """Answer everything from a full journal: the stage, and the lookups alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = write_questions(folder / "many.jsonl", rows)
        place = folder / "journal"
        fill = mitools("--concurrency", "64", "--journal", str(place), str(data))
        measure(fill, 0.0, folder)
        command = mitools("--offline", "--journal", str(place))
        command = [part.replace("URL", "http://127.0.0.1:9/v1") for part in command]
        # The journal's key holds the URL, so the answers are asked for under the one they have.
        relabel(place, data)
        one = write_questions(folder / "one.jsonl", 1)
        start, _ = timed([*command, str(one)], folder)
        seconds, usage = timed([*command, str(data)], folder)
        click.echo(
            f"stage: {rows / (seconds - start):,.0f} rows/s, peak {usage.ru_maxrss / 1024:.0f} MB"
        )
        click.echo(f"lookups: {rows / look_up_all(place):,.0f} a second")


def relabel(place: Path, data: Path) -> None:
    """Rename the answers in a journal to what they are called under another URL."""
    options = AnnotateOptions(model="latency", base_url="http://127.0.0.1:9/v1", system=SYSTEM)
    requests = Requests(options)
    task = task_named("equation")
    database = sqlite3.connect(place)
    with data.open() as stream:
        for line in stream:
            record = json.loads(line)
            key = requests.make(Question(record, task)).key
            database.execute("UPDATE responses SET key = ? WHERE record = ?", (key, record["id"]))
    database.commit()
    database.close()


def look_up_all(place: Path) -> float:
    """Find every entry once; gives the seconds."""
    database = sqlite3.connect(place)
    keys = [key for (key,) in database.execute("SELECT key FROM responses")]
    database.close()
    random.Random(0).shuffle(keys)
    opened = Journal(place)
    begin = time.monotonic()
    for key in keys:
        assert opened.find(key) is not None
    seconds = time.monotonic() - begin
    opened.close()
    return seconds


@main.command()
@click.option("--rows", "counts", type=int, multiple=True, default=[10_000, 1_000_000])
@click.option("--ask-up-to", default=50_000, show_default=True, help="More are replayed only.")
def memory(counts: tuple[int, ...], ask_up_to: int) -> None:
    """Annotate more and more rows: replayed, and asked of a server without latency."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in counts:
            data = write_questions(folder / "many.jsonl", count)
            replayed = folder / "replay.jsonl"
            with data.open() as stream, replayed.open("w") as out:
                for line in stream:
                    record = {**json.loads(line), "completion": "So it is. The answer is 19."}
                    out.write(json.dumps(record) + "\n")
            base = [sys.executable, "-m", "mitools", "annotate", "-q"]
            seconds, usage = timed([*base, "--teacher", "replay", str(replayed)], folder)
            _say(count, "replay", seconds, usage.ru_maxrss / 1024)
            if count > ask_up_to:
                continue
            place = str(folder / f"journal-{count}")
            run = measure(mitools("--journal", place, str(data)), 0.0, folder)
            _say(count, "server", run.wall, run.peak)


@main.command()
@click.option("--rows", default=2000, show_default=True)
def strategies(rows: int) -> None:
    """Count the calls that an accepted rationale takes."""
    click.echo("| right | strategy | calls a row | theory | rows with one | calls a right one |")
    click.echo("|---|---|---|---|---|---|")
    for share in (0.5, 0.75, 0.9):
        for strategy in (
            Strategy(),
            Strategy("star"),
            Strategy(samples=4),
            Strategy(samples=4, stop_after=1),
            Strategy(samples=8, stop_after=2),
        ):
            done = ask_by_chance(strategy, share, rows)
            click.echo(
                f"| {share:.0%} | {_name(strategy)} | {done.calls / rows:.3f} "
                f"| {strategy.expected_calls(share):.3f} | {done.records / rows:.1%} "
                f"| {done.calls / done.agreeing:.3f} |"
            )


def _name(strategy: Strategy) -> str:
    parts = [strategy.name]
    parts += [f"--samples {strategy.samples}"] * (strategy.samples > 1)
    parts += [f"--stop-after {strategy.stop_after}"] * (strategy.stop_after is not None)
    return " ".join(parts)


@dataclass(frozen=True)
class Counted:
    """The server's calls, the rationales that agree with gold, the records that have one."""

    calls: int
    agreeing: int
    records: int


def ask_by_chance(strategy: Strategy, share: float, rows: int) -> Counted:
    """Ask a server that is right by chance, and whenever it is told the answer."""
    chance = random.Random(f"{strategy} {share}")

    def act(call: Call) -> Act:
        numbers = re.findall(r"\d+", call.question)
        is_right = "The answer is" in call.question or chance.random() < share
        return Act(text=f"So it goes. The answer is {int(numbers[0]) + 7 + (not is_right)}.")

    with FixtureServer() as server, tempfile.TemporaryDirectory() as name:
        server.act = act
        data = write_questions(Path(name) / "data.jsonl", rows)
        records = [json.loads(line) for line in data.read_text().splitlines()]
        asked = AnnotateOptions(
            model="m",
            base_url=server.url,
            strategy=strategy.name,
            samples=strategy.samples,
            stop_after=strategy.stop_after,
        )
        store = ReplyStore(Requests(asked), None)
        teacher = ChatTeacher(store, Endpoint(store.requests))
        with Annotation(records, teacher, asked) as run:
            done = [record["teacher"] for record in run]
        every = [teacher.get("samples", [teacher]) for teacher in done]
        agreeing = [sum(bool(sample["agrees"]) for sample in samples) for samples in every]
        return Counted(len(server.calls), sum(agreeing), sum(map(bool, agreeing)))


def _say(rows: int, teacher: str, seconds: float, peak: float) -> None:
    click.echo(f"{rows:>9,} rows, {teacher}: {rows / seconds:,.0f} rows/s, peak {peak:,.0f} MB")


if __name__ == "__main__":
    main()
