"""Two-task models of a tiny student, their rows, and their gradient, for tests of an objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.train.losses.objective import Objective
from mitools.train.task_tensors import count_targets
from mitools.train.two_task_model import TwoTaskModel

NAMED = {
    "name_place": 1,
    "name_ids": [5, 9, 14],
    "name_label_place": 0,
    "name_label_ids": [6, 8, 11],
    "name_gold": 2,
}
"""Any tokens, as those of three choices of a row for the term ``name``."""


def model_without_dropout(
    request: pytest.FixtureRequest,
    kind: str,
    *,
    max_rationale_tokens: int = 24,
    prefix_position: Any = "before",
    fused: bool | None = None,
    **objective: Any,
) -> TwoTaskModel:
    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    for module in base.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    limits = (512, 12, max_rationale_tokens)
    codec = Codec(base.tokenizer, base.kind, *limits, "separate", prefix_position)
    torch.manual_seed(0)
    return TwoTaskModel(base.model, codec, Objective(**objective), fused=fused).eval()


def tokenized(codec: Codec, record: Mapping[str, Any], rationale: str) -> dict[str, Any]:
    """A row of both tasks."""
    row: dict[str, Any] = {"id": record["id"]}
    for purpose, text in (("label", record["label"]), ("rationale", rationale)):
        row[f"{purpose}_prompt"] = codec.encode_prompt(purpose, record["input"])[0]  # type: ignore[arg-type]
        row[f"{purpose}_target"] = codec.encode_target(purpose, text)[0]  # type: ignore[arg-type]
    return row


def gradient(model: TwoTaskModel) -> Tensor:
    """The gradient of all weights in one row; it is reset."""
    grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return torch.cat(grads)


def check_pieces(model: TwoTaskModel, whole: dict[str, Any], pieces: list[dict[str, Any]]) -> None:
    """Check that pieces of a batch have the losses and the gradient of the whole."""
    expected_outputs = model(**whole)
    expected_outputs["loss"].backward()
    expected = gradient(model)
    counts = sum(count_targets(p["label"], p["rationale"], model.end_id) for p in pieces)
    parts = [model(**piece, counts=counts) for piece in pieces]
    sum(part["loss"] for part in parts).backward()
    for name, value in expected_outputs.items():
        assert sum(part[name].item() for part in parts) == pytest.approx(value.item(), rel=1e-4)
    assert torch.allclose(gradient(model), expected, rtol=1e-3, atol=1e-6)


Found = tuple[dict[str, Tensor], Tensor]


def losses_and_gradient(model: TwoTaskModel, batch: dict[str, Any]) -> Found:
    outputs = model(**batch)
    outputs["loss"].backward()
    return outputs, gradient(model)


def check_equal(found: Found, expected: Found) -> None:
    """Check that losses and gradient are the same bit for bit."""
    (losses, grad), (expected_losses, expected_grad) = found, expected
    assert losses.keys() == expected_losses.keys()
    assert all(torch.equal(losses[name], expected_losses[name]) for name in losses)
    assert torch.equal(grad, expected_grad)


def check_close(found: Found, expected: Found, rel: float = 1e-4) -> None:
    """Check that losses and gradient are the same but for rounding."""
    (losses, grad), (expected_losses, expected_grad) = found, expected
    for name, value in expected_losses.items():
        assert losses[name].item() == pytest.approx(value.item(), rel=rel, abs=1e-6)
    assert (grad - expected_grad).norm() < 1e-4 * expected_grad.norm()


def check_padding(model: TwoTaskModel, batch: dict[str, Any], wide: dict[str, Any]) -> None:
    """Check that three more columns of padding in the targets of ``wide`` change no loss."""
    for task in wide.values():
        for name in ("target_ids", "target_mask"):
            task[name] = torch.nn.functional.pad(task[name], (0, 3))
    plain, padded = model(**batch), model(**wide)
    for name, value in plain.items():
        assert padded[name].item() == pytest.approx(value.item(), rel=1e-4, abs=1e-6)
