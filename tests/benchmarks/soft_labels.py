"""What soft labels add to a small student, where the distribution over labels is known.

    python tests/benchmarks/soft_labels.py --sizes 50 200 800 --seeds 5 --out soft.jsonl

A text is six made-up words. Each word speaks for each of three labels with a fixed weight, and
p(y | x) is the softmax of their sums, so a teacher's probabilities are known exactly. Students of
``scratch:tiny`` learn the label alone from the same texts; what they learn of a text differs:

``drawn``   one label that is drawn from p, as people or a sampling teacher give it
``best``    the most probable label, as a greedy teacher gives it
``soft``    p itself (``--soft-labels``)
``sharp``   an overconfident teacher: p to the power of 3, normalized; ``--soft-temperature 3``
            turns it into p again
``mixed``   p with ``--soft-weight 0.5`` beside the drawn label

Measured on 500 other texts: ``accuracy``, the probability that the student's choice is right, the
mean of p at its best-scored label; and ``kl``, the mean divergence KL(p | student's choice
probabilities) in nats. Each run is one line of ``--out``; runs that are there already are not
repeated, so a stopped run goes on. The tables are printed at the end, with paired differences from
``drawn`` (mean over the seeds, and the interval of a t-test at 95%).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from mitools.student.folder import load_student
from mitools.train.options import TrainOptions
from mitools.train.run import train_student

LABELS = ["bird", "fish", "plant"]
ARMS = ("drawn", "best", "soft", "sharp", "mixed")
SOFT: dict[str, dict[str, Any]] = {
    "soft": {"soft_labels": True},
    "sharp": {"soft_labels": True},
    "mixed": {"soft_labels": True, "soft_weight": 0.5},
}
SHARPNESS = 3.0
TEST_SIZE = 500
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 8: 2.365, 10: 2.262}


def world() -> dict[str, list[float]]:
    """Make the words with their weights; they are the same in every run."""
    chance = random.Random(7)
    syllables = ["ba", "do", "ki", "lu", "me", "no", "ra", "ti", "su", "ve"]
    words = [a + b for a in syllables for b in syllables[:3]]
    return {word: [chance.gauss(0, 0.8) for _ in LABELS] for word in words}


def distribution(words: list[str], known: dict[str, list[float]], power: float) -> list[float]:
    """Return p(y | x) to a power, normalized."""
    sums = [sum(known[word][place] for word in words) * power for place in range(len(LABELS))]
    weights = [math.exp(value - max(sums)) for value in sums]
    return [weight / sum(weights) for weight in weights]


def records(count: int, seed: int, arm: str) -> list[dict[str, Any]]:
    """Make records; texts and drawn labels depend on the seed, not on the arm."""
    known = world()
    chance = random.Random(seed)
    found = []
    for number in range(count):
        words = [chance.choice(list(known)) for _ in range(6)]
        p = distribution(words, known, 1.0)
        drawn = chance.choices(LABELS, p)[0]
        told = p if arm in ("soft", "mixed") else distribution(words, known, SHARPNESS)
        label = LABELS[p.index(max(p))] if arm == "best" else drawn
        teacher = {"label": label, "choices": dict(zip(LABELS, told, strict=True))}
        found.append(
            {
                "id": f"{seed}-{number}",
                "input": " ".join(words),
                "label": label,
                "choices": LABELS,
                "task": "labels",
                "split": "train",
                "teacher": teacher,
                "p": p,
            }
        )
    return found


def run(arm: str, size: int, seed: int, steps: int) -> dict[str, Any]:
    """Train one student and measure it."""
    folder = Path(tempfile.mkdtemp(prefix="soft-labels-"))
    try:
        options = TrainOptions(
            save=folder / "student",
            student="scratch:tiny",
            alpha=1.0,
            mi="none",
            max_steps=steps,
            batch_size=32,
            learning_rate=3e-3,
            select_by="last",
            precision="fp32",
            seed=seed,
            **SOFT.get(arm, {}),
        )
        train_student(records(size, 1000 + seed, arm), options)
        student = load_student(options.save)
        test = records(TEST_SIZE, 1, "drawn")
        scores = student.score_choices([r["input"] for r in test], [LABELS] * len(test))
    finally:
        shutil.rmtree(folder)
    q = torch.tensor(scores, dtype=torch.float64).log_softmax(-1)
    p = torch.tensor([record["p"] for record in test], dtype=torch.float64)
    accuracy = p.gather(-1, q.argmax(-1, keepdim=True)).mean().item()
    kl = (p * (p.log() - q)).sum(-1).mean().item()
    return {"arm": arm, "size": size, "seed": seed, "steps": steps, "accuracy": accuracy, "kl": kl}


def table(runs: list[dict[str, Any]]) -> str:
    """Print mean figures, and paired differences from ``drawn``."""
    lines = ["| texts | learned | accuracy | KL, nats | accuracy − drawn | KL − drawn |"]
    lines += ["|---|---|---|---|---|---|"]
    for size in sorted({found["size"] for found in runs}):
        base = _of(runs, size, "drawn")
        for arm in ARMS:
            found = _of(runs, size, arm)
            if not found:
                continue
            cells = [str(size), arm]
            means = {name: statistics.mean(r[name] for r in found.values()) for name in FIGURES}
            cells += [f"{means['accuracy']:.3f}", f"{means['kl']:.3f}"]
            cells += ["" if arm == "drawn" else _paired(found, base, name) for name in FIGURES]
            lines.append(f"| {' | '.join(cells)} |")
    p = [record["p"] for record in records(TEST_SIZE, 1, "drawn")]
    lines.append(f"\nThe most probable label is right in {statistics.mean(map(max, p)):.3f}.")
    return "\n".join(lines)


FIGURES = ("accuracy", "kl")


def _of(runs: list[dict[str, Any]], size: int, arm: str) -> dict[int, dict[str, Any]]:
    return {r["seed"]: r for r in runs if (r["size"], r["arm"]) == (size, arm)}


def _paired(found: dict[int, dict[str, Any]], base: dict[int, dict[str, Any]], name: str) -> str:
    seeds = sorted(found.keys() & base.keys())
    differences = [found[seed][name] - base[seed][name] for seed in seeds]
    mean = statistics.mean(differences) if differences else math.nan
    if len(differences) not in T_95:
        return f"{mean:+.3f}"
    half = T_95[len(differences)] * statistics.stdev(differences) / math.sqrt(len(differences))
    return f"{mean:+.3f} ± {half:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 200, 800])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--out", type=Path, default=Path("soft.jsonl"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    text = given.out.read_text() if given.out.exists() else ""
    runs = [json.loads(line) for line in text.splitlines()]
    for seed in range(given.seeds):
        for size in given.sizes:
            for arm in given.arms:
                key = (arm, size, seed, given.steps)
                if any(key == (r["arm"], r["size"], r["seed"], r["steps"]) for r in runs):
                    continue
                runs.append(run(arm, size, seed, given.steps))
                with given.out.open("a") as stream:
                    stream.write(json.dumps(runs[-1]) + "\n")
    sys.stdout.write(table([r for r in runs if r["steps"] == given.steps]) + "\n")


if __name__ == "__main__":
    main()
