"""The bounds on what is read: how large one line may be, how deep, and how long its numbers.

Each bound keeps one hostile or broken line from taking the memory or the time of a whole run. A
line beyond a bound is that line's fault, as every other invalid line is; the message names the
option that raises the bound. ``mitools schema --bounds`` prints :data:`TABLE`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEEPEST", "DEFAULTS", "JSON_BYTES", "OWN", "TABLE", "Bound", "Bounds"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one line of input may be.

    Attributes:
        line_bytes: its longest length in bytes, unpacked, the line break not counted.
        depth: how many objects and lists may stand inside one another; the record counts as one.
        digits: the most digits of a whole number. Python itself enforces it, for the whole
            process: see :func:`sys.set_int_max_str_digits`.
    """

    line_bytes: int = 16 * 2**20
    depth: int = 100
    digits: int = 4300


DEFAULTS = Bounds()

DEEPEST = 400
"""Levels that may be asked for at most: far below the 1,000 calls that Python allows."""

JSON_BYTES = 256 * 2**20
"""The longest JSON list that ``load`` reads, unpacked: unlike lines, a list is held whole."""

OWN = Bounds(depth=DEEPEST)
"""For lines that mitools wrote itself, of records that were within the bounds of their run."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One row of the documentation.

    Attributes:
        what: what is bounded.
        default: its value where no option is given.
        option: what raises or lowers it; empty where it is fixed.
        why: what would happen without it.
    """

    what: str
    default: str
    option: str
    why: str


TABLE = (
    Bound(
        "longest line of input",
        f"{DEFAULTS.line_bytes // 2**20} MiB",
        "--max-line-bytes",
        "a line without end fills the memory; JSON takes up to 30 times its size when parsed",
    ),
    Bound(
        "nesting of a record",
        f"{DEFAULTS.depth} levels",
        "--max-depth",
        "deep nesting exhausts the stack of whatever reads it next",
    ),
    Bound(
        "digits of a whole number",
        f"{DEFAULTS.digits:,}",
        "--max-digits",
        "reading and writing a number takes the square of its digits",
    ),
    Bound(
        "JSON list, unpacked",
        f"{JSON_BYTES // 2**20} MiB",
        "--max-json-bytes",
        "a list is held whole, and a small packed file may hold any amount (load alone)",
    ),
    Bound(
        "response of a server, unpacked",
        "16 MiB",
        "--max-response-bytes",
        "a server may send without end, or a little that unpacks to much (annotate alone)",
    ),
    Bound(
        "unpacked at once (.gz, .zst)",
        "128 KiB",
        "",
        "a small file may hold any amount; it is unpacked as it is read, never whole",
    ),
    Bound(
        "window of a .zst file",
        "128 MiB",
        "",
        'a longer one (zstd --long=28 and more) is refused: unpack it first with "zstd -d"',
    ),
)
