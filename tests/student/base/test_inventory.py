"""Configurations that claim more, or less, than the weight files contain."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.student.damage import change, failure

SIZES = [
    ("num_hidden_layers", 10**6),
    ("num_hidden_layers", 10**15),
    ("num_hidden_layers", -1),
    ("num_hidden_layers", 3),
    ("num_hidden_layers", 1),
    ("vocab_size", 10**12),
    ("vocab_size", 10),
    ("hidden_size", 10**7),
    ("hidden_size", 64),
    ("intermediate_size", 10**9),
    ("intermediate_size", 63),
    ("num_attention_heads", 0),
    ("num_attention_heads", "two"),
    ("num_key_value_heads", 10**9),
    ("head_dim", 10**9),
    ("hidden_act", "no_such_function"),
    ("model_type", "no_such_type"),
    ("model_type", 5),
    ("rope_parameters", {"rope_type": "no_such_rope"}),
]


@pytest.mark.parametrize(("key", "value"), SIZES, ids=[f"{k}={v}"[:40] for k, v in SIZES])
def test_a_configuration_that_does_not_fit_the_weights_is_refused_at_once(
    folder: Path, key: str, value: Any
) -> None:
    change(folder / "config.json", **{key: value})
    started = time.monotonic()
    failure(folder)
    assert time.monotonic() - started < 20
