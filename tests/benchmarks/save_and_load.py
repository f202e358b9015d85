"""Try every class of model for text that transformers maps: does it come back from disk as saved?

    python tests/benchmarks/save_and_load.py [NAME ...]

Builds a tiny model of each class with random weights, tries it as `mitools train` tries a student
before the first step (its logits, padding, saving and opening again), and prints a table: works,
refused with the message, or no tiny configuration found. About a minute. The classes of
`mitools.student.round_trip.KNOWN_TO_SAVE` must work. Exit status 1 if one does not, or if anything
but a refusal comes out.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest  # noqa: E402
from transformers.utils import logging  # noqa: E402

from mitools.student.base.scratch import build_tokenizer  # noqa: E402
from mitools.student.round_trip import KNOWN_TO_SAVE  # noqa: E402
from tests.student.test_round_trip import BY_NAME, try_class  # noqa: E402
from tests.toys import toy_records  # noqa: E402


def main() -> int:
    """Print the table; 1 if a class fails that must not."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer = build_tokenizer((record["input"] for record in toy_records()), 320)
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name in sys.argv[1:] or sorted(BY_NAME):
            try:
                found[name] = try_class(name, tokenizer, Path(folder) / "trial", patch)
            except Exception as exc:
                found[name] = f"FAILED: {type(exc).__name__}: {exc}".partition("\n")[0]
            sys.stdout.write(f"{name:45} {found[name]}\n")
            sys.stdout.flush()
    counts = Counter(outcome.partition(":")[0] for outcome in found.values())
    sys.stdout.write(f"{dict(counts)}\n")
    broken = [name for name in KNOWN_TO_SAVE & found.keys() if found[name] != "works"]
    return 1 if broken or "FAILED" in counts else 0


if __name__ == "__main__":
    sys.exit(main())
