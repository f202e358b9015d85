"""A server that nobody here wrote: ``transformers serve`` with a tiny model made on the spot."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.annotate.conftest import sums
from tests.annotate.test_cli import lines, run

pytestmark = pytest.mark.slow

WORDS = "<unk> <s> </s> Add and answer is The the 7 10 11 12 user : system assistant . ( ) +"
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }} </s> {% endfor %}assistant:"


def make_model(folder: Path) -> None:
    """Save a causal model of random weights, with a tokenizer that knows a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(WORDS.split())}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        chat_template=TEMPLATE,
    )
    fast.save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    config = LlamaConfig(
        vocab_size=len(vocabulary), num_attention_heads=2, max_position_embeddings=512, **sizes
    )
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    if importlib.util.find_spec("fastapi") is None or shutil.which("transformers") is None:
        pytest.skip('needs pip install "transformers[serving]"')
    make_model(tmp_path / "model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["transformers", "serve", str(tmp_path / "model"), "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    log = (tmp_path / "log").open("w")
    with log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        try:
            deadline = time.monotonic() + 240
            while not is_up(f"http://127.0.0.1:{port}/health"):
                assert server.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def test_its_answers_are_read_and_kept(url: str, tmp_path: Path) -> None:
    model = str(tmp_path / "model")
    options = ("-m", model, "--base-url", url, "--max-tokens", "12", "--journal", tmp_path / "j")
    text = lines([{**record, "task": "text"} for record in sums(3)])
    status, records, err = run(None, text, *options)
    # Random weights say nothing that can be read, which is an outcome of its own, with usage.
    kinds = {record["teacher"].get("error", {}).get("kind", "answered") for record in records}
    assert len(records) == 3, err
    assert kinds <= {"answered", "unreadable", "truncated", "empty"}
    assert all(record["teacher"]["usage"]["completion_tokens"] > 0 for record in records)
    assert "3 rows = " in err
    again = run(None, text, *options, "--offline")
    assert json.dumps(again[1]) == json.dumps(records)
    assert status == again[0]
