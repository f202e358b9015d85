"""The kernels that attention chooses from in training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.backends import cuda

from mitools.train.attention import without_cudnn_attention
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from tests.train.runs import toy_records


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_choice_of_the_process_is_restored(was_enabled: bool) -> None:
    before = cuda.cudnn_sdp_enabled()
    try:
        cuda.enable_cudnn_sdp(was_enabled)
        with pytest.raises(ZeroDivisionError), without_cudnn_attention():
            1 / cuda.cudnn_sdp_enabled()  # 0: it is left out in the block
        assert cuda.cudnn_sdp_enabled() == was_enabled
    finally:
        cuda.enable_cudnn_sdp(before)


@pytest.mark.parametrize("recomputes", [False, True])
def test_no_gradient_comes_from_cudnn(tmp_path: Path, tiny_causal: Path, recomputes: bool) -> None:
    chosen = TrainOptions(
        save=tmp_path / "student",
        student=str(tiny_causal),
        mi="paper",  # without packing, so with masks
        max_steps=1,
        batch_size=4,
        gradient_checkpointing=recomputes,
    )
    run = prepare(iter(toy_records()), chosen, lambda _note: None)
    seen: list[bool] = []
    for layer in run.model.student.model.layers:
        layer.self_attn.register_forward_hook(
            lambda *_: seen.append(cuda.cudnn_sdp_enabled()) if torch.is_grad_enabled() else None
        )
    before = cuda.cudnn_sdp_enabled()
    run.execute()
    run.clean()
    layers = len(run.model.student.model.layers)
    assert seen == [False] * (layers * 2 * (2 if recomputes else 1))  # two tasks
    assert cuda.cudnn_sdp_enabled() == before
