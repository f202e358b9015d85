"""A cascade at every threshold: accuracy against the teacher's share of the records, as a picture.

    mitools eval --student runs/x records.jsonl > judged.jsonl
    python -m tests.benchmarks.cascade judged.jsonl --student runs/x --svg cascade.svg
    python -m tests.benchmarks.cascade records.jsonl --baseline tfidf --svg cascade.svg

Reads the judged test records of a student whose teacher answered them too (``teacher.label``). The
cascade takes the student's answer where its confidence reaches the threshold, else the teacher's,
as ``mitools annotate --student`` does. Random routing sends the same share to the teacher without
looking; its expected accuracy is the straight line between student and teacher. A record on which
the teacher has no readable answer is wrong there. With ``--baseline``, a baseline of ``mitools
eval`` stands for the student: it learns the teacher's labels of the training records.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mitools.evaluate.baselines.open_baselines import make_baselines
from mitools.evaluate.baselines.protocol import Example, Problem
from mitools.evaluate.options import EvalOptions
from mitools.operating.confidence import Confidence
from mitools.operating.point import OperatingPoint, has_point
from mitools.records import Record
from mitools.tasks import task_of

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 420, 60, 20, 30, 50


class Outcome(NamedTuple):
    """One record: how sure the student is, and who is right."""

    confidence: float
    student: bool
    teacher: bool


class Step(NamedTuple):
    """The cascade at one threshold: shares of all records."""

    threshold: float
    calls: float
    accuracy: float


def outcome_of(record: Record, confidence: Confidence) -> Outcome | None:
    """Read a judged record; None without gold."""
    correct = record["scores"]["correct"]
    if correct is None:
        return None
    task, teacher = task_of(record), (record.get("teacher") or {}).get("label")
    stated = confidence.of(record, task)
    is_right = teacher is not None and task.is_equal(teacher, record["label"])
    return Outcome(-1.0 if stated is None else stated, bool(correct), bool(is_right))


def outcomes_of_baseline(records: Sequence[Record], name: str) -> list[Outcome]:
    """Fit a baseline on the teacher's labels in train, and answer the test records."""
    [baseline] = make_baselines(EvalOptions(baselines=(name,)), {}, None, None).values()
    examples = []
    for record in records:
        label = (record.get("teacher") or {}).get("label")
        if record["split"] == "train" and label is not None:
            examples.append(Example(_problem(record), label))
    baseline.fit(examples)
    tested = [record for record in records if record["split"] == "test"]
    outcomes = []
    for record, guess in zip(tested, baseline.answer([*map(_problem, tested)]), strict=True):
        task, teacher = task_of(record), (record.get("teacher") or {}).get("label")
        stated = -1.0 if guess.confidence is None else guess.confidence
        labels = (guess.label, teacher)
        right = [label is not None and task.is_equal(label, record["label"]) for label in labels]
        outcomes.append(Outcome(stated, *right))
    return outcomes


def _problem(record: Record) -> Problem:
    choices = tuple(dict.fromkeys(record.get("choices") or ()))
    return Problem(record["id"], record["input"], task_of(record).name, choices)


def curve(outcomes: Sequence[Outcome]) -> list[Step]:
    """Compute the cascade at every threshold, from all calls to none."""
    ranked = sorted(outcomes, key=lambda one: -one.confidence)
    total, right = len(ranked), sum(one.teacher for one in ranked)
    steps = [Step(math.inf, 1.0, right / total)]
    for place, one in enumerate(ranked):
        right += one.student - one.teacher
        is_last = place + 1 == total or ranked[place + 1].confidence < one.confidence
        if is_last:  # records of equal confidence are answered by the same one
            steps.append(Step(one.confidence, 1 - (place + 1) / total, right / total))
    return steps


def random_accuracy(outcomes: Sequence[Outcome], calls: float) -> float:
    """Give the expected accuracy of sending this share of the records at random."""
    total = len(outcomes)
    student = sum(one.student for one in outcomes) / total
    teacher = sum(one.teacher for one in outcomes) / total
    return student + calls * (teacher - student)


def at(steps: Sequence[Step], threshold: float) -> Step:
    """Find the cascade at a threshold."""
    return [step for step in steps if step.threshold >= threshold][-1]


def gain(steps: Sequence[Step], outcomes: Sequence[Outcome]) -> float:
    """Average accuracy over that of random routing, over the shares of calls from 0 to 1."""
    area = 0.0
    for left, right in itertools.pairwise(steps):
        extra = [one.accuracy - random_accuracy(outcomes, one.calls) for one in (left, right)]
        area += (left.calls - right.calls) * sum(extra) / 2
    return area


