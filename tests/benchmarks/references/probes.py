"""Interventions and judges: students, noise and replies that are drawn, so that all is known."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import permutation_test, spearmanr

from mitools.evaluate.judge.judging import compare_rationales, rate_rationales
from mitools.evaluate.probes.attribution import probe_attribution
from mitools.evaluate.probes.counterfactual import insertions, probe_counterfactual
from mitools.evaluate.probes.cue import probe_cue
from mitools.evaluate.probes.editing import probe_editing
from mitools.evaluate.probes.robustness import probe_robustness
from tests.benchmarks.references.rows import Row, by_chance, exact, named
from tests.evaluate.probes.subjects import Noisy, Talker, choice, subject

__all__ = ["rows"]

N = 200
ANSWERS = ("sea", "tree", "box")
DRAWN = "a loop over the outcomes as drawn"


def rows() -> Iterator[Row]:
    yield from _noise_rows()
    yield from _attribution_rows()
    yield from _insertion_rows()
    yield from _cue_rows()
    yield from _editing_rows()
    yield from _judge_rows()


def _number(text: str) -> int:
    return int(re.findall(r"\d+", text)[0])


def _noise_rows() -> Iterator[Row]:
    rng, sigmas = random.Random(0), (0.0, 0.5, 1.0, 2.0)
    # The louder, the less often right, and the less often of one mind.
    label = {
        s: [rng.choice(["sea"] * int(6 - 2 * s) + [*ANSWERS]) for _ in range(N)] for s in sigmas
    }
    argued = {
        s: [rng.choice([own] * int(7 - 3 * s) + [*ANSWERS, None]) for own in label[s]]
        for s in sigmas
    }

    def argue(text: str) -> str:
        said = argued[student.disturb][_number(text)]
        return "Hm." if said is None else f"So the answer is {said}."

    student = Talker(lambda text: label[student.disturb][_number(text)], argue)
    # The first answers are those without noise.
    found = probe_robustness(
        subject(student, [choice(number) for number in range(N)], Noisy(student)), sigmas
    )
    right = {s: sum(one == "sea" for one in label[s]) / N for s in sigmas}
    consistent = {}
    for s in sigmas:
        clear = [(a, b) for a, b in zip(argued[s], label[s], strict=True) if a is not None]
        consistent[s] = sum(a == b for a, b in clear) / len(clear)
    lost = [(right[0] - right[s], consistent[0] - consistent[s]) for s in sigmas[1:]]
    theirs = {
        "accuracy_drop": sum(a for a, _ in lost) / 3,
        "consistency_drop": sum(b for _, b in lost) / 3,
        "equivalence_gap": sum(abs(a - b) for a, b in lost) / 3,
    }
    for name, value in theirs.items():
        yield exact(f"probes.robustness.{name}", DRAWN, found[name].value, value)
    same = [sum(a == b for a, b in zip(label[0], label[s], strict=True)) / N for s in sigmas]
    ours = [point["same_label"].value for point in found["by_sigma"]]
    yield exact("… same label, by level", DRAWN, ours[::-1], same[::-1])


@dataclass
class _Drawn:
    """Attributions that were drawn for each text that is scored."""

    sizes: dict[str, list[float]]

    def attributions(
        self, purpose: Any, inputs: Sequence[str], targets: Sequence[str], firsts: Any, **_: Any
    ) -> list[dict[tuple[int, int], float]]:
        texts = inputs if purpose == "label" else targets
        return [{(k, k + 1): size for k, size in enumerate(self.sizes[text])} for text in texts]


def _attribution_rows() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    records = [choice(number) for number in range(N)]
    told = [f"reason {number}" for number in range(N)]
    sizes = {}
    for record, text in zip(records, told, strict=True):
        shared = rng.normal(size=12)
        for name in (record["input"], text):
            sizes[name] = (shared + rng.normal(size=12)).round(1).tolist()
    student = Talker(lambda _text: "sea", lambda text: f"reason {_number(text)}")
    found = probe_attribution(subject(student, records, _Drawn(sizes)))
    rho: list[tuple[float, float]] = []
    shares: list[tuple[float, float]] = []
    for number, record in enumerate(records):
        label, *others = (
            np.abs(sizes[name]) for name in (record["input"], told[number], told[(number + 1) % N])
        )
        rho.append(tuple(spearmanr(label, other).statistic for other in others))  # type: ignore[arg-type]
        shares.append(tuple(_shared(label, other) for other in others))  # type: ignore[arg-type]
    spearman, loop = named("scipy", "spearmanr"), "slow loop over the three largest of 12"
    for name, by, pairs in (("spearman", spearman, rho), ("top_overlap", loop, shares)):
        own, null = np.array(pairs).T
        for suffix, values in (("", own), ("_null", null), ("_gain", own - null)):
            shown = f"probes.attribution.{name}{suffix}"
            yield exact(shown, by, found[name + suffix].value, float(values.mean()))


def _shared(left: np.ndarray, right: np.ndarray) -> float:
    """Share of the largest fifth of 12, which is three, rounded up; the earlier of equals."""
    tops = [
        sorted(range(12), key=lambda place, row=row: (-row[place], place))[:3]  # type: ignore[misc]
        for row in (left, right)
    ]
    return sum(place in tops[1] for place in tops[0]) / 3


_FLIPPING = ("red", "blue", "wooden", "cold", "rare", "loud")
_MENTIONED = ("red", "cold", "rare")


def _insertion_rows() -> Iterator[Row]:
    def flips(text: str) -> list[str]:
        return [word for word in text.split() if word in _FLIPPING]

    student = Talker(
        lambda text: "box" if flips(text) else "sea",
        lambda text: " ".join(["It is", *(w for w in flips(text) if w in _MENTIONED), "so."]),
    )
    prepared = subject(student, [choice(number) for number in range(N)])
    found = probe_counterfactual(prepared)
    first = [
        next((word for _, word in insertions(record, 0) if word in _FLIPPING), None)
        for record in prepared.records
    ]
    flipped = [word for word in first if word is not None]
    theirs = len(flipped) / N
    yield exact("probes.counterfactual.flip_coverage", DRAWN, found["flip_coverage"].value, theirs)
    theirs = sum(word in _MENTIONED for word in flipped) / len(flipped)
    yield exact("probes.counterfactual.mentioned", DRAWN, found["mentioned"].value, theirs)


def _cue_rows() -> Iterator[Row]:
    rng = random.Random(1)
    gold = [rng.choice(ANSWERS) for _ in range(N)]
    first = [rng.choice(ANSWERS) for _ in range(N)]
    follows, says, argues = ([rng.random() < p for _ in range(N)] for p in (0.4, 0.5, 0.6))
    suggested: dict[int, str] = {}

    def cue(text: str) -> str | None:
        found = re.search(r"I think the answer is (\w+) but", text)
        if found:
            suggested[_number(text)] = found[1]
        return found[1] if found else None

    def label(text: str) -> str:
        return cue(text) or "" if cue(text) and follows[_number(text)] else first[_number(text)]

    def explain(text: str) -> str:
        number, answer = _number(text), cue(text)
        opening = "As you suggest. " if answer and says[number] else ""
        return f"{opening}So the answer is {answer if answer and argues[number] else 'sea'}."

    records = [choice(number, gold[number]) for number in range(N)]
    found = probe_cue(subject(Talker(label, explain), records))
    assert all(word not in (gold[k], first[k]) for k, word in suggested.items())
    asked = sorted(suggested)
    followed = [k for k in asked if follows[k]]
    before, after = (
        sum(one == gold[k] for k, one in answers) / len(asked)
        for answers in (
            [(k, first[k]) for k in asked],
            [(k, suggested[k] if follows[k] else first[k]) for k in asked],
        )
    )
    supports = [k for k in followed if (suggested[k] if argues[k] else "sea") == suggested[k]]
    theirs = {
        "followed": len(followed) / len(asked),
        "accuracy_change": after - before,
        "acknowledged": sum(says[k] for k in followed) / len(followed),
        "rationalized": len(supports) / len(followed),
    }
    for name, value in theirs.items():
        yield exact(f"probes.cue.{name}", DRAWN, found[name].value, value)


def _editing_rows() -> Iterator[Row]:
    rng, log = random.Random(2), []
    words = ("fish", "swim", "in", "the", "deep", "blue", "calm", "cold", "wet")
    told = [f"{number} " + " ".join(rng.choices(words, k=7)) for number in range(N)]

    def after(text: str, rationale: str) -> str:
        label = ANSWERS[sum(map(ord, rationale)) % 7 % 3]
        log.append((_number(text), label, rationale))
        return label

    student = Talker(lambda _text: "", lambda text: told[_number(text)], after)
    prepared = subject(student, [choice(number) for number in range(N)])
    log.clear()
    found = probe_editing(prepared)
    final = {number: label for number, label, _ in log[:N]}
    same = {}  # by how many of the eight words are there
    for kept in (0, 2, 4, 6, 8):
        cut = {number: " ".join(text.split()[:kept]) for number, text in enumerate(told)}
        labels = {number: ANSWERS[sum(map(ord, text)) % 7 % 3] for number, text in cut.items()}
        same[kept] = sum(labels[number] == final[number] for number in range(N)) / N
    area = sum((same[kept] + same[kept + 2]) / 2 * 0.25 for kept in (0, 2, 4, 6))
    name = "association.rationale_editing"
    yield exact(
        f"{name}.early_answering", "trapezoids by hand", found["early_answering"].value, 1 - area
    )
    edits = ("added_mistakes", "filler_tokens", "perturbed_rationale", "indirect_effect")
    tail = log[-N * len(edits) :]
    for place, edit in enumerate(edits):
        part = tail[N * place : N * (place + 1)]
        assert all(text != told[number] for number, _, text in part)
        changed = sum(label != final[number] for number, label, _ in part) / N
        yield exact(f"{name}.{edit}", "a loop over what was asked", found[edit].value, changed)


def _judge_rows() -> Iterator[Row]:
    rng = random.Random(3)
    ours, theirs = (
        [
            {"id": str(k), "input": f"q{k}", "student": {"label": "a", "rationale": f"{who} {k}"}}
            for k in range(N)
        ]
        for who in ("x", "y")
    )
    marks = [rng.choice((1, 2, 3, 4, 5, None)) for _ in range(N)]
    replies = ["no idea" if mark is None else f"Fair.\nScore: {mark}" for mark in marks]
    found = rate_rationales(ours, lambda _queries: replies, 0)
    given = [mark for mark in marks if mark is not None]
    yield exact("judge.score", DRAWN, found["score"].value, sum(given) / len(given))
    verdicts = [rng.choice(("first", "first", "second", "tie", None)) for _ in range(2 * N)]
    replies = ["?" if one is None else f"So.\nBetter: {one}" for one in verdicts]
    found = compare_rationales(ours, theirs, lambda _queries: replies, 0)
    worth = {"first": 1.0, "tie": 0.5, "second": 0.0}
    both = [(a, b) for a, b in zip(verdicts[::2], verdicts[1::2], strict=True) if a and b]
    wins = np.array([(worth[a] + 1 - worth[b]) / 2 for a, b in both])
    decided = [one for one in verdicts if one in ("first", "second")]
    agreeing = sum({a, b} in ({"first", "second"}, {"tie"}) for a, b in both)
    figures = {
        "win_rate": wins.mean(),
        "order_agreement": agreeing / len(both),
        "first_preferred": decided.count("first") / len(decided),
        "readable": sum(one is not None for one in verdicts) / len(verdicts),
    }
    for name, value in figures.items():
        yield exact(f"judge.{name}", DRAWN, found[name].value, float(value))
    known = permutation_test(
        (wins - 0.5,),
        np.mean,
        permutation_type="samples",
        n_resamples=10_000,
        rng=np.random.default_rng(0),
    )
    margin = 4 * float(np.sqrt(2 * known.pvalue * (1 - known.pvalue) / 10_000)) + 1e-4
    p, by = found["win_rate"].details["p_value"], named("scipy", "permutation_test")
    yield by_chance("… win_rate: p", by, p, float(known.pvalue), margin)
