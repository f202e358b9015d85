"""Records of a toy task, for tests that need some."""

from __future__ import annotations

from typing import Any


def toy_records(n: int = 24) -> list[dict[str, Any]]:
    """Additions of small numbers, each answered and explained, two thirds to train on."""
    splits = ("train", "train", "valid") * n
    return [
        {
            "id": f"toy-{i}",
            "input": f"Ann has {i} pears and gets {i % 3}. How many?",
            "label": f"( {i} + {i % 3} )",
            "task": "equation",
            "teacher": {"label": f"({i} + {i % 3})", "rationale": f"{i} + {i % 3} = {i + i % 3}."},
            "split": splits[i],
        }
        for i in range(n)
    ]
