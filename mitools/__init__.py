"""Distil a large language model's labels and rationales into a small model."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("mitools")