def draw(steps: Sequence[Step], outcomes: Sequence[Outcome], mark: Step | None, title: str) -> str:
    """Draw the curve, random routing, and the operating point."""
    values = [*(step.accuracy for step in steps), random_accuracy(outcomes, 0.0)]
    low, high = math.floor(min(values) * 10) / 10, math.ceil(max(values) * 10 + 1e-9) / 10
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def point(calls: float, accuracy: float) -> str:
        y = bottom - (accuracy - low) / (high - low) * (bottom - _TOP)
        return f"{_LEFT + calls * (right - _LEFT):.1f} {y:.1f}"

    body = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>']
    for tick in range(round((high - low) * 10) + 1):
        value = low + tick / 10
        body.append(f'<path d="M{point(0, value)}H{right}" stroke="#ddd"/>')
        y = point(0, value).split()[1]
        body.append(f'<text x="{_LEFT - 8}" y="{y}" text-anchor="end">{value:.0%}</text>')
    for tick in range(0, 11, 2):
        x = point(tick / 10, low).split()[0]
        body.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{tick / 10:.0%}</text>')
    ends = [point(calls, random_accuracy(outcomes, calls)) for calls in (0.0, 1.0)]
    body.append(f'<path d="M{"L".join(ends)}" stroke="#888" stroke-dasharray="6 4"/>')
    line = "L".join(point(step.calls, step.accuracy) for step in steps)
    body.append(f'<path d="M{line}" fill="none" stroke="#1b6ca8" stroke-width="2"/>')
    legend = "solid: cascade by confidence; dashed: random routing"
    if mark is not None:
        x, y = point(mark.calls, mark.accuracy).split()
        body.append(f'<circle cx="{x}" cy="{y}" r="5" fill="#d1495b"/>')
        legend += "; dot: operating point"
    body.append(f'<text x="{_LEFT}" y="18">{title}. {legend}</text>')
    label = "share of records that the teacher is asked about"
    body.append(
        f'<text x="{(_LEFT + right) / 2}" y="{bottom + 40}" text-anchor="middle">{label}</text>'
    )
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12"'
    return "\n".join((f'<svg xmlns="http://www.w3.org/2000/svg" {box}>', *body, "</svg>", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("judged", type=Path)
    parser.add_argument(
        "--student", help="its operating point is marked, and chooses the confidence"
    )
    parser.add_argument("--baseline", help="arithmetic, tfidf or majority, in place of a student")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--title", default="Cascade")
    args = parser.parse_args()
    point = None
    if args.student and has_point(args.student):
        point = OperatingPoint.load(args.student)
    confidence = Confidence()
    if point is not None:
        confidence = Confidence(point.confidence, point.temperature, point.weights)
    with args.judged.open(encoding="utf-8") as stream:
        records = [json.loads(line) for line in stream]
    if args.baseline:
        outcomes = outcomes_of_baseline(records, args.baseline)
    else:
        is_test = [one.get("student") and one.get("split") in (None, "test") for one in records]
        tested = itertools.compress(records, is_test)
        outcomes = [one for record in tested if (one := outcome_of(record, confidence)) is not None]
    steps = curve(outcomes)
    mark = None
    if point is not None and point.threshold is not None:
        mark = at(steps, point.threshold)
    out = sys.stdout
    out.write(f"{args.title}: {len(outcomes):,} records\n\n")
    out.write(
        "| asked of the teacher | threshold | cascade | random routing |\n|---|---|---|---|\n"
    )
    for share in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
        step = min(steps, key=lambda one: (abs(one.calls - share), one.calls))
        by_chance = random_accuracy(outcomes, step.calls)
        row = f"{step.calls:.1%} | {step.threshold:.3f} | {step.accuracy:.1%} | {by_chance:.1%}"
        out.write(f"| {row} |\n")
    if mark is not None:
        by_chance = random_accuracy(outcomes, mark.calls)
        out.write(f"\noperating point: {mark.calls:.1%} asked, {mark.accuracy:.1%} right ")
        out.write(f"(random routing {by_chance:.1%})\n")
    best = max(steps, key=lambda one: (one.accuracy, -one.calls))
    out.write(
        f"best: {best.accuracy:.1%} at {best.calls:.1%} asked; mean gain over random routing "
    )
    out.write(f"{100 * gain(steps, outcomes):+.1f} points\n")
    if args.svg:
        args.svg.write_text(draw(steps, outcomes, mark, args.title), encoding="utf-8")


if __name__ == "__main__":
    main()
