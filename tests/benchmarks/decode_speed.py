"""How fast a student answers: our batches beside a loop of one record at a time, in one process.

    python -m tests.benchmarks.decode_speed [STUDENT] [--rows 32] [--threads 2]

The loop is the one that scripts have: ``generate`` on one prompt, and each choice scored by itself.
Both ask the same model about the same records and take turns, round by round; the ratio is the
median over rounds. Without STUDENT, a small T5 with random weights is asked, whose decodings all
run into their limit.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from mitools.demo import problems
from mitools.student import load_student
from mitools.student.base.open_base import open_base
from mitools.student.codec import Codec, Purpose
from mitools.student.forward import target_logits
from mitools.student.local import LocalStudent

Said = tuple[list[str], int]
"""What was said to each record, and how many tokens that took."""


class Loop:
    """Asks about one record at a time."""

    def __init__(self, student: LocalStudent) -> None:
        self.model, self.codec = student.model.eval(), student.codec

    @torch.inference_mode()
    def choose(self, inputs: Sequence[str], choices: Sequence[Sequence[str]]) -> Said:
        best, tokens = [], 0
        for text, names in zip(inputs, choices, strict=True):
            prompt = self.codec.encode_prompt("label", text)[0]
            scores = []
            for name in names:
                ids = self.codec.encode_target("label", name)[0]
                pairs = self.codec.pad([prompt], [ids])
                log_probs = target_logits(self.model, self.codec.kind, pairs).log_softmax(-1)
                scores.append(float(log_probs[0, range(len(ids)), ids].sum()))
                tokens += len(ids)
            best.append(names[scores.index(max(scores))])
        return best, tokens

    @torch.inference_mode()
    def decode(self, purpose: Purpose, inputs: Sequence[str]) -> Said:
        said, tokens = [], 0
        end = self.codec.tokenizer.eos_token_id
        for text in inputs:
            prompt = torch.tensor([self.codec.encode_prompt(purpose, text)[0]])
            output = self.model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=self.codec.limit(purpose),
                do_sample=False,
                num_beams=1,
                eos_token_id=end,
                pad_token_id=self.codec.tokenizer.pad_token_id,
            )
            ids = output[0, prompt.shape[1] if self.codec.kind == "causal" else 1 :].tolist()
            said.append(self.codec.decode(ids))
            tokens += len(ids)
        return said, tokens


class Batches:
    """Asks as ``mitools eval`` does."""

    def __init__(self, student: LocalStudent) -> None:
        self.student = student

    def choose(self, inputs: Sequence[str], choices: Sequence[Sequence[str]]) -> Said:
        encode = self.student.codec.encode_target
        tokens = sum(len(encode("label", name)[0]) for names in choices for name in names)
        rows = self.student.score_choices(inputs, choices)
        best = [names[row.index(max(row))] for names, row in zip(choices, rows, strict=True)]
        return best, tokens

    def decode(self, purpose: Purpose, inputs: Sequence[str]) -> Said:
        ask = {
            "label": self.student.generate_labels,
            "rationale": self.student.generate_rationales,
        }[purpose]
        found = ask(inputs)
        return [one.text for one in found], sum(one.tokens for one in found)


@dataclass
class Measured:
    """One side's seconds by round, and what it said."""

    seconds: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    tokens: int = 0

    def run(self, ask: Callable[[Any], Said], side: Loop | Batches) -> None:
        started = time.perf_counter()
        self.said, self.tokens = ask(side)
        self.seconds.append(time.perf_counter() - started)


def student_of(folder: str | None) -> LocalStudent:
    """Open a student, or build one."""
    if folder is None:
        texts = [record["input"] for record in problems(200, seed=0)]
        base = open_base("scratch:small", lambda: texts, seed=0)
        codec = Codec(base.tokenizer, base.kind, max_label_tokens=16, max_rationale_tokens=64)
        return LocalStudent(base.model, codec)
    return load_student(folder, "cpu")


def set_rows(student: LocalStudent, inputs: Sequence[str], purpose: Purpose, rows: int) -> None:
    """Let ``rows`` of the longest prompt with the longest target fill a batch."""
    longest = max(len(student.codec.encode_prompt(purpose, text)[0]) for text in inputs)
    student.tokens_per_batch = rows * (longest + student.codec.limit(purpose))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("student", nargs="?", help="folder of a student (default: random T5)")
    parser.add_argument("--records", type=int, default=64)
    parser.add_argument("--rows", type=int, default=32, help="of a batch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    student = student_of(given.student)
    inputs = [record["input"] for record in problems(given.records, seed=1)]
    rng = random.Random(0)
    choices = [[str(rng.randint(2, 999)) for _ in range(5)] for _ in inputs]
    loop, batches = Loop(student), Batches(student)
    jobs: dict[str, tuple[Purpose, Callable[[Any], Said]]] = {
        "choices": ("label", lambda side: side.choose(inputs, choices)),
        "labels": ("label", lambda side: side.decode("label", inputs)),
        "rationales": ("rationale", lambda side: side.decode("rationale", inputs)),
    }
    for side in (loop, batches):  # warm up
        side.choose(inputs[:1], choices[:1])
        side.decode("label", inputs[:1])
    show("", "one at a time", "", "batches", "", "ratio", "same")
    show("", "records/s", "tokens/s", "records/s", "tokens/s", "", "")
    for name, (purpose, ask) in jobs.items():
        set_rows(student, inputs, purpose, given.rows)
        ones, ours = Measured(), Measured()
        for _ in range(given.rounds):
            ones.run(ask, loop)
            ours.run(ask, batches)
        ratio = statistics.median(a / b for a, b in zip(ones.seconds, ours.seconds, strict=True))
        same = sum(a == b for a, b in zip(ones.said, ours.said, strict=True)) / len(inputs)
        speeds = [
            f"{count / statistics.median(side.seconds):,.1f}"
            for side in (ones, ours)
            for count in (len(inputs), side.tokens)
        ]
        show(name, *speeds, f"{ratio:.1f}", f"{100 * same:.1f}%")


def show(name: str, *cells: str) -> None:
    sys.stdout.write(name.ljust(12) + "".join(cell.rjust(15) for cell in cells) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
