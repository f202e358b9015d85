"""Export to a GGUF file by llama.cpp's own converter, checked in llama.cpp.

The check asks through llama.cpp's chat API, so it also covers the tokenizer and the chat template
in the file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mitools.errors import MissingExtraError, StudentError
from mitools.export.options import ExportOptions
from mitools.export.protocol import Reply
from mitools.export.targets.packages import require_packages
from mitools.student.boundary import library_errors
from mitools.student.chat import task_name
from mitools.student.layout import Purpose
from mitools.student.local import LocalStudent

__all__ = ["FILE", "GgufExporter"]

FILE = "model.gguf"

_NAMES = ("convert_hf_to_gguf.py", "llama-convert-hf-to-gguf", "convert-hf-to-gguf")
_TYPES = {"none": "f32", "float16": "f16", "int8": "q8_0"}
_LONGEST_SECONDS = 3600
_LAST_LINES = 400

# llama.cpp adds the probabilities of the vocabulary in float32, the largest first. Terms below half
# a unit in the last place of 1 are lost, so that probabilities come out larger.
_LOST = 2.0**-24


class GgufExporter:
    """Converts causal students for llama.cpp."""

    title = "llama.cpp"

    def require(self, options: ExportOptions, student: LocalStudent) -> None:
        """Check the kind of student, and look for converter and runtime."""
        if student.codec.kind == "seq2seq":
            message = "llama.cpp's server answers for causal students only"
            raise StudentError(message, hint='use "--to ct2" for an encoder-decoder student')
        if getattr(student.codec.tokenizer, "chat_template", None) is None:
            message = "the student has no chat template, so llama.cpp cannot make its prompts"
            raise StudentError(message, hint='train it again, with "--prefix-position before"')
        find_converter(options.converter)
        require_packages("checking a GGUF file", "llamacpp", "xllamacpp")

    def convert(self, folder: Path, out: Path, options: ExportOptions) -> None:
        """Run the converter in a process of its own."""
        command = [
            *find_converter(options.converter),
            str(folder),
            "--outtype",
            _TYPES[options.quantize],
            "--outfile",
            str(out / FILE),
        ]
        code, output = _run(command)
        if code != 0 or not (out / FILE).is_file():
            raise StudentError(
                f"llama.cpp's converter failed: {_reason(output)}", hint=_hint(output)
            )

    @contextmanager
    def open(self, out: Path, student: LocalStudent) -> Iterator[_Opened]:
        """Open the file in llama.cpp, on the CPU."""
        import xllamacpp

        codec = student.codec
        settings = xllamacpp.CommonParams()
        settings.model.path = str(out / FILE)
        settings.n_ctx = codec.max_input_tokens + codec.limit("label") + codec.limit("rationale")
        settings.n_parallel = 1
        settings.n_gpu_layers = 0
        settings.warmup = False
        settings.verbosity = -1
        for threads in (settings.cpuparams, settings.cpuparams_batch):
            threads.n_threads = max(1, (os.cpu_count() or 1) // 2)  # spinning threads starve others
        with library_errors("llama.cpp cannot open the converted file", "update the package"):
            server = xllamacpp.Server(settings)
        try:
            yield _Opened(server, student)
        finally:
            del server

    def usage(self, student: LocalStudent, purpose: Purpose) -> str:
        """Give the commands that serve the file, and say what it answers with."""
        if student.codec.first is not None:
            return f"{_USAGE}\nA user message is answered with a {purpose}.\n"
        trained = student.metadata.get("trained") or [purpose]
        return f"{_USAGE}\n{' '.join(_ANSWERS[name] for name in trained)}\n"


_USAGE = """\
    llama-server -m DIR/model.gguf --port 8000
    mitools annotate -m student --base-url http://127.0.0.1:8000/v1 --prompt student FILE
"""
_ANSWERS = {
    "label": "A user message is answered with a label.",
    "rationale": 'The system message "explain" asks for a rationale.',
}


def find_converter(given: Path | None) -> list[str]:
    """Find the command that runs llama.cpp's converter.

    Raises:
        MissingExtraError: there is none.
    """
    for name in [str(given)] if given else _NAMES:
        path = name if given and given.is_file() else shutil.which(name)
        if path is not None:
            return [sys.executable, path] if path.endswith(".py") else [path]
    what = f"no file {given}" if given else f"no {_NAMES[0]} on the PATH"
    hint = "clone https://github.com/ggml-org/llama.cpp, and add --converter llama.cpp/" + _NAMES[0]
    raise MissingExtraError(f"{what}; --to gguf needs llama.cpp's converter", hint=hint)


def _run(command: list[str]) -> tuple[int, str]:
    """Run the converter offline; return its exit status, and what it wrote as messages."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    ) as process:
        try:
            _, messages = process.communicate(timeout=_LONGEST_SECONDS)
        except BaseException:
            process.kill()
            raise
    return process.returncode, messages


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:_LAST_LINES] if lines else "it wrote no file"


def _hint(output: str) -> str:
    if "pre-tokenizer" in output:
        return "llama.cpp knows tokenizers of published models only; train a student from one"
    if "No module named" in output:
        return "install the requirements of the converter, or name another with --converter"
    return "update llama.cpp, or choose another target"


class _Opened:
    def __init__(self, server: Any, student: LocalStudent) -> None:
        self._server = server
        self._codec = student.codec
        self.token_error = len(student.codec.tokenizer) * _LOST

    def answer(self, texts: Sequence[str], purpose: Purpose) -> list[Reply]:
        return [self._ask(text, purpose) for text in texts]

    def _ask(self, text: str, purpose: Purpose) -> Reply:
        with library_errors("llama.cpp did not answer", "update the package xllamacpp"):
            body = self._server.handle_chat_completions(
                {
                    "messages": [{"role": "user", "content": text}],
                    "chat_template_kwargs": {"task": task_name(purpose)},
                    "max_tokens": self._codec.limit(purpose),
                    "temperature": 0,
                    "logprobs": True,
                    "top_logprobs": 1,
                    "cache_prompt": False,
                }
            )
            choice = body["choices"][0]
            steps = choice["logprobs"]["content"]
            end = self._codec.tokenizer.eos_token_id
            return Reply(
                choice["message"]["content"].strip(),
                sum(step["logprob"] for step in steps),
                bool(steps) and steps[-1]["id"] == end,
                len(steps),
            )
