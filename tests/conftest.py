"""What every test may use: real data where it is, and tiny students of both kinds."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.toys import toy_records

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["NO_COLOR"] = "1"
# With it a stage that forgets to flush would look as if it did not.
os.environ.pop("PYTHONUNBUFFERED", None)

# A shell ignores ^C for what it runs in the background, and so would every process started here.
signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine any example may take its time.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """Real data beside the checkout; a test that wants it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets are not beside this checkout (shared/data)")
    return SHARED


WriteRecords = Callable[[Iterable[dict[str, Any]]], Path]


@pytest.fixture
def write_records(tmp_path: Path) -> WriteRecords:
    """Write records to a file of JSON Lines and return its path."""

    def write(records: Iterable[dict[str, Any]], name: str = "records.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with random weights and a few thousand parameters, as a checkpoint folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from mitools.student.base.scratch import build_scratch

    folder = tmp_path_factory.mktemp("tiny-causal")
    _, tokenizer = build_scratch((r["input"] for r in toy_records()), size="tiny", seed=0)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_seq2seq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5 with random weights and a few thousand parameters, as a checkpoint folder."""
    from mitools.student.base.scratch import build_scratch

    folder = tmp_path_factory.mktemp("tiny-seq2seq")
    model, tokenizer = build_scratch((r["input"] for r in toy_records()), size="tiny", seed=0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
