"""Gradient checkpointing changes what is kept in memory, and no result."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mitools.errors import UsageError
from mitools.student.base.open_base import open_base
from mitools.train.prepare import prepare
from mitools.train.recompute import recompute_layers
from mitools.train.training_run import Interrupted
from tests.toys import toy_records
from tests.train.test_training_run import options, signal_at, train, weights


def trained(folder: Path, student: Path, **changes: Any) -> dict[str, torch.Tensor]:
    folder.mkdir()
    train(options(folder, student, precision="fp32", **changes))
    return weights(folder / "student")


def assert_alike(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-6)


def with_dropout(student: Path, folder: Path, name: str) -> Path:
    """Copy a student and let it drop a tenth, which must be drawn again as it was."""
    shutil.copytree(student, folder)
    config = json.loads((folder / "config.json").read_text())
    assert name in config
    (folder / "config.json").write_text(json.dumps({**config, name: 0.1}))
    return folder


SEQ2SEQ = [
    {"mi": "none"},
    {"mi": "paper", "micro_batch_size": 2},
    {"mi": "conclude", "beta": 0.5, "mi_mask_label": 0.5},
    {"mi": "conclude", "beta": 0.5, "mi_control": "past"},
]
CAUSAL = [
    {"mi": "none"},
    {"mi": "conclude", "beta": 0.5},
    {"mi": "paper", "prefix_position": "after"},
    {"mi": "none", "order": "rationale-label"},
    {"mi": "none", "lora": 2},
]


@pytest.mark.parametrize("changes", SEQ2SEQ, ids=[str(one) for one in SEQ2SEQ])
def test_a_seq2seq_student_is_the_same(
    tmp_path: Path, tiny_seq2seq: Path, changes: dict[str, Any]
) -> None:
    student = with_dropout(tiny_seq2seq, tmp_path / "base", "dropout_rate")
    plain = trained(tmp_path / "a", student, **changes)
    again = trained(tmp_path / "b", student, gradient_checkpointing=True, **changes)
    assert_alike(plain, again)


@pytest.mark.parametrize("changes", CAUSAL, ids=[str(one) for one in CAUSAL])
def test_a_causal_student_is_the_same(
    tmp_path: Path, tiny_causal: Path, changes: dict[str, Any]
) -> None:
    if "lora" in changes:
        pytest.importorskip("peft")
    student = with_dropout(tiny_causal, tmp_path / "base", "attention_dropout")
    plain = trained(tmp_path / "a", student, **changes)
    again = trained(tmp_path / "b", student, gradient_checkpointing=True, **changes)
    assert_alike(plain, again)


def test_layers_are_computed_again(tiny_causal: Path) -> None:
    def linear_calls(*, recomputes: bool) -> int:
        model = open_base(str(tiny_causal), lambda: iter(()), 0).model.train()
        if recomputes:
            recompute_layers(model)
        calls: list[Any] = []
        for layer in model.model.layers.modules():
            if isinstance(layer, nn.Linear):
                layer.register_forward_hook(lambda *_: calls.append(None))
        ids = torch.arange(3, 19).view(1, 16)
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        return len(calls)

    # torch ends the second time when it has what the gradient needs, before the last product.
    plain = linear_calls(recomputes=False)
    assert plain < linear_calls(recomputes=True) <= 2 * plain


def test_a_run_may_be_resumed_with_it(tmp_path: Path, tiny_seq2seq: Path) -> None:
    whole = trained(tmp_path / "whole", tiny_seq2seq)
    (tmp_path / "cut").mkdir()
    chosen = options(tmp_path / "cut", tiny_seq2seq, precision="fp32")
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    with pytest.raises(Interrupted):
        run.execute(signal_at(2, signal.SIGTERM))
    train(replace(chosen, resume=True, gradient_checkpointing=True))
    assert_alike(whole, weights(chosen.save))


def test_a_model_without_such_layers_is_refused() -> None:
    class Plain(nn.Module):
        def gradient_checkpointing_enable(self, _settings: Any) -> None:
            raise ValueError("Plain does not support gradient checkpointing.")

    with pytest.raises(UsageError) as caught:
        recompute_layers(Plain())
    assert "drop --gradient-checkpointing" in caught.value.hint
