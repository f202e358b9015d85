"""Students: small models that answer and explain.

Owns the transformers models: opening and building them, scoring choices, decoding texts, and the
folder that a trained student lives in.
"""

from mitools.student.folder import load_student, save_student

__all__ = ["load_student", "save_student"]
