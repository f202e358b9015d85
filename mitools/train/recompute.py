"""Gradient checkpointing: layers keep their input only, and are computed again for the gradient.

Memory then grows with the number of layers times the width of a layer's input, not of all that a
layer computes (Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174).
Results are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

from mitools.errors import UsageError
from mitools.student.packing import Packing, attending, current_packing
from mitools.train.dropout import fast_dropout

__all__ = ["recompute_layers", "recomputes_layers"]


def recompute_layers(model: Any) -> None:
    """Let the layers of a model be computed again in the backward pass.

    Args:
        model: a transformers model; changed in place.

    Raises:
        UsageError: its layers cannot be computed again.
    """
    enable = getattr(model, "activation_checkpointing_enable", None)
    enable = enable or model.gradient_checkpointing_enable  # its name before transformers 5.24
    try:
        enable({"use_reentrant": False, "context_fn": partial(_contexts, model)})
    except ValueError as exc:
        message = f"the layers of this student cannot be computed again: {exc}"
        raise UsageError(message, hint="drop --gradient-checkpointing") from exc


def recomputes_layers(model: Any) -> bool:
    """Tell whether layers of a model are computed again."""
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


def _contexts(model: Any) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Return contexts for a layer's forward pass, and for computing it again.

    The second one restores what stands around the forward pass: how packed rows attend, and which
    random numbers dropout draws. torch itself restores the generator and autocast.
    """
    return nullcontext(), _again(model, current_packing())


@contextmanager
def _again(model: Any, packing: Packing | None) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(fast_dropout(model.device))
        if packing is not None:
            stack.enter_context(attending(model, packing))
        yield
