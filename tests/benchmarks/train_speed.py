"""How fast a training step is, and what it needs, beside a port of the authors' own step.

    python tests/benchmarks/train_speed.py --shape small --lengths svamp --batch 8 --batch 32
    python tests/benchmarks/train_speed.py --lengths svamp --batch 32 --only "maxpool bf16"

Every variant lives in a process of its own, children of this one, with the same random T5, the same
records and the same order of batches. They take turns, a few steps each, so that whatever else the
machine does hits all of them alike. What is timed is the whole step: collation, both tasks, the
gradient, clipping, AdamW. Printed is one JSON object, with

``rows_per_second``  records a second, from the median step;
``ratio``            that, over the reference's;
``cpu_ratio``        the reference's processor seconds a step over these: with ``--threads 1`` the
                     figure to trust where other work shares the machine;
``mi_cost``          how much longer a step is with the MI term than without, as a share (in
                     processor seconds: ``mi_cpu_cost``);
``piece``            records a forward pass: on a CPU the trainer cuts batches into pieces;
``peak_gb``          memory above weights, gradients and optimizer, at its highest;
``collation_share``  share of the step that is spent on collation;
``floor_share``      the step's products at the best measured rate, over its (processor) time;
``profile``          with --profile, the operations that most of the time goes to, as shares of it.

The reference is a port of TaskPrefixDataCollator and TaskPrefixTrainer.compute_loss of
https://github.com/xinchen9/cot_distillation_ACL2024 to today's transformers: pandas frames, one
forward pass a task, full softmaxes over all positions, AdamW a tensor at a time.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from transformers import DataCollatorForSeq2Seq, T5Config, T5ForConditionalGeneration

from mitools.student.base.scratch import build_tokenizer
from mitools.student.codec import Codec
from mitools.train.arguments import records_a_piece, uses_bf16
from mitools.train.collate import TwoTaskCollator
from mitools.train.dropout import fast_dropout
from mitools.train.losses.objective import Objective
from mitools.train.task_tensors import count_targets
from mitools.train.two_task_model import TwoTaskModel

SHAPES: dict[str, dict[str, int]] = {
    "small": {
        "vocab_size": 32128, "d_model": 512, "d_kv": 64, "d_ff": 2048,
        "num_layers": 6, "num_heads": 8,
    },
    "toy": {
        "vocab_size": 400, "d_model": 32, "d_kv": 16, "d_ff": 64,
        "num_layers": 1, "num_heads": 2,
    },
}  # fmt: skip

LENGTHS = {
    # Mean and spread in T5's tokens: input, label, rationale.
    "svamp": ((46, 10), (9, 2), (42, 16)),
    "anli": ((300, 60), (3, 1), (48, 18)),
    "toy": ((12, 3), (3, 1), (8, 3)),
}

ALPHA, BETA = 0.5, 0.1


@dataclass(frozen=True)
class Variant:
    """One way to make a step."""

    name: str
    mi: str
    is_reference: bool = False
    half: bool = False
    compiled: bool = False
    whole: bool = False  # in one forward pass; else in pieces, as the trainer cuts a batch


@dataclass(frozen=True)
class Setting:
    """What all variants have in common."""

    shape: str
    lengths: str
    batch: int
    device: str
    threads: int
    profiles: bool = False


def rows_of(setting: Setting, count: int = 512) -> list[dict[str, Any]]:
    """Make tokenized records of random tokens with the lengths of a data set."""
    return rows_of_lengths(setting.lengths, SHAPES[setting.shape]["vocab_size"], 1, count)


def rows_of_lengths(
    lengths: str, words: int, end_id: int, count: int = 512
) -> list[dict[str, Any]]:
    """Make tokenized records of random tokens below ``words``, targets with an end token."""
    chance = random.Random(0)

    def tokens(mean: float, spread: float) -> list[int]:
        length = max(2, round(chance.gauss(mean, spread)))
        return [*(chance.randrange(3, words) for _ in range(length - 1)), end_id]

    rows = []
    for number in range(count):
        prompt, label, rationale = (tokens(*shape) for shape in LENGTHS[lengths])
        rows.append(
            {
                "id": str(number),
                "label_prompt": [3, *prompt],
                "label_target": label,
                "rationale_prompt": [4, *prompt],
                "rationale_target": rationale,
            }
        )
    return rows


def batches(rows: Sequence[Any], size: int) -> Iterator[list[Any]]:
    chance = random.Random(1)
    while True:
        yield chance.sample(rows, size)


# The reference


class TaskPrefixDataCollator(DataCollatorForSeq2Seq):
    """As published, pandas included."""

    def __call__(self, features: Any, return_tensors: Any = None) -> Any:
        import pandas as pd

        frame = pd.DataFrame(features)
        theirs = ["aux_labels", "expl_input_ids", "expl_attention_mask"]
        pred = frame.loc[:, ~frame.columns.isin(theirs)].to_dict("records")
        ours = ["labels", "input_ids", "attention_mask"]
        expl = frame.loc[:, ~frame.columns.isin(ours)].rename(
            columns=dict(zip(theirs, ["labels", "input_ids", "attention_mask"], strict=True))
        )
        return {
            "pred": super().__call__(pred, return_tensors),
            "expl": super().__call__(expl.to_dict("records"), return_tensors),
        }


def reference_loss(model: Any, inputs: Mapping[str, Any], alpha: float, beta: float) -> Tensor:
    """As published: two passes, softmax over all positions, maxima, and a softmax once more."""
    pred, expl = model(**inputs["pred"]), model(**inputs["expl"])
    loss: Tensor = alpha * pred.loss + (1 - alpha) * expl.loss
    pred_prob = pred.logits.detach().softmax(dim=-1).max(dim=-2)[0]
    expl_prob = expl.logits.softmax(dim=-1).max(dim=-2)[0]
    return loss + beta * torch.nn.CrossEntropyLoss()(expl_prob, pred_prob)


def as_published(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "input_ids": row["label_prompt"],
        "attention_mask": [1] * len(row["label_prompt"]),
        "labels": row["label_target"],
        "expl_input_ids": row["rationale_prompt"],
        "expl_attention_mask": [1] * len(row["rationale_prompt"]),
        "aux_labels": row["rationale_target"],
    }


# One step


@dataclass
class Stepper:
    """A model in training, one step at a time."""

    variant: Variant
    setting: Setting

    def __post_init__(self) -> None:
        torch.set_num_threads(self.setting.threads)
        torch.manual_seed(0)
        config = T5Config(**SHAPES[self.setting.shape], dropout_rate=0.1, decoder_start_token_id=0)
        student = T5ForConditionalGeneration(config).to(self.setting.device).train()
        tokenizer = build_tokenizer(["some text, which is never read"], 300)
        rows = rows_of(self.setting)
        self.piece = self.setting.batch
        self.collate: Callable[[Any], Any]
        self.loss: Callable[..., Tensor]
        if self.variant.is_reference:
            rows = [as_published(row) for row in rows]
            self.collate = TaskPrefixDataCollator(tokenizer, model=student)
            self.loss = partial(reference_loss, self._compiled(student), alpha=ALPHA, beta=BETA)
        else:
            codec = Codec(tokenizer, "seq2seq")
            objective = Objective(ALPHA, BETA, self.variant.mi)  # type: ignore[arg-type]
            model = self._compiled(TwoTaskModel(student, codec, objective).train())
            self.collate = TwoTaskCollator(codec, with_rationales=True)
            if self.setting.device == "cpu" and not self.variant.whole:
                tokens = statistics.mean(_tokens(row) for row in rows)
                width = student.config.d_model
                self.piece = records_a_piece(objective, self.setting.batch, tokens * width)
            self.end_id = model.end_id
            self.loss = partial(self._our_loss, model)
        self.parameters = list(student.parameters())
        is_fused = not self.variant.is_reference
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-4, fused=is_fused)
        self.batches = batches(rows, self.setting.batch)
        for parameter in self.parameters:  # so that weights, gradients and moments are all there
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()
        self.fixed = self._memory()

    def _our_loss(self, model: Any, batch: Any, counts: Tensor) -> Tensor:
        with fast_dropout(torch.device(self.setting.device)):
            loss: Tensor = model(batch["label"], batch["rationale"], counts=counts)["loss"]
        return loss

    def _compiled(self, model: Any) -> Any:
        return torch.compile(model, dynamic=True) if self.variant.compiled else model

    def step(self) -> tuple[float, float, float]:
        """Make a step: seconds in all, seconds of collation, and processor seconds in all."""
        rows = next(self.batches)
        worked, started = time.process_time(), time.perf_counter()
        pieces = [self.collate(piece) for piece in self._cut(rows)]
        counts = None
        if not self.variant.is_reference:
            found = [count_targets(one["label"], one["rationale"], self.end_id) for one in pieces]
            counts = torch.stack(found).sum(0).float().to(self.setting.device)
        collated = time.perf_counter()
        for piece in pieces:
            batch = _moved(piece, self.setting.device)
            with torch.autocast(self.setting.device, torch.bfloat16, enabled=self.variant.half):
                loss = self.loss(batch) if counts is None else self.loss(batch, counts)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        if self.setting.device == "cuda":
            torch.cuda.synchronize()
        ended = time.perf_counter()
        return ended - started, collated - started, time.process_time() - worked

    def _cut(self, rows: list[Any]) -> list[list[Any]]:
        """Cut a batch as the trainer does; one that is not cut stays as it came."""
        if self.piece == len(rows):
            return [rows]
        rows = sorted(rows, key=_tokens)
        return [rows[low : low + self.piece] for low in range(0, len(rows), self.piece)]

    def products(self) -> float:
        """Count the floating-point operations of one step's products."""
        with FlopCounterMode(display=False) as counter:
            self.step()
        return float(counter.get_total_flops())

    def profile(self, most: int = 12) -> dict[str, float]:
        """Give the operations that a step spends most of its own time in, as shares of the step."""
        kinds = [ProfilerActivity.CPU]
        kinds += [ProfilerActivity.CUDA] if self.setting.device == "cuda" else []
        with profile(activities=kinds) as found:
            self.step()
        name = f"self_{'device' if self.setting.device == 'cuda' else 'cpu'}_time_total"
        times = {event.key: getattr(event, name) for event in found.key_averages()}
        total = sum(times.values())
        best = sorted(times, key=lambda key: -times[key])[:most]
        return {key: round(times[key] / total, 4) for key in best}

    def peak(self) -> float:
        """Memory above weights, gradients and optimizer at its highest so far, in GB."""
        return (self._memory(peak=True) - self.fixed) / 1e9

    def _memory(self, peak: bool = False) -> int:
        if self.setting.device == "cuda":
            torch.cuda.reset_peak_memory_stats() if not peak else None
            now = torch.cuda.max_memory_allocated if peak else torch.cuda.memory_allocated
            return int(now())
        if not peak:
            Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
        name = "VmHWM" if peak else "VmRSS"
        status = Path("/proc/self/status").read_text()
        return (
            int(next(line for line in status.splitlines() if line.startswith(name)).split()[1])
            * 1024
        )


