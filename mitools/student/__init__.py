"""Students: small models that answer and explain.

Owns the transformers models: opening and building them, scoring choices, decoding texts, and the
folder that a trained student lives in.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitools.student.folder import load_student, save_student

__all__ = ["load_student", "save_student"]


def __getattr__(name: str) -> Any:
    # Importing this package for its protocol alone must not cost seconds of torch.
    if name in __all__:
        from mitools.student import folder

        return getattr(folder, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
