"""Checks of the request fields that a user adds with ``--param``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mitools.errors import UsageError

__all__ = ["check_params"]


def check_params(params: Mapping[str, Any]) -> None:
    """Refuse fields that the stage sets itself, and values that a request cannot hold.

    Args:
        params: names and values of fields of the request's body.

    Raises:
        UsageError: a field belongs to the stage, or its value is not JSON.
    """
    for name, value in params.items():
        if name == "n":
            message = "--param n draws answers that are not read"
            raise UsageError(message, hint="use --samples to draw several answers per record")
        if name in ("messages", "model"):
            message = f"--param: {name} is not set here"
            raise UsageError(message, hint="use --system, --template or -m")
        if name == "stream" and value:
            message = "--param stream: an answer is read whole, not as a stream"
            raise UsageError(message, hint="leave stream out")
        _check_json(name, value)


def _check_json(name: str, value: Any) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as exc:
        message = f"--param {name}: {value} is not a number that JSON has"
        raise UsageError(message, hint="use a finite number") from exc
    except TypeError as exc:
        message = f"--param {name}: JSON cannot hold a value of type {type(value).__name__}"
        hint = "use a text, a number, true, false, null, a list or an object"
        raise UsageError(message, hint=hint) from exc
