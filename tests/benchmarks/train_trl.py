"""Train a causal student with mitools and with TRL's SFTTrainer, in turn, on the same tokens.

    pip install "trl==1.16.*"
    python -m tests.benchmarks.train_trl records.jsonl --student FOLDER --limit 64
    python -m tests.benchmarks.train_trl records.jsonl --student FOLDER --limit 64 --load 1

``records.jsonl`` has a rationale by a teacher in each record. Every side is a process of its own,
which trains one epoch: the same model in float32, batches of the same number of records, fused
AdamW. In one pass a record is one sequence for both. In two passes (``separate``) it is two
examples for TRL, whose batches are twice as large. TRL runs without its default of gradient
checkpointing, which would slow it down. ``--load N`` starts N processes that never wait.

Measured is the time from the first step to the end of the last one, without start, tokenization
and saving: seconds, processor seconds, and the peak memory of the process (which includes them).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ORDERS = ("rationale-label", "label-rationale", "separate")
SIDES = ("trl", "mitools")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("records", type=Path)
    parser.add_argument("--student", required=True, help="folder of a causal model")
    parser.add_argument("--order", choices=ORDERS, action="append")
    parser.add_argument("--limit", type=int, default=64, help="records")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1, help="runs of each side, in turn")
    parser.add_argument("--threads", type=int, help="OMP_NUM_THREADS of both sides")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="busy processes beside")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        SIDES_RUN[args.side](args)
        return
    if importlib.util.find_spec("trl") is None:
        sys.exit('this benchmark needs TRL: run "pip install trl"')
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(args.load)]
    try:
        compare(args)
    finally:
        for process in busy:
            process.kill()


def compare(args: argparse.Namespace) -> None:
    """Run both sides in turn and print a table."""
    say(f"{args.limit} records, batches of {args.batch}, {args.load} busy processes beside")
    say("| order | side | seconds | CPU seconds | peak MB |\n|---|---|---|---|---|")
    versions: dict[str, str] = {}
    for order in args.order or ORDERS:
        found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for _ in range(args.rounds):
            for side in SIDES:
                found[side].append(run_side(args, side, order))
                versions |= found[side][-1]["versions"]
        best = {
            side: {name: min(run[name] for run in runs) for name in ("wall", "cpu", "peak")}
            for side, runs in found.items()
        }
        for side, figures in best.items():
            cells = f"{figures['wall']:.1f} | {figures['cpu']:.1f} | {figures['peak']:.0f}"
            say(f"| {order} | {side} | {cells} |")
        ratios = (best["trl"][name] / best["mitools"][name] for name in ("wall", "cpu", "peak"))
        say(f"| {order} | TRL / mitools | " + " | ".join(f"{one:.2f}" for one in ratios) + " |")
    say(", ".join(f"{name} {version}" for name, version in sorted(versions.items())))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_side(args: argparse.Namespace, side: str, order: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.train_trl", str(args.records)]
    command += ["--student", args.student, "--limit", str(args.limit), "--batch", str(args.batch)]
    command += ["--order", order, "--side", side]
    threads = {"OMP_NUM_THREADS": str(args.threads)} if args.threads else {}
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), **threads}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def train_mitools(args: argparse.Namespace) -> None:
    from mitools.cli import _spin_less

    _spin_less()  # as the command does before torch is loaded
    clock = watch_steps()
    with tempfile.TemporaryDirectory() as folder:
        run = prepare_run(args, Path(folder))
        run.execute()
    report(clock, {"mitools": "this checkout"})


def train_trl(args: argparse.Namespace) -> None:
    clock = watch_steps()
    import datasets
    import trl

    with tempfile.TemporaryDirectory() as folder:
        run = prepare_run(args, Path(folder) / "unused")
        model, tokenizer = run.model.student, run.codec.tokenizer
        rows = [row for record in run.data.train for row in sequences(record, run.codec)]
        random.Random(0).shuffle(rows)
        examples = 2 * args.batch if args.order == ["separate"] else args.batch
        settings = trl.SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=examples,
            num_train_epochs=1,
            learning_rate=1e-4,
            bf16=False,
            gradient_checkpointing=False,
            optim="adamw_torch_fused",
            save_strategy="no",
            logging_steps=1,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            seed=0,
        )
        trainer = trl.SFTTrainer(
            model=model,
            args=settings,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
        )
        trainer.train()
    report(clock, {"trl": trl.__version__})


SIDES_RUN = {"mitools": train_mitools, "trl": train_trl}


def prepare_run(args: argparse.Namespace, folder: Path) -> Any:
    """Open the model and tokenize the records, as ``mitools train`` does."""
    from mitools.train.options import TrainOptions
    from mitools.train.prepare import prepare

    lines = args.records.read_text().splitlines()[: args.limit]
    records = [{**json.loads(line), "split": "train"} for line in lines]
    options = TrainOptions(
        save=folder / "student",
        student=args.student,
        order=args.order[0],
        mi="none",
        epochs=1,
        learning_rate=1e-4,
        batch_size=args.batch,
        precision="fp32",
    )
    return prepare(iter(records), options, lambda _: None)


def sequences(row: dict[str, Any], codec: Any) -> list[dict[str, list[int]]]:
    """Return the sequences of a tokenized record with labels for TRL: prompts have no loss."""
    tasks = ("label", "rationale")
    if codec.first is None:
        pieces = [(row[f"{task}_prompt"], row[f"{task}_target"]) for task in tasks]
    else:
        first, second = tasks if codec.first == "label" else tasks[::-1]
        pieces = [(row[f"{first}_prompt"], row[f"{first}_target"] + row[f"{second}_target"])]
    return [
        {"input_ids": prompt + target, "labels": [-100] * len(prompt) + target}
        for prompt, target in pieces
    ]


def watch_steps() -> dict[str, float]:
    """Make every trainer of transformers note when its first step begins and its last one ends."""
    from transformers import Trainer, TrainerCallback

    clock: dict[str, float] = {}

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            clock.setdefault("wall_begin", time.perf_counter())
            clock.setdefault("cpu_begin", time.process_time())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock["wall_end"], clock["cpu_end"] = time.perf_counter(), time.process_time()

    begin = Trainer.__init__

    def begin_watched(self: Any, *args: Any, **rest: Any) -> None:
        begin(self, *args, **rest)
        self.add_callback(Clock())

    Trainer.__init__ = begin_watched
    return clock


def report(clock: dict[str, float], versions: dict[str, str]) -> None:
    import torch
    import transformers

    found = {
        "wall": clock["wall_end"] - clock["wall_begin"],
        "cpu": clock["cpu_end"] - clock["cpu_begin"],
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            **versions,
        },
    }
    say(json.dumps(found))


if __name__ == "__main__":
    main()
