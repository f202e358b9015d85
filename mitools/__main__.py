"""``python -m mitools`` and ``torchrun -m mitools``."""

from mitools.cli import main

main()
