"""Score the choices of questions with mitools and with lm-evaluation-harness, in turn.

    pip install "lm-eval==0.4.13"
    python -m tests.benchmarks.choice_scoring questions.jsonl --student FOLDER --limit 400

``questions.jsonl`` has ``question`` and ``choices`` in each line. Both sides score the same tokens
with the same model in float32: lm-eval through ``HFLM._loglikelihood_tokens``, the step behind
``loglikelihood`` after tokenization, with batches of ``--batch`` rows. Nothing is downloaded. Every
side is a process of its own; measured are seconds and processor seconds of the scoring, after the
model was opened and one question was scored. The largest difference of two scores is printed too.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SIDES = ("lm-eval", "mitools")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("questions", type=Path)
    parser.add_argument("--student", required=True, help="folder of a causal model")
    parser.add_argument("--limit", type=int, default=400, help="questions")
    parser.add_argument("--batch", type=int, action="append", help="rows of a batch of lm-eval")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each side, in turn")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        serve(args)
        return
    if importlib.util.find_spec("lm_eval") is None:
        sys.exit('this benchmark needs lm-evaluation-harness: run "pip install lm-eval"')
    compare(args)


def compare(args: argparse.Namespace) -> None:
    """Run both sides in turn and print a table."""
    sides = [("lm-eval", batch) for batch in args.batch or [16]] + [("mitools", 0)]
    found: dict[tuple[str, int], list[dict[str, Any]]] = {side: [] for side in sides}
    for _ in range(args.rounds):
        for side in sides:
            found[side].append(run_side(args, *side))
    mitools = found["mitools", 0]
    say(f"{args.limit} questions")
    say("| side | seconds | CPU seconds | peak MB | CPU, of mitools |\n|---|---|---|---|---|")
    for (name, batch), runs in found.items():
        wall, cpu, peak = (min(run[key] for run in runs) for key in ("wall", "cpu", "peak"))
        ratio = cpu / min(run["cpu"] for run in mitools)
        title = f"{name}, batches of {batch}" if batch else name
        say(f"| {title} | {wall:.1f} | {cpu:.1f} | {peak:.0f} | {ratio:.2f} |")
    pairs = zip(found[sides[0]][0]["scores"], mitools[0]["scores"], strict=True)
    worst = max(
        abs(one - other) for left, right in pairs for one, other in zip(left, right, strict=True)
    )
    say(f"largest difference of two scores: {worst:.1e} nats")
    versions = {**found[sides[0]][0]["versions"], **mitools[0]["versions"]}
    say(", ".join(f"{name} {version}" for name, version in sorted(versions.items())))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_side(args: argparse.Namespace, side: str, batch: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.choice_scoring", str(args.questions)]
    command += ["--student", args.student, "--limit", str(args.limit), "--side", side]
    command += ["--batch", str(batch)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


Score = Callable[[list[str], list[list[str]]], list[list[float]]]


def serve(args: argparse.Namespace) -> None:
    """Open the model, score all questions once and print the figures."""
    if args.side == "mitools":
        from mitools.cli import _spin_less

        _spin_less()  # as the command does before torch is loaded
    lines = args.questions.read_text().splitlines()[: args.limit]
    rows = [json.loads(line) for line in lines]
    inputs, choices = [row["question"] for row in rows], [row["choices"] for row in rows]
    score, versions = (open_mitools if args.side == "mitools" else open_lm_eval)(args)
    score(inputs[:1], choices[:1])
    wall, cpu = time.perf_counter(), time.process_time()
    scores = score(inputs, choices)
    found = {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "scores": scores,
        "versions": versions,
    }
    say(json.dumps(found))


def open_codec(args: argparse.Namespace) -> tuple[Any, Any]:
    from mitools.student.base.open_base import open_base
    from mitools.student.codec import Codec

    base = open_base(args.student, list)
    return base.model, Codec(base.tokenizer, base.kind)


def open_mitools(args: argparse.Namespace) -> tuple[Score, dict[str, str]]:
    import torch

    from mitools.student.local import LocalStudent

    student = LocalStudent(*open_codec(args))
    return student.score_choices, {"mitools": "this checkout", "torch": torch.__version__}


def open_lm_eval(args: argparse.Namespace) -> tuple[Score, dict[str, str]]:
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    model, codec = open_codec(args)
    harness = HFLM(
        pretrained=model, tokenizer=codec.tokenizer, batch_size=args.batch[0], device="cpu"
    )

    def score(inputs: list[str], choices: list[list[str]]) -> list[list[float]]:
        requests = []
        for text, row in zip(inputs, choices, strict=True):
            prompt = codec.encode_prompt("label", text)[0]
            for choice in row:
                requests.append((("", ""), prompt, codec.encode_target("label", choice)[0]))
        # What loglikelihood() does after tokenization.
        answers = iter(harness._loglikelihood_tokens(requests, disable_tqdm=True))
        return [[float(next(answers)[0]) for _ in row] for row in choices]

    return score, {"lm-eval": lm_eval.__version__}


if __name__ == "__main__":
    main()
