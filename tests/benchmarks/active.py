"""Does asking about the least sure records teach more than asking about random ones?

    python -m tests.benchmarks.active demo
    python -m tests.benchmarks.active svamp.train.jsonl svamp.test.jsonl --student arithmetic
    python -m tests.benchmarks.active cqa.pool.jsonl cqa.test.jsonl --student encoder:MODEL

Each seed begins with random records; then every round adds some that the student is unsure of, or
further random ones, by :mod:`mitools.cascade.selection` as ``mitools annotate`` does. ``drawn`` is
``--least-sure``, ``lowest`` is ``--least-sure --no-spread``. The student is small enough for many
trainings in minutes, and is not a language model: ``form`` chooses the form of the equation, such
as ``n0 - n1`` over the numbers in the text, by TF-IDF of the words with logistic regression; others
are baselines of ``mitools eval``. It learns from the teacher alone: the demo's rules with 5% wrong
answers, or the completions in the file. An answer that cannot be read, or is not made of the
problem's numbers, is paid for and teaches nothing.

Prints mean accuracy on the test records with the 95% interval over seeds (Student's t), and the
paired differences from random.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.stats import t
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mitools.annotate.annotate_records import annotate_records
from mitools.annotate.options import AnnotateOptions
from mitools.cascade.ask_student import AskedRecord
from mitools.cascade.selection import Selection
from mitools.evaluate.baselines.open_baselines import make_baselines, open_encoders
from mitools.evaluate.baselines.protocol import Example, Problem
from mitools.evaluate.options import EvalOptions
from mitools.records import Record, read_records
from mitools.sources.load_records import load_records
from mitools.sources.options import LoadOptions
from mitools.tasks import task_of

CHOICES = ("random", "drawn", "lowest")


class Student(Protocol):
    """Answers records with its confidence in each answer."""

    def ask(self, records: Sequence[Record]) -> list[AskedRecord]: ...


MakeStudent = Callable[[Sequence[Record]], Student]


class Bench(NamedTuple):
    """What there is to choose from and to test on, and the teacher."""

    pool: Sequence[Record]
    test: Sequence[Record]
    options: AnnotateOptions


_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def form_of(label: str, text: str) -> str | None:
    """Write an equation over the places of its numbers in a text; None if one is missing there."""
    places: dict[float, str] = {}
    for place, number in enumerate(_NUMBER.findall(text)):
        places.setdefault(float(number), f"n{place}")
    found = [places.get(float(number)) for number in _NUMBER.findall(label)]
    if not found or None in found:
        return None
    names = iter(found)
    return re.sub(r"\s", "", _NUMBER.sub(lambda _number: str(next(names)), label))


def fill(form: str, text: str) -> str | None:
    """Put the numbers of a text into a form; None if it has too few."""
    numbers = _NUMBER.findall(text)
    if any(int(place) >= len(numbers) for place in re.findall(r"n(\d+)", form)):
        return None
    return re.sub(r"n(\d+)", lambda found: numbers[int(found[1])], form)


class BaselineStudent:
    """A baseline of ``mitools eval`` that learns the teacher's labels."""

    def __init__(self, name: str, encoders: dict[str, Any], records: Sequence[Record]) -> None:
        """Learn from the records that the teacher answered."""
        [self._model] = make_baselines(
            EvalOptions(baselines=(name,)), encoders, None, None
        ).values()
        taught = [(one, (one.get("teacher") or {}).get("label")) for one in records]
        self._model.fit(
            [Example(_problem(one), label) for one, label in taught if label is not None]
        )

    def ask(self, records: Sequence[Record]) -> list[AskedRecord]:
        """Answer records."""
        guesses = self._model.answer([*map(_problem, records)])
        return [
            AskedRecord(record, {"label": guess.label}, guess.confidence)
            for record, guess in zip(records, guesses, strict=True)
        ]


class CachedEncoder:
    """A sentence encoder that encodes each text once."""

    def __init__(self, encoder: Any) -> None:
        self.name = encoder.name
        self._encoder = encoder
        self._known: dict[str, Any] = {}

    def encode(self, texts: Sequence[str]) -> Any:
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._known.update(zip(missing, np.asarray(self._encoder.encode(missing)), strict=True))
        return np.array([self._known[text] for text in texts])


def _problem(record: Record) -> Problem:
    choices = tuple(dict.fromkeys(record.get("choices") or ()))
    return Problem(str(record["id"]), record["input"], record["task"], choices)


