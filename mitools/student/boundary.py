"""Errors of the libraries that read model files, as errors of mitools.

Every exception that a library raises while it reads a model becomes one :class:`StudentError`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mitools.errors import MitoolsError, StudentError

__all__ = ["OPENING_HINT", "is_out_of_memory", "library_errors", "reason_of"]

OPENING_HINT = "give a folder with config.json and weights, or a Hub name while online"

_LONGEST_REASON = 300
_CODE_WORDS = ("trust_remote_code", "custom code")
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "bad_alloc", "cannot allocate memory")


@contextlib.contextmanager
def library_errors(what: str, hint: str = OPENING_HINT) -> Iterator[None]:
    """Turn every exception of a library inside the block into :class:`StudentError`.

    Tokenizers raise bare ``Exception``, and a panic in Rust is a ``BaseException``. So every type
    is caught, except errors of mitools and interrupts.

    Args:
        what: what could not be done, for example ``cannot open the student x``.
        hint: how to fix it.

    Raises:
        StudentError: the library raised an exception.
    """
    try:
        yield
    except MitoolsError:
        raise
    except BaseException as exc:
        if not isinstance(exc, Exception) and type(exc).__name__ != "PanicException":
            raise
        if is_out_of_memory(exc):
            advice = "choose a smaller model, or free some memory"
            raise StudentError(f"{what}: not enough memory", hint=advice) from exc
        reason = reason_of(exc)
        if any(word in str(exc) for word in _CODE_WORDS):
            reason = "it needs Python code of its own, which mitools never runs"
            hint = "choose a model that is part of transformers"
        raise StudentError(f"{what}: {reason}", hint=hint) from exc


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's message, or its type if it has no message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    if not lines:
        return name
    text = lines[0][:_LONGEST_REASON]
    is_clear = isinstance(error, OSError | ValueError | RuntimeError)
    return text if is_clear else f"{name}: {text}"


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, on a GPU or on the host.

    PyTorch raises a bare ``RuntimeError`` for the host, so its message is searched.
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(word in text for word in _MEMORY_WORDS)
