"""How well teachers' texts are read, and how fast: cases with known readings, and made-up tails.

    python tests/benchmarks/reading.py cases.jsonl
    python tests/benchmarks/reading.py --examples 2000
    python tests/benchmarks/reading.py --lengths 10000,50000,200000

A case is a line with ``task``, ``completion``, ``choices`` where there are some, and ``expected``:
the label, null where nothing may be read, or ``!x`` for anything but x. Of each task the table says
how many are read right, misread (a wrong label, or any where nothing may be read) and left unread.

``--examples`` makes inference records whose completions go on to invent a next example, and counts
those whose rationale keeps any of it. ``--lengths`` times hostile texts; the time may grow with
the length and no faster.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from mitools.annotate.leak import says_it_was_told
from mitools.expressions import find_expressions
from mitools.reading import clean, own_text
from mitools.tasks import How, task_named

NLI = ["entailment", "neutral", "contradiction"]
SUBJECTS = ("A man", "The singer", "A small dog", "Two children", "The old mayor", "A nurse")
DEEDS = ("walks to the market", "plays the cello", "sleeps in a chair", "wrote a novel in 1998")
HEADERS = (
    ("Premise", "Hypothesis"),
    ("Context", "Claim"),
    ("Text", "Statement"),
    ("Sentence 1", "Sentence 2"),
)
PIECES = {
    "line breaks": "\n",
    "spaces": " ",
    "dashes": "-",
    "spaced dashes": "- ",
    "opening brackets": "(",
    "closing brackets": ")",
    "braces": "{",
    "thought opens": "<think>",
    "thought closes": "</think>",
    "digits": "1",
    "groups of digits": ",234",
    "commas": ",",
    "backslashes": "\\",
    "fractions": "\\frac{",
    "boxes": "\\boxed{",
    "stars": "*",
    "cues": "the answer is ",
    "cues that negate": "the answer is not ",
    "headers": "premise:\n",
    "questions": "q:\nx\n",
    "objects": '{"a":',
    "tags": "<answer>",
    "sums": "1 + ",
    "powers": "2^",
    "number words": "hundred ",
    "adjectives": "given ",
}


def show(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def outcome(case: dict[str, Any]) -> str:
    """Say whether one case is read right, misread or left unread."""
    task = task_named(case["task"])
    label = task.parse(case["completion"], case.get("choices")).label
    expected = case["expected"]
    if isinstance(expected, str) and expected.startswith("!"):
        return "misread" if task.is_equal(label, expected[1:]) else "right"
    if label is None:
        return "right" if expected is None else "unread"
    return "right" if label == expected or task.is_equal(label, expected) else "misread"


def score(path: str, *, verbose: bool) -> None:
    """Score a file of cases by task."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            case = json.loads(line)
            found = outcome(case)
            counts[case["task"]][found] += 1
            counts["all"][found] += 1
            if verbose and found != "right":
                show(f"{path}:{number}: {found}: {case['completion']!r}")
    show(f"{'task':10}{'right':>8}{'misread':>9}{'unread':>8}{'cases':>8}{'right':>9}")
    for name, row in counts.items():
        total = row.total()
        figures = f"{row['right']:8}{row['misread']:9}{row['unread']:8}{total:8}"
        show(f"{name:10}{figures}{row['right'] / total:9.1%}")


def examples(count: int, seed: int = 0) -> Iterator[tuple[str, str, str]]:
    """Make inference records: input, completion with an invented next example, and label."""
    chance = random.Random(seed)
    for number in range(count):
        first, second = chance.choice(HEADERS)

        def said() -> str:
            return f"{chance.choice(SUBJECTS)} {chance.choice(DEEDS)}"

        label, other = chance.choice(NLI), chance.choice(NLI)
        asked = f"{first}: {said()} number {number}.\n{second}: {said()}."
        reasons = f"It says that {said().lower()}. Nothing else is said of it."
        breaks = "\n" * chance.randint(1, 3)
        tail = f"{first}: {said()} elsewhere.\n{second}: {said()}.\nThat is so. "
        tail += f"So the answer is {other}."
        repeated = f"{asked}\n" if chance.random() < 0.2 else ""
        yield asked, f"{repeated}{reasons} So the answer is {label}.{breaks}{tail}", label


def count_tails(count: int) -> None:
    """Count the rationales that keep an invented example, and the labels that come from it."""
    labels = task_named("labels")
    kept = wrong = 0
    for asked, completion, label in examples(count):
        answer = labels.parse(completion, NLI, How(asked=asked))
        kept += "elsewhere" in answer.rationale
        wrong += answer.label != label
    show(f"{count} completions with an invented next example: {kept} rationales keep it, "
          f"{wrong} labels are not the record's own")  # fmt: skip


def readers() -> dict[str, Callable[[str], object]]:
    """Name what reads a whole text."""
    found: dict[str, Callable[[str], object]] = {
        "clean": clean,
        "own_text": own_text,
        "find_expressions": lambda text: list(find_expressions(text)),
        "says_it_was_told": says_it_was_told,
    }
    for name in ("choice", "labels", "equation", "text"):
        task, choices = task_named(name), NLI if name in ("choice", "labels") else None
        found[f"parse {name}"] = partial(task.parse, choices=choices)
        found[f"supported {name}"] = partial(task.supported, choices=choices)
    return found


def time_hostile(lengths: list[int]) -> None:
    """Time the slowest hostile text of each length, by reader, in milliseconds."""
    show(f"{'reader':20}{''.join(f'{length:>12,}' for length in lengths)}  slowest text")
    for name, read in readers().items():
        slowest: dict[int, tuple[float, str]] = {}
        for length in lengths:
            for piece, text in PIECES.items():
                whole = (text * (length // len(text) + 1))[:length]
                for shown in (whole, f"So.\n{whole}\nThe answer is 5."):
                    started = time.process_time()
                    read(shown)
                    spent = 1000 * (time.process_time() - started)
                    slowest[length] = max(slowest.get(length, (0.0, "")), (spent, piece))
        figures = "".join(f"{slowest[length][0]:12.1f}" for length in lengths)
        show(f"{name:20}{figures}  {slowest[lengths[-1]][1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", help="files of cases, JSON Lines")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what is not right")
    parser.add_argument("--examples", type=int, metavar="N", help="make N invented examples")
    parser.add_argument("--lengths", metavar="N,N", help="time hostile texts of these lengths")
    asked = parser.parse_args()
    for path in asked.cases:
        score(path, verbose=asked.verbose)
    if asked.examples:
        count_tails(asked.examples)
    if asked.lengths:
        time_hostile([int(length) for length in asked.lengths.split(",")])


if __name__ == "__main__":
    main()
