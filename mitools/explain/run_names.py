"""Short names of several runs, from the paths of their files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from mitools.explain.view import Who, other_key
from mitools.files import STDIN

__all__ = ["base_name", "names_of_students", "run_names"]

_ENDINGS = re.compile(r"(?:\.(?:jsonl|json|ndjson|gz|zst))+$")


def run_names(paths: Sequence[str]) -> list[str]:
    """Return a short and distinct name for each run.

    The name is the part of the path that differs: ``runs/mi/judged.jsonl`` and
    ``runs/dss/judged.jsonl`` are ``mi`` and ``dss``. Equal paths get a number.

        >>> run_names(["runs/mi/judged.jsonl", "runs/dss/judged.jsonl"])
        ['mi', 'dss']
        >>> run_names(["mi.jsonl", "dss.jsonl.gz"])
        ['mi', 'dss']
    """
    parts = [_parts(path) for path in paths]
    if len(parts) > 1:
        while all(len(one) > 1 for one in parts) and len({one[0] for one in parts}) == 1:
            parts = [one[1:] for one in parts]
        while all(len(one) > 1 for one in parts) and len({one[-1] for one in parts}) == 1:
            parts = [one[:-1] for one in parts]
    else:
        parts = [one[-1:] for one in parts]
    lasts = [one[-1:] for one in parts]
    names = [
        "/".join(one) for one in (lasts if len(set(map(tuple, lasts))) == len(lasts) else parts)
    ]
    return _distinct(names)


def names_of_students(first: str, others: Sequence[str]) -> dict[Who, str]:
    """Return the names of the students by their keys; {} if there is one student alone.

    Args:
        first: the file of the first student's answers, or its folder.
        others: the files of the others.
    """
    if not others:
        return {}
    paths = [first, *others]
    # The names of a file must not be those of the other answers.
    names = [
        path if name in ("gold", "teacher") else name
        for path, name in zip(paths, run_names(paths), strict=True)
    ]
    keys = ["student", *map(other_key, range(len(others)))]
    return dict(zip(keys, names, strict=True))


def base_name(name: str) -> str:
    """Return the name of a file without its endings."""
    return _ENDINGS.sub("", name) or name


def _parts(path: str) -> list[str]:
    if path == STDIN:
        return ["stdin"]
    pure = PurePath(path)
    name = base_name(pure.name) or path
    return [*(part for part in pure.parts[:-1] if part != pure.anchor), name]


def _distinct(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name} ({number})"
        found.append(unique)
    return found
