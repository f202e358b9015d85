"""A test forward pass of an opened model: whether it runs, and whether padding changes its output.

Students use features that most models of the library have, but not all; and a configuration may
pass every formal check and still describe a model that cannot run.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mitools.errors import StudentError
from mitools.student.boundary import library_errors
from mitools.student.codec import Codec, Pairs
from mitools.student.forward import target_logits

__all__ = ["Evaluating", "check_forward", "trial_logits"]

_CHOOSE = "choose another student, such as a T5, a Llama or a Qwen"
_TOLERANCE = 1e-3


def check_forward(model: Any, codec: Codec) -> None:
    """Check that a model computes logits of targets that do not depend on padding.

    Args:
        model: a transformers model of the codec's kind.

    Raises:
        StudentError: it does not run, or padding changes its logits.
    """
    name = type(model).__name__
    with library_errors(f"a {name} cannot be a student", _CHOOSE), Evaluating(model):
        alone, together = (trial_logits(model, codec, rows) for rows in (1, 2))
        if not torch.isfinite(alone).all():
            return  # NaN or infinite weights; the first training step reports the record
        width = alone.shape[1]
        scale = max(1.0, float(alone.abs().max()))
        if not torch.allclose(together[:1, :width], alone, atol=_TOLERANCE * scale, rtol=0):
            message = f"the outputs of a {name} depend on the padding of a batch"
            raise StudentError(message, hint=_CHOOSE)


def trial_logits(model: Any, codec: Codec, rows: int = 2) -> Tensor:
    """Return the logits of one or two short targets of different length: [rows, T, V] float32."""
    prompts = [codec.encode_prompt("label", text)[0] for text in ("Two and one?", "How many?")]
    lengths = (4, 6)
    end = codec.tokenizer.eos_token_id
    short = [ids[:length] or [end] for ids, length in zip(prompts, lengths, strict=True)]
    targets = [codec.encode_target("label", text)[0][:3] for text in ("( 2 + 1 )", "3")]
    pairs = codec.pad(short[:rows], targets[:rows]).as_dict()
    on_device = Pairs(**{name: tensor.to(model.device) for name, tensor in pairs.items()})
    with torch.no_grad():
        return target_logits(model, codec.kind, on_device).float()


class Evaluating:
    """Switch dropout off inside the block."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.was_training = self.model.training
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        self.model.train(self.was_training)
