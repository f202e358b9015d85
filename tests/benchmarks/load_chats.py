"""Chat logs and traces in ``load``: rows per second, memory, and how long rationales are cut.

    python -m tests.benchmarks.load_chats --rows 20000
    python -m tests.benchmarks.load_chats --words 15 --records FILE

``--rows`` writes files of equal size with the same texts, and loads each in turn: records that are
already whole, a chat log, and traces with three samples. CPU time is measured in this process,
without writing the output; the best of three runs counts. Memory is the peak of a process that
loads the chat log, at the given number of rows and at five times as many.

``--words`` cuts rationales in four ways, and counts those from which the reader of the task still
reads the label that the reply states. Without ``--records``, the rationales are those of made-up
stories of eight steps. A file holds records with ``completion``, ``task`` and ``choices``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from mitools.demo import StoryOptions, solve, story_problems
from mitools.reading.sentences import sentence_ends
from mitools.sources.chat.shorten import shorten
from mitools.sources.load_records import load_records
from mitools.sources.options import LoadOptions
from mitools.tasks import read_answer, task_named

SENTENCE = "The van leaves at 8 and takes 12 boxes to the shop. "
THOUGHT = "Wait, let me look at the boxes again. "
ANSWER = "12 boxes and 30 boxes are 42 boxes. The answer is 42."


def question(number: int) -> str:
    return f"{SENTENCE * 3}How many boxes are there in case {number}?"


def record(number: int) -> dict[str, Any]:
    teacher = {"label": "42", "rationale": ANSWER[:36], "agrees": None}
    return {"input": question(number), "task": "equation", "completion": ANSWER, "teacher": teacher}


def chat(number: int) -> dict[str, Any]:
    messages = [
        {"role": "user", "content": question(number)},
        {"role": "assistant", "content": ANSWER},
    ]
    return {"messages": messages, "model": "m"}


def traces(number: int) -> dict[str, Any]:
    sample = f"<think>\n{THOUGHT * 250}\n</think>\n{ANSWER}"
    return {"problem": question(number), "answer": "42", "generations": [sample] * 3}


KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "records": record,
    "chat log": chat,
    "traces": traces,
}


def write(path: Path, make: Callable[[int], dict[str, Any]], size: int) -> tuple[int, int]:
    """Write rows up to a number of bytes; returns the numbers of rows and bytes."""
    rows = written = 0
    with path.open("w") as stream:
        while written < size:
            written += stream.write(json.dumps(make(rows)) + "\n")
            rows += 1
    return rows, written


def cpu_seconds(path: Path, options: LoadOptions) -> float:
    started = time.process_time()
    for _ in load_records(path, options):
        pass
    return time.process_time() - started


def measure_speed(rows: int, folder: Path) -> None:
    size = rows * len(json.dumps(record(rows)))
    ways = {
        "records": LoadOptions(),
        "chat log": LoadOptions(task="equation"),
        "traces": LoadOptions(task="equation"),
        "traces, cut to 60 words of thoughts": LoadOptions(
            task="equation", rationale_from="thoughts", max_rationale_words=60
        ),
    }
    counts = {name: write(folder / f"{name}.jsonl", make, size) for name, make in KINDS.items()}
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(3):
        for way, options in ways.items():
            path = folder / f"{way.partition(',')[0]}.jsonl"
            best[way] = min(best[way], cpu_seconds(path, options))
    for way, seconds in best.items():
        count, size = counts[way.partition(",")[0]]
        rate = f"{count / seconds:9,.0f} rows/s {size / seconds / 2**20:7.1f} MiB/s"
        sys.stdout.write(f"{way:36} {count:7,} rows {rate}  {seconds / best['records']:.2f} x\n")


def measure_memory(rows: int, folder: Path) -> None:
    for count in (rows, 5 * rows):
        path = folder / "memory.jsonl"
        write(path, chat, count * len(json.dumps(chat(count))))
        child = [sys.executable, __file__, "--peak", str(path)]
        done = subprocess.run(child, capture_output=True, text=True, check=True)
        sys.stdout.write(f"peak memory, about {count:,} rows: {done.stdout}")


def first_words(text: str, most: int) -> str:
    return " ".join(text.split()[:most])


def last_words(text: str, most: int) -> str:
    return " ".join(text.split()[-most:])


def first_sentences(text: str, most: int) -> str:
    end = max((end for end in sentence_ends(text) if len(text[:end].split()) <= most), default=0)
    return text[:end]


def sentences(text: str) -> set[str]:
    places = [0, *sentence_ends(text), len(text)]
    return {" ".join(text[one:other].split()) for one, other in pairwise(places)}


CUTS: dict[str, Callable[[str, int], str]] = {
    "the first words": first_words,
    "the last words": last_words,
    "the first sentences": first_sentences,
    "first and last sentences (load)": lambda text, most: shorten(text, most).text,
}


def replies(path: str | None) -> Iterator[tuple[str, str, list[str] | None]]:
    """Yield completions with their task and choices."""
    if path is None:
        for problem in story_problems(1000, 0, StoryOptions(8, 2, "value")):
            yield solve(problem["input"], 0, 0.0), "equation", None
        return
    with open(path) as stream:
        for line in stream:
            row = json.loads(line)
            choices = row.get("choices")
            task = row.get("task") or ("choice" if choices else "equation")
            yield row["completion"], task, choices


def measure_cuts(most: int, path: str | None) -> None:
    total = 0
    kept = dict.fromkeys(CUTS, 0)
    broken = dict.fromkeys(CUTS, 0)
    for text, name, choices in replies(path):
        answer = read_answer(text, name, choices)
        task = task_named(name)
        label, rationale = answer.label, answer.rationale
        if label is None or len(rationale.split()) <= most:
            continue
        if not task.is_equal(task.supported(rationale, choices), label):
            continue  # the whole rationale does not lead to it either
        total += 1
        for way, cut in CUTS.items():
            short = cut(rationale, most)
            kept[way] += task.is_equal(task.supported(short, choices), label)
            broken[way] += not sentences(short) <= sentences(rationale)
    sys.stdout.write(f"{total:,} rationales of more than {most} words that support their label\n")
    for way in CUTS:
        shares = f"{kept[way] / total:6.1%} still do, {broken[way] / total:6.1%} cut a sentence"
        sys.stdout.write(f"{way:32} {shares}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--words", type=int)
    parser.add_argument("--records")
    parser.add_argument("--peak", type=Path)
    args = parser.parse_args()
    if args.peak:
        cpu_seconds(args.peak, LoadOptions(task="equation"))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sys.stdout.write(f"{peak / 1024:.0f} MiB\n")
        return
    if args.rows:
        with tempfile.TemporaryDirectory() as folder:
            measure_speed(args.rows, Path(folder))
            measure_memory(args.rows, Path(folder))
    if args.words:
        measure_cuts(args.words, args.records)


if __name__ == "__main__":
    main()
