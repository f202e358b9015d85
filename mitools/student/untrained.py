"""A student as it was before its training: its base model, asked in the same way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mitools.errors import StudentError
from mitools.student.base.open_base import open_base
from mitools.student.base.scratch import random_model
from mitools.student.boundary import library_errors
from mitools.student.local import LocalStudent
from mitools.student.protocol import Student

__all__ = ["has_random_weights", "open_untrained"]

_SCRATCH = "scratch"


def has_random_weights(base: str) -> bool:
    """Return whether a base model is one with random weights."""
    return base.partition(":")[0] == _SCRATCH


def open_untrained(student: Student) -> LocalStudent:
    """Open the base model of a student, on the student's device.

    The weights of a new model are drawn again from the seed of the training, so they are those that
    it began with.

    Raises:
        StudentError: the base is unknown, or cannot be opened.
        MissingExtraError: its format needs a package that is not installed.
    """
    base = student.metadata.get("base")
    if not isinstance(base, str) or not isinstance(student, LocalStudent):
        hint = 'name a student that "mitools train" saved'
        raise StudentError("the student does not say what it was trained from", hint=hint)
    codec, seed = student.codec, _seed(student)
    if has_random_weights(base):
        model = random_model(codec.tokenizer, base.partition(":")[2] or "small", seed)
    else:
        opened = open_base(base, _no_texts, seed)
        if opened.kind != codec.kind:
            message = f"the base {base} is {opened.kind} now, the student {codec.kind}"
            raise StudentError(message, hint="train the student again")
        model, codec = opened.model, replace(codec, tokenizer=opened.tokenizer)
    with library_errors(f"cannot move the base {base} to {student.device}", 'try "--device cpu"'):
        model = model.to(student.device)
    return LocalStudent(model, codec, student.metadata, tokens_per_batch=student.tokens_per_batch)


def _seed(student: Student) -> int:
    options = student.metadata.get("options")
    seed = options.get("seed") if isinstance(options, dict) else None
    return seed if isinstance(seed, int) else 0


def _no_texts() -> Iterable[str]:
    return ()
