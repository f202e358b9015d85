"""Records to evaluate, whose answers tests state themselves."""

from __future__ import annotations

from typing import Any

from mitools.records import Record


def equation(number: int, **more: Any) -> Record:
    return {
        "id": str(number),
        "input": f"q{number}",
        "label": f"{number} + 1",
        "task": "equation",
        **more,
    }


def choice(number: int, *choices: str, **more: Any) -> Record:
    return {
        "id": str(number),
        "input": f"q{number}",
        "label": choices[0],
        "choices": list(choices),
        **more,
    }
