"""What ``mitools split`` costs on many records, and how many near-duplicates it lets straddle.

    python -m tests.benchmarks.split make 1000000 big.jsonl
    python -m tests.benchmarks.split make --template 16000 tickets.jsonl
    python -m tests.benchmarks.split measure big.jsonl hash exact "stratify label" "dedup exact"
    python -m tests.benchmarks.split leaks big.jsonl

``make`` writes questions of made-up words, 5% of them near-copies of another question: words
changed, left out, put in or swapped, so that the Jaccard index of their shingles is anything from
about 0.4 to 1; the field ``copy_of`` says of which. With ``--template`` each has the same 235
characters of instructions before 8 words of its own. ``measure`` runs each mode as a process of its
own, from a file to /dev/null, and says wall time, CPU time and peak memory. ``leaks`` counts copies
on another side than what they were copied from, by hash alone and with ``--dedup near``, and the
joins that are between different questions. Run it on a quiet machine.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import click

from mitools.split.by_hash import normalized_input

COPIES = 0.05
LABELS = {"yes": 0.6, "no": 0.3, "maybe": 0.09, "never": 0.0099, "odd": 0.0001}
TEMPLATE = (
    "Read the ticket of a customer below, and answer with the queue that it belongs to, in a word. "
    "If it belongs to several queues, answer with the first one that fits. If it belongs to none, "
    "or is not readable, answer with the word other. "
)
OWN_WORDS = 8
THRESHOLD = 0.8
SHINGLE_CHARS = 5


def questions(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Make questions, some of them near-copies of one a few thousand before."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(20_000)]
    weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    recent: deque[tuple[int, list[str]]] = deque(maxlen=5000)
    labels = rng.choices(list(LABELS), list(LABELS.values()), k=count)
    for number, label in enumerate(labels):
        record: dict[str, Any] = {"id": f"q{number:07}"}
        if recent and rng.random() < COPIES:
            origin, text = recent[rng.randrange(len(recent))]
            record["copy_of"] = f"q{origin:07}"
            text = edited(text, words, rng)
        else:
            text = rng.choices(words, cum_weights=weights, k=rng.randint(15, 40))
            text.append(str(rng.randrange(10_000)))
            recent.append((number, text))
        yield {**record, "input": " ".join(text) + "?", "label": label}


def edited(text: list[str], words: list[str], rng: random.Random) -> list[str]:
    """Change a text at one to four places."""
    text = list(text)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(text))
        kind = rng.choice(["change", "leave out", "put in", "swap", "shout"])
        if kind == "change":
            text[place] = rng.choice(words)
        elif kind == "leave out" and len(text) > 1:
            del text[place]
        elif kind == "put in":
            text.insert(place, rng.choice(words))
        elif kind == "swap":
            text[place - 1], text[place] = text[place], text[place - 1]
        else:
            text[place] = text[place].upper()
    return text


def run(args: list[str], output: str = os.devnull) -> tuple[float, float, float]:
    """Run ``mitools split``; gives wall and CPU seconds and peak memory in MB."""
    start = time.perf_counter()
    with open(output, "wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "mitools", "split", "-q", *args], stdout=stdout
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"mitools split {' '.join(args)} ended with {process.returncode}")
    wall = time.perf_counter() - start
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


@click.group()
def main() -> None:
    """Measure the split stage."""


@main.command()
@click.argument("count", type=int)
@click.argument("path")
@click.option("--template", is_flag=True, help="Begin each with the same instructions.")
def make(count: int, path: str, template: bool) -> None:
    """Write COUNT questions to PATH."""
    with open(path, "w", encoding="utf-8") as stream:
        for record in questions(count):
            if template:
                record["input"] = TEMPLATE + " ".join(record["input"].split()[:OWN_WORDS])
            stream.write(json.dumps(record) + "\n")


@main.command()
@click.argument("path")
@click.argument("modes", nargs=-1)
def measure(path: str, modes: tuple[str, ...]) -> None:
    """Time each mode, which is "hash" or an option without its dashes, on the records in PATH."""
    for mode in modes:
        name, *values = mode.split()
        args = [] if name == "hash" else [f"--{name}", *values]
        wall, cpu, peak = run([path, *args])
        click.echo(f"{mode:20} {wall:8.1f} s wall {cpu:8.1f} s CPU {peak:8.0f} MB")


@main.command()
@click.argument("path")
def leaks(path: str) -> None:
    """Count the near-copies in PATH that straddle splits, by their similarity."""
    inputs: dict[str, str] = {}
    origins: dict[str, str] = {}
    with open(path, encoding="utf-8") as stream:
        for record in map(json.loads, stream):
            inputs[record["id"]] = normalized_input(record["input"])
            origins[record["id"]] = record.get("copy_of", record["id"])
    copies = {name: origin for name, origin in origins.items() if name != origin}
    similar = {name: similarity(inputs[name], inputs[copies[name]]) for name in copies}
    near = [name for name in copies if similar[name] >= THRESHOLD]
    click.echo(f"{len(copies):,} near-copies, {len(near):,} of them at {THRESHOLD} or more")
    with tempfile.TemporaryDirectory() as folder:
        for args in ([], ["--dedup", "near", "--report", f"{folder}/report.json"]):
            run([path, *args], f"{folder}/split.jsonl")
            splits = read_splits(f"{folder}/split.jsonl")
            apart = Counter(name in near for name in copies if splits[name] != splits[copies[name]])
            click.echo(
                f"{' '.join(args[:2]) or 'hash':14} {apart[True]:,} of {len(near):,} straddle"
            )
        figures = json.loads(Path(f"{folder}/report.json").read_text())
    joined = [[origins[name] for name in ids] for ids in figures["duplicates"]["ids"]]
    wrong = sum(len(set(names)) > 1 for names in joined)
    click.echo(f"{len(joined):,} clusters, {wrong:,} of them with different questions")


def similarity(left: str, right: str) -> float:
    # Imported late: a child's peak of memory is never below what its parent had when it began.
    from mitools.split.near_duplicates import jaccard, shingles

    return jaccard(shingles(left, SHINGLE_CHARS), shingles(right, SHINGLE_CHARS))


def read_splits(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8") as stream:
        return {record["id"]: record["split"] for record in map(json.loads, stream)}


if __name__ == "__main__":
    main()
