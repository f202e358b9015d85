"""The figures of cost: time, tokens, memory and money."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mitools.annotate.options import Price
from mitools.evaluate.costs.bill import Bill
from mitools.evaluate.costs.meter import Meter
from mitools.evaluate.measures.metric import Measure, Metric

__all__ = ["MEASURES", "Prices", "Spent", "cost_figures"]


def _lower(title: str, unit: str, about: str) -> Measure:
    return Measure(title, unit, higher_is_better=False, about=about)


MEASURES: Mapping[str, Measure] = {
    "student_usd": _lower(
        "student, USD per 1,000 records",
        "USD",
        "Price of the student's time for 1,000 records, at the price of the machine that was given "
        "and at the batch size of this run.",
    ),
    "teacher_usd": _lower(
        "teacher, USD per 1,000 records",
        "USD",
        "Price of the teacher's tokens for 1,000 records, at the price that was given.",
    ),
    "break_even": _lower(
        "break-even records",
        "records",
        "Number of records after which training and annotation are paid back by the lower price of "
        "the student's answers.",
    ),
    "latency_p50": _lower(
        "latency p50",
        "ms",
        "Median time that a record waits for the student's answer, which is that of its batch.",
    ),
    "latency_p95": _lower(
        "latency p95",
        "ms",
        "Time within which 95% of the records have the student's answer, which is that of their "
        "batch.",
    ),
    "single_p50": _lower(
        "latency p50, one at a time",
        "ms",
        "Median time of the student's answer to a record that is asked alone.",
    ),
    "single_p95": _lower(
        "latency p95, one at a time",
        "ms",
        "Time within which the student answers 95% of the records that are asked alone.",
    ),
    "student_ms": _lower(
        "student, ms per record",
        "ms",
        "Time that the student takes for all records, divided by their number.",
    ),
    "student_tokens": _lower(
        "student, tokens decoded per record",
        "tokens",
        "Mean number of tokens that the student decodes for a record, with the rationale; scored "
        "choices cost none.",
    ),
    "teacher_prompt_tokens": _lower(
        "teacher, tokens read per record",
        "tokens",
        "Mean number of tokens that the teacher reads for a record, by the server's count.",
    ),
    "teacher_completion_tokens": _lower(
        "teacher, tokens written per record",
        "tokens",
        "Mean number of tokens that the teacher writes for a record, by the server's count.",
    ),
    "memory": _lower(
        "peak memory",
        "MiB",
        "Most memory used until the last answer: of the GPU, or else of the whole process.",
    ),
}
"""The figures of the block ``costs``; all are of this run and this machine."""

_SCORED_AGAIN = "time and memory are measured where a student answers"
_NO_TEACHER = "no record holds an answer of a teacher"
_NO_USAGE = "no record holds the token counts of a teacher"
_NO_PRICE = 'the price of a token is unknown ("--price IN,OUT")'
_NO_STUDENT_PRICE = 'the price of the machine is unknown ("--student-price USD")'
_NOT_SINGLE = 'no record was asked alone ("--latency-records N")'


@dataclass(frozen=True)
class Prices:
    """The prices that people give.

    Attributes:
        token: of the teacher's tokens; None where it is unknown.
        hour: of the machine that the student runs on, in USD; None where it is unknown.
    """

    token: Price | None = None
    hour: float | None = None


@dataclass(frozen=True)
class Spent:
    """What was measured.

    Attributes:
        meter: of the pass; None where the records held answers.
        single: of the records that were asked one at a time.
        bill: of the teacher.
        memory: MiB, and what they were measured on; None without a student.
        train_seconds: time of the student's training, where known.
    """

    meter: Meter | None
    single: Meter | None
    bill: Bill
    memory: tuple[float, str] | None = None
    train_seconds: float | None = None


def cost_figures(spent: Spent, prices: Prices) -> dict[str, Metric]:
    """Compute every figure of :data:`MEASURES`; one that is unknown has the reason."""
    found = {**_times(spent), **_tokens(spent), **_prices(spent, prices)}
    found["break_even"] = _break_even(spent, prices, found)
    return {name: found[name] for name in MEASURES}


def _times(spent: Spent) -> dict[str, Metric]:
    meter, names = spent.meter, ("latency_p50", "latency_p95", "student_ms", "memory")
    single = _percentiles(spent.single, "single", _NOT_SINGLE)
    if meter is None or not meter.records:
        return {**{name: MEASURES[name].skipped(_SCORED_AGAIN) for name in names}, **single}
    memory = MEASURES["memory"].skipped(_SCORED_AGAIN)
    if spent.memory is not None:
        memory = MEASURES["memory"].ok(spent.memory[0], meter.records, measured=spent.memory[1])
    mean = MEASURES["student_ms"].ok(1000 * meter.seconds / meter.records, meter.records)
    latency = _percentiles(meter, "latency", _SCORED_AGAIN)
    return {**latency, "student_ms": mean, "memory": memory, **single}


def _percentiles(meter: Meter | None, name: str, missing: str) -> dict[str, Metric]:
    shares = {f"{name}_p50": 0.5, f"{name}_p95": 0.95}
    if meter is None or not meter.records:
        return {key: MEASURES[key].skipped(missing) for key in shares}
    waits, n = np.array(meter.waits), meter.records
    return {
        key: MEASURES[key].ok(
            1000 * float(np.quantile(waits, share, method="inverted_cdf")),
            n,
            batch_size=meter.largest,
        )
        for key, share in shares.items()
    }


def _tokens(spent: Spent) -> dict[str, Metric]:
    meter, bill = spent.meter, spent.bill
    student = MEASURES["student_tokens"].skipped(_SCORED_AGAIN)
    if meter is not None and meter.records:
        student = MEASURES["student_tokens"].ok(meter.tokens / meter.records, meter.records)
    counts = {"teacher_prompt_tokens": bill.prompt, "teacher_completion_tokens": bill.completion}
    if not bill.counted:
        reason = _NO_USAGE if bill.asked else _NO_TEACHER
        teacher = {name: MEASURES[name].undefined(reason) for name in counts}
    else:
        teacher = {
            name: MEASURES[name].ok(count / bill.counted, bill.counted)
            for name, count in counts.items()
        }
    return {"student_tokens": student, **teacher}


def _prices(spent: Spent, prices: Prices) -> dict[str, Metric]:
    meter, bill = spent.meter, spent.bill
    student, teacher = MEASURES["student_usd"], MEASURES["teacher_usd"]
    if prices.hour is None:
        own = student.skipped(_NO_STUDENT_PRICE)
    elif meter is None or not meter.records:
        own = student.skipped(_SCORED_AGAIN)
    else:
        hours = meter.seconds / meter.records / 3600
        own = student.ok(1000 * hours * prices.hour, meter.records)
    if prices.token is None:
        theirs = teacher.skipped(_NO_PRICE)
    elif not bill.counted:
        theirs = teacher.undefined(_NO_USAGE if bill.asked else _NO_TEACHER)
    else:
        total = bill.total(prices.token)
        theirs = teacher.ok(1000 * bill.per_record(prices.token), bill.counted, bill=total)
    return {"student_usd": own, "teacher_usd": theirs}


def _break_even(spent: Spent, prices: Prices, found: Mapping[str, Any]) -> Metric:
    """Divide the price of training and annotation by the saving of a record."""
    measure = MEASURES["break_even"]
    for name in ("student_usd", "teacher_usd"):
        if found[name].value is None:
            return Metric(measure, found[name].status, reason=found[name].reason)
    if spent.train_seconds is None or prices.hour is None or prices.token is None:
        return measure.undefined("the time of the student's training is unknown")
    training = spent.train_seconds / 3600 * prices.hour
    annotation = spent.bill.total(prices.token)
    saving = (found["teacher_usd"].value - found["student_usd"].value) / 1000
    if saving <= 0:
        return measure.undefined("an answer of the student costs as much as one of the teacher")
    details = {"training_usd": training, "annotation_usd": annotation, "saving_usd": saving}
    n = found["student_usd"].n
    return measure.ok(math.ceil((training + annotation) / saving), n, **details)