class FormStudent:
    """Chooses the form of the equation from the words of the problem."""

    def __init__(self, records: Sequence[Record]) -> None:
        """Learn from the records that the teacher answered."""
        pairs = []
        for record in records:
            label = (record.get("teacher") or {}).get("label")
            form = None if label is None else form_of(label, record["input"])
            if form is not None:
                pairs.append((_words(record), form))
        texts, forms = zip(*pairs, strict=True)
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        self._model = make_pipeline(words, LogisticRegression(C=20, max_iter=300))
        self._model.fit(texts, forms)

    def ask(self, records: Sequence[Record]) -> list[AskedRecord]:
        """Answer records, each with the most probable form that its numbers can fill."""
        forms = self._model.classes_
        chances = self._model.predict_proba([_words(record) for record in records])
        asked = []
        for record, row in zip(records, chances, strict=True):
            label, confidence = None, None
            for place in np.argsort(-row):
                label = fill(forms[place], record["input"])
                if label is not None:
                    confidence = float(row[place])
                    break
            asked.append(AskedRecord(record, {"label": label}, confidence))
        return asked


def accuracy(student: Student, records: Sequence[Record]) -> float:
    """Compute the share of records whose answer equals gold."""
    right = [
        one.answer["label"] is not None
        and task_of(one.record).is_equal(one.answer["label"], one.record["label"])
        for one in student.ask(records)
    ]
    return sum(right) / len(right)


def _words(record: Record) -> str:
    places = itertools.count()
    return _NUMBER.sub(lambda _number: f"n{next(places)}", record["input"])


def rounds(
    bench: Bench, budgets: Sequence[int], seed: int, choice: str, make: MakeStudent
) -> list[float]:
    """Annotate and train by rounds: the accuracy after each."""
    records, found = [*bench.pool], []
    student: Student | None = None
    options = replace(bench.options, seed=seed)
    for budget in budgets:
        asked = None if choice == "random" else student
        front = Selection(budget, seed, asked, spreads=choice == "drawn")  # type: ignore[arg-type]
        records = [*annotate_records(records, options, front=front)]
        student = make(records)
        found.append(accuracy(student, bench.test))
    return found


def interval(values: Any) -> str:
    """Format a mean with its 95% interval over seeds, in percent."""
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1)) / len(values) ** 0.5
    mean = float(np.mean(values))
    return f"{100 * mean:.1f} ({100 * (mean - half):.1f} to {100 * (mean + half):.1f})"


def open_bench(pool: str, test: Path | None) -> Bench:
    """Open the records; test records of the same task as the pool's."""
    if pool == "demo":
        loaded = [*load_records("demo", LoadOptions(n=4000))]
        parts = [[one for one in loaded if one["split"] == part] for part in ("train", "test")]
        return Bench(parts[0], parts[1], AnnotateOptions(teacher="demo", error_rate=0.05))
    assert test is not None, "name the test records too"
    task = {} if "task" in next(iter(read_records(pool))) else {"task": "equation"}
    made = [[{**task, **one} for one in read_records(path)] for path in (pool, test)]
    return Bench(made[0], made[1], AnnotateOptions(teacher="replay"))


def make_student(name: str) -> MakeStudent:
    """Return what trains a student on annotated records."""
    if name == "form":
        return FormStudent
    opened = open_encoders([name], None)
    encoders = {spec: CachedEncoder(encoder) for spec, encoder in opened.items()}
    return partial(BaselineStudent, name, encoders)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("pool", help="demo, or records with input, label and completion")
    parser.add_argument("test", nargs="?", type=Path, help="test records with input and label")
    parser.add_argument("--student", default="form", help="form, or a baseline of mitools eval")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budgets", default="50,50,100,200", help="records of each round")
    parser.add_argument("--choices", nargs="+", default=CHOICES, choices=CHOICES)
    args = parser.parse_args()
    bench, make = open_bench(args.pool, args.test), make_student(args.student)
    budgets = [int(budget) for budget in args.budgets.split(",")]
    runs = {
        choice: np.array([rounds(bench, budgets, s, choice, make) for s in range(args.seeds)])
        for choice in dict.fromkeys(["random", *args.choices])
    }
    others = [choice for choice in runs if choice != "random"]
    out = sys.stdout
    out.write(f"{len(bench.pool):,} records to choose from, {len(bench.test):,} test records\n\n")
    heads = ["answers", "random", *others, *(f"{choice} - random" for choice in others)]
    out.write(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n")
    for place, answers in enumerate(np.cumsum(budgets)):
        chance = runs["random"][:, place]
        row = [f"{answers:,}", *(interval(found[:, place]) for found in runs.values())]
        for choice in others:
            row.append("–" if place == 0 else interval(runs[choice][:, place] - chance))
        out.write(f"| {' | '.join(row)} |\n")
    whole = [*annotate_records(bench.pool, bench.options)]
    share = accuracy(make(whole), bench.test)
    out.write(f"\nall {len(bench.pool):,} answers: {100 * share:.1f}\n")


if __name__ == "__main__":
    main()
