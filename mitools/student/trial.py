"""Test forward passes of an opened model: whether it runs, and what changes its output.

Padding must not, nor a token of the target that comes later: a model that reads it would learn to
copy it, and could not write it.

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
_ONE_WAY = (
    'warm-start it ("--student encoder:NAME"), '
    f'set "is_decoder": true in its config.json, or {_CHOOSE}'
)
_TOLERANCE = 1e-3
_SAME_SHAPE = 1e-4
"""Share of the largest logit that rounding may change where two passes have the same shape."""
_LONGEST = 4


def check_forward(model: Any, codec: Codec) -> None:
    """Check that a model predicts each token of a target from the tokens before it alone.

    Args:
        model: a transformers model of the codec's kind.

    Raises:
        StudentError: it does not run, or padding or later tokens change its logits.
    """
    name = type(model).__name__
    with library_errors(f"a {name} cannot be a student", _CHOOSE), Evaluating(model):
        alone, together = (trial_logits(model, codec, rows) for rows in (1, 2))
        if not torch.isfinite(alone).all():
            return  # NaN or infinite weights; the first training step reports the record
        scale = max(1.0, float(alone.abs().max()))
        width = alone.shape[1]
        if not torch.allclose(together[:1, :width], alone, atol=_TOLERANCE * scale, rtol=0):
            message = f"the outputs of a {name} depend on the padding of a batch"
            raise StudentError(message, hint=_CHOOSE)
        one, other = (_logits_before(model, codec, token) for token in _two_tokens(codec))
        if not torch.allclose(one, other, atol=_SAME_SHAPE * float(one.abs().max()), rtol=0):
            message = (
                f"a {name} reads the tokens that it is to predict: its attention is not causal"
            )
            raise StudentError(message, hint=_ONE_WAY if codec.kind == "causal" else _CHOOSE)


def _two_tokens(codec: Codec) -> tuple[int, int]:
    """Return two different tokens: the end token, and one of an ordinary text."""
    end: int = codec.tokenizer.eos_token_id
    ids = codec.encode_prompt("label", "Two and one?")[0]
    return end, next((token for token in ids if token != end), 0 if end else 1)


def _logits_before(model: Any, codec: Codec, token: int) -> Tensor:
    """Return the logits of the tokens up to a given one in a target: [1, 3, V] float32."""
    usual = _two_tokens(codec)[1]
    prompt = codec.encode_prompt("label", "How many?")[0][:_LONGEST]
    # A decoder does not read the last token of a target, so the given one is the last but one.
    target = [usual, usual, token, usual]
    return _logits(model, codec, codec.pad([prompt or [usual]], [target]))[:, :3]


def trial_logits(model: Any, codec: Codec, rows: int = 2) -> Tensor:
    """Return the logits of one or two short targets of different length: [rows, T, V] float32."""
    prompts = [codec.encode_prompt("label", text)[0] for text in ("Two and one?", "How many?")]
    lengths = (4, 6)
    end = codec.tokenizer.eos_token_id
    short = [ids[:length] or [end] for ids, length in zip(prompts, lengths, strict=True)]
    targets = [codec.encode_target("label", text)[0][:3] for text in ("( 2 + 1 )", "3")]
    return _logits(model, codec, codec.pad(short[:rows], targets[:rows]))


def _logits(model: Any, codec: Codec, pairs: Pairs) -> Tensor:
    on_device = {name: tensor.to(model.device) for name, tensor in pairs.as_dict().items()}
    with torch.no_grad():
        return target_logits(model, codec.kind, Pairs(**on_device)).float()


class Evaluating:
    """Switch dropout off inside the block."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.was_training = self.model.training
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        self.model.train(self.was_training)