def _tokens(row: Mapping[str, Any]) -> int:
    return sum(
        len(row[f"{task}_{part}"])
        for task in ("label", "rationale")
        for part in ("prompt", "target")
    )


def _moved(batch: Any, device: str) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {name: _moved(value, device) for name, value in batch.items()}
    return batch


# Turns


def serve(pipe: Connection, variant: Variant, setting: Setting) -> None:
    """Make steps when told to; the life of one process."""
    stepper = Stepper(variant, setting)
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        if order == "finish":
            peak = stepper.peak()  # before counting, which keeps notes
            found: dict[str, Any] = {"piece": stepper.piece, "peak_gb": peak}
            found["flops"] = stepper.products()
            if setting.profiles:
                found["profile"] = stepper.profile()
            pipe.send(found)
        else:
            pipe.send([stepper.step() for _ in range(order)])


def run(setting: Setting, variants: Sequence[Variant], rounds: int, steps: int) -> dict[str, Any]:
    """Let all variants take turns; a first round of each is not counted."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    times: dict[str, list[tuple[float, float, float]]] = {variant.name: [] for variant in variants}
    for variant in variants:
        pipe, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, variant, setting), daemon=True).start()
        assert pipe.recv() == "ready"
        pipes[variant.name] = pipe
    for number in range(rounds + 1):
        for name, pipe in pipes.items():
            pipe.send(steps)
            found = pipe.recv()
            times[name] += found if number else []
    results: dict[str, Any] = {}
    for variant in variants:
        pipes[variant.name].send("finish")
        found = pipes[variant.name].recv()
        pipes[variant.name].send(None)
        results[variant.name] = summary(times[variant.name], found, setting.batch)
    return compare(results, variants, setting)


def summary(
    times: Sequence[tuple[float, float, float]], found: Mapping[str, Any], batch: int
) -> dict[str, Any]:
    seconds = statistics.median(total for total, _, _ in times)
    return {
        "step_seconds": seconds,
        "cpu_seconds": statistics.median(worked for _, _, worked in times),
        "rows_per_second": batch / seconds,
        "collation_share": sum(one[1] for one in times) / sum(one[0] for one in times),
        **found,
    }


def compare(
    results: dict[str, Any], variants: Sequence[Variant], setting: Setting
) -> dict[str, Any]:
    reference = results["reference"]
    rates = {half: product_rate(setting, half) for half in {v.half for v in variants}}
    for variant in variants:
        mine = results[variant.name]
        mine["ratio"] = mine["rows_per_second"] / reference["rows_per_second"]
        mine["cpu_ratio"] = reference["cpu_seconds"] / mine["cpu_seconds"]
        mine["memory_ratio"] = mine["peak_gb"] / reference["peak_gb"]
        busy = mine["step_seconds"]
        if setting.device == "cpu":  # what other work took from the step is none of its time
            busy = mine["cpu_seconds"] / setting.threads
        mine["floor_share"] = mine["flops"] / rates[variant.half] / busy
        without = results.get(variant.name.replace("maxpool", "none"))
        if "maxpool" in variant.name and without:
            mine["mi_cost"] = mine["step_seconds"] / without["step_seconds"] - 1
            mine["mi_cpu_cost"] = mine["cpu_seconds"] / without["cpu_seconds"] - 1
    return results


def product_rate(setting: Setting, half: bool, size: int = 768, seconds: float = 3.0) -> float:
    """Measure floating-point operations a second in matrix products, at the best of many."""
    torch.set_num_threads(setting.threads)
    dtype = torch.bfloat16 if half else torch.float32
    left, right = (torch.randn(size, size, device=setting.device).to(dtype) for _ in range(2))
    best = math.inf
    ends = time.perf_counter() + seconds
    while (started := time.perf_counter()) < ends:
        left @ right
        if setting.device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def variants_of(device: str, compiled: bool, half: bool) -> list[Variant]:
    found = [Variant("reference", "paper", is_reference=True)]
    found += [Variant(f"{mi} fp32", mi) for mi in ("none", "maxpool")]
    if device == "cpu":
        found.append(Variant("maxpool fp32 whole", "maxpool", whole=True))
    if half:
        found += [Variant(f"{mi} bf16", mi, half=True) for mi in ("none", "maxpool")]
    if half and device == "cpu":
        found.append(Variant("maxpool bf16 whole", "maxpool", half=True, whole=True))
    if compiled:
        found += [Variant(f"maxpool bf16 {device} compiled", "maxpool", half=half, compiled=True)]
    return found


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--lengths", choices=LENGTHS, action="append")
    parser.add_argument("--batch", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each variant")
    parser.add_argument("--steps", type=int, default=3, help="steps a turn")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--profile", action="store_true", help="also say where the time goes")
    parser.add_argument("--only", action="append", metavar="VARIANT", help="beside the reference")
    parser.add_argument("--compile", action="store_true", help="also with torch.compile")
    args = parser.parse_args()
    variants = variants_of(args.device, args.compile, uses_bf16("auto"))
    if args.only:  # all of them at once take much memory
        variants = [one for one in variants if one.is_reference or one.name in args.only]
    machine = {
        "device": torch.cuda.get_device_name() if args.device == "cuda" else cpu_name(),
        "threads": args.threads,
        "torch": torch.__version__,
        "rounds": args.rounds,
        "steps": args.steps,
    }
    found = {}
    for lengths in args.lengths or ["svamp", "anli"]:
        for batch in args.batch or [8, 32]:
            setting = Setting(args.shape, lengths, batch, args.device, args.threads, args.profile)
            found[f"{lengths}, batch {batch}"] = run(setting, variants, args.rounds, args.steps)
    sys.stdout.write(json.dumps({"machine": machine, "results": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
