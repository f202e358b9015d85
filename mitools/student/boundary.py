"""The line between mitools and the libraries that read model files.

Whatever a file makes a library raise is that file's fault, and becomes one :class:`StudentError`.
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
    """Turn everything that a library raises inside the block into :class:`StudentError`.

    Tokenizers raise bare ``Exception``, and a panic in Rust is not even that; so every type is
    caught, except for errors of our own and for interrupts.

    Args:
        what: what could not be done, for example ``cannot open the student x``.
        hint: what to do about it.

    Raises:
        StudentError: the block raised anything else.
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
            hint = "choose a model that transformers knows by itself"
        raise StudentError(f"{what}: {reason}", hint=hint) from exc


def reason_of(error: BaseException) -> str:
    """Give the first line of an error's message, or its type where there is none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    if not lines:
        return name
    text = lines[0][:_LONGEST_REASON]
    says_itself = isinstance(error, OSError | ValueError | RuntimeError)
    return text if says_itself else f"{name}: {text}"


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out, on a GPU or on the host.

    PyTorch raises a bare ``RuntimeError`` for the host, so its words decide.
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(word in text for word in _MEMORY_WORDS)
