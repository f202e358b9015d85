"""Does asking about the least sure records teach more than asking about random ones?

    python -m tests.benchmarks.active demo
    python -m tests.benchmarks.active svamp.train.jsonl svamp.test.jsonl

Each seed begins with random records; then every round adds those that the student is least sure of,
or further random ones, by :mod:`mitools.cascade.selection` as ``mitools annotate`` does. The
student is small enough for many trainings in minutes, and is not a language model: TF-IDF of the
words with logistic regression chooses the form of the equation, such as ``n0 - n1`` over the
numbers in the text. Its confidence is the probability of the form. It learns from the teacher
alone: the demo's rules with 5% wrong answers, or the completions in the file. An answer that cannot
be read, or is not made of the problem's numbers, is paid for and teaches nothing.

Prints mean accuracy on the test records with the 95% interval over seeds (Student's t), and the
paired difference.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import t
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mitools.annotate.annotate_records import annotate_records
from mitools.annotate.options import AnnotateOptions
from mitools.cascade.ask_student import AskedRecord
from mitools.cascade.selection import Selection
from mitools.records import Record, read_records
from mitools.sources.load_records import load_records
from mitools.sources.options import LoadOptions
from mitools.tasks import task_named

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_EQUATION = task_named("equation")


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

    def accuracy(self, records: Sequence[Record]) -> float:
        """Compute the share of records whose answer equals gold."""
        right = [
            _EQUATION.is_equal(one.answer["label"], one.record["label"])
            for one in self.ask(records)
        ]
        return sum(right) / len(right)


def _words(record: Record) -> str:
    places = itertools.count()
    return _NUMBER.sub(lambda _number: f"n{next(places)}", record["input"])


def rounds(
    pool: Sequence[Record],
    test: Sequence[Record],
    budgets: Sequence[int],
    options: AnnotateOptions,
    seed: int,
    *,
    least_sure: bool,
) -> list[float]:
    """Annotate and train by rounds: the accuracy after each."""
    records, student, found = [*pool], None, []
    for budget in budgets:
        front = Selection(budget, seed, student if least_sure else None)  # type: ignore[arg-type]
        records = [*annotate_records(records, replace(options, seed=seed), front=front)]
        student = FormStudent(records)
        found.append(student.accuracy(test))
    return found


def interval(values: Sequence[float]) -> str:
    """Format a mean with its 95% interval over seeds, in percent."""
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1)) / len(values) ** 0.5
    mean = float(np.mean(values))
    return f"{100 * mean:.1f} ({100 * (mean - half):.1f} to {100 * (mean + half):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("pool", help="demo, or records with input, label and completion")
    parser.add_argument("test", nargs="?", type=Path, help="test records with input and label")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budgets", default="50,50,100,200", help="records of each round")
    args = parser.parse_args()
    if args.pool == "demo":
        loaded = [*load_records("demo", LoadOptions(n=4000))]
        pool = [record for record in loaded if record["split"] == "train"]
        test = [record for record in loaded if record["split"] == "test"]
        options = AnnotateOptions(teacher="demo", error_rate=0.05)
    else:
        pool = [{**one, "task": "equation"} for one in read_records(args.pool)]
        test = [*read_records(args.test)]
        options = AnnotateOptions(teacher="replay")
    budgets = [int(budget) for budget in args.budgets.split(",")]
    runs = {
        is_active: np.array(
            [
                rounds(pool, test, budgets, options, seed, least_sure=is_active)
                for seed in range(args.seeds)
            ]
        )
        for is_active in (True, False)
    }
    out = sys.stdout
    out.write(f"{len(pool):,} records to choose from, {len(test):,} test records\n\n")
    out.write("| answers | least sure | random | difference |\n|---|---|---|---|\n")
    for place, answers in enumerate(np.cumsum(budgets)):
        active, chance = runs[True][:, place], runs[False][:, place]
        row = [f"{answers:,}", interval(active), interval(chance)]
        row.append("–" if place == 0 else interval(active - chance))
        out.write(f"| {' | '.join(row)} |\n")
    whole = [*annotate_records(pool, options)]
    out.write(f"\nall {len(pool):,} answers: {100 * FormStudent(whole).accuracy(test):.1f}\n")


if __name__ == "__main__":
    main()
